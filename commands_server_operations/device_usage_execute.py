"""What is asked of a router: one function a command, each one SSH round trip unless its docstring says more.

Called by the services. Answers are raw text and bytes; utils.nlbwmon_parser and the services make sense of
them. Nothing here writes to a router.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Protocol

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from commands_server_operations.router_script import Section, run_script
from commands_server_operations.router_target import CommandResult, RouterTarget
from utils.errors import BadRouterOutput, NlbwmonDown, NlbwmonMissing, OutputTooLarge, RouterError
from utils.nlbwmon_parser import parse_period_list

#: nlbw's exit statuses, as measured on a real client.
_NOT_FOUND = 127
_NO_DATA = 195
_NO_DAEMON = 247

#: dropbear takes commands of at most 9,000 bytes, and a large office's archives are half a megabyte each.
_ARCHIVES_AT_ONCE = 24

#: Where the accounting waits for them: few, so that each batch stays far below any limit on output.
_FILES_AT_ONCE = 4

_DEVICES: Mapping[str, str] = {
    "leases": "cat /tmp/dhcp.leases",
    "neighbours": "ip neigh show",
    "board": "ubus call system board",
}
#: What the doctor judges.
_FACTS: Mapping[str, str] = {
    "clock": "date +%s",
    "utc_offset": "date +%z",
    "zone_name": "uci -q get system.@system[0].zonename",
    "settings": "uci -q show nlbwmon",
    "flow_offloading": "uci -q get firewall.@defaults[0].flow_offloading",
    "flow_offloading_hw": "uci -q get firewall.@defaults[0].flow_offloading_hw",
    "conntrack_acct": "cat /proc/sys/net/netfilter/nf_conntrack_acct",
    "rmem_max": "cat /proc/sys/net/core/rmem_max",
    "lan_addresses": "ip -6 addr show dev br-lan scope global",
}
#: The clock and the uptime stand right around the counters: they say when those were read.
_BANDWIDTH: Mapping[str, str] = {
    "clock": "date +%s",
    "usage": "nlbw -c json",
    "uptime": "cat /proc/uptime",
    "boot_id": "cat /proc/sys/kernel/random/boot_id",
    "daemon": "cat /proc/$(pidof nlbwmon)/stat",
    "router_mac": "cat /sys/class/net/br-lan/address",
    "periods": "nlbw -c list",
    **_FACTS,
    **_DEVICES,
}
_FILE_TIMES: Mapping[str, str] = {"ram_copy": "ls /tmp/0.db", "ram_copy_time": "date -r /tmp/0.db +%s"}
_PERIODS: Mapping[str, str] = {"periods": "nlbw -c list", "clock": "date +%s", "utc_offset": "date +%z"}

#: Where a router may keep nlbwmon's files. Anything else never gets into a command.
_DIRECTORY = re.compile(r"(?:/[A-Za-z0-9_][A-Za-z0-9._-]*){1,16}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UTC_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})")


class Connections(Protocol):
    """What runs a command on a router: RouterConnectionManager."""

    def run(self, target: RouterTarget, command: str) -> CommandResult: ...


@dataclass(frozen=True, kw_only=True)
class DeviceListAnswer:
    """Raw text; None where the router lacks the command or it failed."""

    #: /tmp/dhcp.leases
    leases: str | None
    #: ip neigh show
    neighbours: str | None
    #: ubus call system board (JSON)
    board: str | None


@dataclass(frozen=True, kw_only=True)
class FactsAnswer:
    """Raw text; None where the router lacks the command or it failed, as uci does for an option that isn't set."""

    #: date +%s
    clock: str | None
    #: date +%z
    utc_offset: str | None
    #: uci -q get system.@system[0].zonename
    zone_name: str | None
    #: uci -q show nlbwmon
    settings: str | None
    #: uci -q get firewall.@defaults[0].flow_offloading
    flow_offloading: str | None
    #: uci -q get firewall.@defaults[0].flow_offloading_hw
    flow_offloading_hw: str | None
    #: /proc/sys/net/netfilter/nf_conntrack_acct
    conntrack_acct: str | None
    #: /proc/sys/net/core/rmem_max
    rmem_max: str | None
    #: ip -6 addr show dev br-lan scope global
    lan_addresses: str | None


