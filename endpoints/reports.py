"""/api/device-usage/report: the usage report of a period."""

from apiflask import APIBlueprint
from flask import Response, current_app, g

from endpoints import reports_schemas as schemas
from endpoints.answers import answer
from endpoints.app_services import app_services
from endpoints.callers import audit, verify_session
from endpoints.common_schemas import RouterQuery
from endpoints.middleware import choose_router
from services.audit import AuditAction
from services.context import RouterContext
from services.device_usage_export import generate_usage_report
from utils.file_names import content_disposition

reports = APIBlueprint("reports", __name__, url_prefix="/api/device-usage/report", tag="Reports")
reports.before_request(verify_session)
reports.before_request(choose_router)


@reports.post("/generate")
@reports.input(RouterQuery, location="query", arg_name="query")
@reports.input(schemas.ReportIn, arg_name="wanted")
@reports.output(schemas.ReportOut)
@reports.doc(responses=schemas.AS_PDF)
def generate_report(query: RouterQuery, wanted: schemas.ReportIn) -> Response:
    """A period for people: totals, against the period before, the largest devices, unusual hours, gaps."""
    report = app_services().reports.make(RouterContext(g.session_id, g.router_id), wanted.request())
    audit(AuditAction.REPORT_MADE, f"{g.router_id} {wanted.period}")
    if wanted.format == "json":
        return answer(schemas.report_view(report))
    document = generate_usage_report(report)
    response = current_app.response_class(document.content, mimetype="application/pdf")
    response.headers["Content-Disposition"] = content_disposition(document.file_name)
    response.headers["Cache-Control"] = "no-store"
    return response
