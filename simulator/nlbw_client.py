"""The `nlbw` client: its options, its tables, its exact errors and exit statuses, as in upstream's client.c."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from simulator.nlbwmon import Nlbwmon
from simulator.rows import LAYER7, MASK, Counters, RowKey, Rows, key_bytes, protocol_number
from simulator.shell import Output

COUNTERS = ("conns", "rx_bytes", "rx_pkts", "tx_bytes", "tx_pkts")
COLUMNS = ("family", "proto", "port", "mac", "ip", *COUNTERS, "layer7")
#: In upstream's order: an abbreviation names the first field that it fits.
FIELDS = (*COLUMNS[:-1], "host", "layer7")
ENTRY = tuple[RowKey, Counters]

NOT_RUNNING = Output(stderr="Error while processing command: Bad file descriptor\n", status=247)
NOT_THIS_TABLES = Output("17 File exists\n", "Error while processing command: File exists\n", 239)
NO_DATA = Output(stderr="Error while processing command: No data available\n", status=195)


class _UsageError(Exception):
    """Wrong options: the text goes to standard error, the status is 1."""


@dataclass(frozen=True, slots=True)
class _Options:
    command: str = ""
    period: str = ""
    group: tuple[str, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    plain: bool = False
    separator: str = "\t"
    quote: str = '"'
    escape: str = '"'
    #: what getopt says of options that nlbw then does without
    errors: str = ""


def nlbw(arguments: list[str], daemon: Nlbwmon, wall: int, *, busy: bool = False) -> Output:
    """Run `nlbw` with these arguments. `busy`: the daemon is serving another client and drops this one."""
    try:
        options = _parse(arguments)
    except _UsageError as error:
        return Output(stderr=f"{error}\n", status=1)
    answer = _answer(options, daemon, wall, busy=busy)
    return replace(answer, stderr=options.errors + answer.stderr)


def _answer(options: _Options, daemon: Nlbwmon, wall: int, *, busy: bool) -> Output:
    if not daemon.running:
        return NOT_RUNNING
    if busy:
        return NO_DATA
    if options.command == "list":
        return Output("".join(f"{name}\n" for name in daemon.periods(wall)))
    if options.command == "commit":
        return Output("0 ok\n") if daemon.commit(wall) else NOT_THIS_TABLES
    if options.period in daemon.failing:
        return replace(NO_DATA, status=daemon.failing[options.period])
    if options.period in daemon.damaged:
        return Output(daemon.damaged[options.period])
    rows = daemon.archive(options.period) if options.period else daemon.rows
    if rows is None:
        return NO_DATA
    formats: dict[str, Callable[[Rows, _Options], str]] = {"json": _json, "csv": _csv, "show": _show}
    return Output(formats[options.command](rows, options))


def render_json(rows: Rows) -> str:
    """`nlbw -c json` for a table of rows."""
    return _json(rows, _Options())


# -- options ----------------------------------------------------------------------------------------------


def _parse(arguments: list[str]) -> _Options:
    options = _Options()
    queue = list(arguments)
    errors = ""
    while queue:
        word = queue.pop(0)
        if word == "--":
            break
        if len(word) < 2 or word[0] != "-":
            continue  # getopt skips what is no option
        letter, value = word[1], word[2:]
        if letter == "n":
            options = replace(options, plain=True)
            if value:
                queue.insert(0, f"-{value}")
        elif letter in "sqe":  # optional values stand in the same word or nowhere
            name = {"s": "separator", "q": "quote", "e": "escape"}[letter]
            options = replace(options, **{name: value[:1]})  # type: ignore[arg-type]
        elif letter in "cpSgot":
            if not value and not queue:
                errors += f"nlbw: option requires an argument: {letter}\n"
                continue
            options = _with_value(options, letter, value or queue.pop(0))
        else:
            errors += f"nlbw: unrecognized option: {letter}\n"
            if value:
                queue.insert(0, f"-{value}")
    if not options.command:
        raise _UsageError(f"{errors}No command specified")
    return replace(options, errors=errors)


def _with_value(options: _Options, letter: str, value: str) -> _Options:
    if letter == "c":
        if value not in ("show", "json", "csv", "list", "commit"):
            raise _UsageError(f"Unrecognized command '{value}'")
        return replace(options, command=value)
    if letter == "t":
        found = re.match(r"\s*(\d{1,4})-(\d{1,2})-(\d{1,2})", value)
        if not found:
            raise _UsageError(f"Unrecognized date '{value}'")
        year, month, day = map(int, found.groups())
        return replace(options, period=f"{year:04d}-{month:02d}-{day:02d}" if year + month + day else "")
    if letter in "go":
        names = value.split(",")
        if letter == "g":
            if any(name.startswith("-") for name in names):
                raise _UsageError("Cannot invert group column")
            return replace(options, group=options.group + tuple(_field(name, value) for name in names))
        order = tuple((_field(name, value), name.startswith("-")) for name in names)
        return replace(options, order=options.order + order)
    return options


def _field(name: str, value: str) -> str:
    for known in FIELDS:
        if known.startswith(name.removeprefix("-")):
            return known
    raise _UsageError(f"Unrecognized field '{value[value.index(name) :]}'")


# -- tables -----------------------------------------------------------------------------------------------


def _column_names(options: _Options) -> list[str]:
    group = set(options.group or ("family", "host", "layer7"))
    if "host" in group:
        group |= {"mac", "ip"}
    if "layer7" in group:
        group |= {"proto", "port"}
    return [name for name in COLUMNS if name in group or name in COUNTERS]


def _entries(rows: Rows, options: _Options) -> list[ENTRY]:
    if options.group:
        rows = _grouped(rows, options.group)
    entries = list(rows.items())
    if not options.order:  # most downloaded first, then packets, then as the rows lie in memory
        entries.sort(key=lambda entry: (-entry[1][1], -entry[1][2], key_bytes(entry[0])))
        return entries
    entries.sort(key=lambda entry: key_bytes(entry[0]))
    for name, descending in reversed(options.order):
        entries.sort(key=_sort_key(name), reverse=descending)
    return entries


def _grouped(rows: Rows, group: tuple[str, ...]) -> Rows:
    """Rows added up by the group's fields, under the key of the first row of each."""
    first: dict[tuple[object, ...], RowKey] = {}
    grouped: Rows = {}
    for key in sorted(rows, key=key_bytes):
        counters = rows[key]
        owner = first.setdefault(tuple(_identity(key, name) for name in group), key)
        old = grouped.get(owner, (0, 0, 0, 0, 0))
        a, b, c, d, e = (sum(pair) & MASK for pair in zip(old, counters, strict=True))
        grouped[owner] = (a, b, c, d, e)
    return grouped


