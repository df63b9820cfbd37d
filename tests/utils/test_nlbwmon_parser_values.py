"""Values of single cells: counters are exact up to 64 bits, and what cannot be is refused by name, in JSON and CSV."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.utils.nlbwmon_output import COLUMNS, COUNTERS, FIXTURES, LIVE_CSV, output, row, values
from utils.errors import BadRouterOutput
from utils.nlbwmon_parser import CounterRow, parse_nlbw_csv, parse_nlbw_json


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
