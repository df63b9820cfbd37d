"""A provider that answers whatever a test has it answer, and a browser's way to it and back without its pages."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from flask import Flask, Response
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.homes import serving

CLIENT_ID = "netpilot"

DESCRIPTION = "/.well-known/openid-configuration"


@dataclass
class MadeUpProvider:
    """What it says; a test changes what it likes. Of `answers` one takes the place of what is at its path."""

    url: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "first"}))
    #: Over the claims of a good ID token; None leaves one out.
    claims: dict[str, Any] = field(default_factory=dict)
    #: What its userinfo endpoint says of the person; None: it has no such endpoint.
    userinfo: dict[str, Any] | None = None
    #: Path -> what is answered there.
    answers: dict[str, Callable[[], Response]] = field(default_factory=dict)
    nonce: str = ""

    @property
    def discovery_url(self) -> str:
        return self.url + DESCRIPTION

    def description(self) -> dict[str, Any]:
        paths = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        described = {"issuer": self.url} | {name: self.url + path for name, path in paths.items()}
        return described | ({"userinfo_endpoint": f"{self.url}/userinfo"} if self.userinfo is not None else {})

    def id_token(self) -> str:
        now = int(time.time())
        good = {"iss": self.url, "aud": CLIENT_ID, "sub": "mia", "nonce": self.nonce, "iat": now, "exp": now + 60}
        person = {"email": "mia@example.org", "email_verified": True, "name": "Mia"}
        claims = {name: value for name, value in (good | person | self.claims).items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def answer(self, path: str) -> Response:
        if path in self.answers:
            return self.answers[path]()
        told = {
            DESCRIPTION: self.description,
            "/keys": lambda: KeySet([self.key]).as_dict(private=False),
            "/token": lambda: {"access_token": "x", "token_type": "Bearer", "id_token": self.id_token()},
            "/userinfo": lambda: self.userinfo,
        }[path]
        return as_json(told())

    # --- a browser's way ---------------------------------------------------------------------------------

    def begin(self, browser: requests.Session, server: str, next: str = "/") -> str:
        """Begin a sign-in; the address that this provider sends the browser back to."""
        begun = browser.get(f"{server}/api/auth/login", params={"next": next}, allow_redirects=False)
        assert begun.status_code == 302, begun.text
        asked = parse_qs(urlsplit(begun.headers["Location"]).query)
        self.nonce = asked["nonce"][0]
        return f"{asked['redirect_uri'][0]}?code=x&state={asked['state'][0]}"

    def sign_in(self, browser: requests.Session, server: str) -> requests.Response:
        """There and back; how this server answers the return."""
        return browser.get(self.begin(browser, server), allow_redirects=False)


def as_json(told: object) -> Response:
    return Response(json.dumps(told), mimetype="application/json")


@contextmanager
def made_up_provider() -> Iterator[MadeUpProvider]:
    provider = MadeUpProvider()
    app = Flask("provider")
    app.add_url_rule("/<path:path>", view_func=lambda path: provider.answer(f"/{path}"), methods=["GET", "POST"])
    with serving(app) as provider.url:
        yield provider
