"""What `nlbw` prints becomes checked rows, or BadRouterOutput and nothing else."""

import csv
import io
import json
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.errors import BadRouterOutput
from utils.mac import ZERO_MAC
from utils.nlbwmon_parser import (
    CounterRow,
    DeviceTotals,
    calculate_usage_metrics,
    identify_device_changes,
    normalize_device_data,
    parse_nlbw_csv,
    parse_nlbw_json,
    parse_period_list,
)
from utils.router_parser import Lease, Neighbour

FIXTURES = Path(__file__).parent.parent / "fixtures"
JSON_FILES = sorted(FIXTURES.glob("*.json"))
CSV_FILES = sorted(FIXTURES.glob("*.csv"))

COLUMNS = ["family", "proto", "port", "mac", "ip", "conns", "rx_bytes", "rx_pkts", "tx_bytes", "tx_pkts", "layer7"]
COUNTERS = ["conns", "rx_bytes", "rx_pkts", "tx_bytes", "tx_pkts"]
GROUPING = ["family", "proto", "port", "mac", "ip"]
LIVE = (FIXTURES / "live-dual-stack.json").read_bytes()
LIVE_CSV = (FIXTURES / "live-dual-stack.csv").read_bytes()
OFFICE = (FIXTURES / "office-250-devices.json").read_bytes()

PHONE, LAPTOP, ROUTER = "02:11:22:33:44:01", "02:11:22:33:44:02", "4e:7b:74:ea:83:51"


def values(**changes: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "family": 4,
        "proto": "TCP",
        "port": 443,
        "mac": PHONE,
        "ip": "192.168.1.101",
        "conns": 1,
        "rx_bytes": 2,
        "rx_pkts": 3,
        "tx_bytes": 4,
        "tx_pkts": 5,
        "layer7": "HTTPS",
    }
    return usual | changes


def output(*rows: dict[str, Any], columns: list[str] | None = None) -> bytes:
    columns = columns or COLUMNS
    return json.dumps({"columns": columns, "data": [[row[name] for name in columns] for row in rows]}).encode()


def row(**changes: object) -> CounterRow:
    return CounterRow(**values(**changes))  # type: ignore[arg-type]


def grouping_of(columns: list[str]) -> list[str]:
    return [name for name in columns if name in GROUPING]


# -- captured output ------------------------------------------------------------------------------------------


def test_every_fixture_is_read_by_a_test() -> None:
    known = {*JSON_FILES, *CSV_FILES, FIXTURES / "list.txt", FIXTURES / "show.txt"}

    assert set(FIXTURES.iterdir()) == known
    assert len(JSON_FILES) >= 7
    assert len(CSV_FILES) >= 2


@pytest.mark.parametrize("path", JSON_FILES, ids=lambda path: path.name)
def test_each_row_of_a_captured_answer_keeps_each_value(path: Path) -> None:
    table = json.loads(path.read_bytes())

    rows = parse_nlbw_json(path.read_bytes(), group_by=grouping_of(table["columns"])).rows

    printed = [{name: getattr(one, name) for name in table["columns"]} for one in rows]
    assert printed == [dict(zip(table["columns"], cells, strict=True)) for cells in table["data"]]


@pytest.mark.parametrize(
    ("name", "rows", "devices"),
    [
        ("empty", 0, 0),
        ("live-dual-stack", 4, 3),
        ("home-2026-09-01", None, 14),
        ("home-2026-10-01", None, 12),
        ("office-250-devices", 5_252, 250),
    ],
)
def test_captured_answers_hold_the_devices_that_were_there(name: str, rows: int | None, devices: int) -> None:
    parsed = parse_nlbw_json((FIXTURES / f"{name}.json").read_bytes()).rows

    assert rows in (None, len(parsed))
    assert len({one.mac for one in parsed}) == devices


@pytest.mark.parametrize("path", CSV_FILES, ids=lambda path: path.name)
def test_csv_and_json_of_the_same_traffic_say_the_same(path: Path) -> None:
    answer = path.with_suffix(".json").read_bytes()
    columns = json.loads(answer)["columns"]
    if grouping_of(columns) == GROUPING:
        assert parse_nlbw_csv(path.read_bytes()).rows == parse_nlbw_json(answer).rows
        return
    with pytest.raises(BadRouterOutput, match="lacks the column family, proto, port, ip"):
        parse_nlbw_csv(path.read_bytes())
    lines = list(csv.DictReader(io.StringIO(path.read_text()), delimiter="\t"))
    rows = parse_nlbw_json(answer, group_by=grouping_of(columns)).rows
    assert [(line["mac"], int(line["rx_bytes"]), int(line["tx_bytes"])) for line in lines] == [
        (one.mac, one.rx_bytes, one.tx_bytes) for one in rows
    ]


