"""What is asked of a router: one function a command, each one SSH round trip unless its docstring says more.

Called by the services. Answers are raw text and bytes; utils.nlbwmon_parser and the services make sense of
them. Nothing here writes to a router.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from commands_server_operations.nlbw_answers import (
    NO_DAEMON,
    NO_DATA,
    Connections,
    nlbw_failure,
    nlbw_output,
    raise_for_nlbw,
    twice,
)
from commands_server_operations.period_files import file_time, file_time_commands, get_archived_periods
from commands_server_operations.router_script import Section, run_script
from commands_server_operations.router_target import RouterTarget
from utils.errors import BadRouterOutput, NlbwmonDown, NlbwmonMissing
from utils.nlbwmon_parser import parse_period_list
from utils.router_parser import parse_clock
from utils.time import parse_zone, utc_now, zone_from_offset

_DEVICES: Mapping[str, str] = {
    "leases": "cat /tmp/dhcp.leases",
    "neighbours": "ip neigh show",
    "board": "ubus call system board",
}
#: Bytes. 20,000 devices have leases of 2 MB; with an IPv4 and two IPv6 addresses each they are neighbours of 4 MB.
_LONGEST_LIST = 4 * 1024 * 1024
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
_PERIODS: Mapping[str, str] = {"periods": "nlbw -c list", "clock": "date +%s", "utc_offset": "date +%z"}


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
    #: date -r of the file of the period asked for: when nlbwmon last wrote it, by the router's clock
    last_commit: str | None
    facts: FactsAnswer
    devices: DeviceListAnswer


@dataclass(frozen=True, kw_only=True)
class NlbwmonStatus:
    """Whether the router can be read, with a message for people that says how to mend it."""

    installed: bool
    running: bool
    message: str
    #: nlbw -c json, where it runs; not checked
    usage_json: bytes = field(default=b"", repr=False)


def get_current_bandwidth_data(
    connections: Connections, target: RouterTarget, *, period: str | None = None, directory: str | None = None
) -> BandwidthAnswer:
    """The counters of the current accounting period and all that is needed to account for them.

    ``period``: what the router called that period last; ``directory``: its `database_directory`. With both, when
    nlbwmon last wrote the period's file is asked in the same breath. Raises ValueError for a period that is not of the
    form YYYY-MM-DD, NlbwmonMissing, NlbwmonDown (after a second try, 0.2 s later), BadRouterOutput, and what
    connections.run raises.
    """
    # Asked before the clock, which no moment told by it can then be ahead of.
    script = {**(file_time_commands(period, directory) if period else {}), **_BANDWIDTH}
    for attempt in twice():
        with attempt:
            sections = run_script(connections, target, script)
            usage = nlbw_output(sections["usage"], target)
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
        last_commit=file_time(period, sections) if period else None,
        facts=_facts(sections),
        devices=_devices(sections),
    )


def get_historical_bandwidth_data(connections: Connections, target: RouterTarget, days: int) -> dict[date, bytes]:
    """nlbw's JSON of the archived accounting periods that began within the last ``days`` days.

    Two round trips: nlbw's list of periods, then all of them. The newest on the list is taken for the current
    period, still counting, and left out; a newer nlbwmon doesn't list that before its first commit, and then the
    newest archive is left out instead. "Today" is the router's own, since the list's dates are. Raises as
    get_current_bandwidth_data.
    """
    for attempt in twice():
        with attempt:
            sections = run_script(connections, target, _PERIODS)
            raise_for_nlbw(sections["periods"], target)
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
        for attempt in twice():
            with attempt:
                section = run_script(connections, target, script)["usage"]
                if section.exit_status in (NO_DATA, NO_DAEMON):
                    raise nlbw_failure(section.exit_status, target)
    except NlbwmonDown as error:
        return NlbwmonStatus(installed=True, running=False, message=error.message)
    try:
        usage = nlbw_output(section, target)
    except NlbwmonMissing as error:
        return NlbwmonStatus(installed=False, running=False, message=error.message)
    except BadRouterOutput as error:
        return NlbwmonStatus(installed=True, running=False, message=error.message)
    message = "nlbwmon is installed and answers."
    return NlbwmonStatus(installed=True, running=True, message=message, usage_json=usage)


def _devices(sections: Mapping[str, Section]) -> DeviceListAnswer:
    return DeviceListAnswer(
        leases=sections["leases"].text_up_to(_LONGEST_LIST),
        neighbours=sections["neighbours"].text_up_to(_LONGEST_LIST),
        board=sections["board"].text,
    )


def _facts(sections: Mapping[str, Section]) -> FactsAnswer:
    return FactsAnswer(**{name: sections[name].text for name in _FACTS})


def _period_names(listing: str, target: RouterTarget) -> dict[date, str]:
    """``nlbw -c list``: first day -> name of each period. Raises BadRouterOutput for a line that is no such name."""
    names = parse_period_list(listing)
    if len(names) != len(listing.split()):
        raise BadRouterOutput(
            f"The list of accounting periods of the router {target.where} holds something that is no date."
        )
    return names


def _today(clock: str | None, utc_offset: str | None) -> date:
    """The router's date: UTC where it doesn't tell its offset, the server's where it doesn't tell the time."""
    zone = zone_from_offset((utc_offset or "").strip()) or parse_zone("UTC")
    return zone.day_of(parse_clock(clock or "") or utc_now())
