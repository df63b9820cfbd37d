"""/api/device-usage/export: downloads as a spreadsheet and a program read them."""

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from db_operations.database import Database
from db_operations.statements import execute
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.router import SimulatedRouter
from tests.homes import LAPTOP, PHONE, TV, Api
from utils.mac import ZERO_MAC

BASE = "/api/device-usage"
CSV, JSON = f"{BASE}/export/csv", f"{BASE}/export/json"
HOUR = timedelta(hours=1)
COLUMNS = ["start", "end", "mac", "name", "bytes_down", "bytes_up", "total_bytes"]

#: As people and strangers' devices write them -> what a spreadsheet gets to see.
NAMES = {
    "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0",
    "+1": "'+1",
    "-1+1": "'-1+1",
    "@SUM(A1)": "'@SUM(A1)",
    "\ttab": "'\ttab",
    "\rreturn": "'\rreturn",
    '=HYPERLINK("http://x","y")': '\'=HYPERLINK("http://x","y")',
    "two\r\nlines\nthree": "two\r\nlines\nthree",
    'say "hi", they said': 'say "hi", they said',
    "客厅电视": "客厅电视",
    "👩‍👩‍👧 phone 🏠": "👩‍👩‍👧 phone 🏠",
    "back\\slash \\N \\.": "back\\slash \\N \\.",
    "\\.": "\\.",
    " blank = ": " blank = ",
    "semi;colon": "semi;colon",
    "bell\x07 and \x1b[31m \x01": "bell� and �[31m �",
    "phone;=cmd|' /C calc'!A0": "phone;'=cmd|' /C calc'!A0",
    "طابعة المكتب": "طابعة المكتب",
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    "x" * 255: "x" * 255,
    "客" * 255: "客" * 255,
}


@pytest.fixture
def lived(runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock) -> None:
    """Three days over the end of summer time, a reading an hour."""
    clock.set(datetime(2031, 10, 24, 22, 0, tzinfo=UTC))
    router.add_host(PHONE, "192.168.1.2", "phone")
    runtime.collector.collect(context)
    for hour in range(3 * 24 + 1):
        router.traffic(PHONE, rx=1_000 + hour, tx=hour)
        if hour % 5 == 0:
            router.traffic(LAPTOP, rx=7, tx=1)
        clock.advance(HOUR)
        runtime.collector.collect(context)


QUERY = {"startDate": "2031-10-25", "endDate": "2031-10-27"}


def read_csv(api: Api, **query: object) -> list[dict[str, str]]:
    response = api.client.get(CSV, query_string=query)
    assert response.status_code == 200, response.text
    return list(csv.DictReader(io.StringIO(response.data.decode(), newline="")))


def rename(database: Database, name: str, mac: str = PHONE) -> None:
    with database.transaction() as conn:
        execute(conn, "UPDATE devices SET name = %(name)s WHERE device_mac = %(mac)s", {"name": name, "mac": mac})


@pytest.mark.parametrize("granularity", ["hour", "day", "week", "month"])
def test_both_formats_add_up_to_the_history(api: Api, lived: None, granularity: str) -> None:
    history = api.data(f"{BASE}/history", query_string={**QUERY, "granularity": granularity})
    rows = read_csv(api, **QUERY, granularity=granularity)
    document = api.data(JSON, query_string={**QUERY, "granularity": granularity})
    expected = {
        (device["mac"], bucket["start"], bucket["end"]): (usage["bytesDown"], usage["bytesUp"], usage["totalBytes"])
        for device in history["devices"]
        for bucket, usage in zip(history["buckets"], device["buckets"], strict=True)
        if usage["totalBytes"]
    }
    assert len(expected) >= {"hour": 80, "day": 6, "week": 4, "month": 2}[granularity]
    assert {
        (row["mac"], row["start"], row["end"]): tuple(int(row[name]) for name in COLUMNS[4:]) for row in rows
    } == expected
    assert {
        (row["mac"], row["start"], row["end"]): (row["bytesDown"], row["bytesUp"], row["totalBytes"])
        for row in document["rows"]
    } == expected
    assert len(rows) == len(document["rows"]) == len(expected)
    assert [row["start"] for row in rows] == sorted(row["start"] for row in rows)


