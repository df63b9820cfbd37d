"""/api/device-usage/periods as a client meets it, and the history of days from before monitoring."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from db_operations.database import Database
from db_operations.statements import execute
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.home import empty_router
from simulator.router import SimulatedRouter
from simulator.ssh_server import HostedRouter, SshServer
from tests.archived_homes import lived_home, settle
from tests.homes import BOB, LAPTOP, PHONE, START, TV, Api, ask, register
from utils.mac import ZERO_MAC

PERIODS = "/api/device-usage/periods"
HISTORY = "/api/device-usage/history"
REFRESH = "/api/device-usage/refresh"
ROUTER = "94:83:c4:5a:10:01"
DAY = timedelta(days=1)

#: On the tenth of each month; the TV is gone since September.
PAST = [
    *[(date(2031, month, 10), PHONE, month * 1_000, month) for month in range(7, 12)],
    (date(2031, 11, 10), ZERO_MAC, 30, 3),
]


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime(backfill=True)


@pytest.fixture
def join(runtime: Runtime, ssh: SshServer, clock: ManualClock, api: Api) -> Callable[..., HostedRouter]:
    """Registers a router that has lived already, and refreshes: join(router, refreshes=3)."""

    def join(router: SimulatedRouter, *, refreshes: int = 3) -> HostedRouter:
        hosted = ssh.add(router)
        register(runtime, hosted)
        for _ in range(refreshes):
            refresh(runtime, api, clock)
        return hosted

    return join


def refresh(runtime: Runtime, api: Api, clock: ManualClock) -> None:
    clock.advance(timedelta(minutes=5))
    api.data(REFRESH, "POST")
    settle(runtime)


def home(clock: ManualClock) -> SimulatedRouter:
    router = lived_home(clock, [(date(2031, 7, 9), TV, 70, 7), (date(2031, 7, 9), ROUTER, 8, 8), *PAST])
    router.add_host(PHONE, "192.168.1.2", "Annas-iPhone")
    return router


def listed(data: Any) -> list[tuple[str, str, bool, bool, int]]:
    return [
        (period["start"], period["end"], period["isCurrent"], period["isComplete"], period["totalBytes"])
        for period in data["periods"]
    ]


# --- what is listed --------------------------------------------------------------------------------------


def test_periods_are_listed_newest_first_with_their_devices(join: Any, clock: ManualClock, api: Api) -> None:
    join(home(clock))
    body = api.body(PERIODS)
    assert listed(body["data"]) == [
        ("2031-11-01", "2031-11-30", True, False, 11_044),
        ("2031-10-01", "2031-10-31", False, True, 10_010),
        ("2031-09-01", "2031-09-30", False, True, 9_009),
        ("2031-08-01", "2031-08-31", False, True, 8_008),
        ("2031-07-01", "2031-07-31", False, True, 7_100),
    ]
    assert body["data"]["pendingPeriods"] == 0
    assert body["metadata"]["pagination"] == {"page": 1, "pageSize": 12, "totalItems": 5, "totalPages": 1}
    july = body["data"]["periods"][-1]
    assert (july["bytesDown"], july["bytesUp"]) == (7_078, 22)
    assert july["devices"] == [
        device(PHONE, 7_000, 7, name="Annas-iPhone"),
        device(TV, 70, 7),
        device(ROUTER, 8, 8, name="OpenWrt", is_router=True),
    ]
    assert july["otherDevices"] == {"devices": 0, "bytesDown": 0, "bytesUp": 0, "totalBytes": 0}
    november = body["data"]["periods"][0]
    assert november["devices"] == [
        device(PHONE, 11_000, 11, name="Annas-iPhone"),
        device(ZERO_MAC, 30, 3, name="Unresolved hosts", is_unresolved=True),
    ]


def device(
    mac: str, down: int, up: int, *, name: str | None = None, is_router: bool = False, is_unresolved: bool = False
) -> dict[str, object]:
    return {
        "mac": mac,
        "name": name or mac,
        "bytesDown": down,
        "bytesUp": up,
        "totalBytes": down + up,
        "isRouter": is_router,
        "isUnresolved": is_unresolved,
    }


def test_the_running_period_is_as_of_the_last_reading_and_as_current_has_it(
    join: Any, clock: ManualClock, api: Api, runtime: Runtime
) -> None:
    router = home(clock)
    hosted = join(router)
    router.traffic(LAPTOP, rx=5, tx=6)
    assert api.data(PERIODS)["periods"][0]["totalBytes"] == 11_044, "the router is not asked"
    refresh(runtime, api, clock)
    hosted.faults = Faults(refuse=True)
    running = api.data(PERIODS)["periods"][0]
    current = api.data("/api/device-usage/current")
    assert running["totalBytes"] == 11_055 == current["totalBandwidth"]["total"]
    assert {"start": running["start"], "end": running["end"]} == current["period"]
    assert [(one["mac"], one["totalBytes"]) for one in running["devices"]] == [
        (one["mac"], one["totalBytes"]) for one in current["devices"]
    ]


def test_archives_still_to_be_read_are_counted_and_missing_ones_not_shown(
    join: Any, clock: ManualClock, api: Api, runtime: Runtime
) -> None:
    join(home(clock), refreshes=1)
    data = api.data(PERIODS)
    assert (len(data["periods"]), data["pendingPeriods"]) == (5, 6)
    refresh(runtime, api, clock)
    data = api.data(PERIODS)
    assert (len(data["periods"]), data["pendingPeriods"]) == (5, 0), "three more were missing, so the rest is"


def test_there_is_nothing_before_the_first_reading(context: RouterContext, api: Api) -> None:
    body = api.body(PERIODS)
    assert body["data"] == {"periods": [], "pendingPeriods": 0}
    assert body["metadata"]["pagination"] == {"page": 1, "pageSize": 12, "totalItems": 0, "totalPages": 0}


def test_a_period_in_which_nobody_used_anything_is_listed(join: Any, clock: ManualClock, api: Api) -> None:
    join(lived_home(clock, [(date(2031, 9, 10), PHONE, 9, 9), (date(2031, 11, 10), PHONE, 1, 1)]))
    assert listed(api.data(PERIODS))[1] == ("2031-10-01", "2031-10-31", False, True, 0)


def test_a_period_known_from_readings_alone_is_not_complete(
    join: Any, clock: ManualClock, api: Api, database: Database
) -> None:
    join(home(clock))
    ask(database, "UPDATE accounting_periods SET state = 'partial' WHERE start_date = '2031-09-01' RETURNING 1")
    ask(database, "DELETE FROM accounting_periods WHERE start_date = '2031-08-01' RETURNING 1")
    assert [period[3] for period in listed(api.data(PERIODS))] == [False, True, False, False, True]


def test_devices_out_of_monitoring_are_left_out(join: Any, clock: ManualClock, api: Api, database: Database) -> None:
    join(home(clock))
    ask(database, "UPDATE devices SET is_monitored = false WHERE device_mac = %(mac)s RETURNING 1", mac=PHONE)
    data = api.data(PERIODS)
    assert [period[4] for period in listed(data)] == [33, 0, 0, 0, 93]
    assert PHONE not in {one["mac"] for period in data["periods"] for one in period["devices"]}


def test_beyond_the_top_the_others_are_one_sum(join: Any, clock: ManualClock, api: Api) -> None:
    join(home(clock))
    whole, shortened = (api.data(PERIODS, query_string={"top": top})["periods"] for top in (100, 1))
    for period, short in zip(whole, shortened, strict=True):
        assert short["devices"] == period["devices"][:1]
        rest = period["devices"][1:]
        others = short["otherDevices"]
        assert others["devices"] == len(rest)
        for name in ("bytesDown", "bytesUp", "totalBytes"):
            assert others[name] == sum(one[name] for one in rest)
            assert short[name] == period[name]


def test_a_page_has_only_so_many_devices(context: RouterContext, api: Api) -> None:
    assert api.data(PERIODS, query_string={"pageSize": 100})["periods"] == []
    assert api.data(PERIODS, query_string={"pageSize": 20, "top": 500})["periods"] == []
    status, code, details = api.error(PERIODS, query_string={"pageSize": 21, "top": 500})
    assert (status, code, list(details)) == (400, "VALIDATION_ERROR", ["top"])


# --- pages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_pages_show_each_period_once_and_in_order(join: Any, clock: ManualClock, api: Api, size: int) -> None:
    join(home(clock))
    whole = [period[0] for period in listed(api.data(PERIODS))]
    paged: list[str] = []
    for page in range(1, 7):
        body = api.body(PERIODS, query_string={"page": page, "pageSize": size})
        assert body["metadata"]["pagination"]["totalItems"] == 5
        assert body["metadata"]["pagination"]["totalPages"] == -(-5 // size)
        paged += [period[0] for period in listed(body["data"])]
    assert paged == whole


@pytest.mark.parametrize(
    "query", [{"page": 0}, {"pageSize": 101}, {"pageSize": 0}, {"size": 3}, {"page": "x"}, {"top": 0}, {"top": 501}]
)
def test_pages_that_can_not_be_are_refused(context: RouterContext, api: Api, query: dict[str, object]) -> None:
    status, code, details = api.error(PERIODS, query_string=query)
    assert (status, code, set(details)) == (400, "VALIDATION_ERROR", set(query))


# --- sums beyond BIGINT ----------------------------------------------------------------------------------


def test_counters_whose_sum_exceeds_bigint_are_shown_exactly(
    join: Any, clock: ManualClock, api: Api, database: Database
) -> None:
    router = home(clock)
    router.traffic(TV, rx=2**64 - 1, tx=2**64 - 1)
    router.traffic(LAPTOP, rx=2**63, tx=5)
    join(router)
    most = 2**63 - 1
    execute_all(
        database,
        "UPDATE device_usage_history SET total_download = %(most)s, total_upload = 0, total_usage = %(most)s "
        "WHERE span = 'period'",
        most=most,
    )
    running, *_, july = api.data(PERIODS)["periods"]
    assert running["bytesDown"] == 11_030 + 2**64 - 1 + 2**63
    assert running["totalBytes"] == 11_044 + 2 * (2**64 - 1) + 2**63 + 5
    assert july["totalBytes"] == 3 * most


def execute_all(database: Database, statement: str, **params: object) -> None:
    with database.transaction() as conn:
        execute(conn, statement, params)


# --- whose they are --------------------------------------------------------------------------------------


def test_nobody_sees_the_periods_of_others(
    join: Any, clock: ManualClock, api: Api, runtime: Runtime, ssh: SshServer, bob: str
) -> None:
    join(home(clock))
    theirs = register(runtime, ssh.add(empty_router(clock)), session_id=BOB)
    runtime.collector.collect(theirs)
    settle(runtime)
    assert api.error(PERIODS, query_string={"routerId": theirs.router_id})[:2] == (404, "ROUTER_NOT_FOUND")
    assert len(api.data(PERIODS)["periods"]) == 5


# --- the history of days from before monitoring ----------------------------------------------------------

DAYS = [(date(2031, 11, day), PHONE, day * 100, day) for day in range(1, 11)]


@pytest.fixture
def daily_home(clock: ManualClock) -> SimulatedRouter:
    return lived_home(clock, DAYS, database_interval="2031-10-01/1", database_generations=11)


def test_the_history_shows_days_from_archives_though_nobody_observed_them(
    join: Any, daily_home: SimulatedRouter, clock: ManualClock, api: Api, runtime: Runtime
) -> None:
    join(daily_home, refreshes=4)
    daily_home.traffic(PHONE, rx=9_000, tx=9)
    refresh(runtime, api, clock)
    data = api.data(HISTORY, query_string={"startDate": "2031-10-31", "endDate": "2031-11-11"})
    expected = [None, *[(day * 100, day) for day in range(1, 11)], (9_000, 9)]
    assert [one and (one["bytesDown"], one["bytesUp"]) for one in map(known, data["buckets"])] == expected
    assert [bucket["coverage"] > 0 for bucket in data["buckets"]] == [False] * 11 + [True]
    trust = [(bucket["quality"], bucket["reasons"]) for bucket in data["buckets"]]
    assert trust == [(None, []), *[("estimated", ["backfilled"])] * 10, ("measured", [])]
    events = api.data("/api/device-usage/events", query_string={"type": "backfilled"})["events"]
    assert [(event["at"], event["until"]) for event in events[:2]] == [
        ("2031-11-09T23:00:00Z", "2031-11-10T23:00:00Z"),
        ("2031-11-08T23:00:00Z", "2031-11-09T23:00:00Z"),
    ]
    assert len(events) == 10
    assert data["totals"]["bytesDown"] == 5_500 + 9_000
    (phone,) = data["devices"]
    assert (phone["mac"], phone["bytesDown"]) == (PHONE, 14_500)
    one_device = api.data(f"/api/device-usage/device/{PHONE}/history", query_string={"startDate": "2031-11-01"})
    assert one_device["totals"]["bytesDown"] == 14_500
    weeks = api.data(HISTORY, query_string={"startDate": "2031-11-01", "granularity": "week"})
    assert sum(bucket["bytesDown"] for bucket in weeks["buckets"]) == 14_500
    hours = api.data(HISTORY, query_string={"startDate": "2031-11-10", "endDate": "2031-11-10", "granularity": "hour"})
    assert {bucket["bytesDown"] for bucket in hours["buckets"]} == {None}, "nothing is known of any hour"


def known(bucket: dict[str, Any]) -> dict[str, Any] | None:
    return None if bucket["bytesDown"] is None else bucket


def test_the_average_day_of_a_summary_is_of_days_that_were_observed(
    join: Any, daily_home: SimulatedRouter, clock: ManualClock, api: Api, runtime: Runtime
) -> None:
    join(daily_home, refreshes=4)
    daily_home.traffic(PHONE, rx=600, tx=6)
    refresh(runtime, api, clock)
    summary = api.data("/api/device-usage/summary", query_string={"period": "7days"})
    assert summary["totalUsage"] == sum(day * 101 for day in range(5, 11)) + 606
    assert summary["averageDaily"] == 606
    assert summary["usageTrends"] == {"increasing": [], "stable": [], "decreasing": []}


def test_a_day_with_more_than_any_link_carries_breaks_no_history(join: Any, clock: ManualClock, api: Api) -> None:
    router = lived_home(
        clock, DAYS[:-1], database_interval="2031-10-01/1", until=datetime(2031, 11, 10, 12, tzinfo=UTC)
    )
    for mac in (PHONE, TV, LAPTOP):
        router.traffic(mac, rx=2**63 - 1 - 10_000, tx=0)
    clock.set(START)
    join(router, refreshes=4)
    data = api.data(HISTORY, query_string={"startDate": "2031-11-09", "endDate": "2031-11-10"})
    assert [bucket["bytesDown"] for bucket in data["buckets"]] == [900, None]
    yesterday = api.data(PERIODS)["periods"][1]
    assert (yesterday["start"], yesterday["bytesDown"]) == ("2031-11-10", 3 * (2**63 - 1 - 10_000))