def test_sums_by_mac_are_those_that_nlbw_itself_adds_up() -> None:
    by_mac = parse_nlbw_json((FIXTURES / "by-mac.json").read_bytes(), group_by=["mac"]).rows

    sums = calculate_usage_metrics(parse_nlbw_json(LIVE).rows)

    assert sums == {one.mac: DeviceTotals(one.rx_bytes, one.tx_bytes) for one in by_mac}
    assert sums[PHONE] == DeviceTotals(11_014_487, 8_568)


@pytest.mark.parametrize("path", JSON_FILES, ids=lambda path: path.name)
def test_sums_lose_no_byte(path: Path) -> None:
    table = json.loads(path.read_bytes())
    at = table["columns"].index
    expected: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for cells in table["data"]:
        expected[cells[at("mac")]][0] += cells[at("rx_bytes")]
        expected[cells[at("mac")]][1] += cells[at("tx_bytes")]

    sums = calculate_usage_metrics(parse_nlbw_json(path.read_bytes(), group_by=grouping_of(table["columns"])).rows)

    assert {mac: list(totals) for mac, totals in sums.items()} == expected


def test_the_list_of_periods_is_newest_first_as_printed() -> None:
    periods = parse_period_list((FIXTURES / "list.txt").read_text())

    assert list(periods) == [date(2026, month, 1) for month in (11, 10, 9, 8, 7, 6, 5)]
    assert list(periods.values()) == [day.isoformat() for day in periods]


def test_lines_of_the_list_that_are_no_date_are_left_out() -> None:
    assert list(parse_period_list("2026-11-01\n2026-02-39\nError\n\n2026-10-01")) == [
        date(2026, 11, 1),
        date(2026, 10, 1),
    ]
    assert parse_period_list("") == {}


@pytest.mark.parametrize(
    ("name", "start"),
    [("2026-02-31", date(2026, 3, 1)), ("2028-02-30", date(2028, 3, 1)), ("2026-11-31", date(2026, 12, 1))],
)
def test_a_period_from_a_day_that_its_month_lacks_begins_on_the_first_after_it(name: str, start: date) -> None:
    assert parse_period_list(name) == {start: name}


@pytest.mark.parametrize("name", ["show.txt", "list.txt", "by-mac.csv", "live-dual-stack.csv"])
def test_another_format_is_no_json(name: str) -> None:
    with pytest.raises(BadRouterOutput) as caught:
        parse_nlbw_json((FIXTURES / name).read_bytes())

    assert caught.value.code == "BAD_ROUTER_OUTPUT"


@pytest.mark.parametrize("name", ["show.txt", "list.txt", "live-dual-stack.json"])
def test_another_format_is_no_csv(name: str) -> None:
    with pytest.raises(BadRouterOutput):
        parse_nlbw_csv((FIXTURES / name).read_bytes())


# -- columns --------------------------------------------------------------------------------------------------


@given(st.permutations(COLUMNS))
def test_columns_are_read_by_name_in_any_order(columns: list[str]) -> None:
    assert parse_nlbw_json(output(values(), columns=columns)).rows == [row()]


@given(st.permutations([*COLUMNS, "host", "future"]))
def test_columns_nobody_knows_are_passed_over(columns: list[str]) -> None:
    answer = output(values(host=[1, {"a": None}], future=1.5), columns=columns)

    assert parse_nlbw_json(answer).rows == [row()]


def test_layer7_may_be_left_out() -> None:
    assert parse_nlbw_json(output(values(), columns=COLUMNS[:-1])).rows == [row(layer7=None)]


@pytest.mark.parametrize("missing", COLUMNS[:-1])
def test_a_missing_column_is_named(missing: str) -> None:
    answer = output(values(), columns=[name for name in COLUMNS if name != missing])

    with pytest.raises(BadRouterOutput, match=rf"lacks the column {missing}\."):
        parse_nlbw_json(answer)


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(BadRouterOutput, match="twice"):
        parse_nlbw_json(output(values(), columns=[*COLUMNS, "rx_bytes"]))