@pytest.mark.parametrize(
    ("zone", "change", "hours"),
    [
        ("Europe/Berlin", "2032-03-28", 23),
        ("America/New_York", "2031-11-02", 25),
        ("America/New_York", "2032-03-14", 23),
        ("Australia/Lord_Howe", "2032-04-04", 24.5),
        ("Australia/Lord_Howe", "2031-10-05", 23.5),
        ("America/St_Johns", "2031-11-02", 25),
    ],
)
def test_around_a_clock_change_every_granularity_agrees_with_the_history(
    api: Api,
    runtime: Runtime,
    context: RouterContext,
    router: SimulatedRouter,
    clock: ManualClock,
    zone: str,
    change: str,
    hours: float,
) -> None:
    day = date.fromisoformat(change)
    runtime.routers.update(context, {"timezone": zone})
    clock.set(datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1))
    runtime.collector.collect(context)
    for hour in range(3 * 24):
        router.traffic(PHONE, rx=1_000 + hour, tx=hour)
        clock.advance(HOUR + timedelta(minutes=7))
        runtime.collector.collect(context)
    days = {"startDate": str(day - timedelta(days=1)), "endDate": str(day + timedelta(days=1))}
    for granularity in ("hour", "day", "week", "month"):
        history = api.data(f"{BASE}/history", query_string={**days, "granularity": granularity})
        told = [(one["start"], one["end"], one["totalBytes"]) for one in history["buckets"] if one["totalBytes"]]
        rows = api.data(JSON, query_string={**days, "granularity": granularity})["rows"]
        assert [(row["start"], row["end"], row["totalBytes"]) for row in rows] == told
        assert {row["start"]: row["total_bytes"] for row in read_csv(api, **days, granularity=granularity)} == {
            row["start"]: str(row["totalBytes"]) for row in rows
        }
    (changed,) = api.data(JSON, query_string={"startDate": change, "endDate": change})["rows"]
    assert datetime.fromisoformat(changed["end"]) - datetime.fromisoformat(changed["start"]) == hours * HOUR


def test_a_day_of_25_hours_is_one_row_that_long(api: Api, lived: None) -> None:
    (row,) = read_csv(api, startDate="2031-10-26", endDate="2031-10-26", mac=PHONE)
    assert (row["start"], row["end"]) == ("2031-10-25T22:00:00Z", "2031-10-26T23:00:00Z")


