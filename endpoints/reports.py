"""/api/device-usage/report: the usage report of a period."""

from apiflask import APIBlueprint
from flask import Response, g

from endpoints import reports_schemas as schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.common_schemas import RouterQuery
from endpoints.middleware import choose_router, verify_session
from services.context import RouterContext

reports = APIBlueprint("reports", __name__, url_prefix="/api/device-usage/report", tag="Reports")
reports.before_request(verify_session)
reports.before_request(choose_router)


@reports.post("/generate")
@reports.input(RouterQuery, location="query", arg_name="query")
@reports.input(schemas.ReportIn, arg_name="wanted")
@reports.output(schemas.ReportOut)
def generate_report(query: RouterQuery, wanted: schemas.ReportIn) -> Response:
    """A period in one page: totals, against the period before, the largest devices, unusual hours."""
    context = RouterContext(g.session_id, g.router_id)
    named = app_services().export.report(context, wanted.period, wanted.end_date)
    return answer(schemas.report_view(named, wanted.period))
