"""What `nlbw` prints, as checked data. Pure: bytes in, rows out; BadRouterOutput for anything else.

The collector calls it with what commands_server_operations read. Nothing here talks to a router or a database.
Formats were seen on a real daemon; tests/fixtures holds its output.
"""

import csv
import io
import re
import socket
from calendar import monthrange
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from utils.errors import BadRouterOutput
from utils.mac import ZERO_MAC, is_canonical_mac
from utils.router_parser import Lease, Neighbour

#: nlbwmon's byte counters are unsigned 64-bit. They can exceed PostgreSQL's BIGINT (2**63 - 1).
MAX_COUNTER = 2**64 - 1

#: Rows of one answer that are taken. nlbwmon's own `database_limit` is 10,000, and who has a large house raises it
#: to some of these. Each row costs about a kilobyte of memory while two readings are compared.
MOST_ROWS = 100_000

#: Values of a row. nlbwmon prints 11.
_MOST_COLUMNS = 16

Bytes = Annotated[int, msgspec.Meta(ge=0)]

#: Connections and packets. A packet has more than one byte, so that these end long before the bytes do.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class CounterRow(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """One row of nlbwmon's database, in the order of its default grouping. rx is what the device downloaded.

    A column that a coarser grouping (`-g mac`) leaves out is 0, "" or None.
    """

    family: Literal[4, 6]
    proto: str
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    mac: str
    ip: str
    conns: Count
    rx_bytes: Bytes
    rx_pkts: Count
    tx_bytes: Bytes
    tx_pkts: Count
    #: None for traffic on no known port.
    layer7: str | None


class DeviceTotals(NamedTuple):
    """nlbwmon's totals of one MAC in one accounting period, in bytes; its rows of every address added up."""

    bytes_down: int
    bytes_up: int


class CounterTable(NamedTuple):
    """One answer of nlbw: its rows, and what those of each MAC add up to."""

    rows: list[CounterRow]
    totals: dict[str, DeviceTotals]


class _Output(msgspec.Struct):
    columns: list[str]
    data: list[CounterRow]


class _AnyOutput(msgspec.Struct):
    columns: list[str]
    data: msgspec.Raw


_COLUMNS = list(CounterRow.__struct_fields__)
_COUNTERS = ["conns", "rx_bytes", "rx_pkts", "tx_bytes", "tx_pkts"]
_BLANK = CounterRow(0, "", 0, "", "", 0, 0, 0, 0, 0, None)  # type: ignore[arg-type]  # 0: grouped away

#: What identifies a row in nlbwmon's default grouping.
DEFAULT_GROUPING = ("family", "proto", "port", "mac", "ip")

_DECODER = msgspec.json.Decoder(_Output)
_ANY_DECODER = msgspec.json.Decoder(_AnyOutput)


def parse_nlbw_json(
    output: bytes, *, group_by: Sequence[str] = DEFAULT_GROUPING, most_rows: int = MOST_ROWS
) -> CounterTable:
    """The rows of `nlbw -c json`, or of an archive (`-t DATE`), each value checked, and their sums.

    Columns are read by name; any order and additional columns do. ``group_by`` says which `-g` grouping was
    asked for: its columns and the counters must be there. Raises BadRouterOutput, with the row and the column
    where that is known, for garbage, a cut-off answer, a missing column, a value of the wrong kind, and, before
    anything of it is decoded, for more than ``most_rows`` rows.

        {"columns":["family","proto","port","mac","ip","conns","rx_bytes",…],"data":[[4,"TCP",80,"02:…",…],…]}
    """
    # A row begins with a bracket, as do the columns and the list of rows; between two values stands a comma.
    most_values = most_rows * _MOST_COLUMNS
    has_too_many_values = len(output) > most_values and output.count(b",") > most_values
    if has_too_many_values or output.count(b"[") > most_rows + 2:
        raise BadRouterOutput(
            f"The router's nlbw output has more than the {most_rows:,} rows that are taken. Nothing of it was stored. "
            "Let nlbwmon keep fewer: its setting database_limit."
        )
    # A real answer has no backslash at all, and looking for one byte is quick.
    if b"\\" in output and rb"\u0000" in output:
        raise BadRouterOutput("The router's nlbw output has a NUL character in a text.")
    try:
        rows = _decode(output, group_by)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRouterOutput(f"The router's nlbw output can't be used: {_reason(error)}") from None
    return _checked(rows, group_by)