def _identity(key: RowKey, name: str) -> object:
    if name == "host":
        return key[3:5]
    if name == "layer7":
        return key[1:3]
    return key[COLUMNS.index(name)] if name in COLUMNS[:5] else None


def _sort_key(name: str) -> Callable[[ENTRY], Any]:
    if name in COUNTERS:
        index = COUNTERS.index(name)
        return lambda entry: entry[1][index]
    spans = {"family": (0, 1), "proto": (1, 2), "port": (2, 4), "mac": (4, 10), "ip": (10, 26), "host": (4, 26)}
    start, end = spans.get(name, (1, 4))
    return lambda entry: key_bytes(entry[0])[start:end]


def _layer7(key: RowKey) -> str | None:
    return LAYER7.get((key[1], key[2]))


# -- formats ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=65_536)
def _json_parts(key: RowKey) -> tuple[str, str]:
    """Both ends of a row of the default table: the counters go in between."""
    family, proto, port, mac, ip = key
    layer7 = _layer7(key)
    return f'[{family},"{proto}",{port},"{mac}","{ip}",', f',"{layer7}"]' if layer7 else ",null]"


def _json(rows: Rows, options: _Options) -> str:
    names = _column_names(options)
    if len(names) == len(COLUMNS):
        data = []
        for key, (conns, rx, rx_packets, tx, tx_packets) in _entries(rows, options):
            head, tail = _json_parts(key)
            data.append(f"{head}{conns},{rx},{rx_packets},{tx},{tx_packets}{tail}")
    else:
        quote = '"'
        data = [f"[{','.join(_cells(entry, names, quote, 'null'))}]" for entry in _entries(rows, options)]
    columns = ",".join(f'"{name}"' for name in names)
    return f'{{"columns":[{columns}],"data":[{",".join(data)}]}}'


