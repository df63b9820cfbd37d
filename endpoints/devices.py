"""/api/device-usage/devices and /device/{mac}: who the devices are, what is said of them, which are one."""

from apiflask import APIBlueprint
from flask import Response, g

from endpoints import devices_schemas as schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.callers import doer, verify_session
from endpoints.common_schemas import PageQuery, RouterQuery, checked_mac
from endpoints.middleware import choose_router
from services.context import RouterContext
from utils.responses import pagination_of

devices = APIBlueprint("devices", __name__, url_prefix="/api/device-usage", tag="Devices")
devices.before_request(verify_session)
devices.before_request(choose_router)


def _context() -> RouterContext:
    return RouterContext(g.session_id, g.router_id)


@devices.get("/devices")
@devices.input(schemas.DevicesQuery, location="query", arg_name="query")
@devices.output(schemas.DevicesOut)
def list_devices(query: schemas.DevicesQuery) -> Response:
    """The devices of the network. Merged ones are one."""
    page = app_services().devices.list_devices(
        _context(),
        monitored=query.monitored,
        active=query.active,
        search=query.search,
        sort=query.sort,
        page=query.page,
        page_size=query.page_size,
    )
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=page.matching)
    return answer(schemas.devices_view(page), pagination=pagination)


@devices.get("/devices/merge-suggestions")
@devices.input(PageQuery, location="query", arg_name="query")
@devices.output(schemas.MergeSuggestionsOut)
def list_merge_suggestions(query: PageQuery) -> Response:
    """Devices that may be one: they call themselves the same, and were never seen at the same time."""
    suggestions, total = app_services().merged_devices.suggest(_context(), page=query.page, page_size=query.page_size)
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=total)
    return answer(schemas.suggestions_view(suggestions), pagination=pagination)


@devices.get("/device/<mac>/info")
@devices.input(RouterQuery, location="query", arg_name="query")
@devices.output(schemas.DeviceInfoOut)
def get_device_info(mac: str, query: RouterQuery) -> Response:
    """One device and what it used lately."""
    return answer(schemas.device_info_view(app_services().devices.get_device_info(_context(), checked_mac(mac))))


@devices.put("/device/<mac>")
@devices.input(RouterQuery, location="query", arg_name="query")
@devices.input(schemas.DeviceChangesIn, location="json", arg_name="body")
@devices.output(schemas.DeviceOut)
def update_device(mac: str, query: RouterQuery, body: schemas.DeviceChangesIn) -> Response:
    """Say what a device is and whose, or bring one back that was removed."""
    device = app_services().devices.update(_context(), checked_mac(mac), body.words(), is_monitored=body.is_monitored)
    return answer(schemas.device_view(device))


@devices.delete("/device/<mac>")
@devices.input(schemas.RemovalQuery, location="query", arg_name="query")
@devices.output(schemas.RemovedDeviceOut)
def remove_device(mac: str, query: schemas.RemovalQuery) -> Response:
    """Take a device out of monitoring: hidden, not collected, back only at your word."""
    device = app_services().devices.remove(_context(), checked_mac(mac), purge=query.purge, by=doer())
    return answer(schemas.removed_device_view(device, is_purged=query.purge))


@devices.post("/device/<mac>/merge")
@devices.input(RouterQuery, location="query", arg_name="query")
@devices.input(schemas.MergeIn, location="json", arg_name="body")
@devices.output(schemas.DeviceOut)
def merge_device(mac: str, query: RouterQuery, body: schemas.MergeIn) -> Response:
    """Show a device as another one from now on, past usage included. The answer is the device that they are."""
    return answer(schemas.device_view(app_services().merged_devices.merge(_context(), checked_mac(mac), body.into)))


@devices.delete("/device/<mac>/merge")
@devices.input(RouterQuery, location="query", arg_name="query")
@devices.output(schemas.DeviceOut)
def part_device(mac: str, query: RouterQuery) -> Response:
    """Show a merged device as itself again. All is as it was before."""
    return answer(schemas.device_view(app_services().merged_devices.part(_context(), checked_mac(mac))))
