"""/api/device-usage/periods: what nlbwmon counted in its accounting periods, also before monitoring began."""

from apiflask import APIBlueprint
from flask import Response, g

from endpoints import periods_schemas as schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.callers import verify_session
from endpoints.middleware import choose_router
from services.context import RouterContext
from utils.responses import pagination_of

periods = APIBlueprint("periods", __name__, url_prefix="/api/device-usage", tag="Accounting periods")
periods.before_request(verify_session)
periods.before_request(choose_router)


@periods.get("/periods")
@periods.input(schemas.PeriodsQuery, location="query", arg_name="query")
@periods.output(schemas.PeriodsOut)
def list_periods(query: schemas.PeriodsQuery) -> Response:
    """The router's accounting periods, those from before monitoring that it had archives of among them."""
    context = RouterContext(g.session_id, g.router_id)
    page = app_services().periods.list_periods(context, page=query.page, page_size=query.page_size, top=query.top)
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=page.total)
    return answer(schemas.periods_view(page), pagination=pagination)
