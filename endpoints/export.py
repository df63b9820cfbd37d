"""/api/device-usage/export: stored usage as a download, streamed."""

from apiflask import APIBlueprint, FileSchema
from flask import Response, g
from pydantic_core import to_json

from endpoints import export_schemas as schemas
from endpoints.app_services import app_services
from endpoints.callers import audit, verify_session
from endpoints.downloads import as_file
from endpoints.middleware import choose_router
from services.audit import AuditAction
from services.context import RouterContext
from services.export_selection import UsageSelection
from utils.responses import success_body

export = APIBlueprint("export", __name__, url_prefix="/api/device-usage/export", tag="Export")
export.before_request(verify_session)
export.before_request(choose_router)


def _context() -> RouterContext:
    return RouterContext(g.session_id, g.router_id)


def _envelope(selection: UsageSelection) -> bytes:
    data = schemas.without_rows(selection)
    return to_json(success_body(data, request_id=g.request_id, router_id=g.router_id), by_alias=True)


@export.get("/csv")
@export.input(schemas.CsvQuery, location="query", arg_name="query")
@export.output(FileSchema(type="string"), content_type="text/csv", description="UTF-8, with a header line")
def export_csv(query: schemas.CsvQuery) -> Response:
    """Readings, or usage by hour, day, week or month, as CSV for spreadsheets."""
    download = app_services().export.to_csv(_context(), query.request(), with_byte_order_mark=query.bom)
    audit(AuditAction.EXPORTED, f"{g.router_id} {download.file_name}")
    return as_file(download, "text/csv")


@export.get("/json")
@export.input(schemas.ExportQuery, location="query", arg_name="query")
@export.output(schemas.ExportOut)
def export_json(query: schemas.ExportQuery) -> Response:
    """Readings, or usage by hour, day, week or month, as JSON for programs."""
    download = app_services().export.to_json(_context(), query.request(), envelope=_envelope)
    audit(AuditAction.EXPORTED, f"{g.router_id} {download.file_name}")
    return as_file(download, "application/json")
