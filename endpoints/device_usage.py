"""/api/device-usage: what a router's devices use. Each route validates, makes one call, responds."""

from apiflask import APIBlueprint
from flask import Response, g

from endpoints import device_usage_schemas as schemas
from endpoints import device_usage_views as views
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.callers import verify_session
from endpoints.common_schemas import RouterQuery, checked_mac
from endpoints.middleware import choose_router
from services.context import RouterContext
from services.device_usage_service import protocols_of
from utils.responses import pagination_of

device_usage = APIBlueprint("device_usage", __name__, url_prefix="/api/device-usage", tag="Device usage")
device_usage.before_request(verify_session)
device_usage.before_request(choose_router)


def _context() -> RouterContext:
    return RouterContext(g.session_id, g.router_id)


@device_usage.get("/current")
@device_usage.input(RouterQuery, location="query", arg_name="query")
@device_usage.output(schemas.CurrentOut)
def get_current(query: RouterQuery) -> Response:
    """What every device uses right now.

    Read from the router now, or shared with a reading at most 5 seconds old; where the router can't be read,
    the last stored reading, with `stale` true and a warning.
    """
    current = app_services().device_usage.get_current(_context())
    return answer(views.current_view(current), freshness=views.freshness_of_current(current))


@device_usage.get("/device/<mac>/current")
@device_usage.input(RouterQuery, location="query", arg_name="query")
@device_usage.output(schemas.DeviceCurrentOut)
def get_device_current(mac: str, query: RouterQuery) -> Response:
    """What one device uses right now, by protocol too."""
    current, device = app_services().device_usage.get_device_current(_context(), checked_mac(mac))
    view = views.device_current_view(current, device, protocols_of(current.rows, *device.macs))
    return answer(view, freshness=views.freshness_of_current(current))


@device_usage.get("/history")
@device_usage.input(schemas.HistoryQuery, location="query", arg_name="query")
@device_usage.output(schemas.HistoryOut)
def get_history(query: schemas.HistoryQuery) -> Response:
    """Usage over time, all devices together and each, those that used most first."""
    history = app_services().history.get_history(
        _context(),
        start_date=query.start_date,
        end_date=query.end_date,
        granularity=query.granularity,
        page=query.page,
        page_size=query.page_size,
    )
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=history.device_count)
    return answer(views.history_view(history), pagination=pagination)


@device_usage.get("/device/<mac>/history")
@device_usage.input(schemas.HistoryRangeQuery, location="query", arg_name="query")
@device_usage.output(schemas.OneDeviceHistoryOut)
def get_device_history(mac: str, query: schemas.HistoryRangeQuery) -> Response:
    """One device's usage over time."""
    history, shown, name = app_services().history.get_device_history(
        _context(),
        checked_mac(mac),
        start_date=query.start_date,
        end_date=query.end_date,
        granularity=query.granularity,
    )
    return answer(views.device_history_view(history, shown, name))


@device_usage.get("/summary")
@device_usage.input(schemas.SummaryQuery, location="query", arg_name="query")
@device_usage.output(schemas.SummaryOut)
def get_summary(query: schemas.SummaryQuery) -> Response:
    """A period in a few numbers: total, the devices that used most, where usage goes."""
    summary = app_services().summary.get_summary(_context(), query.period, top=query.top)
    return answer(views.summary_view(summary))


@device_usage.post("/refresh")
@device_usage.input(RouterQuery, location="query", arg_name="query")
@device_usage.output(schemas.RefreshOut)
def refresh(query: RouterQuery) -> Response:
    """Read the router now and store it. Calls at the same time share one reading."""
    collection = app_services().device_usage.refresh(_context())
    return answer(views.refresh_view(collection), freshness=views.just_read(collection))


@device_usage.get("/status")
@device_usage.input(RouterQuery, location="query", arg_name="query")
@device_usage.output(schemas.StatusOut)
def get_status(query: RouterQuery) -> Response:
    """How well this router is watched, and what should be mended."""
    return answer(views.status_view(app_services().status.get_status(_context())))
