"""Readings to measure with: a captured office of 250 devices, and networks of any size that keep on growing."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from services.accounting.account import account, compare
from services.accounting.counters import Reading
from services.accounting.periods import AccountingPeriod
from services.readings.protocol_rollups import protocol_names
from services.readings.router_readings import TakenReading
from utils.nlbwmon_parser import CounterRow, normalize_device_data, parse_nlbw_json
from utils.time import parse_zone

OFFICE = (Path(__file__).parent.parent / "tests" / "fixtures" / "office-250-devices.json").read_bytes()

PERIOD = AccountingPeriod(date(2026, 11, 1), date(2026, 11, 30))
FIRST_READING = datetime(2026, 11, 10, 0, 2, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)

_PORTS = [("TCP", 443, "HTTPS"), ("UDP", 443, "QUIC"), ("TCP", 80, "HTTP"), ("UDP", 53, "DNS"), ("TCP", 993, "IMAPS"),
          ("TCP", 22, "SSH"), ("TCP", 5228, None), ("ICMP", 0, "ICMP")]  # fmt: skip


def grown(rows: list[CounterRow], *, share: float = 1.0, seed: int = 1) -> list[CounterRow]:
    """The rows some time later: ``share`` of them have counted on."""
    rng = random.Random(seed)
    return [
        msgspec.structs.replace(
            row, rx_bytes=row.rx_bytes + rng.randrange(1, 2_000_000), tx_bytes=row.tx_bytes + rng.randrange(1, 200_000)
        )
        if rng.random() < share
        else row
        for row in rows
    ]


def nlbw_json(rows: list[CounterRow]) -> bytes:
    """The rows as nlbw prints them."""
    return msgspec.json.encode({"columns": list(CounterRow.__struct_fields__), "data": rows})


def growing_network(devices: int) -> Iterator[TakenReading]:
    """Readings of ``devices`` devices, eight rows each, 5 minutes apart; every device was active in each."""
    rng = random.Random(devices)
    rows = [
        CounterRow(4, proto, port, mac_of(n), f"10.0.{n // 250}.{n % 250 + 1}", *_counters(rng), layer7)
        for n in range(devices)
        for proto, port, layer7 in _PORTS
    ]
    base: Reading | None = None
    at = FIRST_READING
    while True:
        taken = taken_reading(nlbw_json(rows), at, base=base)
        yield taken
        base = taken.reading
        rows = grown(rows, seed=at.minute)
        at += INTERVAL


def taken_reading(printed: bytes, at: datetime, *, base: Reading | None) -> TakenReading:
    """What ``printed`` means after ``base``; the stored reading that it belongs to has to be put in as `previous`."""
    table = parse_nlbw_json(printed)
    reading = Reading(read_at=at, period_start=PERIOD.start, rows=table.rows, boot_id="1")
    usage = account(compare(base, reading), reading)
    return TakenReading(
        reading=reading,
        period=PERIOD,
        previous=None,
        usage=usage,
        usage_since=base.read_at if base else None,
        totals=table.totals,
        usage_by_device=usage.by_device(),
        devices=normalize_device_data(reading.rows),
        protocol_names=protocol_names([reading.rows]),
        zone=parse_zone("UTC"),
        router_zone=parse_zone("UTC"),
        clock_skew_s=0.0,
        database_interval="1",
        usage_json=printed,
        duration_s=0.0,
    )


def _counters(rng: random.Random) -> tuple[int, int, int, int, int]:
    """A month of connections, bytes and packets, from a few hundred bytes to some gigabytes."""
    down, up = int(rng.lognormvariate(15, 3)), int(rng.lognormvariate(13, 3))
    return rng.randint(1, 900), down, -(-down // 1_200), up, -(-up // 200)


def mac_of(number: int) -> str:
    return f"b8:27:eb:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
