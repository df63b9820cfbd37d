"""/api/device-usage/analytics: where usage goes, how periods compare, what is out of the ordinary."""

from apiflask import APIBlueprint
from flask import Response, g

from endpoints import anomalies_schemas, comparison_schemas, trends_schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.callers import verify_session
from endpoints.middleware import choose_router
from services.context import RouterContext
from utils.responses import pagination_of

analytics = APIBlueprint("analytics", __name__, url_prefix="/api/device-usage/analytics", tag="Analytics")
analytics.before_request(verify_session)
analytics.before_request(choose_router)


def _context() -> RouterContext:
    return RouterContext(g.session_id, g.router_id)


@analytics.get("/trends")
@analytics.input(trends_schemas.TrendsQuery, location="query", arg_name="query")
@analytics.output(trends_schemas.PeriodTrendsOut)
def get_trends(query: trends_schemas.TrendsQuery) -> Response:
    """Where usage goes, of all devices together and of each: direction, habits, and what the month will come to.

    With too few known days a value is null, and a reason says so.
    """
    told = app_services().trends.get_trends(_context(), query.period, page=query.page, page_size=query.page_size)
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=told.device_count)
    return answer(trends_schemas.trends_view(told), pagination=pagination)


@analytics.get("/anomalies")
@analytics.input(anomalies_schemas.AnomaliesQuery, location="query", arg_name="query")
@analytics.output(anomalies_schemas.AnomaliesOut)
def find_anomalies(query: anomalies_schemas.AnomaliesQuery) -> Response:
    """Hours and days with far more traffic than the same device had at that time of the week before."""
    found = app_services().anomalies.find(_context(), query.start_date, query.end_date, query.sensitivity, query.mac)
    return answer(anomalies_schemas.anomalies_view(found, query.sensitivity))


@analytics.get("/compare")
@analytics.input(comparison_schemas.CompareQuery, location="query", arg_name="query")
@analytics.output(comparison_schemas.PagedComparisonOut)
def compare(query: comparison_schemas.CompareQuery) -> Response:
    """Two periods side by side: what changed, and which devices and protocols account for it."""
    compared = app_services().comparisons.compare(_context(), *query.periods())
    devices = len(compared.comparison.devices)
    pagination = pagination_of(page=query.page, page_size=query.page_size, total_items=devices)
    return answer(comparison_schemas.comparison_view(compared, query), pagination=pagination)
