"""The fourteen devices of the typical home. The vendor prefixes are real, the rest of each MAC is made up."""

from __future__ import annotations

from simulator.devices import (
    BACKUP,
    CALLS,
    CHATTER,
    CLOUD,
    DAILY,
    DOWNLOAD,
    GAME,
    MULTICAST,
    OFFICE,
    STREAM,
    WEEKDAYS,
    WEEKEND,
    Away,
    Device,
    Habit,
    Service,
)
from simulator.rows import UNRESOLVED_MAC

ROUTER_MAC = "94:83:c4:5a:10:01"
GLOBAL_V6, LOCAL_V6 = "2001:db8:1:1::", "fd12:3456:789a:1::"

_TV = Device(
    mac="8c:79:f5:21:40:0b",
    ip="192.168.1.101",
    hostname="Samsung-TV",
    chatter=0.3,
    habits=(
        Habit(DAILY, 0.9, (1_125, 1_230), (75, 210), (6.0, 16.0), (0.08, 0.2), STREAM),
        Habit(WEEKEND, 0.6, (600, 900), (45, 180), (5.0, 12.0), (0.06, 0.2), STREAM),
    ),
)
_PHONE = Device(
    mac="ac:bc:32:8e:51:72",
    ip="192.168.1.102",
    hostname="Annas-iPhone",
    ipv6_prefix=GLOBAL_V6,
    chatter=0.5,
    chatter_bytes=(40_000, 15_000),
    away=(Away(WEEKDAYS, 0.92, (460, 520), (510, 640)), Away(WEEKEND, 0.7, (600, 900), (60, 300))),
    habits=(
        Habit(DAILY, 1.0, (390, 440), (15, 45), (1.0, 5.0), (0.1, 0.4)),
        Habit(DAILY, 1.0, (1_100, 1_260), (60, 150), (1.0, 7.0), (0.1, 0.5)),
        Habit(DAILY, 0.5, (30, 90), (5, 20), (0.1, 0.5), (2.0, 8.0), CLOUD),
    ),
)
_RANDOM_PHONE = Device(
    mac="da:a1:19:3c:07:e5",  # locally administered: a randomised address
    ip="192.168.1.103",
    hostname="Pixel-von-Jürgen",
    ipv6_prefix=GLOBAL_V6,
    chatter=0.45,
    chatter_bytes=(30_000, 12_000),
    away=(Away(WEEKDAYS, 0.85, (420, 480), (540, 700)), Away(WEEKEND, 0.5, (660, 960), (90, 300))),
    habits=(
        Habit(DAILY, 0.9, (1_080, 1_290), (30, 120), (0.8, 6.0), (0.1, 0.5)),
        Habit(WEEKEND, 0.9, (540, 660), (30, 90), (0.8, 6.0), (0.1, 0.5)),
    ),
)
_WORK_LAPTOP = Device(
    mac="a4:34:d9:6f:0d:33",
    ip="192.168.1.104",
    hostname="ThinkPad-T14",
    ipv6_prefix=GLOBAL_V6,
    away=(Away(WEEKEND, 0.8, (0, 1), (1_435, 1_440)),),
    chatter=0.2,
    habits=(
        Habit(WEEKDAYS, 0.95, (500, 560), (180, 220), (0.6, 3.0), (0.2, 0.8), OFFICE),
        Habit(WEEKDAYS, 0.95, (760, 800), (200, 280), (0.6, 3.0), (0.2, 0.8), OFFICE),
        Habit(WEEKDAYS, 0.8, (570, 660), (25, 60), (1.5, 3.5), (1.2, 3.0), CALLS),
        Habit(WEEKDAYS, 0.6, (820, 930), (25, 60), (1.5, 3.5), (1.2, 3.0), CALLS),
    ),
)
_DESKTOP = Device(
    mac="d8:bb:c1:44:9a:18",
    ip="192.168.1.105",
    hostname="desktop-büro",
    ipv6_prefix=LOCAL_V6,
    chatter=0.1,
    habits=(
        Habit(DAILY, 0.8, (1_050, 1_200), (60, 200), (1.0, 9.0), (0.1, 0.6)),
        Habit(DAILY, 0.9, (150, 180), (40, 90), (0.1, 0.3), (12.0, 25.0), BACKUP),
    ),
)
_NAS = Device(
    mac="00:11:32:b7:6c:02",
    ip="192.168.1.106",
    hostname="diskstation",
    ipv6_prefix=LOCAL_V6,
    chatter=0.6,
    habits=(
        Habit(DAILY, 0.95, (120, 150), (60, 150), (0.2, 0.5), (8.0, 20.0), BACKUP),
        Habit(frozenset((2,)), 0.8, (240, 280), (15, 40), (10.0, 30.0), (0.1, 0.3), DOWNLOAD),
    ),
)
_CONSOLE = Device(
    mac="f8:46:1c:09:77:d4",
    ip="192.168.1.107",
    hostname="PS5",
    chatter=0.1,
    habits=(
        Habit(WEEKEND, 0.9, (780, 1_080), (120, 300), (0.4, 1.5), (0.2, 0.6), GAME),
        Habit(WEEKEND, 0.35, (600, 720), (40, 120), (40.0, 90.0), (0.3, 0.9), DOWNLOAD),
        Habit(frozenset((4,)), 0.6, (1_140, 1_260), (60, 150), (0.4, 1.5), (0.2, 0.6), GAME),
    ),
)
_PLUG = Device(
    mac="24:0a:c4:e1:38:5f",
    ip="192.168.1.108",
    hostname="*",
    chatter=0.95,
    chatter_bytes=(1_400, 1_900),
    chatter_mix=(Service("TCP", 8_883, 0.9), Service("UDP", 53, 0.1)),
)
_HUE = Device(
    mac="00:17:88:6a:2b:91",
    ip="192.168.1.109",
    hostname="Philips-hue",
    chatter=0.8,
    chatter_bytes=(5_200, 4_100),
)
_PRINTER = Device(
    mac="3c:d9:2b:58:c0:6e",
    ip="192.168.1.110",
    hostname="HP-OfficeJet",
    chatter=0.01,
    chatter_bytes=(900, 600),
)
_CAMERA = Device(
    mac="ec:71:db:13:f2:a8",
    ip="192.168.1.111",
    hostname="Kamera-Einfahrt",
    chatter=1.0,
    chatter_bytes=(900_000, 28_000_000),
    chatter_mix=CLOUD,
)
_GUEST = Device(
    mac="3c:22:fb:d0:45:1c",
    ip="192.168.1.112",
    hostname="Gäste-MacBook",
    ipv6_prefix=GLOBAL_V6,
    visits=0.22,
    away=(Away(DAILY, 1.0, (0, 1), (820, 960)),),
    chatter=0.4,
    habits=(Habit(DAILY, 0.9, (1_000, 1_200), (30, 150), (1.0, 12.0), (0.1, 0.8)),),
)
_UNRESOLVED = Device(
    mac=UNRESOLVED_MAC,
    ip="192.168.1.177",
    leases=False,
    neighbour=False,
    habits=(Habit(DAILY, 0.3, (600, 1_300), (5, 10), (0.01, 0.1), (0.01, 0.05), CHATTER),),
)
_ROUTER = Device(
    mac=ROUTER_MAC,
    ip="192.168.1.1",
    leases=False,
    neighbour=False,
    chatter=0.7,
    chatter_bytes=(2_600, 2_100),
    habits=(
        Habit(DAILY, 0.3, (250, 280), (5, 10), (0.4, 2.0), (0.01, 0.05), CLOUD),
        Habit(DAILY, 1.0, (0, 1), (1_440, 1_440), (0.0, 0.0), (0.00001, 0.00002), MULTICAST),
    ),
)

TYPICAL_DEVICES = (
    _TV,
    _PHONE,
    _RANDOM_PHONE,
    _WORK_LAPTOP,
    _DESKTOP,
    _NAS,
    _CONSOLE,
    _PLUG,
    _HUE,
    _PRINTER,
    _CAMERA,
    _GUEST,
    _UNRESOLVED,
    _ROUTER,
)
