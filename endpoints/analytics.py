"""/api/device-usage/analytics: where usage goes, how periods compare, what is out of the ordinary."""

from apiflask import APIBlueprint
from flask import Response, g

from endpoints import analytics_schemas as schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.middleware import choose_router, verify_session
from services.context import RouterContext
from services.usage_analytics import ComparedPeriod

analytics = APIBlueprint("analytics", __name__, url_prefix="/api/device-usage/analytics", tag="Analytics")
analytics.before_request(verify_session)
analytics.before_request(choose_router)


def _context() -> RouterContext:
    return RouterContext(g.session_id, g.router_id)


@analytics.get("/trends")
@analytics.input(schemas.TrendsQuery, location="query", arg_name="query")
@analytics.output(schemas.PeriodTrendsOut)
def get_trends(query: schemas.TrendsQuery) -> Response:
    """Where each device's usage goes, with the days behind it."""
    return answer(schemas.trends_view(app_services().analytics.get_trends(_context(), query.period)))


@analytics.get("/anomalies")
@analytics.input(schemas.AnomaliesQuery, location="query", arg_name="query")
@analytics.output(schemas.AnomaliesOut)
def find_anomalies(query: schemas.AnomaliesQuery) -> Response:
    """Hours and days with far more traffic than the same device had at that time of the week before."""
    found = app_services().analytics.find_anomalies(_context(), query.start_date, query.end_date, query.sensitivity)
    return answer(schemas.anomalies_view(found, query.sensitivity))


@analytics.get("/compare")
@analytics.input(schemas.CompareQuery, location="query", arg_name="query")
@analytics.output(schemas.ComparisonOut)
def compare(query: schemas.CompareQuery) -> Response:
    """Two periods side by side: what changed, and which devices account for it."""
    if ranges := query.ranges():
        compared = app_services().analytics.compare_days(_context(), *ranges)
    else:
        period = query.period or ComparedPeriod.WEEK
        compared = app_services().analytics.compare_to_previous(_context(), period)
    return answer(schemas.comparison_view(compared))
