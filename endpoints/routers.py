"""/api/routers: registering routers, changing them, trying them out."""

from typing import Any

from apiflask import APIBlueprint
from flask import Response, g

from endpoints import routers_schemas as schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.callers import doer, verify_session
from endpoints.common_schemas import In, Warned
from services.context import RouterContext
from services.routers.routers import (
    RegisteredRouter,
    RouterRegistration,
    host_key_fingerprint,
    presented_host_key_fingerprint,
)
from utils.responses import pagination_of

routers = APIBlueprint("routers", __name__, url_prefix="/api/routers", tag="Routers")
routers.before_request(verify_session)


def _context(router_id: str) -> RouterContext:
    g.router_id = router_id
    return RouterContext(g.session_id, router_id)


@routers.get("")
@routers.input(schemas.RoutersQuery, location="query", arg_name="query")
@routers.output(schemas.RoutersOut)
def list_routers(query: schemas.RoutersQuery) -> Response:
    """Your routers, by name."""
    found, total = app_services().routers.list_page(g.session_id, page=query.page, page_size=query.page_size)
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=total)
    return answer(schemas.RoutersOut(routers=[_router(router) for router in found]), pagination=pagination)


@routers.post("")
@routers.input(In, location="query", arg_name="query")
@routers.input(schemas.RouterIn, location="json", arg_name="body")
@routers.output(schemas.RegisteredRouterOut, status_code=201)
def register_router(query: In, body: schemas.RouterIn) -> Response:
    """Register a router and contact it once, which pins its host key.

    One that can't be read just now is kept, and `warning` says why; the collector keeps trying.
    """
    registered = app_services().routers.register(
        g.session_id,
        RouterRegistration(
            name=body.name,
            host=body.host,
            port=body.port,
            username=body.username,
            credentials=body.credentials(),
            timezone=body.timezone,
            collect_interval_minutes=body.collect_interval_minutes,
        ),
        by=doer(),
    )
    g.router_id = registered.router.id
    return answer(_registered(registered), status=201)


@routers.get("/<router_id>")
@routers.input(In, location="query", arg_name="query")
@routers.output(schemas.RouterOut)
def get_router(router_id: str, query: In) -> Response:
    """One router."""
    return answer(_router(app_services().routers.get(_context(router_id))))


@routers.put("/<router_id>")
@routers.input(In, location="query", arg_name="query")
@routers.input(schemas.RouterChangesIn, location="json", arg_name="body")
@routers.output(schemas.RouterOut)
def update_router(router_id: str, query: In, body: schemas.RouterChangesIn) -> Response:
    """Change a router. Another host or port is another router: its host key is pinned anew."""
    secret = body.credentials() if body.has_secret() else None
    router = app_services().routers.update(_context(router_id), body.changes(), credentials=secret, by=doer())
    return answer(_router(router))


@routers.delete("/<router_id>")
@routers.input(In, location="query", arg_name="query")
@routers.output(schemas.DeletedOut)
def delete_router(router_id: str, query: In) -> Response:
    """Remove a router and everything stored of it. On the router nothing changes."""
    app_services().routers.delete(_context(router_id), by=doer())
    return answer(schemas.DeletedOut(deleted=router_id))


@routers.post("/<router_id>/host-key")
@routers.input(In, location="query", arg_name="query")
@routers.input(schemas.HostKeyIn, location="json", arg_name="body")
@routers.output(schemas.RouterOut)
def accept_host_key(router_id: str, query: In, body: schemas.HostKeyIn) -> Response:
    """Accept the host key that the router showed last instead of the pinned one, named by its fingerprint.

    The next reading is a first one: behind another key there may be another router, with other counters.
    """
    router = app_services().routers.accept_host_key(_context(router_id), body.fingerprint, by=doer())
    return answer(_router(router))


@routers.post("/<router_id>/test")
@routers.input(In, location="query", arg_name="query")
@routers.output(schemas.ChecksOut)
def test_router(router_id: str, query: In) -> Response:
    """The router doctor: sign-in, nlbwmon, device list, settings that bear on the counters; with what mends each.

    Nothing is stored, and nothing is changed on the router.
    """
    checks = app_services().routers.test(_context(router_id))
    return answer(schemas.ChecksOut(checks=[schemas.CheckOut.model_validate(check) for check in checks]))


def _router(router: Any) -> schemas.RouterOut:
    return schemas.RouterOut(**_fields(router))


def _registered(registered: RegisteredRouter) -> schemas.RegisteredRouterOut:
    warning = registered.warning
    return schemas.RegisteredRouterOut(
        **_fields(registered.router),
        warning=Warned(code=warning.code, message=warning.message) if warning else None,
    )


def _fields(router: Any) -> dict[str, Any]:
    return {
        "id": router.id,
        "name": router.name,
        "host": router.host,
        "port": router.port,
        "username": router.username,
        "host_key_fingerprint": host_key_fingerprint(router),
        "presented_host_key_fingerprint": presented_host_key_fingerprint(router),
        "timezone": router.timezone,
        "collect_interval_minutes": router.collect_interval_minutes,
        "created_at": router.created_at,
    }
