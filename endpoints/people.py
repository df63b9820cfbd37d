"""/api/device-usage/people: whose devices used how much."""

from apiflask import APIBlueprint
from flask import Response, g

from endpoints import people_schemas as schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.callers import verify_session
from endpoints.middleware import choose_router
from services.context import RouterContext
from utils.responses import pagination_of

people = APIBlueprint("people", __name__, url_prefix="/api/device-usage/people", tag="People")
people.before_request(verify_session)
people.before_request(choose_router)


@people.get("")
@people.input(schemas.PeopleQuery, location="query", arg_name="query")
@people.output(schemas.PeopleOut)
def list_people(query: schemas.PeopleQuery) -> Response:
    """Usage per person, and what is nobody's, those who used most first."""
    page = app_services().people.list_people(
        RouterContext(g.session_id, g.router_id),
        start_date=query.start_date,
        end_date=query.end_date,
        page=query.page,
        page_size=query.page_size,
    )
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=page.count)
    return answer(schemas.people_view(page), pagination=pagination)
