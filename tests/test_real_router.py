"""The whole server in front of a real dropbear, with a shell script as nlbw that prints what the test writes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from server import Runtime, create_app
from services.routers.credentials import Credentials
from services.routers.routers import RouterRegistration
from tests.dropbear import FIXTURES, Home
from tests.homes import ALICE, LAPTOP, PHONE, Api
from utils.time import utc_now

BASE = "/api/device-usage"


class Counters:
    """nlbw's rows on the router: family, proto, port, mac, ip -> conns, rx, tx; rewritten at each change."""

    def __init__(self, home: Home) -> None:
        self._file = home.folder / "live.json"
        self._table = json.loads((FIXTURES / "live-dual-stack.json").read_text())
        self.write()

    def add(self, mac: str, *, rx: int, tx: int, ip: str = "192.168.1.50", port: int = 443) -> None:
        """Traffic of a row, which is made where it isn't there."""
        columns = self._table["columns"]
        wanted = {"family": 6 if ":" in ip else 4, "proto": "TCP", "port": port, "mac": mac, "ip": ip}
        for row in self._table["data"]:
            if all(row[columns.index(name)] == value for name, value in wanted.items()):
                break
        else:
            blank = dict.fromkeys(columns, 0) | wanted | {"layer7": "HTTPS"}
            row = [blank[name] for name in columns]
            self._table["data"].append(row)
        row[columns.index("rx_bytes")] += rx
        row[columns.index("tx_bytes")] += tx
        self.write()

    def write(self) -> None:
        self._file.write_text(json.dumps(self._table))

    @property
    def by_mac(self) -> dict[str, tuple[int, int]]:
        columns = self._table["columns"]
        sums: dict[str, tuple[int, int]] = {}
        for row in self._table["data"]:
            mac = row[columns.index("mac")]
            down, up = sums.get(mac, (0, 0))
            sums[mac] = (down + row[columns.index("rx_bytes")], up + row[columns.index("tx_bytes")])
        return sums


@pytest.fixture
def counters(home: Home) -> Counters:
    (home.folder / "list.txt").write_text("")  # as from a rollover until the next commit
    return Counters(home)


@pytest.fixture
def api(make_runtime: Callable[..., Runtime], dropbear: tuple[int, str], monkeypatch: pytest.MonkeyPatch) -> Api:
    """A server on the machine's own clock, as the router's is too; the router is registered."""
    monkeypatch.setattr("services.device_usage_service.SHARE_LIVE_S", 0.0)
    runtime = make_runtime(utc_now)
    port, key = dropbear
    registered = runtime.routers.register(
        ALICE,
        RouterRegistration(name="Real", host="127.0.0.1", port=port, credentials=Credentials(private_key=key)),
    )
    assert registered.warning is None
    return Api(create_app(runtime).test_client())


def shown(current: Any) -> dict[str, tuple[int, int]]:
    return {device["mac"]: (device["bytesDown"], device["bytesUp"]) for device in current["devices"]}


def test_current_is_the_routers_file_summed_by_mac_to_the_byte(api: Api, counters: Counters) -> None:
    assert shown(api.data(f"{BASE}/current")) == counters.by_mac
    counters.add(PHONE, rx=2**63 + 1, tx=2**53 + 1)
    counters.add(PHONE, rx=3, tx=4, ip="fd00::5")
    current = api.data(f"{BASE}/current")
    assert shown(current) == counters.by_mac
    assert current["totalBandwidth"]["total"] == sum(down + up for down, up in counters.by_mac.values())


def test_known_traffic_between_two_refreshes_is_in_the_history_to_the_byte(api: Api, counters: Counters) -> None:
    first = api.data(f"{BASE}/refresh", "POST")
    assert (first["bytesDown"], first["bytesUp"]) == (0, 0)
    started = datetime.now(UTC)
    counters.add(PHONE, rx=1_234_567_890_123 // 1_000_000, tx=77)
    counters.add(PHONE, rx=11, tx=5, ip="fd00::5", port=22)
    counters.add(LAPTOP, rx=1, tx=0)
    second = api.data(f"{BASE}/refresh", "POST")
    assert (second["bytesDown"], second["bytesUp"]) == (1_234_567 + 12, 82)
    query = {"startDate": started.date().isoformat(), "endDate": datetime.now(UTC).date().isoformat()}
    for granularity in ("hour", "day"):
        history = api.data(f"{BASE}/history", query_string={**query, "granularity": granularity})
        assert {device["mac"]: (device["bytesDown"], device["bytesUp"]) for device in history["devices"]} == {
            PHONE: (1_234_578, 82),
            LAPTOP: (1, 0),
        }
        assert history["totals"] == {"bytesDown": 1_234_579, "bytesUp": 82, "totalBytes": 1_234_661}


def test_it_works_without_uci_ubus_and_ip(api: Api, counters: Counters, home: Home) -> None:
    for name in ("ubus", "uci", "ip"):
        home.command(name, "#!/bin/sh\nexit 127\n")
    api.data(f"{BASE}/refresh", "POST")
    counters.add(PHONE, rx=100, tx=10)
    assert api.data(f"{BASE}/refresh", "POST")["bytesDown"] == 100
    status = api.data(f"{BASE}/status")
    assert (status["router"]["reachable"], status["nlbwmon"]["databaseInterval"]) == (True, None)
    macs = {device["mac"] for device in api.data(f"{BASE}/devices", query_string={"pageSize": 500})["devices"]}
    assert PHONE in macs


def test_a_daemon_that_stops_is_named_and_its_return_brings_all_of_it(api: Api, counters: Counters, home: Home) -> None:
    api.data(f"{BASE}/refresh", "POST")
    home.nlbw_fails("247")
    counters.add(PHONE, rx=100, tx=10)
    assert api.error(f"{BASE}/refresh", "POST")[:2] == (502, "NLBWMON_DOWN")
    current = api.data(f"{BASE}/current")
    assert (current["stale"], current["warning"]["code"]) == (True, "NLBWMON_DOWN")
    home.nlbw_fails("ok")
    assert api.data(f"{BASE}/refresh", "POST")["bytesDown"] == 100


def test_a_counter_file_that_is_cut_is_refused_whole(api: Api, counters: Counters, home: Home) -> None:
    api.data(f"{BASE}/refresh", "POST")
    counters.add(PHONE, rx=100, tx=10)
    whole = (home.folder / "live.json").read_bytes()
    for end in (0, 1, len(whole) // 2, len(whole) - 1):
        (home.folder / "live.json").write_bytes(whole[:end])
        assert api.error(f"{BASE}/refresh", "POST")[:2] == (502, "BAD_ROUTER_OUTPUT")
    counters.write()
    assert api.data(f"{BASE}/refresh", "POST")["bytesDown"] == 100
