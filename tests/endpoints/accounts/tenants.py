"""Accounts with a browser that is signed in to each, without the way to the provider and back."""

from dataclasses import dataclass

from apiflask import APIFlask
from flask.testing import FlaskClient

from server import Runtime
from services.accounts.accounts import Identity
from services.accounts.sessions import Browser


@dataclass
class Tenant:
    """An account with a browser that is signed in to it."""

    account: str
    secret: str
    session: str
    csrf: str


def tenant(runtime: Runtime, app: APIFlask, name: str) -> Tenant:
    services = runtime.services
    who = Identity(issuer="i", subject=name, email=f"{name}@example.org", is_email_verified=True, name=name)
    account = services.accounts.sign_in(who).session_id
    secret = services.sessions.open(account, Browser(address="127.0.0.1", user_agent="test"))
    (session,) = services.sessions.list_all(account)
    me = as_browser(app, secret).get("/api/auth/me").get_json()
    return Tenant(account, secret, session.id, me["data"]["csrfToken"])


def as_browser(app: APIFlask, secret: str) -> FlaskClient:
    client = app.test_client()
    client.set_cookie("netpilot_session", secret, domain="localhost")
    return client
