"""/api/device-usage/export: stored usage as a download, streamed."""

from apiflask import APIBlueprint, FileSchema
from flask import Response, current_app, g
from pydantic_core import to_json

from endpoints import export_schemas as schemas
from endpoints.app_services import app_services
from endpoints.middleware import choose_router, verify_session
from services.context import RouterContext
from services.device_usage_export import Download
from utils.responses import success_body

export = APIBlueprint("export", __name__, url_prefix="/api/device-usage/export", tag="Export")
export.before_request(verify_session)
export.before_request(choose_router)


def _context() -> RouterContext:
    return RouterContext(g.session_id, g.router_id)


def _as_file(download: Download, mimetype: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{download.file_name}"', "Cache-Control": "no-store"}
    return current_app.response_class(download, mimetype=mimetype, headers=headers)


@export.get("/csv")
@export.input(schemas.CsvQuery, location="query", arg_name="query")
@export.output(FileSchema(type="string"), content_type="text/csv", description="UTF-8, with a header line")
def export_csv(query: schemas.CsvQuery) -> Response:
    """Usage by hour or day as CSV, for spreadsheets."""
    download = app_services().export.to_csv(_context(), query.request(), with_byte_order_mark=query.bom)
    return _as_file(download, "text/csv")


@export.get("/json")
@export.input(schemas.ExportQuery, location="query", arg_name="query")
@export.output(schemas.ExportOut)
def export_json(query: schemas.ExportQuery) -> Response:
    """Usage by hour or day as JSON, for programs."""
    envelope = to_json(success_body({"rows": []}, request_id=g.request_id, router_id=g.router_id))
    download = app_services().export.to_json(_context(), query.request(), envelope=envelope)
    return _as_file(download, "application/json")