@dataclass(frozen=True, kw_only=True)
class BandwidthAnswer:
    """One reading of a router. Text is None where the router lacks the command or it failed."""

    #: nlbw -c json: never empty, but not checked beyond that
    usage_json: bytes
    #: nlbw -c list
    period_list: str | None
    #: date +%s, just before the counters were read
    clock: str | None
    #: date +%z
    utc_offset: str | None
    #: /proc/uptime, just after the counters were read
    uptime: str | None
    #: /proc/sys/kernel/random/boot_id: names the boot
    boot_id: str | None
    #: /proc/PID/stat of nlbwmon: names its start
    daemon: str | None
    #: /sys/class/net/br-lan/address: the MAC under which nlbwmon counts the router's own traffic
    router_mac: str | None
    #: uci -q get system.@system[0].zonename
    zone_name: str | None
    #: uci -q show nlbwmon
    settings: str | None
    facts: FactsAnswer
    devices: DeviceListAnswer


@dataclass(frozen=True, kw_only=True)
class PeriodFilesAnswer:
    """nlbwmon's files of some periods, and when it wrote them. Text is None where the router doesn't tell."""

    #: nlbw's JSON by the period's first day; a period without a file is absent.
    tables: Mapping[date, bytes]
    #: date +%s
    clock: str | None
    #: date -r of the file of one period: when it was written, by the router's clock
    committed: str | None
    #: date -r of nlbwmon's copy in RAM
    ram_copy: str | None
    #: Whether there is such a copy.
    has_ram_copy: bool | None


@dataclass(frozen=True, kw_only=True)
class NlbwmonStatus:
    """Whether the router can be read, with a message for people that says how to mend it."""

    installed: bool
    running: bool
    message: str
    #: nlbw -c json, where it runs; not checked
    usage_json: bytes = field(default=b"", repr=False)


def get_current_bandwidth_data(connections: Connections, target: RouterTarget) -> BandwidthAnswer:
    """The counters of the current accounting period and all that is needed to account for them.

    Raises NlbwmonMissing, NlbwmonDown (after a second try, 0.2 s later), BadRouterOutput, and what
    connections.run raises.
    """
    for attempt in _twice():
        with attempt:
            sections = run_script(connections, target, _BANDWIDTH)
            usage = _nlbw_output(sections["usage"], target)
    return BandwidthAnswer(
        usage_json=usage,
        period_list=sections["periods"].text,
        clock=sections["clock"].text,
        utc_offset=sections["utc_offset"].text,
        uptime=sections["uptime"].text,
        boot_id=sections["boot_id"].text,
        daemon=sections["daemon"].text,
        router_mac=sections["router_mac"].text,
        zone_name=sections["zone_name"].text,
        settings=sections["settings"].text,
        facts=_facts(sections),
        devices=_devices(sections),
    )


def get_archived_periods(
    connections: Connections, target: RouterTarget, names: Mapping[date, str]
) -> dict[date, bytes]:
    """nlbw's JSON of each accounting period in ``names``: first day -> what the router calls it.

    A period without archive is absent. One round trip for each 24 of them. nlbwmon says "no data" both where there
    is no archive and where it was busy, so those are asked for once more, 0.2 s later. Raises as
    get_current_bandwidth_data, and ValueError for a name that is not of the form YYYY-MM-DD.
    """
    wanted = list(names.items())
    found: dict[date, bytes] = {}
    for first in range(0, len(wanted), _ARCHIVES_AT_ONCE):
        found |= _archives(connections, target, dict(wanted[first : first + _ARCHIVES_AT_ONCE]), _nlbw_output)
    return found