@pytest.mark.parametrize("cells", [COLUMNS[:-1], [*COLUMNS, "one more"], []])
def test_a_row_of_another_length_is_refused(cells: list[str]) -> None:
    usual = values()
    answer = json.dumps({"columns": COLUMNS, "data": [[usual.get(name, 1) for name in cells]]}).encode()

    with pytest.raises(BadRouterOutput):
        parse_nlbw_json(answer)


def test_a_coarser_grouping_leaves_the_other_columns_blank() -> None:
    answer = output(values(), columns=["mac", *COUNTERS])

    assert parse_nlbw_json(answer, group_by=["mac"]).rows == [
        row(family=0, proto="", port=0, ip="", layer7=None),
    ]


def test_a_coarser_grouping_is_not_taken_for_the_usual_one() -> None:
    with pytest.raises(BadRouterOutput, match="lacks the column family, proto, port, ip"):
        parse_nlbw_json(output(values(), columns=["mac", *COUNTERS]))


# -- values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 2**53 + 1, 2**63 - 1, 2**63, 2**63 + 5, 2**64 - 1])
@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS[::-1]], ids=["usual order", "other order"])
def test_counters_are_exact_up_to_64_bits(count: int, columns: list[str]) -> None:
    answer = output(values(rx_bytes=count, tx_bytes=count), columns=columns)

    assert parse_nlbw_json(answer).rows == [row(rx_bytes=count, tx_bytes=count)]


def test_the_captured_counter_above_2_to_the_63_is_exact() -> None:
    rows = parse_nlbw_json((FIXTURES / "odd-rows.json").read_bytes()).rows

    assert max(one.rx_bytes for one in rows) == 2**63 + 5


@pytest.mark.parametrize(
    "digits", [b"18446744073709551616", b"9" * 25, b"9" * 400, b"9" * 6_000], ids=lambda digits: f"{len(digits)} digits"
)
@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS[::-1]], ids=["usual order", "other order"])
def test_a_counter_beyond_64_bits_is_refused(name: str, digits: bytes, columns: list[str]) -> None:
    answer = output(values(**{name: 777_777}), columns=columns).replace(b"777777", digits)

    with pytest.raises(BadRouterOutput):
        parse_nlbw_json(answer)


@pytest.mark.parametrize("name", COUNTERS)
@pytest.mark.parametrize("bad", [-1, 1.0, 1.5, 1e300, True, "7", None, [], {}], ids=repr)
@pytest.mark.parametrize("columns", [COLUMNS, COLUMNS[::-1]], ids=["usual order", "other order"])
def test_a_counter_of_the_wrong_kind_is_named_with_row_and_column(name: str, bad: object, columns: list[str]) -> None:
    answer = output(values(), values(**{name: bad}), columns=columns)

    with pytest.raises(BadRouterOutput) as caught:
        parse_nlbw_json(answer)

    assert f"$[1][{columns.index(name)}]" in caught.value.message


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("family", 5),
        ("family", "4"),
        ("family", 0),
        ("proto", 6),
        ("proto", None),
        ("port", -1),
        ("port", 65_536),
        ("port", "80"),
        ("mac", None),
        ("mac", ""),
        ("mac", "02:11:22:33:44"),
        ("mac", "02-11-22-33-44-01"),
        ("mac", "02:11:22:33:44:01\n"),
        ("mac", "02:11:22:33:44:0g"),
        ("ip", ""),
        ("ip", None),
        ("ip", "192.168.1"),
        ("ip", "192.168.1.256"),
        ("ip", "192.168.1.1\0"),
        ("ip", "fd00::1::2"),
        ("ip", "'; DROP TABLE devices; --"),
        ("layer7", 7),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, bad: object) -> None:
    with pytest.raises(BadRouterOutput):
        parse_nlbw_json(output(values(**{name: bad})))


@pytest.mark.parametrize("name", ["proto", "layer7"])
def test_a_text_that_no_database_can_store_is_refused_or_mended(name: str) -> None:
    try:
        rows = parse_nlbw_json(output(values(**{name: "HT\0TP"}))).rows
    except BadRouterOutput:
        return
    assert "\0" not in getattr(rows[0], name)


