"""The router doctor: what makes a router's counters wrong or its history short, and the commands that mend it.

Pure: facts in, checks out. What isn't known gets no check. Every reading keeps what is not ok, for /status;
`RouterService.test` asks live and shows every check. Nothing here changes a router.
Facts about nlbwmon are those of its source and of OpenWrt's package of it.
"""

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Network

from services.accounting.account import FROZEN_AFTER
from services.routers.router_fixes import (
    RESTART_NLBWMON,
    count_networks_of,
    mend_nlbwmon,
    move_database,
    set_nlbwmon,
    set_sysctl,
    set_zone,
    turn_offloading_off,
)
from utils.time import Zone, iso

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

#: A router's clock that is further off than this is worth a word.
_MAX_CLOCK_SKEW_S = 5 * _MINUTE

#: Seconds between two looks at the counters of open connections.
_SHORTEST_REFRESH, _LONGEST_REFRESH = 5, 60

#: Seconds between two writes to flash.
_SHORTEST_COMMIT, _LONGEST_COMMIT = 10 * _MINUTE, _DAY

#: OpenWrt's own. A larger one is fine; one beyond the second nobody can have meant.
_NETLINK_BUFFER, _LARGEST_NETLINK_BUFFER = 512 * 1024, 64 * 1024 * 1024

#: On OpenWrt, /var is a link to /tmp.
_IN_RAM = ("/tmp", "/var")  # noqa: S108 # nosec B108 # a router's path, not ours

#: A plain offset may be all that a router told at its first reading: a rule for summer time is not in it.
_NAME_THE_ZONE = 'Say which zone it is in: PUT /api/routers/ID with {"timezone": "Europe/Berlin"}, or yours.'


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the router doctor: a step, or the code of a finding; and what mends it where it is not ok."""

    check: str
    ok: bool
    message: str
    fix: str | None = None


@dataclass(frozen=True, kw_only=True)
class RouterFacts:
    """What is known of a router; None: it doesn't tell."""

    database_directory: str | None = None
    #: Rows; 0 is no limit.
    database_limit: int | None = None
    refresh_interval_s: int | None = None
    commit_interval_s: int | None = None
    #: Bytes.
    netlink_buffer_size: int | None = None
    #: Networks, and names of interfaces that stand for theirs.
    local_networks: Sequence[str] | None = None
    #: Rows of the running accounting period.
    rows: int | None = None
    flow_offloading: bool | None = None
    flow_offloading_hw: bool | None = None
    #: Whether conntrack counts bytes.
    conntrack_acct: bool | None = None
    #: Bytes: the largest buffer that a socket gets.
    rmem_max: int | None = None
    #: Global and unique local prefixes of br-lan.
    lan_prefixes: Sequence[IPv6Network] | None = None
    #: Seconds the router's clock is ahead of ours.
    clock_skew_s: float | None = None
    #: The moment of ``utc_offset``. None where the router's clock is too wrong to say.
    router_now: datetime | None = None
    #: What the router's clock adds to UTC.
    utc_offset: timedelta | None = None
    #: The zone whose name the router has.
    router_zone: Zone | None = None
    #: The zone in which usage is put into days.
    days_zone: Zone | None = None
    #: Since when no counter has moved, and how many readings in a row saw that.
    unchanged_since: datetime | None = None
    unchanged_readings: int | None = None
    #: As of the last reading, the router itself left out.
    active_devices: int | None = None


def diagnose(facts: RouterFacts) -> list[Check]:
    """A check for everything that is known, ok or not."""
    return [check for judge in _JUDGES if (check := judge(facts)) is not None]


def _rows_frozen(facts: RouterFacts) -> Check | None:
    readings, active = facts.unchanged_readings, facts.active_devices
    if readings is None or active is None:
        return None
    if readings < FROZEN_AFTER or active == 0:
        return _ok("ROWS_FROZEN", "The counters move, or no device is there to move them.")
    since = f", since {iso(facts.unchanged_since)}" if facts.unchanged_since else ""
    message = (
        f"No counter has moved for {readings} readings{since}, though {active} device(s) are active. "
        "What is shown as no usage may well be some."
    )
    return _found("ROWS_FROZEN", message, RESTART_NLBWMON)


