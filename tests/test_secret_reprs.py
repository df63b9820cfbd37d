"""What is printed by accident, in a traceback's note or a debugger's log, shows no secret."""

from collections.abc import Callable
from datetime import timedelta

from commands_server_operations.router_target import RouterTarget
from endpoints.callers import Caller
from endpoints.routers_schemas import RouterIn
from server import Runtime
from services.accounts.api_tokens import TokenScope
from services.accounts.secrets_at_rest import new_secret
from services.routers.credentials import Credentials, CredentialVault
from services.routers.routers import RouterRegistration
from tests.homes import ALICE, KEY

SECRET = "kZ3v8Qh1xY7cW5rT9uB2nM4pL6sD0fGjAeHi"


def test_what_holds_secrets_does_not_print_them(make_runtime: Callable[..., Runtime]) -> None:
    runtime = make_runtime(
        secret_key=SECRET,
        google_client_secret=SECRET,
        router_password=SECRET,
        database_url=f"postgresql://user:{SECRET}@localhost/x",
    )
    credentials = Credentials(password=SECRET, private_key=SECRET)
    holders = [
        runtime,
        runtime.config,
        runtime.config.credentials_keys,
        credentials,
        CredentialVault([KEY]),
        RouterRegistration(name="Home", host="h", credentials=credentials),
        RouterTarget(
            session_id="a", router_id="b", host="h", port=22, username="root", password=SECRET, private_key=SECRET
        ),
        RouterIn.model_validate({"name": "Home", "host": "h.lan", "password": SECRET}),
        Caller(session_id="a", kind="browser", csrf_token=SECRET),
    ]
    for holder in holders:
        for text in (repr(holder), str(holder)):
            assert SECRET not in text
            assert KEY not in text


def test_neither_does_what_hands_a_new_one_out(runtime: Runtime) -> None:
    secret = new_secret()
    assert secret.text not in repr(secret)
    issued = runtime.services.tokens.create(ALICE, name="x", scope=TokenScope.READ, lifetime=timedelta(days=1))
    assert issued.secret not in repr(issued)