def test_hours_are_cut_where_the_routers_midnight_cuts_them(
    api: Api, runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    runtime.routers.update(context, {"timezone": "Asia/Kolkata"})
    clock.set(datetime(2031, 11, 11, 17, 0, tzinfo=UTC))
    runtime.collector.collect(context)
    router.traffic(PHONE, rx=120, tx=0)
    clock.advance(2 * HOUR)
    runtime.collector.collect(context)
    rows = read_csv(api, startDate="2031-11-11", endDate="2031-11-12", granularity="hour")
    assert [(row["start"][11:16], row["end"][11:16], row["bytes_down"]) for row in rows] == [
        *[("17:00", "18:00", "60"), ("18:00", "18:30", "30"), ("18:30", "19:00", "30")],
    ]


def test_the_header_is_there_without_a_row_and_json_is_an_empty_list(api: Api, context: RouterContext) -> None:
    response = api.client.get(CSV)
    assert response.data == b"start,end,mac,name,bytes_down,bytes_up,total_bytes\n"
    assert api.data(JSON) == {
        "granularity": "day",
        "timezone": "UTC",
        "startDate": "2031-11-05",
        "endDate": "2031-11-11",
        "rows": [],
    }


def test_raw_rows_are_the_readings_with_the_counters_of_nlbwmon(
    api: Api, runtime: Runtime, context: RouterContext, router: SimulatedRouter, clock: ManualClock
) -> None:
    router.traffic(PHONE, rx=1_000, tx=100)
    runtime.collector.collect(context)
    router.traffic(PHONE, rx=30, tx=4)
    clock.advance(HOUR / 12)
    runtime.collector.collect(context)
    first, second = api.data(JSON, query_string={"granularity": "raw"})["rows"]
    assert list(first) == [
        *["timestamp", "mac", "name", "bytesDown", "bytesUp", "totalBytes", "counterDown", "counterUp"]
    ]
    assert (first["timestamp"], first["bytesDown"], first["totalBytes"]) == ("2031-11-11T09:00:00Z", None, None)
    assert (first["counterDown"], first["counterUp"]) == (1_000, 100)
    assert second == {
        **{"timestamp": "2031-11-11T09:05:00Z", "mac": PHONE, "name": PHONE, "counterDown": 1_030, "counterUp": 104},
        **{"bytesDown": 30, "bytesUp": 4, "totalBytes": 34},
    }
    lines = api.client.get(CSV, query_string={"granularity": "raw"}).text.splitlines()
    assert lines[0] == "timestamp,mac,name,bytes_down,bytes_up,total_bytes,counter_down,counter_up"
    assert lines[1] == f"2031-11-11T09:00:00Z,{PHONE},{PHONE},,,,1000,100"
    assert len(lines) == 3


@pytest.mark.parametrize("granularity", ["raw", "hour", "day", "week", "month"])
def test_any_range_can_be_asked_for(api: Api, lived: None, granularity: str) -> None:
    ever = {"startDate": "2000-01-01", "endDate": "2200-12-31", "granularity": granularity}
    rows = read_csv(api, **ever)
    assert sum(int(row["bytes_down"] or 0) for row in rows) == sum(
        int(row["bytes_down"]) for row in read_csv(api, **QUERY)
    )
    if granularity == "month":
        assert {(row["start"], row["end"]) for row in rows} == {("2031-09-30T22:00:00Z", "2031-10-31T23:00:00Z")}
    if granularity == "week":
        assert {row["start"] for row in rows} == {"2031-10-19T22:00:00Z", "2031-10-26T23:00:00Z"}
    later = {**QUERY, "startDate": "2190-01-01", "endDate": "2200-01-01", "granularity": granularity}
    assert read_csv(api, **later) == []


def test_one_device_alone_however_its_mac_is_written(api: Api, lived: None) -> None:
    rows = read_csv(api, **QUERY, mac=PHONE.upper().replace(":", "-"))
    assert {row["mac"] for row in rows} == {PHONE}
    assert len(rows) == 3
    assert {row["mac"] for row in api.data(JSON, query_string={**QUERY, "mac": LAPTOP})["rows"]} == {LAPTOP}
    assert read_csv(api, **QUERY, mac=ZERO_MAC) == []


@pytest.mark.parametrize("granularity", ["hour", "day", "week", "month"])
def test_merged_devices_are_one(api: Api, lived: None, granularity: str) -> None:
    wanted = {**QUERY, "granularity": granularity}
    before = api.data(JSON, query_string=wanted)["rows"]
    api.data(f"{BASE}/device/{LAPTOP}/merge", "POST", json={"into": PHONE})
    rows = api.data(JSON, query_string=wanted)["rows"]
    assert {(row["mac"], row["name"]) for row in rows} == {(PHONE, "phone")}
    assert len(rows) == len({row["start"] for row in before})
    assert sum(row["totalBytes"] for row in rows) == sum(row["totalBytes"] for row in before)
    assert rows == sorted(rows, key=lambda row: row["start"])
    assert api.data(JSON, query_string={**wanted, "mac": LAPTOP})["rows"] == rows
    assert read_csv(api, **wanted, mac=PHONE) == read_csv(api, **wanted)


def test_readings_keep_their_macs_under_the_name_of_the_device_they_are_merged_into(api: Api, lived: None) -> None:
    api.data(f"{BASE}/device/{LAPTOP}/merge", "POST", json={"into": PHONE})
    rows = api.data(JSON, query_string={**QUERY, "granularity": "raw", "mac": PHONE})["rows"]
    assert {(row["mac"], row["name"]) for row in rows} == {(PHONE, "phone"), (LAPTOP, "phone")}


@pytest.mark.parametrize("granularity", ["raw", "hour", "day", "week"])
def test_devices_out_of_monitoring_are_left_out(api: Api, lived: None, granularity: str) -> None:
    api.data(f"{BASE}/device/{PHONE}", "DELETE")
    rows = api.data(JSON, query_string={**QUERY, "granularity": granularity})["rows"]
    assert {row["mac"] for row in rows} == {LAPTOP}
    assert api.error(JSON, query_string={**QUERY, "mac": PHONE})[:2] == (404, "DEVICE_NOT_FOUND")


@pytest.mark.parametrize(("name", "shown"), NAMES.items(), ids=lambda name: repr(name)[:20])
def test_any_name_opens_safely_in_a_spreadsheet_and_is_exact_in_json(
    api: Api, lived: None, database: Database, name: str, shown: str
) -> None:
    rename(database, name)
    rows = read_csv(api, **QUERY)
    assert {row["name"] for row in rows if row["mac"] == PHONE} == {shown}
    assert {tuple(row) for row in rows} == {tuple(COLUMNS)}
    body = api.client.get(JSON, query_string=QUERY).data
    assert {row["name"] for row in json.loads(body)["data"]["rows"] if row["mac"] == PHONE} == {name}


def test_no_cell_of_a_raw_line_begins_like_a_formula(api: Api, lived: None, database: Database) -> None:
    rename(database, '=1+1,"=2"\n=3')
    for row in csv.reader(io.StringIO(api.client.get(CSV, query_string=QUERY).text, newline="")):
        assert len(row) == len(COLUMNS)
        assert not any(cell.startswith(tuple("=+-@\t\r")) for cell in row)


def test_excel_gets_its_byte_order_mark_if_it_is_asked_for(api: Api, lived: None) -> None:
    assert api.client.get(CSV, query_string={**QUERY, "bom": "true"}).data.startswith(b"\xef\xbb\xbfstart,end,")


def test_the_largest_counters_are_exact(
    api: Api, context: RouterContext, database: Database, clock: ManualClock
) -> None:
    with database.transaction() as conn:
        execute(
            conn,
            "INSERT INTO device_usage_history (session_id, router_id, device_mac, span, start_date, end_date, "
            "total_download, total_upload) VALUES (%(session)s, %(router)s, %(mac)s, 'day', '2031-11-11', "
            "'2031-11-11', %(most)s, %(most)s)",
            {"session": context.session_id, "router": context.router_id, "mac": TV, "most": 2**63 - 1},
        )
    (row,) = api.data(JSON)["rows"]
    assert (row["mac"], row["name"], row["bytesDown"], row["totalBytes"]) == (TV, TV, 2**63 - 1, 2**64 - 2)
    assert read_csv(api)[0]["total_bytes"] == str(2**64 - 2)


@pytest.mark.parametrize("path", [CSV, JSON])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"mac": "nonsense"}, "mac"),
        ({"granularity": "year"}, "granularity"),
        ({"startDate": "2031-02-30"}, "startDate"),
        ({"startDate": "2031-11-02", "endDate": "2031-11-01"}, "startDate"),
        ({"page": "1"}, "page"),
    ],
)
def test_what_can_not_be_exported_is_said_before_anything_is_sent(
    api: Api, context: RouterContext, path: str, query: dict[str, str], field: str
) -> None:
    status, code, details = api.error(path, query_string=query)
    assert (status, code, list(details)) == (400, "VALIDATION_ERROR", [field])


@pytest.mark.parametrize("path", [CSV, JSON])
def test_a_device_nobody_knows_is_not_found(api: Api, context: RouterContext, path: str) -> None:
    assert api.error(path, query_string={"mac": "02:00:00:00:00:99"})[:2] == (404, "DEVICE_NOT_FOUND")


def test_the_routers_of_others_are_not_exported(api: Api, lived: None, bob: str, database: Database) -> None:
    with database.transaction() as conn:
        execute(conn, "UPDATE routers SET session_id = %(bob)s", {"bob": bob})
    assert api.error(CSV)[:2] == (400, "ROUTER_REQUIRED")


def test_without_a_connection_to_spare_the_answer_is_an_envelope(
    api: Api, runtime: Runtime, context: RouterContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: Any, **__: Any) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("services.device_usage_export.copy_usage", unreadable)
    assert api.error(CSV)[:2] == api.error(JSON)[:2] == (500, "INTERNAL")
