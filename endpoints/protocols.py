"""/api/device-usage/…/protocols: usage by layer-7 protocol and by address family."""

from apiflask import APIBlueprint
from flask import Response, g

from endpoints import protocols_schemas as schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.callers import verify_session
from endpoints.common_schemas import checked_mac
from endpoints.middleware import choose_router
from services.context import RouterContext
from utils.responses import pagination_of

protocols = APIBlueprint("protocols", __name__, url_prefix="/api/device-usage", tag="Protocols")
protocols.before_request(verify_session)
protocols.before_request(choose_router)


@protocols.get("/protocols")
@protocols.input(schemas.ProtocolsQuery, location="query", arg_name="query")
@protocols.output(schemas.ProtocolsOut)
def list_protocols(query: schemas.ProtocolsQuery) -> Response:
    """What all devices together used of each protocol, those used most first."""
    usage = app_services().protocols.get_protocols(
        RouterContext(g.session_id, g.router_id),
        start_date=query.start_date,
        end_date=query.end_date,
        page=query.page,
        page_size=query.page_size,
    )
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=usage.protocol_count)
    return answer(schemas.protocols_view(usage), pagination=pagination)


@protocols.get("/device/<mac>/protocols")
@protocols.input(schemas.ProtocolsQuery, location="query", arg_name="query")
@protocols.output(schemas.DeviceProtocolsOut)
def list_device_protocols(mac: str, query: schemas.ProtocolsQuery) -> Response:
    """What one device used of each protocol."""
    usage, shown, name = app_services().protocols.get_device_protocols(
        RouterContext(g.session_id, g.router_id),
        checked_mac(mac),
        start_date=query.start_date,
        end_date=query.end_date,
        page=query.page,
        page_size=query.page_size,
    )
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=usage.protocol_count)
    return answer(schemas.device_protocols_view(usage, shown, name), pagination=pagination)
