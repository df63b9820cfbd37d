"""PUT, DELETE, merge and people over HTTP: what they take, what they refuse, and in which words."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from services.context import RouterContext
from simulator.router import SimulatedRouter
from tests.endpoints.device_usage_shapes import BASE, DEVICE
from tests.homes import LAPTOP, PHONE, TV, Api

pytestmark = pytest.mark.usefixtures("always_live")

MINUTE = timedelta(minutes=1)
ONE = f"{BASE}/device/{PHONE}"

#: Names as people of all countries, and those who try things out, may give them.
EXACT = [
    "客厅电视",
    "غرفة الجلوس",
    "emoji 🏠👩‍👩‍👧",
    "x" * 255,
    "🏠" * 255,
    "=1+1",
    "@SUM(A1:A9)",
    "<script>alert(1)</script>",
    "'; DROP TABLE devices; --",
    "  blanks around  ",
    "%s %(mac)s {0} \\N \\t",
    "\u202eright to left",
    "null",
    *["a\nb", "a\rb", "a\tb", "\x1b[31m", "a\x7fb", "a\u0085b", "a\u2028b"],
]


def put(api: Api, **body: Any) -> Any:
    return api.data(ONE, "PUT", json=body)


# --- words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXACT)
def test_names_and_people_are_kept_and_given_back_exactly(used: None, api: Api, name: str) -> None:
    device = put(api, name=name, person=name, notes=name)
    assert (device["name"], device["person"], device["notes"]) == (name, name, name)
    assert api.data(f"{ONE}/info")["name"] == name
    assert name in {one["name"] for one in api.data(f"{BASE}/devices")["devices"]}
    assert name in {one["name"] for one in api.data(f"{BASE}/history")["devices"]}
    assert name in {one["name"] for one in api.data(f"{BASE}/current")["devices"]}
    assert name in {one["person"] for one in api.data(f"{BASE}/people")["people"]}


@pytest.mark.parametrize("notes", ["two\nlines\r\n\tand a tab", "", "\x1b[31m", "x" * 4_000])
def test_notes_may_have_lines_and_are_kept_exactly(used: None, api: Api, notes: str) -> None:
    assert put(api, notes=notes)["notes"] == notes


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"name": ""}, "name", "must not be empty; null takes it away"),
        ({"name": " \u3000"}, "name", "must not be empty; null takes it away"),
        ({"name": "x" * 256}, "name", "at most 255 characters"),
        ({"name": "a\0b"}, "name", "NUL"),
        ({"name": 5}, "name", "valid string"),
        ({"name": ["a"]}, "name", "valid string"),
        ({"person": "x" * 256}, "person", "at most 255 characters"),
        ({"person": "Nobody"}, "person", "stands for devices that are no one's"),
        ({"notes": "a\0b"}, "notes", "NUL"),
        ({"notes": "x" * 4_001}, "notes", "at most 4000 characters"),
        ({"category": "fridge"}, "category", "must be one of phone, computer, tv, console"),
        ({"category": "PHONE"}, "category", "must be one of"),
        ({"category": 3}, "category", "must be one of"),
        ({"isMonitored": "true"}, "isMonitored", "valid boolean"),
        ({"isMonitored": 1}, "isMonitored", "valid boolean"),
        ({"isMonitored": None}, "isMonitored", "may be left out, but not null"),
        ({"mac": PHONE}, "mac", "is not known here"),
        ({"is_monitored": True}, "is_monitored", "is not known here"),
    ],
)
def test_a_bad_value_is_named_and_nothing_is_changed(
    used: None, api: Api, body: dict[str, Any], field: str, says: str
) -> None:
    before = api.data(f"{ONE}/info")
    status, code, details = api.error(ONE, "PUT", json={"notes": "new", **body})
    assert (status, code, list(details)) == (400, "VALIDATION_ERROR", [field])
    assert says in details[field][0]
    assert api.data(f"{ONE}/info") == before


@pytest.mark.parametrize("text", ['{"name": "\\ud800"}', '{"notes": "\\udfff"}'])
def test_half_a_character_is_refused(used: None, api: Api, text: str) -> None:
    status, code, _ = api.error(ONE, "PUT", data=text, content_type="application/json")
    assert (status, code) == (400, "VALIDATION_ERROR")


def test_what_is_left_out_stays_and_null_takes_away(used: None, api: Api) -> None:
    device = put(api, name="Anna's", category="console", person="Anna", notes="hers")
    assert set(device) >= DEVICE
    assert (device["category"], device["isCategoryGuessed"]) == ("console", False)
    assert put(api) == put(api, name="Anna's") == device
    device = put(api, name=None, category=None, person=None, notes=None)
    assert (device["name"], device["hostname"], device["person"], device["notes"]) == (
        *("Annas-iPhone", "Annas-iPhone"),
        *(None, None),
    )
    assert (device["category"], device["isCategoryGuessed"]) == ("phone", True)


def test_a_made_up_address_is_called_private(api: Api, router: SimulatedRouter, read: Any) -> None:
    router.add_host("da:a1:19:3c:07:e5", "192.168.1.7", "*", state="REACHABLE")
    read()
    (device,) = api.data(f"{BASE}/devices")["devices"]
    assert (device["vendor"], device["isRandomizedMac"]) == ("private address", True)
    assert (device["category"], device["hostname"]) == ("other", None)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_device_that_is_none_is_not_found(used: None, api: Api, method: str) -> None:
    options = {"json": {}} if method == "PUT" else {}
    assert api.error(f"{BASE}/device/02:00:00:00:00:99", method, **options)[:2] == (404, "DEVICE_NOT_FOUND")
    assert api.error(f"{BASE}/device/00:00:00:00:00:00", method, **options)[:2] == (404, "DEVICE_NOT_FOUND")
    status, code, details = api.error(f"{BASE}/device/nonsense", method, **options)
    assert (status, code, list(details)) == (400, "VALIDATION_ERROR", ["mac"])


# --- out and back ----------------------------------------------------------------------------------------


def test_a_removed_device_is_gone_until_it_is_brought_back(
    used: None, api: Api, router: SimulatedRouter, read: Callable[..., Any]
) -> None:
    total = api.data(f"{BASE}/history")["totals"]["totalBytes"]
    removed = api.data(ONE, "DELETE")
    assert (removed["mac"], removed["isMonitored"], removed["isPurged"]) == (PHONE, False, False)
    assert api.data(ONE, "DELETE") == removed, "once more is as good"
    router.traffic(PHONE, rx=5_000)
    assert read()["newDevices"] == []
    listed = api.data(f"{BASE}/devices")
    assert ([one["mac"] for one in listed["devices"]], listed["totalDevices"]) == ([LAPTOP], 1)
    (hidden,) = api.data(f"{BASE}/devices?monitored=false")["devices"]
    assert hidden["mac"] == PHONE
    assert api.data(f"{BASE}/history")["totals"]["totalBytes"] == total - 2_800
    assert api.data(f"{BASE}/summary")["totalUsage"] == total - 2_800
    assert api.data(f"{ONE}/info")["isMonitored"] is False
    for what in ("current", "history"):
        assert api.error(f"{ONE}/{what}")[:2] == (404, "DEVICE_NOT_FOUND")
    assert put(api, isMonitored=True)["isMonitored"] is True
    assert api.data(f"{BASE}/history")["totals"]["totalBytes"] == total


def test_purging_erases_and_says_so(used: None, api: Api) -> None:
    assert api.data(f"{ONE}?purge=true", "DELETE")["isPurged"] is True
    assert put(api, isMonitored=True, name="again")["name"] == "again"
    assert api.data(f"{ONE}/info")["usage"]["last30Days"]["totalBytes"] == 0
    assert PHONE not in {one["mac"] for one in api.data(f"{BASE}/history")["devices"]}
    status, _, details = api.error(f"{ONE}?purge=maybe", "DELETE")
    assert (status, list(details)) == (400, ["purge"])


# --- merging ---------------------------------------------------------------------------------------------


def test_two_addresses_of_one_device_are_merged_and_parted(used: None, api: Api) -> None:
    before = api.data(f"{BASE}/history")
    merged = api.data(f"{BASE}/device/{LAPTOP}/merge", "POST", json={"into": PHONE.upper().replace(":", "-")})
    assert (merged["mac"], merged["mergedMacs"]) == (PHONE, [LAPTOP])
    (device,) = api.data(f"{BASE}/history")["devices"]
    assert (device["mac"], device["totalBytes"]) == (PHONE, before["totals"]["totalBytes"])
    assert api.data(f"{BASE}/device/{LAPTOP}/current")["mac"] == PHONE
    protocols = api.data(f"{BASE}/device/{LAPTOP}/current")["protocols"]
    assert {one["name"] for one in protocols} >= {"HTTPS", "DNS"}, "of both"
    parted = api.data(f"{BASE}/device/{LAPTOP}/merge", "DELETE")
    assert (parted["mac"], parted["mergedMacs"]) == (LAPTOP, [])
    assert api.data(f"{BASE}/device/{LAPTOP}/merge", "DELETE") == parted, "once more is as good"
    assert api.data(f"{BASE}/history") == before


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({}, 400, "VALIDATION_ERROR", "into"),
        ({"into": None}, 400, "VALIDATION_ERROR", "into"),
        ({"into": 7}, 400, "VALIDATION_ERROR", "into"),
        ({"into": "phone"}, 400, "VALIDATION_ERROR", "into"),
        ({"into": PHONE}, 400, "VALIDATION_ERROR", "into"),
        ({"into": "02:00:00:00:00:99"}, 404, "DEVICE_NOT_FOUND", "into"),
        ({"into": LAPTOP, "mac": PHONE}, 400, "VALIDATION_ERROR", "mac"),
    ],
)
def test_a_target_that_is_none_is_named(
    used: None, api: Api, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    refused = api.error(f"{ONE}/merge", "POST", json=body)
    assert (refused[0], refused[1], list(refused[2])) == (status, code, [field])


def test_neither_circles_nor_chains_can_be_made(
    used: None, api: Api, router: SimulatedRouter, read: Callable[..., Any]
) -> None:
    router.add_host(TV, "192.168.1.30", "tv", state="REACHABLE")
    read()
    api.data(f"{BASE}/device/{LAPTOP}/merge", "POST", json={"into": PHONE})
    for mac, into in ((PHONE, LAPTOP), (PHONE, TV), (LAPTOP, TV)):
        assert api.error(f"{BASE}/device/{mac}/merge", "POST", json={"into": into})[:2] == (409, "CONFLICT")
    merged = api.data(f"{BASE}/device/{TV}/merge", "POST", json={"into": LAPTOP})
    assert (merged["mac"], merged["mergedMacs"]) == (PHONE, sorted([TV, LAPTOP])), "into what the laptop is by now"
    status, code, details = api.error(f"{ONE}/merge", "DELETE")
    assert (status, code, list(details)) == (409, "CONFLICT", ["mac"])


def test_a_phone_with_a_new_address_is_suggested(
    used: None, api: Api, router: SimulatedRouter, read: Callable[..., Any]
) -> None:
    new = "02:00:00:00:00:05"
    router.add_host(PHONE, "192.168.1.2", "Annas-iPhone", state="FAILED")
    read()
    router.add_host(new, "192.168.1.3", "Annas-iPhone", state="REACHABLE")
    read()
    body = api.body(f"{BASE}/devices/merge-suggestions")
    (suggestion,) = body["data"]["suggestions"]
    assert (suggestion["device"]["mac"], suggestion["into"]["mac"], suggestion["hostname"]) == (
        *(PHONE, new),
        "Annas-iPhone",
    )
    assert body["metadata"]["pagination"]["totalItems"] == 1
    api.data(f"{ONE}/merge", "POST", json={"into": new})
    assert api.data(f"{BASE}/devices/merge-suggestions")["suggestions"] == []
    events = api.data(f"{BASE}/events", query_string={"mac": PHONE})["events"]
    assert [(event["type"], event["mac"], event["name"]) for event in events] == [("device_new", new, "Annas-iPhone")]


# --- people ----------------------------------------------------------------------------------------------


def test_people_have_their_usage_and_nobody_has_the_rest(used: None, api: Api) -> None:
    put(api, person="Anna")
    body = api.body(f"{BASE}/people")
    anna, nobody = body["data"]["people"]
    assert (anna["person"], anna["isNobody"], anna["totalBytes"]) == ("Anna", False, 2_800)
    assert (nobody["person"], nobody["isNobody"], nobody["totalBytes"]) == ("nobody", True, 30)
    assert [(one["mac"], one["totalBytes"]) for one in anna["devices"]] == [(PHONE, 2_800)]
    assert body["data"]["totals"] == api.data(f"{BASE}/history")["totals"]
    assert body["metadata"]["pagination"] == {"page": 1, "pageSize": 50, "totalItems": 2, "totalPages": 1}
    future = api.data(f"{BASE}/people?startDate=2031-12-01&endDate=2031-12-02")
    assert (future["totals"]["totalBytes"], future["people"][0]["totalBytes"], future["coverage"]) == (None, None, 0)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"startDate": "2031-11-12", "endDate": "2031-11-11"}, "startDate"),
        ({"startDate": "2020-01-01", "endDate": "2031-11-11"}, "startDate"),
        ({"endDate": "tomorrow"}, "endDate"),
        ({"page": "0"}, "page"),
        ({"pageSize": "501"}, "pageSize"),
        ({"person": "Anna"}, "person"),
    ],
)
def test_a_bad_question_about_people_is_named(
    api: Api, context: RouterContext, query: dict[str, str], field: str
) -> None:
    status, code, details = api.error(f"{BASE}/people", query_string=query)
    assert (status, code, list(details)) == (400, "VALIDATION_ERROR", [field])