def get_period_files(
    connections: Connections, target: RouterTarget, names: Mapping[date, str], *, dated: date, directory: str | None
) -> PeriodFilesAnswer:
    """The files of ``names`` (first day -> what the router calls it), and when the one of ``dated`` was written.

    A round trip for each 4 of them, and one more. A file that nlbw fails on, or that is too large alone, is absent
    like one that isn't there: it would be no better next time. Raises NlbwmonMissing, NlbwmonDown, BadRouterOutput
    where the answer as a whole is incomplete, and what connections.run raises. ``directory``: the router's
    `database_directory`; None where it doesn't tell.
    """
    tables = _usable_files(connections, target, names)
    commands = dict(_FILE_TIMES)
    if directory is not None and _DIRECTORY.fullmatch(directory) and _DATE.fullmatch(names[dated]):
        file = f"{directory}/{names[dated].replace('-', '')}.db"
        commands |= {"packed": f"date -r {file}.gz +%s", "plain": f"date -r {file} +%s"}
    # After the files, so that one that was written meanwhile is noticed; and the clock after the moments told by it.
    times = run_script(connections, target, commands | {"clock": "date +%s"})
    copy = times["ram_copy"].exit_status
    return PeriodFilesAnswer(
        tables=tables,
        clock=times["clock"].text,
        committed=next((times[name].text for name in ("packed", "plain") if name in times and times[name].text), None),
        ram_copy=times["ram_copy_time"].text,
        has_ram_copy=None if copy == _NOT_FOUND else copy == 0,
    )


def _usable_files(connections: Connections, target: RouterTarget, names: Mapping[date, str]) -> dict[date, bytes]:
    wanted = list(names.items())
    found: dict[date, bytes] = {}
    for first in range(0, len(wanted), _FILES_AT_ONCE):
        batch = wanted[first : first + _FILES_AT_ONCE]
        try:
            found |= get_earlier_archives(connections, target, dict(batch))
        except OutputTooLarge:
            for day, name in batch:
                with suppress(OutputTooLarge):
                    found |= get_earlier_archives(connections, target, {day: name})
    return {day: output for day, output in found.items() if output}


def get_earlier_archives(
    connections: Connections, target: RouterTarget, names: Mapping[date, str]
) -> dict[date, bytes]:
    """nlbw's JSON of a few accounting periods, as get_archived_periods, each judged by itself; one round trip.

    For archives that nothing depends on: one that nlbw fails on is empty bytes here, and spoils no other.
    """
    return _archives(connections, target, names, _output_or_nothing)


def get_historical_bandwidth_data(connections: Connections, target: RouterTarget, days: int) -> dict[date, bytes]:
    """nlbw's JSON of the archived accounting periods that began within the last ``days`` days.

    Two round trips: nlbw's list of periods, then all of them. The newest on the list is the current period,
    still counting, and left out. "Today" is the router's own, since the list's dates are. Raises as
    get_current_bandwidth_data.
    """
    for attempt in _twice():
        with attempt:
            sections = run_script(connections, target, _PERIODS)
            _raise_for_nlbw(sections["periods"], target)
    names = _period_names(sections["periods"].text or "", target)
    oldest = _today(sections["clock"].text, sections["utc_offset"].text) - timedelta(days=days)
    archived = sorted(names, reverse=True)[1:]
    return get_archived_periods(connections, target, {day: names[day] for day in archived if day >= oldest})


def get_device_list(connections: Connections, target: RouterTarget) -> DeviceListAnswer:
    """Who is in the network. Raises BadRouterOutput and what connections.run raises."""
    return _devices(run_script(connections, target, _DEVICES))


def get_router_facts(connections: Connections, target: RouterTarget) -> FactsAnswer:
    """What the doctor judges. Raises BadRouterOutput and what connections.run raises."""
    return _facts(run_script(connections, target, _FACTS))


def validate_nlbwmon_status(connections: Connections, target: RouterTarget) -> NlbwmonStatus:
    """Whether nlbwmon answers on the router, judged by the same command that readings use.

    Raises BadRouterOutput where the router's shell doesn't answer as one, and what connections.run raises.
    """
    script = {"usage": _BANDWIDTH["usage"]}
    try:
        for attempt in _twice():
            with attempt:
                section = run_script(connections, target, script)["usage"]
                if section.exit_status in (_NO_DATA, _NO_DAEMON):
                    raise _nlbw_failure(section.exit_status, target)
    except NlbwmonDown as error:
        return NlbwmonStatus(installed=True, running=False, message=error.message)
    try:
        usage = _nlbw_output(section, target)
    except NlbwmonMissing as error:
        return NlbwmonStatus(installed=False, running=False, message=error.message)
    except BadRouterOutput as error:
        return NlbwmonStatus(installed=True, running=False, message=error.message)
    message = "nlbwmon is installed and answers."
    return NlbwmonStatus(installed=True, running=True, message=message, usage_json=usage)


