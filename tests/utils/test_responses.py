"""The envelope, as contract.md draws it."""

import pytest

from utils.responses import error_body, pagination_of, success_body


def test_success_has_data_and_the_request_id() -> None:
    assert success_body({"a": 1}, request_id="r1") == {
        "success": True,
        "data": {"a": 1},
        "metadata": {"requestId": "r1"},
    }


def test_success_names_router_and_pages_where_there_are_some() -> None:
    pages = pagination_of(page=2, page_size=50, total_items=101)

    body = success_body([], request_id="r1", router_id="home", pagination=pages)

    assert body["metadata"] == {
        "requestId": "r1",
        "routerId": "home",
        "pagination": {"page": 2, "pageSize": 50, "totalItems": 101, "totalPages": 3},
    }


def test_failure_has_code_message_and_details() -> None:
    assert error_body("VALIDATION_ERROR", "No.", request_id="r1", details={"page": "too small"}) == {
        "success": False,
        "error": {"code": "VALIDATION_ERROR", "message": "No.", "details": {"page": "too small"}},
        "metadata": {"requestId": "r1"},
    }


@pytest.mark.parametrize("details", [None, {}])
def test_failure_without_details_has_no_such_key(details: dict[str, object] | None) -> None:
    assert "details" not in error_body("NOT_FOUND", "No.", request_id="r1", details=details)["error"]


@pytest.mark.parametrize(("items", "pages"), [(0, 0), (1, 1), (50, 1), (51, 2), (10**15, 2 * 10**13)])
def test_pages_are_counted_to_the_last_item(items: int, pages: int) -> None:
    assert pagination_of(page=1, page_size=50, total_items=items)["totalPages"] == pages
