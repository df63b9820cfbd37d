"""/api/auth: who is signed in, from where, and which programs may act for him."""

import logging

from apiflask import APIBlueprint
from flask import Response, g, request

from endpoints import auth_schemas as schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.callers import cookie_name, doer, require_recent_sign_in, verify_session
from endpoints.common_schemas import In
from endpoints.refusals import request_in_words
from services.accounts.api_tokens import TokenScope
from utils.errors import InsufficientScope, ValidationFailed
from utils.responses import pagination_of

logger = logging.getLogger(__name__)

auth = APIBlueprint("auth", __name__, url_prefix="/api/auth", tag="Account")
auth.before_request(verify_session)


@auth.before_request
def refuse_programs() -> None:
    """A token acts in its account, not on who may act there: who finds one neither sees nor ends what else holds."""
    if request.method != "OPTIONS" and g.caller.kind == "token" and request.endpoint != "auth.get_me":
        raise InsufficientScope("A token can't do this. Sign in and do it in a browser.")


@auth.get("/me")
@auth.input(In, location="query", arg_name="query")
@auth.output(schemas.MeOut)
def get_me(query: In) -> Response:
    """Who you are to this server."""
    services = app_services()
    user = services.accounts.get(g.session_id)
    shown = schemas.UserOut(
        id=user.session_id,
        name=user.display_name,
        email=user.email,
        auth_mode="google" if services.local_session_id is None else "local",
    )
    return answer(schemas.MeOut(user=shown, csrf_token=g.caller.csrf_token))


@auth.post("/logout")
@auth.input(In, location="query", arg_name="query")
@auth.output(schemas.Nothing)
def logout(query: In) -> Response:
    """Sign this browser out."""
    if g.caller.kind != "browser":
        raise ValidationFailed("Only a browser that is signed in can sign out.")
    app_services().sessions.revoke(g.session_id, g.caller.id, by=doer())
    return _without_cookie(answer(schemas.Nothing()))


# --- browsers --------------------------------------------------------------------------------------------


@auth.get("/sessions")
@auth.input(In, location="query", arg_name="query")
@auth.output(schemas.SessionsOut)
def list_sessions(query: In) -> Response:
    """The browsers that are signed in to your account."""
    sessions = [
        schemas.SessionOut(**vars(session), is_current=session.id == g.caller.id)
        for session in app_services().sessions.list_all(g.session_id)
    ]
    return answer(schemas.SessionsOut(sessions=sessions))


@auth.delete("/sessions")
@auth.input(In, location="query", arg_name="query")
@auth.output(schemas.SignedOutOut)
def sign_out_everywhere(query: In) -> Response:
    """Sign out every browser of your account, this one too. Tokens stay."""
    count = app_services().sessions.revoke_all(g.session_id, by=doer())
    return _without_cookie(answer(schemas.SignedOutOut(signed_out=count)))


@auth.delete("/sessions/<id>")
@auth.input(In, location="query", arg_name="query")
@auth.output(schemas.SignedOutOut)
def revoke_session(id: str, query: In) -> Response:
    """Sign out one browser of your account."""
    app_services().sessions.revoke(g.session_id, id, by=doer())
    return answer(schemas.SignedOutOut(signed_out=1))


# --- tokens ----------------------------------------------------------------------------------------------


@auth.get("/tokens")
@auth.input(In, location="query", arg_name="query")
@auth.output(schemas.TokensOut)
def list_tokens(query: In) -> Response:
    """The tokens of your account, without their secrets."""
    tokens = app_services().tokens.list_all(g.session_id)
    return answer(schemas.TokensOut(tokens=[schemas.TokenOut.model_validate(token) for token in tokens]))


@auth.post("/tokens")
@auth.input(In, location="query", arg_name="query")
@auth.input(schemas.TokenIn, location="json", arg_name="body")
@auth.output(schemas.IssuedTokenOut, status_code=201)
def create_token(query: In, body: schemas.TokenIn) -> Response:
    """Make a token for a program, within an hour of signing in. Its secret is in this answer and nowhere else."""
    require_recent_sign_in()
    issued = app_services().tokens.create(
        g.session_id, name=body.name, scope=TokenScope(body.scope), lifetime=body.lifetime, by=doer()
    )
    return answer(schemas.IssuedTokenOut(**vars(issued.record), token=issued.secret), status=201)


@auth.delete("/tokens/<id>")
@auth.input(In, location="query", arg_name="query")
@auth.output(schemas.Nothing)
def delete_token(id: str, query: In) -> Response:
    """Delete a token; what uses it is refused from now on."""
    app_services().tokens.revoke(g.session_id, id, by=doer())
    return answer(schemas.Nothing())


# --- the account -----------------------------------------------------------------------------------------


@auth.get("/audit")
@auth.input(schemas.AuditQuery, location="query", arg_name="query")
@auth.output(schemas.AuditOut)
def list_audit(query: schemas.AuditQuery) -> Response:
    """What was done in your account: sign-ins, tokens, routers, host keys, purges, exports."""
    page = app_services().audit.page(g.session_id, page=query.page, page_size=query.page_size)
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=page.count)
    entries = [schemas.AuditEntryOut.model_validate(record) for record in page.records]
    return answer(schemas.AuditOut(entries=entries), pagination=pagination)


@auth.delete("/account")
@auth.input(In, location="query", arg_name="query")
@auth.output(schemas.Nothing)
def delete_account(query: In) -> Response:
    """Delete your account: its routers with all their usage, browsers, tokens and its audit log. It can't be undone.

    Within an hour of signing in.
    """
    if g.caller.kind != "browser":
        raise InsufficientScope("An account is deleted by who is signed in to it, in a browser.")
    require_recent_sign_in()
    app_services().accounts.delete(g.session_id)
    logger.info("account %s deleted with everything of it (%s)", g.session_id, request_in_words())
    return _without_cookie(answer(schemas.Nothing()))


def _without_cookie(response: Response) -> Response:
    response.delete_cookie(cookie_name(), path="/", secure=cookie_name().startswith("__Host-"))
    return response