def _archives(
    connections: Connections,
    target: RouterTarget,
    names: Mapping[date, str],
    output_of: Callable[[Section, RouterTarget], bytes],
) -> dict[date, bytes]:
    found: dict[date, bytes] = {}
    missing = dict(names)
    for attempt in _twice():
        with attempt:
            sections = run_script(connections, target, {name: _archive_command(name) for name in missing.values()})
            for day, name in list(missing.items()):
                section = sections[name]
                if section.exit_status != _NO_DATA:
                    found[day] = output_of(section, target)
                    del missing[day]
            if missing and attempt.retry_state.attempt_number == 1:
                raise NlbwmonDown
    return found


def _archive_command(name: str) -> str:
    """Only digits and dashes get into a command; there is nothing to quote."""
    if not _DATE.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is no name of an accounting period")
    return f"nlbw -c json -t {name}"


def _twice() -> Retrying:
    """Try again once: the daemon serves one client at a time, each for at most 100 ms."""
    return Retrying(
        retry=retry_if_exception_type(NlbwmonDown),
        stop=stop_after_attempt(2),
        wait=wait_fixed(0.2),
        reraise=True,
    )


def _devices(sections: Mapping[str, Section]) -> DeviceListAnswer:
    return DeviceListAnswer(
        leases=sections["leases"].text,
        neighbours=sections["neighbours"].text,
        board=sections["board"].text,
    )


def _facts(sections: Mapping[str, Section]) -> FactsAnswer:
    return FactsAnswer(**{name: sections[name].text for name in _FACTS})


def _nlbw_output(section: Section, target: RouterTarget) -> bytes:
    _raise_for_nlbw(section, target)
    if not section.output.strip():
        raise BadRouterOutput(f"nlbwmon on the router {target.where} answered with nothing.")
    return section.output


def _output_or_nothing(section: Section, target: RouterTarget) -> bytes:
    """Nothing where nlbw failed for a reason of this archive's own. Raises for what is wrong with all of nlbwmon."""
    if section.exit_status in (_NOT_FOUND, _NO_DAEMON):
        raise _nlbw_failure(section.exit_status, target)
    return section.output if section.exit_status == 0 else b""


def _raise_for_nlbw(section: Section, target: RouterTarget) -> None:
    if section.exit_status != 0:
        raise _nlbw_failure(section.exit_status, target)


def _nlbw_failure(exit_status: int, target: RouterTarget) -> RouterError:
    if exit_status == _NOT_FOUND:
        return NlbwmonMissing(
            f"nlbwmon is not installed on the router {target.where}. Run there: opkg update && opkg install nlbwmon"
        )
    if exit_status in (_NO_DAEMON, _NO_DATA):
        return NlbwmonDown(
            f"nlbwmon is installed on the router {target.where} but does not answer. "
            "Run there: /etc/init.d/nlbwmon restart"
        )
    return BadRouterOutput(f"nlbw failed on the router {target.where} with exit status {exit_status}.")


def _period_names(listing: str, target: RouterTarget) -> dict[date, str]:
    """``nlbw -c list``: first day -> name of each period. Raises BadRouterOutput for a line that is no such name."""
    names = parse_period_list(listing)
    if len(names) != len(listing.split()):
        raise BadRouterOutput(
            f"The list of accounting periods of the router {target.where} holds something that is no date."
        )
    return names


def _today(clock: str | None, utc_offset: str | None) -> date:
    """The router's date; the server's in UTC where the router doesn't tell."""
    sign = _UTC_OFFSET.fullmatch((utc_offset or "").strip())
    zone = UTC
    try:
        if sign:
            ahead = timedelta(hours=int(sign[2]), minutes=int(sign[3]))
            zone = timezone(ahead if sign[1] == "+" else -ahead)
        return datetime.fromtimestamp(int((clock or "").strip()), zone).date()
    except (ValueError, OverflowError, OSError):
        return datetime.now(UTC).date()
