"""/api/device-usage/events: what happened to a router's counters and devices."""

from apiflask import APIBlueprint
from flask import Response, g

from endpoints import events_schemas as schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.callers import verify_session
from endpoints.middleware import choose_router
from services.context import RouterContext
from utils.responses import pagination_of

events = APIBlueprint("events", __name__, url_prefix="/api/device-usage/events", tag="Events")
events.before_request(verify_session)
events.before_request(choose_router)


@events.get("")
@events.input(schemas.EventsQuery, location="query", arg_name="query")
@events.output(schemas.EventsOut)
def list_events(query: schemas.EventsQuery) -> Response:
    """What happened to the counters (restarts, rollovers, gaps) and to devices (new, vanished, back), latest first."""
    page = app_services().events.list_events(
        RouterContext(g.session_id, g.router_id),
        start_date=query.start_date,
        end_date=query.end_date,
        types=[query.type] if query.type else None,
        mac=query.mac,
        page=query.page,
        page_size=query.page_size,
    )
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=page.total)
    return answer(schemas.events_view(page), pagination=pagination)
