"""Answers of `nlbw` for the parser's tests: captured ones, and made ones with only what a test is about spelled out."""

import json
from pathlib import Path
from typing import Any

from utils.nlbwmon_parser import CounterRow

FIXTURES = Path(__file__).parent.parent / "fixtures"
LIVE = (FIXTURES / "live-dual-stack.json").read_bytes()
LIVE_CSV = (FIXTURES / "live-dual-stack.csv").read_bytes()
OFFICE = (FIXTURES / "office-250-devices.json").read_bytes()

COLUMNS = ["family", "proto", "port", "mac", "ip", "conns", "rx_bytes", "rx_pkts", "tx_bytes", "tx_pkts", "layer7"]
COUNTERS = ["conns", "rx_bytes", "rx_pkts", "tx_bytes", "tx_pkts"]

PHONE = "02:11:22:33:44:01"


def values(**changes: object) -> dict[str, object]:
    """A row's cells by column: the phone's, over HTTPS, but for what is given."""
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
    """These rows as `nlbw -c json` prints them, in this order of columns."""
    columns = columns or COLUMNS
    return json.dumps({"columns": columns, "data": [[row[name] for name in columns] for row in rows]}).encode()


def row(**changes: object) -> CounterRow:
    """What the parser has to make of ``values(**changes)``."""
    return CounterRow(**values(**changes))  # type: ignore[arg-type]
