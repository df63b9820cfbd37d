"""One OpenWrt box: its time, its traffic, its daemon, and what can happen to it. Its commands are in `commands.py`.

Nothing runs in the background: every question and every event first catches up with the clock.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from simulator.clock import MICROSECOND, Clock, from_us, to_us
from simulator.commands import run_program
from simulator.devices import Household
from simulator.host_table import Host
from simulator.ledger import Ledger, Usage
from simulator.nlbwmon import Nlbwmon, NlbwmonSettings
from simulator.rows import Delta, Rows, row_key
from simulator.shell import Output, Shell


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What the box says about itself."""

    hostname: str = "OpenWrt"
    model: str = "GL.iNet GL-MT6000"
    board_name: str = "glinet,gl-mt6000"
    system: str = "ARMv8 Processor rev 4"
    kernel: str = "6.6.93"
    release: str = "24.10.2"
    mac: str = "94:83:c4:5a:10:01"
    ip: str = "192.168.1.1"


@dataclass(frozen=True, slots=True)
class Result:
    """What an SSH client gets from a command."""

    stdout: bytes
    stderr: bytes
    status: int


class SimulatedRouter:
    """A router that a test or the demo drives. Safe to use from several threads.

    `counting`: False while nlbwmon runs and sees nothing, as with hardware flow offloading.
    `lan_ipv6`: the addresses of br-lan with their prefixes; they can be global ones, or of fd00::/8.
    `rmem_max`: as of an owner who raised it for nlbwmon's buffer; an OpenWrt that nobody touched has 212992.
    `missing`: commands that are not installed ({"uci", "ubus", "ip", "nlbw", ...}).
    `broken`: command -> (text on standard error, exit status) that it answers with instead.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        zone: str = "Europe/Berlin",
        settings: NlbwmonSettings | None = None,
        board: Board | None = None,
        household: Household | None = None,
        start: datetime | None = None,
        clock_offset: timedelta = timedelta(0),
        ledger: bool = True,
        wan_neighbour: str = "",
        flow_offloading: bool | None = None,
        flow_offloading_hw: bool | None = None,
        lan_ipv6: tuple[str, ...] = ("fd00:1::1/64",),
    ) -> None:
        self.clock = clock
        self.zone = ZoneInfo(zone)
        self.board: Board = board or Board()
        self.household = household
        self.ledger: Ledger | None = Ledger() if ledger else None
        self.daemon = Nlbwmon(settings or NlbwmonSettings(), self.zone)
        self.hosts: dict[str, Host] = {}
        self.wan_neighbour = wan_neighbour
        self.flow_offloading = flow_offloading
        self.flow_offloading_hw = flow_offloading_hw
        self.lan_ipv6 = lan_ipv6
        self.conntrack_acct = True
        self.rmem_max = 524_288
        self.counting = True
        self.missing: set[str] = set()
        self.broken: dict[str, tuple[str, int]] = {}
        self.lock = threading.RLock()
        self._offset = clock_offset // MICROSECOND
        self._at = to_us(start or clock.now())
        self.boot_us = self._at
        self.boots = 1
        self.daemon.start(self._at, self._at + self._offset)

    # -- time ---------------------------------------------------------------------------------------------

    @property
    def clock_offset(self) -> timedelta:
        """How far the router's own clock is ahead of true time."""
        return timedelta(microseconds=self._offset)

    @clock_offset.setter
    def clock_offset(self, offset: timedelta) -> None:
        with self.lock:
            self.advance()
            self._offset = offset // MICROSECOND
            if self.daemon.running:
                self.daemon.do_due(self._at, self.wall_us)

    def set_router_time(self, moment: datetime) -> None:
        """Make the router believe that it is this moment now."""
        self.clock_offset = moment - self.clock.now()

    @property
    def true_us(self) -> int:
        """True time in microseconds since 1970: what devices live by, however wrong the router's clock is."""
        return to_us(self.clock.now())

    @property
    def wall_us(self) -> int:
        """What the router's clock says, in microseconds since 1970."""
        return self.true_us + self._offset

    def local_time(self) -> datetime:
        """What the router's clock says, in its zone."""
        return from_us(self.wall_us).astimezone(self.zone)

    def uptime(self) -> timedelta:
        with self.lock:
            return timedelta(microseconds=max(self._at - self.boot_us, 0))

    def advance(self) -> None:
        """Catch up with the clock: let traffic flow, and roll over, commit and refresh where their time came."""
        with self.lock:
            now = self.true_us
            while self._at < now:
                stop = now
                if self.daemon.running:
                    stop = min(now, max(self.daemon.next_event(self._offset), self._at + 1))
                    refresh = self.daemon.last_refresh(stop)
                    if refresh > self._at:
                        self._flow(refresh)
                        self.daemon.refresh(refresh + self._offset)
                self._flow(stop)
                if self.daemon.running:
                    self.daemon.do_due(stop, stop + self._offset)

    def _flow(self, until: int) -> None:
        if self.household is not None:
            for begin, deltas in self.household.deltas(self._at, until):
                self._count(begin, deltas)
        self._at = until

    def _count(self, at_us: int, deltas: list[Delta]) -> None:
        self._tell_daemon(deltas)
        if self.ledger is not None:
            self.ledger.add_flow(at_us, deltas)

    def _tell_daemon(self, deltas: list[Delta]) -> None:
        if self.daemon.running and self.counting:
            self.daemon.add(deltas)
        elif self.ledger is not None:
            self.ledger.add_uncounted(deltas)

    # -- traffic of tests -------------------------------------------------------------------------------------

    def add_host(
        self,
        mac: str,
        ip: str | None = None,
        hostname: str = "*",
        *,
        ips: tuple[str, ...] = (),
        state: str = "REACHABLE",
        lease: bool = True,
    ) -> Host:
        """Name a host of the LAN. Without an address it gets the next free one of 192.168.1.100 and up."""
        with self.lock:
            mac = mac.lower()
            host = Host(mac=mac, ips=(ip or self._free_ip(), *ips), hostname=hostname, state=state, lease=lease)
            self.hosts[mac] = host
            return host

    def traffic(
        self,
        mac: str,
        *,
        rx: int = 0,
        tx: int = 0,
        ip: str | None = None,
        proto: str = "TCP",
        port: int = 443,
        family: int | None = None,
        conns: int = 1,
    ) -> None:
        """Exactly these bytes, now. An unknown MAC becomes a host without a lease; IPv6 follows from `ip`, or from
        family=6, which takes an address made from the MAC."""
        with self.lock:
            self.advance()
            mac = mac.lower()
            if family == 6 and ip is None:
                ip = f"fd00:1::{mac[-5:].replace(':', '')}"
            if mac not in self.hosts:
                self.add_host(mac, ip if ip and ":" not in ip else None, lease=False)
            if ip and ip not in self.hosts[mac].ips:
                self.hosts[mac] = replace(self.hosts[mac], ips=(*self.hosts[mac].ips, ip))
            key = row_key(proto, port, mac, ip or self.hosts[mac].ips[0], family)
            delta: Delta = (key, conns, rx, -(-rx // 1_300), tx, -(-tx // 600))
            self._tell_daemon([delta])
            if self.ledger is not None:
                self.ledger.add_event(self.true_us, mac, Usage(rx, tx))

    def load(self, rows: Rows) -> None:
        """Put whole rows into the running period, past the ledger: captured states, counters near their limit."""
        with self.lock:
            self.advance()
            self.daemon.add((key, *counters) for key, counters in rows.items())

    def rows(self) -> Rows:
        """The daemon's rows at this moment."""
        with self.lock:
            self.advance()
            return dict(self.daemon.rows)

    def _free_ip(self) -> str:
        taken = {ip for host in self.hosts.values() for ip in host.ips}
        network = self.board.ip.rsplit(".", 2)[0]
        third = int(self.board.ip.split(".")[2])
        candidates = (f"{network}.{third + at // 256}.{at % 256}" for at in range(100, 65_536))
        return next(ip for ip in candidates if ip not in taken)

    # -- what can happen --------------------------------------------------------------------------------------

    def commit(self) -> None:
        """The daemon writes its file, as `nlbw -c commit` makes it."""
        with self.lock:
            self.advance()
            if self.daemon.running:
                self.daemon.commit(self.wall_us)

    def stop(self) -> None:
        """SIGTERM to the daemon: it saves everything."""
        with self.lock:
            self.advance()
            self.daemon.stop(self.wall_us)

    def start(self) -> None:
        """Start the daemon again."""
        with self.lock:
            self.advance()
            if not self.daemon.running:
                self.daemon.start(self._at, self.wall_us)

    def crash(self) -> None:
        """The daemon alone dies and comes back with its copy in RAM."""
        with self.lock:
            self.advance()
            self.daemon.crash(self._at, self.wall_us)

    def power_loss(self, *, has_disk: bool | None = None) -> None:
        """The plug is pulled and put back: the daemon goes back to its last commit, or to nothing where the database
        was in RAM. `has_disk` overrides what the database directory says."""
        with self.lock:
            self.advance()
            self.daemon.lose_ram(self.daemon.settings.on_disk if has_disk is None else has_disk)
            self._boot()

    def reboot(self) -> None:
        """A clean reboot: the daemon commits first. A database in RAM is lost all the same."""
        with self.lock:
            self.advance()
            self.daemon.stop(self.wall_us)
            self.daemon.lose_ram(self.daemon.settings.on_disk)
            self._boot()

    def _boot(self) -> None:
        self.boot_us = self._at
        self.boots += 1
        self.daemon.start(self._at, self.wall_us)

    # -- commands ---------------------------------------------------------------------------------------------

    def run(self, line: str, *, nlbw_busy: bool = False) -> Result:
        """Run a command line as its SSH server would. `nlbw_busy`: the daemon has another client."""
        with self.lock:
            self.advance()

            def program(words: list[str]) -> Output | None:
                return run_program(self, words, nlbw_busy=nlbw_busy)

            output = Shell(program).run(line)
        return Result(_encode(output.stdout), _encode(output.stderr), output.status)

    def nlbw(self, *arguments: str) -> Any:
        """`nlbw -c json ...` parsed: {"columns": [...], "data": [...]}, or None where it failed."""
        result = self.run(" ".join(("nlbw -c json", *arguments)))
        return json.loads(result.stdout) if result.status == 0 else None


def _encode(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