def _csv(rows: Rows, options: _Options) -> str:
    names = _column_names(options)
    header = [f"{options.quote}{name}{options.quote}" for name in names]
    lines = [options.separator.join(header)]
    for entry in _entries(rows, options):
        lines.append(options.separator.join(_cells(entry, names, options.quote, "")))
    return "".join(f"{line}\n" for line in lines)


def _cells(entry: ENTRY, names: list[str], quote: str, nothing: str) -> list[str]:
    key, counters = entry
    values: dict[str, str] = dict(zip(COUNTERS, map(str, counters), strict=True))
    values |= {"family": str(key[0]), "port": str(key[2])}
    values |= {name: f"{quote}{key[at]}{quote}" for name, at in (("proto", 1), ("mac", 3), ("ip", 4))}
    layer7 = _layer7(key)
    values["layer7"] = f"{quote}{layer7}{quote}" if layer7 else nothing
    return [values[name] for name in names]


def _show(rows: Rows, options: _Options) -> str:
    group = options.group or ("family", "host", "layer7")
    order = options.order or (("rx_bytes", True), ("rx_pkts", True))
    mark = dict.fromkeys(FIELDS, " ") | {name: ">" if down else "<" for name, down in order}
    lines = [_show_header(group, mark)]
    lines += [_show_row(entry, group, options.plain) for entry in _entries(rows, options)]
    return "".join(f"{line}\n" for line in lines)


def _show_header(group: tuple[str, ...], mark: dict[str, str]) -> str:
    line = f"{mark['family']} Fam " if "family" in group else ""
    if "host" in group:
        line += f"         {mark['host']} Host (    MAC )  "
    else:
        line += f"            {mark['mac']} MAC  " if "mac" in group else ""
        line += f"           {mark['ip']} IP  " if "ip" in group else ""
    if "layer7" in group:
        line += f"  {mark['layer7']} Layer7  "
    else:
        line += f"   {mark['proto']} Proto  " if "proto" in group else ""
        line += f"{mark['port']} Port " if "port" in group else ""
    return (
        f"{line}  {mark['conns']} Conn.   {mark['rx_bytes']} Downld. ( {mark['rx_pkts']} Pkts. )"
        f"    {mark['tx_bytes']} Upload ( {mark['tx_pkts']} Pkts. )"
    )


def _show_row(entry: ENTRY, group: tuple[str, ...], plain: bool) -> str:
    key, (conns, rx, rx_packets, tx, tx_packets) = entry
    line = f"IPv{key[0]}  " if "family" in group else ""
    address = ip_address(key[4]).compressed
    if "host" in group:
        line += f"{address:>15} ({key[3][9:]})  "
    else:
        line += f"{key[3]:>17}  " if "mac" in group else ""
        line += f"{address:>15}  " if "ip" in group else ""
    if "layer7" in group:
        line += f"{_layer7(key) or 'other':>10}  "
    else:
        proto = key[1] if protocol_number(key[1]) else "IP"
        line += f"{proto:>10}  " if "proto" in group else ""
        line += f"{key[2]:>5}  " if "port" in group else ""
    conns_text, rx_text, rxp_text, tx_text, txp_text = (
        _number(value, plain) for value in (conns, rx, rx_packets, tx, tx_packets)
    )
    return f"{line}{conns_text}  {rx_text}B ({rxp_text})  {tx_text}B ({txp_text})"


def _number(value: int, plain: bool) -> str:
    if not plain:
        for power, unit in zip(range(6, 0, -1), "EPTGMK", strict=True):
            unit_size = 1024**power
            if value > unit_size:
                return f"{value // unit_size:4d}.{(value % unit_size * 100 & MASK) // unit_size:02d} {unit}"
    return f"{value:8d} "[:9]  # upstream's buffer ends there
