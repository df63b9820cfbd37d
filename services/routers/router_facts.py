"""What a router's answer says to the doctor. Pure: the answer's text in, facts out; what it doesn't tell is None."""

from dataclasses import replace
from datetime import datetime, timedelta

from commands_server_operations.device_usage_execute import FactsAnswer
from db_operations.readings_db import Standstill
from services.routers.router_doctor import RouterFacts
from utils.router_parser import (
    MOST_NETWORKS,
    clean_name,
    parse_clock,
    parse_interval,
    parse_ipv6_prefixes,
    parse_number,
    parse_uci_flag,
    parse_uci_list,
    parse_uci_section,
)
from utils.time import Zone, parse_zone, zone_from_offset

_SECTION = "nlbwmon.@nlbwmon[0]"

#: What nlbwmon is started with where its section doesn't say: OpenWrt's /etc/init.d/nlbwmon.
_DEFAULTS = {
    "database_directory": "/var/lib/nlbwmon",
    "database_limit": "10000",
    "refresh_interval": "30s",
    "commit_interval": "24h",
    "netlink_buffer_size": "524288",
}

#: Further off than this, a router's clock tells neither which offset its zone has now nor which periods are over.
MAX_CLOCK_SKEW = timedelta(days=1)


def read_facts(answer: FactsAnswer, *, read_at: datetime, rows: int | None, timezone: str | None) -> RouterFacts:
    """``read_at``: our own time of the answer. ``rows``: those of the running period. ``timezone``: as it is stored."""
    clock = parse_clock(answer.clock or "")
    is_usable = clock is None or abs(clock - read_at) <= MAX_CLOCK_SKEW
    running = zone_from_offset((answer.utc_offset or "").strip())
    # An option that isn't set is an error to uci, just as a missing uci is one to the shell.
    has_uci = answer.settings is not None or answer.zone_name is not None
    return replace(
        _read_settings(answer.settings or ""),
        rows=rows,
        flow_offloading=_read_flag(answer.flow_offloading, has_uci=has_uci),
        flow_offloading_hw=_read_flag(answer.flow_offloading_hw, has_uci=has_uci),
        conntrack_acct=parse_uci_flag(answer.conntrack_acct or ""),
        rmem_max=parse_number(answer.rmem_max or ""),
        lan_prefixes=None if answer.lan_addresses is None else parse_ipv6_prefixes(answer.lan_addresses),
        clock_skew_s=(clock - read_at).total_seconds() if clock else None,
        router_now=(clock or read_at) if is_usable else None,
        utc_offset=running.tz.utcoffset(read_at) if running else None,
        router_zone=_read_zone(answer.zone_name or ""),
        days_zone=_read_zone(timezone or ""),
    )


def with_standstill(facts: RouterFacts, standstill: Standstill | None) -> RouterFacts:
    """The facts, and what only several readings together say."""
    if standstill is None:
        return facts
    return replace(
        facts,
        unchanged_since=standstill.since,
        unchanged_readings=standstill.readings,
        active_devices=standstill.active_devices,
    )


def _read_settings(text: str) -> RouterFacts:
    told = parse_uci_section(text, _SECTION)
    if not told:
        return RouterFacts()
    options = _DEFAULTS | {name: value for name, value in told.items() if value}
    return RouterFacts(
        database_directory=clean_name(options["database_directory"]),
        database_limit=parse_number(options["database_limit"]),
        refresh_interval_s=parse_interval(options["refresh_interval"]),
        commit_interval_s=parse_interval(options["commit_interval"]),
        netlink_buffer_size=parse_number(options["netlink_buffer_size"]),
        local_networks=parse_uci_list(text, _SECTION, "local_network")[:MOST_NETWORKS],
    )


def _read_flag(text: str | None, *, has_uci: bool) -> bool | None:
    """An option of the firewall; one that isn't set is off."""
    if text is None:
        return False if has_uci else None
    return parse_uci_flag(text)


def _read_zone(name: str) -> Zone | None:
    try:
        return parse_zone(name)
    except ValueError:
        return None
