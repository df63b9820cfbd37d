"""/health: for whatever watches the process. Needs no router and no session."""

from apiflask import APIBlueprint
from flask import Response

from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.common_schemas import In, Out

health = APIBlueprint("health", __name__, url_prefix="/health", tag="Health")


class HealthOut(Out):
    status: str


@health.get("/live")
@health.input(In, location="query", arg_name="query")
@health.output(HealthOut)
def get_live(query: In) -> Response:
    """Whether the process answers. Says nothing of the database."""
    return answer(HealthOut(status="live"))


@health.get("/ready")
@health.input(In, location="query", arg_name="query")
@health.output(HealthOut)
def get_ready(query: In) -> Response:
    """Whether requests can be served: 503 DATABASE_UNAVAILABLE while the database does not answer."""
    app_services().check_ready()
    return answer(HealthOut(status="ready"))