def test_a_message_about_a_bad_address_stays_short() -> None:
    with pytest.raises(BadRouterOutput) as caught:
        parse_nlbw_json(output(values(mac="x" * 100_000)))

    assert len(caught.value.message) < 300


# -- garbage --------------------------------------------------------------------------------------------------


def refuses(answer: bytes) -> bool:
    """Whether BadRouterOutput comes of it. Any other exception passes through and fails the test."""
    try:
        parse_nlbw_json(answer)
    except BadRouterOutput:
        return True
    return False


@pytest.mark.parametrize("end", range(len(LIVE)))
def test_an_answer_cut_off_at_any_byte_is_refused(end: int) -> None:
    assert refuses(LIVE[:end])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(OFFICE) - 1))
def test_a_large_answer_cut_off_anywhere_is_refused(end: int) -> None:
    assert refuses(OFFICE[:end])


@pytest.mark.parametrize("end", range(len(LIVE_CSV)))
def test_a_cut_off_csv_gives_rows_that_were_there_or_is_refused(end: int) -> None:
    try:
        rows = parse_nlbw_csv(LIVE_CSV[:end]).rows
    except BadRouterOutput:
        return
    whole = parse_nlbw_csv(LIVE_CSV).rows
    assert rows[:-1] == whole[: len(rows[:-1])]


@given(st.binary(max_size=300))
def test_garbage_is_refused(garbage: bytes) -> None:
    assert refuses(garbage)
    with pytest.raises(BadRouterOutput):
        parse_nlbw_csv(garbage)


@settings(max_examples=300)
@given(st.integers(0, len(LIVE) - 1), st.binary(max_size=6))
def test_bytes_put_into_an_answer_make_rows_or_a_refusal(at: int, noise: bytes) -> None:
    refuses(LIVE[:at] + noise + LIVE[at + len(noise) :])
    refuses(LIVE[:at] + noise + LIVE[at:])


@settings(max_examples=300)
@given(st.integers(0, len(LIVE_CSV) - 1), st.binary(max_size=6))
def test_bytes_put_into_a_csv_make_rows_or_a_refusal(at: int, noise: bytes) -> None:
    try:
        rows = parse_nlbw_csv(LIVE_CSV[:at] + noise + LIVE_CSV[at + len(noise) :]).rows
    except BadRouterOutput:
        return
    assert all(0 <= one.rx_bytes < 2**64 and 0 <= one.tx_bytes < 2**64 for one in rows)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(COLUMNS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["columns", "data", "x"]), inner),
    max_leaves=12,
)


@given(columns=JSON_VALUES | st.just(COLUMNS), data=JSON_VALUES)
def test_json_of_any_other_shape_is_refused(columns: object, data: object) -> None:
    answer = json.dumps({"columns": columns, "data": data}).encode()

    assert refuses(answer) or (columns == COLUMNS and data == [])


DEEP = b"[" * 100_000 + b"]" * 100_000
HEAD = b'{"columns":' + json.dumps(COLUMNS).encode() + b","


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" * 100_000,
        DEEP,
        b'{"a":' * 100_000,
        b'{"columns":' + DEEP,
        b'{"data":' + DEEP + b"}",
        HEAD + b'"data":' + DEEP + b"}",
        HEAD + b'"data":[[' + DEEP + b"]]}",
        HEAD + b'"data":[],"more":' + DEEP + b"}",
    ],
    ids=range(8),
)
def test_nesting_bombs_are_refused(bomb: bytes) -> None:
    assert refuses(bomb)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b'{"columns":[],"data":[]}',
        b'{"columns":null,"data":[]}',
        HEAD[:-1] + b"}",
        HEAD + b'"data":null}',
        HEAD + b'"data":{}}',
        HEAD + b'"data":[{}]}',
        LIVE + b"x",
        LIVE + LIVE,
        b"\xef\xbb\xbf" + LIVE,
        LIVE.decode().encode("utf-16"),
        b"Error while processing command: No data available\n",
    ],
    ids=range(15),
)
def test_what_is_almost_an_answer_is_refused(answer: bytes) -> None:
    assert refuses(answer)


def test_a_line_feed_at_the_end_does_no_harm() -> None:
    assert parse_nlbw_json(LIVE + b"\n").rows == parse_nlbw_json(LIVE).rows


