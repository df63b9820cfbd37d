"""What kind of device it is: a guess from what it calls itself and who made it. Pure; people's own word comes first."""

import re
from enum import StrEnum


class DeviceCategory(StrEnum):
    """The kinds of devices that are told apart."""

    PHONE = "phone"
    COMPUTER = "computer"
    TV = "tv"
    CONSOLE = "console"
    PRINTER = "printer"
    CAMERA = "camera"
    IOT = "iot"
    NETWORK = "network"
    OTHER = "other"


def _any_of(*words: str) -> re.Pattern[str]:
    """Words that begin where no letter is before them; what begins with * begins anywhere, what ends with $ ends there.

    None repeats anything: a name that a stranger made up takes no longer than others.
    """
    return re.compile("|".join(_word(word) for word in words))


def _word(word: str) -> str:
    begin = "" if word.startswith("*") else "(?<![a-z])"
    return f"{begin}(?:{word.removeprefix('*').replace('$', '(?![a-z])')})"


#: In names that devices give themselves, in order: "Samsung-TV-Kamera" is asked for a camera first.
_NAMES = (
    (DeviceCategory.CAMERA, _any_of("camera", "kamera", "ip-?cam", "webcam", "cam$", "doorbell", "reolink", "nvr$")),
    (
        DeviceCategory.PRINTER,
        _any_of(
            "printer",
            "drucker",
            "打印机",
            "*jet$",
            "epson",
            "brother$",
            "br[nw][0-9a-f]{6}",
            "canon$",
            "npi[0-9a-f]{6}",
            "laserjet",
            "officejet",
            "deskjet",
        ),
    ),
    (DeviceCategory.CONSOLE, _any_of("playstation", r"ps[2-5]$", "xbox", "nintendo", "steam-?deck", "wii$", "wiiu$")),
    (
        DeviceCategory.TV,
        _any_of("*tv$", "bravia", "chromecast", "roku", "fire-?stick", "webos", "projector", "fernseher", "电视"),
    ),
    (
        DeviceCategory.PHONE,
        _any_of(
            "iphone",
            "ipad",
            "android",
            "pixel",
            "galaxy",
            "oneplus",
            "redmi",
            "xperia",
            "huawei",
            "honor$",
            "oppo",
            "realme",
            r"sm-[a-z]?\d",
            "(?:smart)?phone$",
            "handy$",
            "tablet",
            "手机",
            "poco$",
            "mi-?\\d",
        ),
    ),
    (
        DeviceCategory.COMPUTER,
        _any_of(
            "macbook",
            "imac",
            "mac-?mini",
            "mac-?studio",
            "mac-?pro",
            "laptop",
            "notebook",
            "desktop",
            "thinkpad",
            "surface",
            "pc$",
            "*book$",
            "win(?:dows|\\d)",
            "diskstation",
            "synology",
            "nas$",
            "server",
            "ubuntu",
            "debian",
            "fedora",
            "raspberry",
            "workstation",
            "chromebook",
        ),
    ),
    (
        DeviceCategory.NETWORK,
        _any_of(
            "router",
            "switch$",
            "access-?point",
            "repeater",
            "gateway",
            "unifi",
            "fritz",
            "openwrt",
            "mesh",
            "ap$",
            "eero",
            "orbi$",
        ),
    ),
    (
        DeviceCategory.IOT,
        _any_of(
            "hue$",
            "*-hue$",
            "shelly",
            "esp$",
            r"esp[-_]?\d",
            "esp-",
            "tasmota",
            "sonoff",
            "tuya",
            "plug",
            "steckdose",
            "bulb",
            "lamp",
            "light",
            "echo$",
            "alexa",
            "homepod",
            "sonos",
            "nest$",
            "thermostat",
            "vacuum",
            "roborock",
            "roomba",
            "tado",
            "wled",
            "smart-?(?:plug|meter)",
            "homematic",
            "ikea",
            "tradfri",
            "apple-?watch",
            "watch$",
        ),
    ),
)

#: In makers' names. Those that make everything (Apple, Samsung, Google, Amazon, LG, HP) say nothing by themselves.
_MAKERS = (
    (
        DeviceCategory.CAMERA,
        _any_of(
            "reolink",
            "hikvision",
            "dahua",
            "axis communications",
            "arlo",
            "ring llc",
            "wyze",
            "hangzhou ezviz",
            "amcrest",
            "foscam",
            "eufy",
            "zhejiang uniview",
        ),
    ),
    (
        DeviceCategory.PRINTER,
        _any_of("canon$", "seiko epson", "brother industries", "lexmark", "kyocera", "ricoh", "xerox", "oki electric"),
    ),
    (DeviceCategory.CONSOLE, _any_of("nintendo", "sony interactive", "sony computer entertainment", "valve corp")),
    (DeviceCategory.TV, _any_of("roku", "vizio", "tcl", "hisense", "skyworth", "tp vision", "vestel", "loewe")),
    (
        DeviceCategory.PHONE,
        _any_of(
            "oneplus",
            "xiaomi",
            "huawei device",
            "motorola mobility",
            "oppo",
            "vivo mobile",
            "hmd global",
            "fairphone",
            "realme",
            "nothing technology",
            "honor device",
            "htc",
        ),
    ),
    (
        DeviceCategory.NETWORK,
        _any_of(
            "ubiquiti",
            "mikrotik",
            "routerboard",
            "netgear",
            "avm",
            "aruba",
            "cisco",
            "zyxel",
            "tp-link",
            "d-link",
            "gl technologies",
            "eero",
            "ruckus",
            "juniper",
            "edimax",
            "draytek",
            "linksys",
            "technicolor",
            "sagemcom",
            "arcadyan",
            "openwrt",
        ),
    ),
    (
        DeviceCategory.IOT,
        _any_of(
            "espressif",
            "philips lighting",
            "signify",
            "tuya",
            "shelly",
            "allterco",
            "sonos",
            "nest labs",
            "tado",
            "ikea",
            "irobot",
            "roborock",
            "beijing roborock",
            "ecobee",
            "lifx",
            "itead",
            "silicon lab",
            "texas instruments",
            "eq-3",
            "osram",
            "ledvance",
        ),
    ),
    (
        DeviceCategory.COMPUTER,
        _any_of(
            "intel$",
            "dell",
            "lenovo",
            "micro-star",
            "giga-byte",
            "asrock",
            "asustek",
            "raspberry pi",
            "synology",
            "qnap",
            "framework",
            "fujitsu",
            "super micro",
            "vmware",
            "microsoft",
            "wistron",
            "compal",
            "quanta",
            "acer",
            "liteon",
            "azurewave",
            "hon hai",
            "pc engines",
            "proxmox",
            "toshiba",
        ),
    ),
)


def guess_category(*, hostname: str | None, vendor: str | None, is_router: bool) -> DeviceCategory:
    """What it calls itself says more than who made it; `other` where neither says anything."""
    if is_router:
        return DeviceCategory.NETWORK
    for text, clues in ((hostname, _NAMES), (vendor, _MAKERS)):
        for category, words in clues:
            if text and words.search(text.lower()):
                return category
    return DeviceCategory.OTHER
