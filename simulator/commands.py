"""The commands of an OpenWrt box, as far as somebody who watches its traffic would use them."""

from __future__ import annotations

import json
import re
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

from simulator.clock import from_us
from simulator.devices import TICK_US
from simulator.host_table import lease_line, link_local, neighbour_line, resolvable
from simulator.nlbw_client import nlbw
from simulator.shell import Output

if TYPE_CHECKING:
    from simulator.router import SimulatedRouter

LEASE_S = 12 * 3_600
Program = Callable[["SimulatedRouter", list[str]], Output]


def run_program(router: SimulatedRouter, words: list[str], *, nlbw_busy: bool) -> Output | None:
    """Run one program of the box; None where it has no such program."""
    name, arguments = words[0].rsplit("/", 1)[-1], words[1:]
    if name in router.missing:
        return None
    if name == "which":
        known = arguments[0] in (*_PROGRAMS, "nlbw") and arguments[0] not in router.missing
        return Output(f"/usr/bin/{arguments[0]}\n") if known else None
    if name in router.broken:
        text, status = router.broken[name]
        return Output(stderr=f"{text}\n", status=status)
    if name == "nlbw":
        return nlbw(arguments, router.daemon, router.wall_us, busy=nlbw_busy)
    program = _PROGRAMS.get(name)
    return program(router, arguments) if program else None


# -- files ----------------------------------------------------------------------------------------------------


def _cat(router: SimulatedRouter, arguments: list[str]) -> Output:
    text, errors = "", ""
    for path in arguments:
        content = _file(router, path)
        if content is None:
            errors += f"cat: can't open '{path}': No such file or directory\n"
        else:
            text += content
    return Output(text, errors, 1 if errors else 0)


def _file(router: SimulatedRouter, path: str) -> str | None:
    uptime = router.uptime().total_seconds()
    match path:
        case "/tmp/dhcp.leases" | "/var/dhcp.leases":  # noqa: S108 # nosec B108 # the router's, not ours
            return _leases(router)
        case "/proc/uptime":
            return f"{uptime:.2f} {uptime * 3.7:.2f}\n"
        case "/proc/sys/net/netfilter/nf_conntrack_acct":
            return f"{int(router.conntrack_acct)}\n"
        case "/proc/sys/net/core/rmem_max":
            return f"{router.rmem_max}\n"
        case "/proc/sys/kernel/hostname":
            return f"{router.board.hostname}\n"
        case "/proc/stat":
            boot = (router.wall_us - int(uptime * 1_000_000)) // 1_000_000
            return f"cpu  0 0 0 0 0 0 0 0 0 0\nbtime {boot}\n"
        case "/proc/sys/kernel/random/boot_id":
            return f"{UUID(int=Random(f'{router.board.mac}/{router.boots}').getrandbits(128), version=4)}\n"
        case "/sys/class/net/br-lan/address":
            return f"{router.board.mac}\n"
        case "/etc/TZ":
            return f"{_posix_zone(router.zone.key)}\n"
        case "/etc/openwrt_release":
            return f"DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='{router.board.release}'\n"
    pid = _pid(router)
    if pid and path == f"/proc/{pid}/stat":
        started = (router.daemon.started_us - router.boot_us) // 10_000
        return f"{pid} (nlbwmon) S 1 {pid} {pid} 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 {started} 1200128 210\n"
    if pid and path == "/var/run/nlbwmon.pid":
        return f"{pid}\n"
    return None


def _leases(router: SimulatedRouter) -> str:
    lines = []
    now_s = router.wall_us // 1_000_000
    for host in router.hosts.values():
        if host.lease and resolvable(host.mac):
            lines.append(lease_line(now_s - now_s % 3_600 + LEASE_S, host.mac, host.ips[0], host.hostname))
    if router.household is not None:
        true_us = router.true_us
        ahead_s = now_s - true_us // 1_000_000
        for device in router.household.devices:
            if not device.leases:
                continue
            for hours in range(12):  # a lease outlives its holder's visit
                seen = true_us - hours * 3_600_000_000
                if router.household.is_home(device, seen):
                    renewed = seen // 1_000_000 // 3_600 * 3_600 + ahead_s
                    lines.append(lease_line(renewed + LEASE_S, device.mac, device.ip, device.hostname))
                    break
    return "".join(lines)


# -- network --------------------------------------------------------------------------------------------------


