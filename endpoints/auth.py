"""/api/auth: who is signed in. In the local mode that is always the one built-in user."""

from apiflask import APIBlueprint
from flask import Response, g
from pydantic import Field

from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.common_schemas import In, Out
from endpoints.middleware import verify_session

auth = APIBlueprint("auth", __name__, url_prefix="/api/auth", tag="Sign-in")
auth.before_request(verify_session)


class UserOut(Out):
    id: str
    name: str
    auth_mode: str = Field(description="local: no sign-in, this machine only")


class MeOut(Out):
    user: UserOut


@auth.get("/me")
@auth.input(In, location="query", arg_name="query")
@auth.output(MeOut)
def get_me(query: In) -> Response:
    """Who you are to this server."""
    user = app_services().get_user(g.session_id)
    return answer(MeOut(user=UserOut(id=user.session_id, name=user.display_name, auth_mode="local")))
