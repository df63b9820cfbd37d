"""The OpenID Connect provider: the way to it, and what it says of who comes back. authlib and joserfc are named only
here.
"""

import logging
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.flask_client import OAuth
from flask import Flask
from joserfc.errors import JoseError

from endpoints.begun_sign_ins import BegunSignIn
from endpoints.refusals import log_refusal
from services.accounts.accounts import Identity
from utils.errors import SignInUnavailable, ValidationFailed

logger = logging.getLogger(__name__)

_NAME = "oidc"

#: For each request to the provider, in seconds: until it answers, and then between two parts of the answer.
PROVIDER_TIMEOUT_S = 10

#: What authlib and joserfc raise over answers that are not as they should be, such as a list for an object.
_ODD_ANSWERS = (
    *(AuthlibBaseError, JoseError, requests.RequestException, RuntimeError),
    *(ValueError, LookupError, TypeError, AttributeError),
)

#: What it answers where it does not know this server, or not by that secret: nobody who comes back can help that.
_NOT_KNOWN_THERE = ("invalid_client", "unauthorized_client")

#: How this server says its secret, in order of preference. The first is what a provider that lists none takes.
_WAYS_TO_SAY_IT = ("client_secret_basic", "client_secret_post")

#: Characters of what identifies somebody, and of his e-mail address (RFC 5321: 64 and 255 around the @).
_MOST_NAME, _MOST_EMAIL = 255, 320


class IdentityProvider:
    """The provider that one discovery URL describes; it is asked at the first sign-in."""

    def __init__(
        self, app: Flask, *, client_id: str, client_secret: str, discovery_url: str, callback_url: str
    ) -> None:
        """``callback_url``: where it sends people back to."""
        self._client: Any = OAuth(app).register(
            _NAME,
            client_id=client_id,
            client_secret=client_secret,
            server_metadata_url=discovery_url,
            client_kwargs={
                "scope": "openid email profile",
                "code_challenge_method": "S256",
                "default_timeout": PROVIDER_TIMEOUT_S,
            },
        )
        self._client_id = client_id
        self._callback_url = callback_url

    def begin(self, next: str) -> tuple[str, BegunSignIn]:
        """Where to send somebody who wants to sign in, and what is known again when he comes back.

        ``next``: where he wants to go then. Raises SignInUnavailable.
        """
        state, nonce, code_verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._answering():
            begun = self._client.create_authorization_url(
                self._callback_url, state=state, nonce=nonce, code_verifier=code_verifier
            )
            url = str(begun["url"])
        return url, BegunSignIn(state=state, nonce=nonce, code_verifier=code_verifier, next=next)

    def identify(self, begun: BegunSignIn, code: str) -> Identity:
        """Who came back with ``code``. Raises ValidationFailed, SignInUnavailable."""
        with self._answering():
            try:
                claims = self._claims(begun, code)
            except (OAuthError, JoseError) as error:
                if error.error in _NOT_KNOWN_THERE:
                    logger.error("the sign-in provider takes GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET for wrong")
                    raise SignInUnavailable from None
                # A code that was used before or made up, or an ID token for something else.
                log_refusal(f"no way back of a sign-in begun here: {type(error).__name__}")
                if isinstance(error, JoseError):
                    self._forget_description()  # it may have other keys by now
                raise NotBegunHere from None
        return _identity(claims)

    def _claims(self, begun: BegunSignIn, code: str) -> dict[str, Any]:
        """What the ID token says, whose every check of OpenID Connect Core 3.1.3.7 is passed."""
        described = self._client.load_server_metadata()
        if not described.get("issuer"):
            raise ValueError("the issuer of the token would be compared with nothing")
        taken = described.get("token_endpoint_auth_methods_supported") or _WAYS_TO_SAY_IT
        way = next((one for one in _WAYS_TO_SAY_IT if one in taken), _WAYS_TO_SAY_IT[0])
        described["token_endpoint_auth_method"] = way  # where authlib looks for it
        token = self._client.fetch_access_token(
            redirect_uri=self._callback_url, code=code, code_verifier=begun.code_verifier
        )
        must_be = {"iss": described["issuer"], "aud": self._client_id}
        options = {claim: {"essential": True, "value": value} for claim, value in must_be.items()}
        claims = dict(self._client.parse_id_token(token, nonce=begun.nonce, claims_options=options) or {})
        if claims.keys() >= {"email", "email_verified"} or not described.get("userinfo_endpoint"):
            return claims
        # Core 5.4: where there is an access token, the person's claims need be at the userinfo endpoint alone.
        told = dict(self._client.userinfo(token=token))
        if told.get("sub") != claims.get("sub"):
            raise ValueError("the userinfo is of somebody else")
        return told | claims | {name: told.get(name) for name in ("email", "email_verified")}

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Whatever is wrong with the provider's answers within is SignInUnavailable, and asked for anew next time."""
        try:
            yield
        except _ODD_ANSWERS as error:  # authlib leaves out what it has to say, and what it says may hold a secret
            logger.warning("the sign-in provider does not answer as it should: %s", type(error).__name__)
            self._forget_description()
            raise SignInUnavailable from None

    def _forget_description(self) -> None:
        """authlib would keep what was described once, and the keys, for as long as the process lives."""
        self._client.server_metadata = {}


class NotBegunHere(ValidationFailed):
    """This sign-in is not one that was begun here just now. Begin it again."""


def _identity(claims: dict[str, Any]) -> Identity:
    issuer, subject, email, name = (_text(claims.get(claim)) for claim in ("iss", "sub", "email", "name"))
    if not issuer or not subject or max(len(issuer), len(subject)) > _MOST_NAME or not _is_line(issuer + subject):
        log_refusal("the provider does not say who it is")
        raise ValidationFailed("The sign-in provider does not say who you are.")
    email = email.strip()
    if email and not _can_be_email(email):
        log_refusal("the provider tells an e-mail address that can't be one")
        raise ValidationFailed("What the sign-in provider says is your e-mail address can't be one.")
    return Identity(
        issuer=issuer,
        subject=subject,
        email=email.lower(),
        is_email_verified=claims.get("email_verified") in (True, "true"),
        name=name.encode(errors="replace").decode(),
    )


def _can_be_email(text: str) -> bool:
    """Whether `services.accounts.admission` can compare it: it has a domain, and no letter that becomes another's in
    lower case, as the Kelvin sign (U+212A) becomes a k."""
    name, _, domain = text.rpartition("@")
    is_someones = any(not character.isascii() and character.lower().isascii() for character in text)
    return bool(name and domain) and len(text) <= _MOST_EMAIL and _is_line(text) and not is_someones


def _text(claim: object) -> str:
    return claim if isinstance(claim, str) else ""


def _is_line(text: str) -> bool:
    """Whether all of it can be stored and shown: NUL and halves of characters can not."""
    return all(unicodedata.category(character) not in ("Cc", "Cs") for character in text)