def _ip(router: SimulatedRouter, arguments: list[str]) -> Output:
    words = [word for word in arguments if not word.startswith("-")]
    if arguments[:4] == ["-6", "addr", "show", "dev"] and arguments[5:] == ["scope", "global"]:
        return _ipv6_addresses(router, arguments[4])
    if not words or not "neighbour".startswith(words[0]) or words[1:2] not in ([], ["show"], ["list"]):
        return Output(stderr="BusyBox v1.36.1 multi-call binary.\n\nUsage: ip neigh show\n", status=1)
    lines = [
        neighbour_line(ip, host.mac, host.state)
        for host in router.hosts.values()
        if host.state and resolvable(host.mac)
        for ip in host.ips
    ]
    lines += _household_neighbours(router)
    if router.wan_neighbour:
        lines.append(neighbour_line("203.0.113.1", router.wan_neighbour, "REACHABLE", "wan"))
    return Output("".join(lines))


def _ipv6_addresses(router: SimulatedRouter, interface: str) -> Output:
    """`ip -6 addr show dev br-lan scope global`: nothing where it has none."""
    if interface != "br-lan":
        return Output(stderr=f"ip: can't find device '{interface}'\n", status=1)
    lines = [
        f"    inet6 {address} scope global noprefixroute \n       valid_lft forever preferred_lft forever\n"
        for address in router.lan_ipv6
    ]
    head = "7: br-lan: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qlen 1000\n"
    return Output("".join([head, *lines]) if lines else "")


def _household_neighbours(router: SimulatedRouter) -> list[str]:
    lines: list[str] = []
    home = router.household
    now = router.true_us
    for device in home.devices if home else ():
        if not home or not device.neighbour or not resolvable(device.mac):
            continue
        if home.is_home(device, now):
            state = "REACHABLE" if home.is_busy(device, now) else "STALE"
        elif any(home.is_home(device, now - ticks * TICK_US) for ticks in (1, 2)):
            state = "STALE"  # it just left, and nobody has asked for it yet
        elif any(home.is_home(device, now - hours * 3_600_000_000) for hours in range(1, 25)):
            state = "FAILED"
        else:
            continue
        lines.append(neighbour_line(device.ip, device.mac, state))
        if device.ipv6_prefix and state != "FAILED":
            lines.append(neighbour_line(home.ipv6(device, now), device.mac, state))
            lines.append(neighbour_line(link_local(device.mac), device.mac, "STALE"))
    return lines


# -- settings and identity ------------------------------------------------------------------------------------


def _uci(router: SimulatedRouter, arguments: list[str]) -> Output:
    quiet = "-q" in arguments
    words = [word for word in arguments if not word.startswith("-")]
    if len(words) != 2 or words[0] not in ("get", "show"):
        return Output(stderr="" if quiet else "Usage: uci [<options>] <command> [<arguments>]\n", status=255)
    settings = _settings(router)
    if words[0] == "get" and words[1] in settings:
        value = settings[words[1]]
        return Output(f"{value if isinstance(value, str) else ' '.join(value)}\n")
    if words[0] == "show":
        wanted = {
            name: value
            for name, value in settings.items()
            if name == words[1] or name.startswith((f"{words[1]}.", f"{words[1]}["))
        }
        if wanted:
            return Output("".join(_shown(name, value) for name, value in wanted.items()))
    return Output(stderr="" if quiet else "uci: Entry not found\n", status=1)


def _shown(name: str, value: str | tuple[str, ...]) -> str:
    if name.endswith("]"):
        return f"{name}={value}\n"
    values = (value,) if isinstance(value, str) else value
    quoted = " ".join(f"'{one}'" for one in values)
    return f"{name}={quoted}\n"


def _settings(router: SimulatedRouter) -> dict[str, str | tuple[str, ...]]:
    """Dotted name -> value, several for a list; sections come before their options, as `uci show` prints them."""
    settings: dict[str, str | tuple[str, ...]] = {
        "system.@system[0]": "system",
        "system.@system[0].hostname": router.board.hostname,
        # LuCI writes zone names with blanks: "America/New York"
        "system.@system[0].zonename": router.zone.key.replace("_", " "),
        "system.@system[0].timezone": _posix_zone(router.zone.key),
        "firewall.@defaults[0]": "defaults",
        "firewall.@defaults[0].input": "REJECT",
    }
    if router.flow_offloading is not None:
        settings["firewall.@defaults[0].flow_offloading"] = str(int(router.flow_offloading))
    if router.flow_offloading_hw is not None:
        settings["firewall.@defaults[0].flow_offloading_hw"] = str(int(router.flow_offloading_hw))
    if "nlbw" not in router.missing:
        mine = router.daemon.settings
        options = {
            "netlink_buffer_size": str(mine.netlink_buffer_size),
            "commit_interval": f"{mine.commit_interval}s" if mine.commit_interval != 86_400 else "24h",
            "refresh_interval": f"{mine.refresh_interval}s",
            "database_directory": mine.database_directory,
            "database_generations": str(mine.database_generations),
            "database_interval": mine.database_interval,
            "database_limit": str(mine.database_limit),
            "protocol_database": "/usr/share/nlbwmon/protocols",
        }
        lists = {"local_network": mine.local_network} if mine.local_network else {}
        settings["nlbwmon.@nlbwmon[0]"] = "nlbwmon"
        settings |= {f"nlbwmon.@nlbwmon[0].{name}": value for name, value in (options | lists).items()}
    return settings


