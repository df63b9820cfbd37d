"""What a router's other commands print: leases, neighbours, board, clock, settings. One parser a command.

All of them are optional on a router and none is trusted: a line that doesn't fit is left out, never an error.
"""

import json
import re
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Interface, IPv6Network

from utils.mac import ZERO_MAC, parse_mac

#: A DHCP hostname may be at most 255 characters; longer ones are cut before they reach the database.
MAX_NAME_LENGTH = 255

#: Prefixes that are looked at, and networks that a setting lists. A LAN has two or three of the one, a router a handful
#: of the other; all of them are compared with all.
MOST_NETWORKS = 64

#: States in which the kernel heard from the neighbour within the last seconds.
_REACHABLE = {"REACHABLE", "DELAY", "PROBE"}

#: What OpenWrt's own scripts take for yes and no.
_FLAGS = {
    **dict.fromkeys(("1", "on", "true", "yes", "enabled"), True),
    **dict.fromkeys(("0", "off", "false", "no", "disabled"), False),
}

#: nlbwmon looks at the first character behind the digits only: "24hours" are 24 hours to it.
_INTERVAL = re.compile(r"\s*\+?(\d{1,18})(?:$|([smhdw]))", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


#: Linux counts the start of processes in these, on every machine it runs on.
_TICKS_PER_SECOND = 100


@dataclass(frozen=True, kw_only=True)
class Lease:
    """One DHCP lease."""

    mac: str
    ip: str
    #: None where the client sent none (dnsmasq writes ``*``).
    hostname: str | None


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """One entry of the router's neighbour (ARP/NDP) table that has a MAC."""

    mac: str
    ip: str
    #: The interface it is behind: br-lan, but also the one towards the internet.
    interface: str
    is_reachable: bool


@dataclass(frozen=True, kw_only=True)
class Board:
    """What the router says it is."""

    hostname: str | None
    model: str | None
    release: str | None


def parse_leases(text: str) -> list[Lease]:
    """The DHCP server's lease file: ``EXPIRY MAC IP HOSTNAME CLIENTID`` a line."""
    leases = []
    for line in text.split("\n"):  # a name may hold what Python takes for ends of lines besides
        words = line.split(" ")
        if len(words) < 4:
            continue
        mac, ip = _mac(words[1]), _ip(words[2])
        if mac and ip:
            leases.append(Lease(mac=mac, ip=ip, hostname=None if words[3] == "*" else clean_name(words[3])))
    return leases


def parse_neighbours(text: str) -> list[Neighbour]:
    """`ip neigh show`: ``192.168.1.101 dev br-lan lladdr 02:11:22:33:44:01 STALE`` a line; no lladdr, no neighbour."""
    neighbours = []
    for line in text.splitlines():
        words = line.split()
        if "lladdr" not in words[:-1]:
            continue
        mac, ip = _mac(words[words.index("lladdr") + 1]), _ip(words[0])
        if mac and ip:
            interface = words[words.index("dev") + 1] if "dev" in words[:-1] else ""
            is_reachable = words[-1] in _REACHABLE
            neighbours.append(Neighbour(mac=mac, ip=ip, interface=interface, is_reachable=is_reachable))
    return neighbours


def parse_board(text: str) -> Board | None:
    """`ubus call system board`: JSON with hostname, model and release.description."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    release = answer.get("release")
    return Board(
        hostname=_text(answer.get("hostname")),
        model=_text(answer.get("model")),
        release=_text(release.get("description")) if isinstance(release, dict) else None,
    )


def parse_clock(text: str) -> datetime | None:
    """`date +%s`: the router's own idea of now. None for what no clock says: before 1970, after 2200."""
    try:
        moment = datetime.fromtimestamp(int(text.strip()), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if 1970 <= moment.year <= 2200 else None


def parse_uptime(text: str) -> float | None:
    """/proc/uptime: seconds since the router booted."""
    try:
        seconds = float(text.split()[0])
    except (ValueError, IndexError):
        return None
    return seconds if 0 <= seconds < 1e10 else None


def parse_boot_id(text: str) -> str | None:
    """/proc/sys/kernel/random/boot_id: a UUID that Linux makes up at each boot."""
    boot_id = text.strip().lower()
    return boot_id if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", boot_id) else None


@dataclass(frozen=True, kw_only=True)
class ProcessStart:
    """Which start of a process this is."""

    #: Process id and start: no other start of this boot has both.
    name: str
    #: Seconds between the boot and it.
    after_boot_s: float


def parse_process_start(text: str) -> ProcessStart | None:
    """/proc/PID/stat: ``1837 (nlbwmon) S 1 ...``; its 22nd field is the start, in hundredths of a second after boot."""
    match = re.match(r"(\d{1,10}) \(.*\) (.+)", text.strip(), re.DOTALL)
    fields = match[2].split() if match else []
    if match is None or len(fields) < 20 or not re.fullmatch(r"\d{1,18}", fields[19], re.ASCII):
        return None
    return ProcessStart(name=f"{match[1]}:{fields[19]}", after_boot_s=int(fields[19]) / _TICKS_PER_SECOND)


def parse_hardware_address(text: str) -> str | None:
    """/sys/class/net/br-lan/address: the MAC of an interface."""
    return _mac(text)


def parse_uci_section(text: str, section: str) -> dict[str, str]:
    """`uci -q show nlbwmon`: the options of one section, ``nlbwmon.@nlbwmon[0].database_interval='1'`` a line."""
    options = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.startswith(f"{section}."):
            options[name.removeprefix(f"{section}.")] = value.strip().strip("'")
    return options


def parse_uci_list(text: str, section: str, name: str) -> list[str]:
    """`uci -q show nlbwmon`: a list option, ``nlbwmon.@nlbwmon[0].local_network='192.168.0.0/16' 'lan'``; or []."""
    return parse_uci_section(text, section).get(name, "").replace("'", " ").split()


def parse_uci_flag(text: str) -> bool | None:
    """`uci -q get firewall.@defaults[0].flow_offloading`: ``1`` or ``0``, or a word for it."""
    return _FLAGS.get(text.strip())


def parse_number(text: str) -> int | None:
    """A file of one whole number, /proc/sys/net/core/rmem_max: ``212992``. An option of uci that is one, too."""
    number = text.strip()
    return int(number) if re.fullmatch(r"\d{1,19}", number, re.ASCII) else None


def parse_interval(text: str) -> int | None:
    """A time as nlbwmon takes it (``30s``, ``5m``, ``24h``, ``1d``, ``1w``, plain seconds), in seconds."""
    match = _INTERVAL.match(text)
    return int(match[1]) * _SECONDS[match[2] or "s"] if match else None


def parse_ipv6_prefixes(text: str) -> list[IPv6Network]:
    """`ip -6 addr show dev br-lan scope global`: ``inet6 2001:db8:1:1::1/64 scope global dynamic`` a line, and others.

    Addresses that are going out of use (deprecated) are left out, those that only count on the link, and what comes
    after the first 64 prefixes.
    """
    prefixes: dict[IPv6Network, None] = {}
    for line in text.splitlines():
        words = line.split()
        if words[:1] != ["inet6"] or len(words) < 2 or "deprecated" in words:
            continue
        try:
            network = IPv6Interface(words[1]).network
        except ValueError:
            continue
        is_usable = not (network.is_link_local or network.is_loopback or network.is_multicast)
        if is_usable and network.prefixlen > 0:
            prefixes[network] = None
            if len(prefixes) == MOST_NETWORKS:
                break
    return list(prefixes)


def clean_name(text: str) -> str | None:
    """A name as it can be stored: no NUL (PostgreSQL takes none), no lone surrogates, at most 255 characters."""
    stored = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return stored[:MAX_NAME_LENGTH] or None


def _text(value: object) -> str | None:
    return clean_name(value) if isinstance(value, str) else None


def _mac(text: str) -> str | None:
    try:
        mac = parse_mac(text)
    except ValueError:
        return None
    return None if mac == ZERO_MAC else mac


def _ip(text: str) -> str | None:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None
    return text
