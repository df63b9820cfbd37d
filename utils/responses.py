"""The envelope: the one place that spells its keys. Pure: bodies in, bodies out; HTTP is the endpoints'."""

from collections.abc import Mapping
from typing import Any


def success_body(
    data: object,
    *,
    request_id: str,
    router_id: str | None = None,
    router: object = None,
    pagination: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """``{"success": true, "data", "metadata"}``; ``router``: how fresh what is known of the router is."""
    metadata: dict[str, Any] = {"requestId": request_id}
    if router_id is not None:
        metadata["routerId"] = router_id
    if router is not None:
        metadata["router"] = router
    if pagination is not None:
        metadata["pagination"] = dict(pagination)
    return {"success": True, "data": data, "metadata": metadata}


def error_body(
    code: str, message: str, *, request_id: str, details: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """``{"success": false, "error", "metadata"}``: ``message`` for a person, ``code`` for a program."""
    error: dict[str, Any] = {"code": code, "message": message}
    if details:
        error["details"] = dict(details)
    return {"success": False, "error": error, "metadata": {"requestId": request_id}}


def pagination_of(*, page: int, page_size: int, total_items: int) -> dict[str, int]:
    """The metadata's ``pagination``. An empty list has no pages."""
    return {
        "page": page,
        "pageSize": page_size,
        "totalItems": total_items,
        "totalPages": -(-total_items // page_size),
    }