@pytest.mark.parametrize("count", [b"-3", b"1.5", b"abc", b"", b"true", b"18446744073709551616", b"9" * 500])
def test_a_csv_counter_that_cannot_be_is_refused(count: bytes) -> None:
    assert LIVE_CSV.count(b"10011394") == 1

    with pytest.raises(BadRouterOutput):
        parse_nlbw_csv(LIVE_CSV.replace(b"10011394", count))


def test_a_csv_without_layer7_value_has_none() -> None:
    rows = parse_nlbw_csv(LIVE_CSV.replace(b'"IGMP"\n', b"\n")).rows

    assert [one.layer7 for one in rows] == ["HTTP", "HTTPS", "HTTP", None]


CELLS = st.builds(
    values,
    family=st.sampled_from([4, 6]),
    proto=st.sampled_from(["TCP", "UDP", "ICMP", "IP", "47"]),
    port=st.integers(0, 65_535),
    mac=st.binary(min_size=6, max_size=6).map(lambda raw: raw.hex(":")),
    ip=st.ip_addresses().map(str),
    layer7=st.none() | st.sampled_from(["HTTPS", "SMB-over-TCP", "Ü"]),
    **{name: st.integers(0, 2**64 - 1 if name.endswith("bytes") else 2**63 - 1) for name in COUNTERS},
)


@given(rows=st.lists(CELLS, max_size=5), columns=st.permutations(COLUMNS))
def test_whatever_a_router_can_count_comes_out_as_it_went_in(rows: list[dict[str, Any]], columns: list[str]) -> None:
    assert parse_nlbw_json(output(*rows, columns=columns)).rows == [CounterRow(**one) for one in rows]


# -- devices --------------------------------------------------------------------------------------------------


def lease(mac: str, ip: str, hostname: str | None = None) -> Lease:
    return Lease(mac=mac, ip=ip, hostname=hostname)


def neighbour(mac: str, ip: str, interface: str = "br-lan", *, is_reachable: bool = True) -> Neighbour:
    return Neighbour(mac=mac, ip=ip, interface=interface, is_reachable=is_reachable)


def test_all_addresses_of_a_mac_are_one_device() -> None:
    devices = normalize_device_data(parse_nlbw_json(LIVE).rows, router_mac=ROUTER)

    assert [(device.mac, device.ips) for device in devices] == [
        (PHONE, ("192.168.1.101", "fd00:1::101")),
        (LAPTOP, ("192.168.1.102",)),
        (ROUTER, ("192.168.1.1",)),
    ]
    assert [device.is_router for device in devices] == [False, False, True]


def test_a_host_without_a_mac_is_no_device() -> None:
    rows = parse_nlbw_json((FIXTURES / "odd-rows.json").read_bytes()).rows
    assert ZERO_MAC in {one.mac for one in rows}

    assert ZERO_MAC not in {device.mac for device in normalize_device_data(rows)}


def test_names_come_from_the_leases_and_who_has_no_name_keeps_none() -> None:
    leases = [lease(PHONE, "192.168.1.101", "Annas-iPhone"), lease(LAPTOP, "192.168.1.102")]

    devices = normalize_device_data([row(mac=PHONE), row(mac=ROUTER)], leases)

    assert {device.mac: device.hostname for device in devices} == {PHONE: "Annas-iPhone", LAPTOP: None, ROUTER: None}


def test_a_device_known_from_its_lease_alone_is_a_device() -> None:
    (device,) = normalize_device_data([], [lease(PHONE, "192.168.1.101", "tablet")])

    assert (device.mac, device.hostname, device.ips, device.is_reachable) == (
        PHONE,
        "tablet",
        ("192.168.1.101",),
        False,
    )


def test_a_neighbour_behind_the_bridge_is_a_device_and_reachable() -> None:
    (device,) = normalize_device_data([], [], [neighbour(PHONE, "192.168.1.101")])

    assert device.is_reachable


def test_the_gateway_of_the_provider_is_no_device() -> None:
    gateway = neighbour("e8:48:b8:70:1d:c9", "203.0.113.1", "wan")

    assert normalize_device_data([], [], [gateway]) == []


def test_a_neighbour_on_another_interface_is_a_device_where_it_is_known_otherwise() -> None:
    (device,) = normalize_device_data([row()], [], [neighbour(PHONE, "10.9.0.2", "wlan0-guest")])

    assert device.ips == ("10.9.0.2", "192.168.1.101")
    assert device.is_reachable


