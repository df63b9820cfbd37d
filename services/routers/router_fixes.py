"""The commands that mend a router, as text for a person to paste into its shell (busybox ash). Nothing runs them here.

Called by the router doctor. What a router said gets into a command only as a number or as a plain path.
"""

import re

from utils.time import Zone, posix_rule

RESTART_NLBWMON = "/etc/init.d/nlbwmon restart"

#: On flash on every OpenWrt.
_ON_FLASH = "/etc/nlbwmon"


def set_nlbwmon(option: str, value: str) -> str:
    """Written down; nlbwmon takes it up at its next start."""
    return f"uci set nlbwmon.@nlbwmon[0].{option}='{value}'; uci commit nlbwmon"


def mend_nlbwmon(option: str, value: str) -> str:
    return f"{set_nlbwmon(option, value)}; {RESTART_NLBWMON}"


def move_database(directory: str) -> str:
    """To flash, with what was counted so far: nlbwmon saves when it stops, and reads that when it starts."""
    copy = f"cp -p {directory}/2*.db* {_ON_FLASH}/; " if re.fullmatch(r"[A-Za-z0-9/_.-]+", directory) else ""
    return (
        f"/etc/init.d/nlbwmon stop; sleep 3; mkdir -p {_ON_FLASH}; {copy}"
        f"{set_nlbwmon('database_directory', _ON_FLASH)}; /etc/init.d/nlbwmon start"
    )


def count_networks_of(interface: str) -> str:
    """The name stands for whatever prefix the provider hands out next."""
    return f"uci add_list nlbwmon.@nlbwmon[0].local_network='{interface}'; uci commit nlbwmon; {RESTART_NLBWMON}"


def turn_offloading_off() -> str:
    options = ("flow_offloading", "flow_offloading_hw")
    return (
        "; ".join(f"uci set firewall.@defaults[0].{option}='0'" for option in options)
        + "; uci commit firewall; /etc/init.d/firewall restart"
    )


def set_sysctl(name: str, value: int) -> str:
    """Now and after every boot. In place of what the file says of it so far, so that pasting it twice does no harm."""
    pattern = name.replace(".", r"\.")
    return f"sed -i '/^{pattern} *=/d' /etc/sysctl.conf; echo {name}={value} >> /etc/sysctl.conf; sysctl -p"


def set_zone(zone: Zone) -> str | None:
    """The clock's zone, and nlbwmon's, which keeps the one it was started in. None where nothing knows its rule."""
    rule = posix_rule(zone)
    if rule is None:
        return None
    if zone.key.startswith(("UTC+", "UTC-")):  # no name that OpenWrt knows
        naming = "uci -q delete system.@system[0].zonename"
    else:
        naming = f"uci set system.@system[0].zonename='{zone.key.replace('_', ' ')}'"  # as LuCI writes it
    setting = f"uci set system.@system[0].timezone='{rule}'"
    return f"{naming}; {setting}; uci commit system; /etc/init.d/system reload; {RESTART_NLBWMON}"
