"""A server with sign-in, a provider beside it, and browsers that go the way between them over real HTTP."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import requests
from oidc_provider_mock import User, run_server_in_thread

ANNA = User(sub="anna-1", claims={"email": "Anna@example.org", "email_verified": True, "name": "Anna"})
BEN = User(sub="ben-2", claims={"email": "ben@example.org", "email_verified": True, "name": "Ben"})
UNVERIFIED = User(sub="eve-3", claims={"email": "eve@example.org", "email_verified": False, "name": "Eve"})
NAMELESS = User(sub="nil-4", claims={})


@contextmanager
def running_provider(users: Sequence[User] = (ANNA, BEN, UNVERIFIED, NAMELESS)) -> Iterator[str]:
    """Its discovery URL."""
    with run_server_in_thread(user_claims=list(users)) as server:
        yield f"http://localhost:{server.server_port}/.well-known/openid-configuration"


class BrowserOf:
    """A browser: it keeps cookies, follows redirects by itself, and sends the CSRF token once it is told."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = requests.Session()
        self.csrf: str | None = None

    def sign_in(self, user: User, next: str = "/api/auth/me") -> requests.Response:
        """All the way to the provider and back; the last answer."""
        return self.follow(self.come_back(user, next))

    def come_back(self, user: User, next: str = "/api/auth/me") -> str:
        """To the provider, and what address it sends the browser back to."""
        begun = self.http.get(f"{self.base_url}/api/auth/login", params={"next": next}, allow_redirects=False)
        assert begun.status_code == 302, begun.text
        approved = self.http.post(begun.headers["Location"], data={"sub": user.sub}, allow_redirects=False)
        assert approved.status_code == 302, approved.text
        return urljoin(begun.headers["Location"], approved.headers["Location"])

    def follow(self, url: str) -> requests.Response:
        answered = self.http.get(url, allow_redirects=False)
        if answered.status_code == 302:
            answered = self.http.get(urljoin(url, answered.headers["Location"]))
            me = self.http.get(f"{self.base_url}/api/auth/me").json()
            self.csrf = me["data"]["csrfToken"]
        return answered

    def call(self, method: str, path: str, **request: Any) -> requests.Response:
        headers = {"X-CSRFToken": self.csrf} if self.csrf else {}
        return self.http.request(method, self.base_url + path, headers=headers | request.pop("headers", {}), **request)

    @property
    def cookie(self) -> str:
        (secret,) = [cookie.value or "" for cookie in self.http.cookies if re.search("netpilot_session", cookie.name)]
        return secret