def _ubus(router: SimulatedRouter, arguments: list[str]) -> Output:
    if [word for word in arguments if not word.startswith("-")][:3] != ["call", "system", "board"]:
        return Output(stderr="Command failed: Not found\n", status=4)
    board = router.board
    answer = {
        "kernel": board.kernel,
        "hostname": board.hostname,
        "system": board.system,
        "model": board.model,
        "board_name": board.board_name,
        "rootfs_type": "squashfs",
        "release": {
            "distribution": "OpenWrt",
            "version": board.release,
            "revision": "r28739-d9340319c6",
            "target": "mediatek/filogic",
            "description": f"OpenWrt {board.release} r28739-d9340319c6",
        },
    }
    return Output(json.dumps(answer, indent="\t", ensure_ascii=False) + "\n")


@lru_cache(maxsize=64)
def _posix_zone(name: str) -> str:
    """The zone as /etc/TZ has it ("CET-1CEST,M3.5.0,M10.5.0/3"): the last line of its zoneinfo file."""
    for folder in zoneinfo.TZPATH:
        path = Path(folder) / name
        if path.is_file():
            return path.read_bytes().rstrip(b"\n").rsplit(b"\n", 1)[-1].decode("ascii", "replace") or "UTC0"
    return "UTC0"


def _date(router: SimulatedRouter, arguments: list[str]) -> Output:
    moment = router.local_time()
    if "-r" in arguments[:-1]:
        path = arguments[arguments.index("-r") + 1]
        written = router.daemon.written_at(path)
        if written is None:
            return Output(stderr=f"date: {path}: No such file or directory\n", status=1)
        moment = from_us(written).astimezone(router.zone)
    if "-u" in arguments:
        moment = moment.astimezone(UTC)
    form = next((word[1:] for word in arguments if word.startswith("+")), "%a %b %e %H:%M:%S %Z %Y")
    return Output(_strftime(form, moment) + "\n")


def _ls(router: SimulatedRouter, arguments: list[str]) -> Output:
    path = next((word for word in arguments if not word.startswith("-")), "")
    if router.daemon.written_at(path) is None:
        return Output(stderr=f"ls: {path}: No such file or directory\n", status=1)
    return Output(f"{path}\n")


def _strftime(form: str, moment: datetime) -> str:
    seconds = str(int(moment.astimezone(UTC).timestamp()))
    known = re.sub(r"%(.)", lambda found: seconds if found.group(1) == "s" else found.group(0), form)
    return moment.strftime(known)


def _pid(router: SimulatedRouter) -> int:
    """The daemon's process id, another one after each start; 0 while it does not run."""
    return 1_800 + router.daemon.starts * 37 if router.daemon.running and "nlbw" not in router.missing else 0


def _ps(router: SimulatedRouter, _arguments: list[str]) -> Output:
    lines = ["  PID USER       VSZ STAT COMMAND", "    1 root      1664 S    /sbin/procd"]
    lines.append("  912 root      1172 S    /usr/sbin/dropbear -F -P /var/run/dropbear.main.pid")
    if pid := _pid(router):
        mine = router.daemon.settings
        lines.append(f"{pid:5d} root      1172 S    /usr/sbin/nlbwmon -o {mine.database_directory}")
    return Output("".join(f"{line}\n" for line in lines))


def _pidof(router: SimulatedRouter, arguments: list[str]) -> Output:
    pids = {"nlbwmon": _pid(router), "dropbear": 912, "procd": 1}
    found = [str(pids[name]) for name in arguments if pids.get(name)]
    return Output(" ".join(found) + "\n") if found else Output(status=1)


def _uname(router: SimulatedRouter, arguments: list[str]) -> Output:
    board = router.board
    return Output(f"Linux {board.hostname} {board.kernel} #0 SMP aarch64 GNU/Linux\n" if arguments else "Linux\n")


_PROGRAMS: dict[str, Program] = {
    "cat": _cat,
    "date": _date,
    "hostname": lambda router, _arguments: Output(f"{router.board.hostname}\n"),
    "id": lambda _router, _arguments: Output("uid=0(root) gid=0(root) groups=0(root)\n"),
    "ip": _ip,
    "ls": _ls,
    "pidof": _pidof,
    "ps": _ps,
    "ubus": _ubus,
    "uci": _uci,
    "uname": _uname,
}