def _conntrack_acct(facts: RouterFacts) -> Check | None:
    if facts.conntrack_acct is None:
        return None
    if facts.conntrack_acct:
        return _ok("CONNTRACK_ACCT_OFF", "The kernel counts the bytes of connections.")
    message = "The kernel doesn't count the bytes of connections (nf_conntrack_acct is 0), so nlbwmon sees none."
    return _found("CONNTRACK_ACCT_OFF", message, set_sysctl("net.netfilter.nf_conntrack_acct", 1))


def _flow_offloading(facts: RouterFacts) -> Check | None:
    """Hardware offloading needs the software's switch on OpenWrt itself; vendors' builds needn't hold to that."""
    kinds = {"Hardware": facts.flow_offloading_hw, "Software": facts.flow_offloading}
    if all(is_on is None for is_on in kinds.values()):
        return None
    kind = next((name for name, is_on in kinds.items() if is_on), None)
    if kind is None:
        return _ok("FLOW_OFFLOADING", "Flow offloading is off.")
    message = f"{kind} flow offloading is on: traffic can pass by nlbwmon, which then counts too little."
    return _found("FLOW_OFFLOADING", message, turn_offloading_off())


def _ipv6_not_local(facts: RouterFacts) -> Check | None:
    networks, prefixes = facts.local_networks, facts.lan_prefixes
    if networks is None or prefixes is None:
        return None
    if not prefixes:
        return _ok("IPV6_NOT_LOCAL", "The LAN has no IPv6 that would have to be counted.")
    outside = [] if "lan" in networks else _outside(prefixes, networks)
    if not outside:
        return _ok("IPV6_NOT_LOCAL", "nlbwmon counts the LAN's IPv6.")
    named = ", ".join(str(prefix) for prefix in outside[:4])
    message = f"nlbwmon doesn't count the LAN's IPv6: none of its local networks holds {named}."
    return _found("IPV6_NOT_LOCAL", message, count_networks_of("lan"))


def _netlink_buffer(facts: RouterFacts) -> Check | None:
    wanted, allowed = facts.netlink_buffer_size, facts.rmem_max
    if wanted is None or allowed is None:
        return None
    if wanted <= allowed:
        message = f"nlbwmon's netlink buffer of {wanted} bytes is within the kernel's limit of {allowed}."
        return _ok("NETLINK_BUFFER", message)
    message = (
        f"nlbwmon asks for a netlink buffer of {wanted} bytes, but the kernel allows {allowed}: "
        "in a rush of connections some of them go uncounted."
    )
    enough = wanted if wanted <= _LARGEST_NETLINK_BUFFER else _NETLINK_BUFFER
    mends = [] if enough == wanted else [set_nlbwmon("netlink_buffer_size", str(enough))]
    if enough > allowed:
        mends.append(set_sysctl("net.core.rmem_max", enough))
    return _found("NETLINK_BUFFER", message, "; ".join([*mends, RESTART_NLBWMON]))


def _database_limit(facts: RouterFacts) -> Check | None:
    rows, limit = facts.rows, facts.database_limit
    if rows is None or limit is None:
        return None
    if limit == 0:
        return _ok("DATABASE_LIMIT", f"The database has {rows} row(s) and no limit.")
    message = f"The database has {rows} of at most {limit} rows"
    if rows * 10 < limit * 9:
        return _ok("DATABASE_LIMIT", f"{message}.")
    message += ": at the limit it overwrites the oldest, and what those counted since the last reading is lost."
    return _found("DATABASE_LIMIT", message, mend_nlbwmon("database_limit", str(max(10_000, 2 * limit, 2 * rows))))


def _database_in_ram(facts: RouterFacts) -> Check | None:
    if facts.database_directory is None:
        return None
    directory = _absolute(facts.database_directory)
    if not _is_in_ram(directory):
        return _ok("DATABASE_IN_RAM", f"The database is in {_shown(directory)}, which survives a reboot.")
    message = f"The database is in {_shown(directory)}, in RAM: a reboot or a power loss takes its history away."
    return _found("DATABASE_IN_RAM", message, move_database(directory))


def _commit_interval(facts: RouterFacts) -> Check | None:
    """On flash only: what is written to RAM is lost at a reboot however often it is written."""
    interval, directory = facts.commit_interval_s, facts.database_directory
    if interval is None or directory is None or _is_in_ram(_absolute(directory)):
        return None
    message = f"nlbwmon writes its counters to flash every {_duration(interval)}"
    if interval < _SHORTEST_COMMIT:
        return _found("COMMIT_INTERVAL", f"{message}: that wears it out.", mend_nlbwmon("commit_interval", "1h"))
    if interval > _LONGEST_COMMIT:
        message += ": a power loss takes back as much of what it counted."
        return _found("COMMIT_INTERVAL", message, mend_nlbwmon("commit_interval", "24h"))
    return _ok("COMMIT_INTERVAL", f"{message}.")