def parse_nlbw_csv(output: bytes) -> CounterTable:
    """The rows of `nlbw -c csv`: tab-separated, texts quoted, columns by name. Raises BadRouterOutput.

    "family" "proto" "port" "mac" "ip" "conns" "rx_bytes" "rx_pkts" "tx_bytes" "tx_pkts" "layer7"
    4 "TCP" 80 "02:11:22:33:44:01" "192.168.1.101" 1 10011394 215 5811 110 "HTTP"
    """
    try:
        table = list(csv.reader(io.StringIO(output.decode()), delimiter="\t", strict=True))
        columns = table[0] if table else []
        cells = [[cell or None for cell in line] for line in table[1:]]
        if any(len(line) != len(columns) for line in cells):
            raise BadRouterOutput("The router's nlbw output can't be used: its lines differ in length.")
        rows = _rows_by_name(columns, cells, DEFAULT_GROUPING, strict=False)
    except (csv.Error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRouterOutput(f"The router's nlbw output can't be used: {_reason(error)}") from None
    return _checked(rows, DEFAULT_GROUPING)


def _decode(output: bytes, group_by: Sequence[str]) -> list[CounterRow]:
    """The usual column order in one pass; any other goes the longer way."""
    try:
        table = _DECODER.decode(output)
    except msgspec.ValidationError:
        table = None
    if table and table.columns == _COLUMNS:
        return table.data
    header = _ANY_DECODER.decode(output)
    return _rows_by_name(header.columns, msgspec.json.decode(header.data), group_by, strict=True)


def _rows_by_name(columns: list[str], data: object, group_by: Sequence[str], *, strict: bool) -> list[CounterRow]:
    if missing := [name for name in (*group_by, *_COUNTERS) if name not in columns]:
        raise BadRouterOutput(f"The router's nlbw output lacks the column {', '.join(missing)}.")
    if len(set(columns)) != len(columns):
        raise BadRouterOutput("The router's nlbw output names a column twice.")
    kinds = {field.name: field.type for field in msgspec.structs.fields(CounterRow)}
    as_printed: Any = tuple.__class_getitem__(tuple(kinds.get(name, object) for name in columns))
    rows = msgspec.convert(data, type=list[as_printed], strict=strict)
    known = [(name, columns.index(name)) for name in _COLUMNS if name in columns]
    return [msgspec.structs.replace(_BLANK, **{name: row[i] for name, i in known}) for row in rows]


def _checked(rows: list[CounterRow], group_by: Sequence[str]) -> CounterTable:
    """What types can't say. Addresses repeat from row to row, so each distinct one is looked at once."""
    totals = calculate_usage_metrics(rows)
    if "mac" in group_by:
        for mac in totals:
            if not is_canonical_mac(mac):
                raise BadRouterOutput(f"The router's nlbw output has {mac[:40]!r} where a MAC address belongs.")
    if "ip" in group_by:
        _check_ips({row.ip for row in rows})
    # No counter is less than 0: where a sum stays below the limit, each of its parts does.
    large = {mac for mac, total in totals.items() if max(total) > MAX_COUNTER}
    if large and any(max(row.rx_bytes, row.tx_bytes) > MAX_COUNTER for row in rows if row.mac in large):
        raise BadRouterOutput("The router's nlbw output has a counter of 2^64 or more.")
    return CounterTable(rows, totals)


def _check_ips(ips: Iterable[str]) -> None:
    for ip in ips:
        try:
            socket.inet_pton(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip)
        except (OSError, ValueError):  # ValueError: an embedded NUL
            message = f"The router's nlbw output has {ip[:60]!r} where an IP address belongs."
            raise BadRouterOutput(message) from None


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested far too deep."
    return f"{str(error)[:200]}."


def parse_period_list(output: str) -> dict[date, str]:
    """`nlbw -c list`: the first day of each accounting period -> its name, newest first. Other lines are left out.

    The name is the day itself, but for periods from a day that its month does not have: those begin on the 1st after.

        2026-11-01
        2026-10-01
    """
    names = {}
    for line in output.split():
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", line, re.ASCII):
            continue
        try:
            names[date.fromisoformat(line)] = line
        except ValueError:
            year, month, day = map(int, line.split("-"))
            if 1 <= month <= 12 and 29 <= day <= 31 and year > 0:
                names[date(year, month, 28) + timedelta(days=monthrange(year, month)[1] - 27)] = line
    return names


def calculate_usage_metrics(rows: Iterable[CounterRow]) -> dict[str, DeviceTotals]:
    """Bytes per MAC, exact. IPv4 and every IPv6 address of a MAC are one device."""
    counters: defaultdict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for row in rows:
        downs, ups = counters[row.mac]
        downs.append(row.rx_bytes)
        ups.append(row.tx_bytes)
    return {mac: DeviceTotals(sum(downs), sum(ups)) for mac, (downs, ups) in counters.items()}


@dataclass(frozen=True, kw_only=True)
class ObservedDevice:
    """A device as one reading shows it: from nlbwmon's rows, the DHCP leases and the neighbour table."""

    mac: str
    #: From its DHCP lease; None where the lease names none. Data from strangers: never trust its characters.
    hostname: str | None
    #: Every address seen, IPv4 first, each family in order of its numbers.
    ips: tuple[str, ...]
    is_router: bool
    #: Whether the neighbour table says that it answered just now.
    is_reachable: bool
    #: The IPv4 addresses that it has now, by the best there is: its leases, else the neighbours that answered, else all
    #: of them. Normally one. nlbwmon's rows keep those of weeks ago, so they alone tell none.
    current_ips: tuple[str, ...] = ()


def normalize_device_data(
    rows: Iterable[CounterRow],
    leases: Sequence[Lease] = (),
    neighbours: Sequence[Neighbour] = (),
    *,
    router_mac: str | None = None,
    router_ip: str | None = None,
    router_name: str | None = None,
) -> list[ObservedDevice]:
    """Every device of a reading, by MAC. Hosts without a MAC (all zeros) are no device and are left out.

    The router is known by ``router_mac`` (its br-lan) or else by ``router_ip``, the address it is reached at;
    ``router_name`` is what it calls itself.
    """
    ips: dict[str, set[str]] = {}
    for mac, ip in {(row.mac, row.ip) for row in rows}:
        ips.setdefault(mac, set()).add(ip)
    for lease in leases:
        ips.setdefault(lease.mac, set()).add(lease.ip)
    for neighbour in neighbours:
        # Who is known from nowhere else counts only behind a bridge (br-lan): the provider's gateway is no device.
        if neighbour.mac in ips or neighbour.interface.startswith("br-"):
            ips.setdefault(neighbour.mac, set()).add(neighbour.ip)
    ips.pop(ZERO_MAC, None)
    hostnames = {lease.mac: lease.hostname for lease in leases if lease.hostname}
    reachable = {neighbour.mac for neighbour in neighbours if neighbour.is_reachable}
    current = _current_ips(leases, neighbours)
    devices = []
    for mac, addresses in sorted(ips.items()):
        is_router = mac == router_mac or (router_mac is None and router_ip in addresses)
        devices.append(
            ObservedDevice(
                mac=mac,
                hostname=hostnames.get(mac, router_name if is_router else None),
                ips=tuple(sorted(addresses, key=_ip_order)),
                is_router=is_router,
                is_reachable=mac in reachable,
                current_ips=current.get(mac, ()),
            )
        )
    return devices


def _current_ips(leases: Sequence[Lease], neighbours: Sequence[Neighbour]) -> dict[str, tuple[str, ...]]:
    """The IPv4 addresses of each MAC, from what tells best who has which now."""
    found: dict[str, tuple[str, ...]] = {}
    for tells in (leases, [neighbour for neighbour in neighbours if neighbour.is_reachable], neighbours):
        told: dict[str, set[str]] = {}
        for one in tells:
            if one.mac not in found and ":" not in one.ip:
                told.setdefault(one.mac, set()).add(one.ip)
        found |= {mac: tuple(sorted(addresses, key=_ip_order)) for mac, addresses in told.items()}
    return found


def _ip_order(ip: str) -> tuple[bool, bytes]:
    is_v6 = ":" in ip
    return is_v6, socket.inet_pton(socket.AF_INET6 if is_v6 else socket.AF_INET, ip)


@dataclass(frozen=True, kw_only=True)
class DeviceChanges:
    """Which devices came and went between what was known and what a reading shows. MACs, sorted."""

    new: tuple[str, ...]
    #: Known as inactive, now active again.
    returned: tuple[str, ...]
    #: Known as active, now not.
    left: tuple[str, ...]


def identify_device_changes(known: Mapping[str, bool], seen: Collection[str], active: Collection[str]) -> DeviceChanges:
    """Compare known devices (MAC -> was active) with a reading's: those in it (``seen``), those ``active`` in it."""
    now_active = set(active)
    return DeviceChanges(
        new=tuple(sorted(set(seen) - known.keys())),
        returned=tuple(sorted(mac for mac, was in known.items() if not was and mac in now_active)),
        left=tuple(sorted(mac for mac, was in known.items() if was and mac not in now_active)),
    )
