"""Ready-made homes: a lifelike one for the demo, an empty one and an office for tests."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from simulator.clock import Clock
from simulator.devices import Household
from simulator.household import GLOBAL_V6, LOCAL_V6, ROUTER_MAC, TYPICAL_DEVICES
from simulator.nlbwmon import NlbwmonSettings
from simulator.router import Board, SimulatedRouter
from simulator.rows import RowKey, Rows, row_key

_VENDORS = ("b8:27:eb", "dc:a6:32", "d8:bb:c1", "f4:f5:d8", "3c:22:fb", "a4:34:d9")
_OFFICE_PORTS = (
    ("TCP", 443),
    ("UDP", 443),
    ("TCP", 80),
    ("UDP", 53),
    ("TCP", 53),
    ("TCP", 993),
    ("TCP", 22),
    ("TCP", 25),
    ("TCP", 110),
    ("TCP", 143),
    ("TCP", 3389),
    ("TCP", 5222),
    ("TCP", 5228),
    ("ICMP", 0),
    ("IP", 0),
)
_OFFICE_V6_PORTS = (("TCP", 443), ("UDP", 443), ("TCP", 80), ("UDP", 53), ("TCP", 993), ("IP", 0))


def typical_home(
    *,
    start: datetime,
    clock: Clock,
    seed: int = 1,
    zone: str = "Europe/Berlin",
    ledger: bool = True,
    settings: NlbwmonSettings | None = None,
) -> SimulatedRouter:
    """A family's home with fourteen devices that live their days from `start` on.

    The same start, seed, zone and settings give the same counters at the same moment, whenever and however often it
    is asked.
    """
    return SimulatedRouter(
        clock,
        zone=zone,
        settings=settings,
        board=Board(hostname="zuhause", mac=ROUTER_MAC),
        household=Household(TYPICAL_DEVICES, seed, ZoneInfo(zone)),
        start=start,
        ledger=ledger,
        wan_neighbour="e8:48:b8:70:1d:c9",
        flow_offloading=False,
        lan_ipv6=(f"{GLOBAL_V6}1/64", f"{LOCAL_V6}1/64"),
    )


def empty_router(clock: Clock, *, zone: str = "Europe/Berlin", **settings: Any) -> SimulatedRouter:
    """A router without a device, for scripted traffic. `settings` are those of nlbwmon (`database_interval="28"`) or of
    SimulatedRouter (`flow_offloading=True`)."""
    daemon = {name: settings.pop(name) for name in list(settings) if name in NlbwmonSettings.__slots__}
    return SimulatedRouter(clock, zone=zone, settings=NlbwmonSettings(**daemon), **settings)


def office(
    clock: Clock, *, devices: int = 250, seed: int = 1, zone: str = "Europe/Berlin", **settings: Any
) -> SimulatedRouter:
    """A scripted router with 15 to 21 rows a device (250 devices: some 4,500 rows), each with some history."""
    settings.setdefault("lan_ipv6", ("fd12:3456:789a:1::1/64",))
    router = empty_router(clock, zone=zone, board=Board(hostname="office", ip="10.0.0.1"), **settings)
    rng = Random(seed)
    rows: Rows = {}
    for number in range(devices):
        mac = f"{rng.choice(_VENDORS)}:{number >> 8:02x}:{number & 255:02x}:{rng.randrange(256):02x}"
        ip = f"10.0.{(number + 10) // 250}.{(number + 10) % 250 + 2}"
        six = f"fd12:3456:789a:1::{number + 16:x}"
        router.add_host(mac, ip, f"pc-{number:03d}", ips=(six,))
        keys = [row_key(proto, port, mac, ip) for proto, port in _OFFICE_PORTS]
        if rng.random() < 0.4:
            keys += [row_key(proto, port, mac, six) for proto, port in _OFFICE_V6_PORTS]
        for key in keys:
            rx, tx = int(rng.lognormvariate(15, 3)), int(rng.lognormvariate(13, 3))
            rows[key] = (rng.randint(1, 900), rx, -(-rx // 1_200), tx, -(-tx // 200))
    router.load(rows)
    return router


def office_traffic(router: SimulatedRouter, step: int, *, share: float = 0.3) -> None:
    """Let some of a router's rows grow, the same ones for the same step; the ledger sees it."""
    rng = Random(step)
    keys: list[RowKey] = list(router.rows())
    for family, proto, port, mac, ip in keys:
        if rng.random() < share:
            router.traffic(
                mac,
                rx=rng.randrange(2_000_000),
                tx=rng.randrange(200_000),
                ip=ip,
                proto=proto,
                port=port,
                family=family,
            )
