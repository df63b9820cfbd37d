"""What a real `nlbw` printed is read without losing a row or a byte, and in no format but the one asked for."""

import csv
import io
import json
from collections import defaultdict
from pathlib import Path

import pytest

from tests.utils.nlbwmon_output import FIXTURES, LIVE, PHONE
from utils.errors import BadRouterOutput
from utils.nlbwmon_parser import DeviceTotals, calculate_usage_metrics, parse_nlbw_csv, parse_nlbw_json

JSON_FILES = sorted(FIXTURES.glob("*.json"))
CSV_FILES = sorted(FIXTURES.glob("*.csv"))
GROUPING = ["family", "proto", "port", "mac", "ip"]


def grouping_of(columns: list[str]) -> list[str]:
    return [name for name in columns if name in GROUPING]


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


@pytest.mark.parametrize("name", ["show.txt", "list.txt", "by-mac.csv", "live-dual-stack.csv"])
def test_another_format_is_no_json(name: str) -> None:
    with pytest.raises(BadRouterOutput) as caught:
        parse_nlbw_json((FIXTURES / name).read_bytes())

    assert caught.value.code == "BAD_ROUTER_OUTPUT"


@pytest.mark.parametrize("name", ["show.txt", "list.txt", "live-dual-stack.json"])
def test_another_format_is_no_csv(name: str) -> None:
    with pytest.raises(BadRouterOutput):
        parse_nlbw_csv((FIXTURES / name).read_bytes())