def _refresh_interval(facts: RouterFacts) -> Check | None:
    interval = facts.refresh_interval_s
    if interval is None:
        return None
    message = f"nlbwmon refreshes its counters every {_duration(interval)}"
    fix = mend_nlbwmon("refresh_interval", "30s")
    if interval < _SHORTEST_REFRESH:
        return _found("REFRESH_INTERVAL", f"{message}: that keeps the router busy for nothing.", fix)
    if interval > _LONGEST_REFRESH:
        return _found("REFRESH_INTERVAL", f"{message}: open connections are counted late by as much.", fix)
    return _ok("REFRESH_INTERVAL", f"{message}.")


def _clock_skew(facts: RouterFacts) -> Check | None:
    skew = facts.clock_skew_s
    if skew is None:
        return None
    if abs(skew) <= _MAX_CLOCK_SKEW_S:
        return _ok("CLOCK_SKEW", "The router's clock is right.")
    ahead = "ahead of" if skew > 0 else "behind"
    message = f"The router's clock is {_roughly(abs(skew))} {ahead} this server's."
    return _found("CLOCK_SKEW", message, "/etc/init.d/sysntpd restart")


def _timezone(facts: RouterFacts) -> Check | None:
    """By offset, not by name: Europe/Paris does for Berlin, and a name without its rule leaves the clock in UTC."""
    now, offset, named = facts.router_now, facts.utc_offset, facts.router_zone
    wanted = facts.days_zone or named
    if now is None or offset is None or wanted is None:
        return None
    runs = f"the router's clock runs at {_offset(offset)}"
    if wanted.tz.utcoffset(now) != offset and (named is None or named.key != wanted.key):
        message = (
            f"Days are those of {wanted.key} ({_offset(wanted.tz.utcoffset(now))}), but {runs}: its accounting periods "
            "begin at another hour. If the router is right, change its timezone here."
        )
    elif named is not None and named.tz.utcoffset(now) != offset:
        message = f"The router's zone is called {named.key} ({_offset(named.tz.utcoffset(now))}), but {runs}."
    else:
        return _ok("TIMEZONE", f"The router's clock runs at {_offset(offset)}, as it should.")
    return _found("TIMEZONE", message, set_zone(wanted) if named else _NAME_THE_ZONE)


#: In the order in which a person should go through them.
_JUDGES: tuple[Callable[[RouterFacts], Check | None], ...] = (
    _rows_frozen,
    _conntrack_acct,
    _flow_offloading,
    _ipv6_not_local,
    _netlink_buffer,
    _database_limit,
    _database_in_ram,
    _commit_interval,
    _refresh_interval,
    _clock_skew,
    _timezone,
)


def _ok(code: str, message: str) -> Check:
    return Check(check=code, ok=True, message=message)


def _found(code: str, message: str, fix: str | None) -> Check:
    return Check(check=code, ok=False, message=message, fix=fix)


def _absolute(directory: str) -> str:
    """As the daemon takes it: procd starts it in /."""
    return posixpath.normpath(f"/{directory}").replace("//", "/")


def _is_in_ram(path: str) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in _IN_RAM)


def _outside(prefixes: Sequence[IPv6Network], networks: Sequence[str]) -> list[IPv6Network]:
    """The prefixes that lie in none of the networks. Names and IPv4 networks hold none."""
    holding = []
    for network in networks:
        try:
            holding.append(IPv6Network(network, strict=False))
        except ValueError:
            continue
    return [prefix for prefix in prefixes if not any(prefix.subnet_of(network) for network in holding)]


def _shown(text: str) -> str:
    """A router's word, fit to be stored and shown."""
    return "".join(character if character.isprintable() else "?" for character in text[:80])


def _duration(seconds: int) -> str:
    for unit, name in ((_DAY, "days"), (_HOUR, "hours"), (_MINUTE, "minutes")):
        if seconds >= 2 * unit and seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} seconds"


def _roughly(seconds: float) -> str:
    for unit, name in ((_DAY, "days"), (_HOUR, "hours")):
        if seconds >= 3 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / _MINUTE:.0f} minutes"


def _offset(offset: timedelta | None) -> str:
    minutes = round((offset or timedelta()) / timedelta(minutes=1))
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