def test_a_stale_neighbour_is_known_and_not_reachable() -> None:
    (device,) = normalize_device_data([], [], [neighbour(PHONE, "192.168.1.101", is_reachable=False)])

    assert not device.is_reachable


def test_addresses_are_in_order_of_their_numbers_v4_first() -> None:
    ips = ["fd00::10", "192.168.1.20", "fd00::9", "192.168.1.9", "fe80::1", "10.0.0.1"]

    (device,) = normalize_device_data([row(ip=ip) for ip in ips])

    assert device.ips == ("10.0.0.1", "192.168.1.9", "192.168.1.20", "fd00::9", "fd00::10", "fe80::1")


def test_an_address_seen_three_ways_is_listed_once() -> None:
    ip = "192.168.1.101"

    (device,) = normalize_device_data([row(), row(port=80)], [lease(PHONE, ip)], [neighbour(PHONE, ip)])

    assert device.ips == (ip,)


def test_the_router_is_known_by_its_mac_whatever_address_it_is_reached_at() -> None:
    rows = [row(mac=PHONE, ip="192.168.1.101"), row(mac=ROUTER, ip="192.168.1.1")]

    devices = normalize_device_data(rows, router_mac=ROUTER, router_ip="192.168.1.101")

    assert {device.mac: device.is_router for device in devices} == {PHONE: False, ROUTER: True}


def test_without_its_mac_the_router_is_known_by_its_address() -> None:
    rows = [row(mac=PHONE, ip="192.168.1.101"), row(mac=ROUTER, ip="192.168.1.1")]

    devices = normalize_device_data(rows, router_ip="192.168.1.1")

    assert {device.mac: device.is_router for device in devices} == {PHONE: False, ROUTER: True}


def test_without_mac_or_address_nobody_is_taken_for_the_router() -> None:
    devices = normalize_device_data(parse_nlbw_json(LIVE).rows)

    assert not any(device.is_router for device in devices)


def test_the_router_is_called_what_it_calls_itself_unless_a_lease_names_it() -> None:
    rows = [row(mac=PHONE), row(mac=ROUTER)]

    devices = normalize_device_data(rows, router_mac=ROUTER, router_name="zuhause")
    named = normalize_device_data(rows, [lease(ROUTER, "192.168.1.1", "ap")], router_mac=ROUTER, router_name="zuhause")

    assert [device.hostname for device in devices] == [None, "zuhause"]
    assert [device.hostname for device in named] == [None, "ap"]


def test_devices_are_in_order_of_their_macs_whatever_order_rows_came_in() -> None:
    rows = parse_nlbw_json(OFFICE).rows

    devices = normalize_device_data(rows)

    assert len(devices) == 250
    assert [device.mac for device in devices] == sorted(device.mac for device in devices)
    assert normalize_device_data(rows[::-1]) == devices


# -- who came and went ----------------------------------------------------------------------------------------


def test_a_device_nobody_knew_is_new() -> None:
    changes = identify_device_changes({PHONE: True}, seen=[LAPTOP, PHONE], active=[PHONE])

    assert (changes.new, changes.returned, changes.left) == ((LAPTOP,), (), ())


def test_a_device_that_was_inactive_and_is_active_returned() -> None:
    changes = identify_device_changes({PHONE: False, LAPTOP: False}, seen=[PHONE, LAPTOP], active=[PHONE])

    assert (changes.new, changes.returned, changes.left) == ((), (PHONE,), ())


def test_a_device_that_was_active_left_whether_it_is_still_seen_or_not() -> None:
    changes = identify_device_changes({PHONE: True, LAPTOP: True}, seen=[PHONE], active=[])

    assert (changes.new, changes.returned, changes.left) == ((), (), (PHONE, LAPTOP))


def test_a_device_that_stays_as_it_was_is_no_news() -> None:
    changes = identify_device_changes({PHONE: True, LAPTOP: False}, seen=[PHONE, LAPTOP], active=[PHONE])

    assert (changes.new, changes.returned, changes.left) == ((), (), ())


def test_changes_are_sorted() -> None:
    changes = identify_device_changes({}, seen=[LAPTOP, ROUTER, PHONE], active=[])

    assert changes.new == (PHONE, LAPTOP, ROUTER)
