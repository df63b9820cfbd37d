"""What the doctor finds, what it says of a healthy router, and that its commands can be pasted."""

import subprocess
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.routers.router_doctor import Check, RouterFacts, diagnose
from utils.time import parse_zone

SUMMER = datetime(2031, 7, 1, 12, 0, tzinfo=UTC)
WINTER = datetime(2031, 12, 1, 12, 0, tzinfo=UTC)
BERLIN = parse_zone("Europe/Berlin")
HOUR = timedelta(hours=1)

HEALTHY = RouterFacts(
    database_directory="/etc/nlbwmon",
    database_limit=10_000,
    refresh_interval_s=30,
    commit_interval_s=86_400,
    netlink_buffer_size=524_288,
    local_networks=["192.168.0.0/16", "lan"],
    rows=400,
    flow_offloading=False,
    flow_offloading_hw=False,
    conntrack_acct=True,
    rmem_max=524_288,
    lan_prefixes=[IPv6Network("2001:db8:1:1::/64")],
    clock_skew_s=1.5,
    router_now=WINTER,
    utc_offset=HOUR,
    router_zone=BERLIN,
    days_zone=BERLIN,
    unchanged_since=None,
    unchanged_readings=0,
    active_devices=3,
)
CODES = [
    *("ROWS_FROZEN", "CONNTRACK_ACCT_OFF", "FLOW_OFFLOADING", "IPV6_NOT_LOCAL", "NETLINK_BUFFER", "DATABASE_LIMIT"),
    *("DATABASE_IN_RAM", "COMMIT_INTERVAL", "REFRESH_INTERVAL", "CLOCK_SKEW", "TIMEZONE"),
]


def findings(**facts: object) -> list[Check]:
    """What is found on a router that is healthy but for these facts."""
    return [check for check in diagnose(replace(HEALTHY, **facts)) if not check.ok]  # type: ignore[arg-type]


def finding(**facts: object) -> Check:
    (found,) = findings(**facts)
    return found


def test_a_healthy_router_passes_every_check() -> None:
    checks = diagnose(HEALTHY)
    assert [check.check for check in checks] == CODES
    assert all(check.ok and check.message and check.fix is None for check in checks)


def test_every_check_is_explained() -> None:
    operations = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    assert [code for code in CODES if f"| `{code}` |" not in operations] == []


def test_of_a_router_that_tells_nothing_nothing_is_said() -> None:
    assert diagnose(RouterFacts()) == []


@pytest.mark.parametrize("name", [one.name for one in fields(RouterFacts)])
def test_a_single_unknown_fact_is_no_finding(name: str) -> None:
    assert findings(**{name: None}) == []


NLBWMON = "nlbwmon.@nlbwmon[0]"
RESTART = "/etc/init.d/nlbwmon restart"


@pytest.mark.parametrize(
    ("facts", "code", "said", "fix"),
    [
        (
            {"database_directory": "/var/lib/nlbwmon"},
            "DATABASE_IN_RAM",
            "/var/lib/nlbwmon",
            "/etc/init.d/nlbwmon stop; sleep 3; mkdir -p /etc/nlbwmon; cp -p /var/lib/nlbwmon/2*.db* /etc/nlbwmon/; "
            f"uci set {NLBWMON}.database_directory='/etc/nlbwmon'; uci commit nlbwmon; /etc/init.d/nlbwmon start",
        ),
        (
            {"rows": 9_000},
            "DATABASE_LIMIT",
            "9000 of at most 10000",
            f"uci set {NLBWMON}.database_limit='20000'; uci commit nlbwmon; {RESTART}",
        ),
        (
            {"flow_offloading": True},
            "FLOW_OFFLOADING",
            "Software",
            "uci set firewall.@defaults[0].flow_offloading='0'; uci set firewall.@defaults[0].flow_offloading_hw='0'; "
            "uci commit firewall; /etc/init.d/firewall restart",
        ),
        (
            {"flow_offloading": True, "flow_offloading_hw": True},
            "FLOW_OFFLOADING",
            "Hardware",
            "uci set firewall.@defaults[0].flow_offloading='0'; uci set firewall.@defaults[0].flow_offloading_hw='0'; "
            "uci commit firewall; /etc/init.d/firewall restart",
        ),
        (
            {"conntrack_acct": False},
            "CONNTRACK_ACCT_OFF",
            "nf_conntrack_acct is 0",
            r"sed -i '/^net\.netfilter\.nf_conntrack_acct *=/d' /etc/sysctl.conf; "
            "echo net.netfilter.nf_conntrack_acct=1 >> /etc/sysctl.conf; sysctl -p",
        ),
        (
            {"refresh_interval_s": 61},
            "REFRESH_INTERVAL",
            "every 61 seconds",
            f"uci set {NLBWMON}.refresh_interval='30s'; uci commit nlbwmon; {RESTART}",
        ),
        (
            {"refresh_interval_s": 4},
            "REFRESH_INTERVAL",
            "every 4 seconds",
            f"uci set {NLBWMON}.refresh_interval='30s'; uci commit nlbwmon; {RESTART}",
        ),
        (
            {"commit_interval_s": 7 * 86_400},
            "COMMIT_INTERVAL",
            "every 7 days",
            f"uci set {NLBWMON}.commit_interval='24h'; uci commit nlbwmon; {RESTART}",
        ),
        (
            {"commit_interval_s": 300},
            "COMMIT_INTERVAL",
            "every 5 minutes",
            f"uci set {NLBWMON}.commit_interval='1h'; uci commit nlbwmon; {RESTART}",
        ),
        (
            {"rmem_max": 212_992},
            "NETLINK_BUFFER",
            "524288 bytes, but the kernel allows 212992",
            r"sed -i '/^net\.core\.rmem_max *=/d' /etc/sysctl.conf; "
            f"echo net.core.rmem_max=524288 >> /etc/sysctl.conf; sysctl -p; {RESTART}",
        ),
        (
            {"netlink_buffer_size": 10**18},
            "NETLINK_BUFFER",
            f"{10**18} bytes",
            f"uci set {NLBWMON}.netlink_buffer_size='524288'; uci commit nlbwmon; {RESTART}",
        ),
        (
            {"clock_skew_s": -301.0},
            "CLOCK_SKEW",
            "5 minutes behind",
            "/etc/init.d/sysntpd restart",
        ),
        (
            {"utc_offset": timedelta(0)},
            "TIMEZONE",
            "called Europe/Berlin (UTC+01:00), but the router's clock runs at UTC+00:00",
            "uci set system.@system[0].zonename='Europe/Berlin'; "
            "uci set system.@system[0].timezone='CET-1CEST,M3.5.0,M10.5.0/3'; uci commit system; "
            f"/etc/init.d/system reload; {RESTART}",
        ),
        (
            {"days_zone": parse_zone("America/New_York")},
            "TIMEZONE",
            "Days are those of America/New_York (UTC-05:00), but the router's clock runs at UTC+01:00",
            "uci set system.@system[0].zonename='America/New York'; "
            "uci set system.@system[0].timezone='EST5EDT,M3.2.0,M11.1.0'; uci commit system; "
            f"/etc/init.d/system reload; {RESTART}",
        ),
        (
            {"local_networks": ["192.168.0.0/16", "guest"]},
            "IPV6_NOT_LOCAL",
            "2001:db8:1:1::/64",
            f"uci add_list {NLBWMON}.local_network='lan'; uci commit nlbwmon; {RESTART}",
        ),
        (
            {"unchanged_readings": 6, "unchanged_since": WINTER},
            "ROWS_FROZEN",
            "for 6 readings, since 2031-12-01T12:00:00Z, though 3 device(s) are active",
            RESTART,
        ),
    ],
)
def test_what_is_wrong_is_found_with_the_commands_that_mend_it(
    facts: Mapping[str, object], code: str, said: str, fix: str
) -> None:
    found = finding(**facts)
    assert (found.check, found.fix) == (code, fix)
    assert said in found.message
    subprocess.run(["sh", "-n", "-c", fix], check=True)


# --- where a finding begins ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "directory", ["/tmp", "/var", "/tmp/nlbwmon", "/var/", "//tmp/x", "tmp/x", "/etc/../tmp/x", "/tmp/./x", "/var//x"]
)
def test_whatever_is_below_tmp_or_var_is_in_ram(directory: str) -> None:
    assert finding(database_directory=directory).check == "DATABASE_IN_RAM"


@pytest.mark.parametrize("directory", ["/", "/etc/nlbwmon", "/mnt/sda1/var", "/tmpfs", "/various", "/tmp/../etc/x", ""])
def test_a_directory_elsewhere_is_not_in_ram(directory: str) -> None:
    assert findings(database_directory=directory) == []


@pytest.mark.parametrize(
    "directory", ["/tmp/x; reboot", "/tmp/$(reboot)", "/tmp/a b", "/tmp/x\nreboot", "/tmp/'x", "/var/\0"]
)
def test_only_a_plain_path_gets_into_a_command(directory: str) -> None:
    found = finding(database_directory=directory)
    assert found.fix is not None
    assert "cp " not in found.fix
    assert "reboot" not in found.fix
    assert found.message.isprintable()


def test_a_commit_interval_says_nothing_of_a_database_in_ram() -> None:
    facts = {"database_directory": "/var/lib/nlbwmon", "commit_interval_s": 60}
    assert [check.check for check in diagnose(replace(HEALTHY, **facts)) if "COMMIT" in check.check] == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "facts",
    [
        {"rows": 8_999},
        {"rows": 10**6, "database_limit": 0},
        {"refresh_interval_s": 5},
        {"refresh_interval_s": 60},
        {"commit_interval_s": 600},
        {"netlink_buffer_size": 0},
        {"netlink_buffer_size": 212_992, "rmem_max": 212_992},
        {"clock_skew_s": 300.0},
        {"clock_skew_s": -300.0},
        {"unchanged_readings": 5, "unchanged_since": WINTER},
        {"unchanged_readings": 600, "unchanged_since": WINTER, "active_devices": 0},
    ],
)
def test_just_before_it_would_be_wrong_nothing_is_found(facts: Mapping[str, object]) -> None:
    assert findings(**facts) == []


def test_a_limit_that_is_passed_already_is_doubled_from_the_rows() -> None:
    assert "database_limit='100000'" in str(finding(rows=50_000).fix)
    assert "database_limit='10000'" in str(finding(rows=100, database_limit=100).fix)


# --- the LAN's IPv6 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("networks", "prefixes", "outside"),
    [
        (["lan"], ["2001:db8:1:1::/64", "fd00:1::/60"], []),
        (["2001:db8::/32"], ["2001:db8:1:1::/64"], []),
        (["2001:db8:1:1::/64"], ["2001:db8:1:1::/64"], []),
        (["fd00::/8"], ["2001:db8:1:1::/64", "fd00:1::/60"], ["2001:db8:1:1::/64"]),
        (["2001:db8:1:1:8000::/65"], ["2001:db8:1:1::/64"], ["2001:db8:1:1::/64"]),
        (["10.0.0.0/8", "guest", "::/129", "x" * 9_000], ["fd00:1::/60"], ["fd00:1::/60"]),
        ([], ["fd00:1::/60"], ["fd00:1::/60"]),
        ([], [], []),
    ],
)
def test_every_prefix_has_to_lie_in_a_local_network(
    networks: list[str], prefixes: list[str], outside: list[str]
) -> None:
    found = findings(local_networks=networks, lan_prefixes=[IPv6Network(prefix) for prefix in prefixes])
    assert [check.check for check in found] == ["IPV6_NOT_LOCAL"] * bool(outside)
    assert all(prefix in found[0].message for prefix in outside)


# --- the clock's zone ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "named", "offset", "now"),
    [
        ("Europe/Berlin", "Europe/Paris", HOUR, WINTER),
        ("Europe/Berlin", "Europe/Berlin", 2 * HOUR, SUMMER),
        ("Europe/Berlin", None, HOUR, WINTER),
        (None, "Europe/Berlin", HOUR, WINTER),
        ("UTC", "UTC", timedelta(0), WINTER),
        ("UTC+01:00", None, HOUR, WINTER),
    ],
)
def test_a_zone_is_judged_by_its_offset(days: str | None, named: str | None, offset: timedelta, now: datetime) -> None:
    zones = {"days_zone": days and parse_zone(days), "router_zone": named and parse_zone(named)}
    assert findings(**zones, utc_offset=offset, router_now=now) == []


def test_a_router_left_in_utc_begins_its_periods_at_another_hour_than_the_users_days() -> None:
    found = finding(router_zone=parse_zone("UTC"), utc_offset=timedelta(0))
    assert "Days are those of Europe/Berlin (UTC+01:00), but the router's clock runs at UTC+00:00" in found.message
    assert "zonename='Europe/Berlin'" in str(found.fix)


def test_a_name_that_says_otherwise_than_clock_and_user_is_found() -> None:
    found = finding(router_zone=parse_zone("America/New_York"))
    assert "called America/New_York (UTC-05:00), but the router's clock runs at UTC+01:00" in found.message
    assert "zonename='Europe/Berlin'" in str(found.fix)


def test_where_only_an_offset_was_ever_told_a_person_has_to_name_the_zone() -> None:
    found = finding(days_zone=parse_zone("UTC+01:00"), router_zone=None, utc_offset=2 * HOUR, router_now=SUMMER)
    assert "PUT /api/routers/ID" in str(found.fix)


# --- how it is said --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skew", "said"),
    [(360.0, "6 minutes ahead"), (-7_200.0, "120 minutes behind"), (20_000.0, "6 hours ahead"), (-1.9e9, "21991 days")],
)
def test_a_skew_is_said_in_fitting_words(skew: float, said: str) -> None:
    assert said in finding(clock_skew_s=skew).message


#: Any value that a parser may give, however absurd.
NUMBERS = st.none() | st.integers(0, 10**25)
ANY_FACTS = st.builds(
    RouterFacts,
    database_directory=st.none() | st.text(st.characters(), max_size=300),
    database_limit=NUMBERS,
    refresh_interval_s=NUMBERS,
    commit_interval_s=NUMBERS,
    netlink_buffer_size=NUMBERS,
    local_networks=st.none() | st.lists(st.text(st.characters(), max_size=20), max_size=3),
    rows=st.none() | st.integers(0, 10**7),
    flow_offloading=st.none() | st.booleans(),
    flow_offloading_hw=st.none() | st.booleans(),
    conntrack_acct=st.none() | st.booleans(),
    rmem_max=NUMBERS,
    lan_prefixes=st.none() | st.lists(st.sampled_from([IPv6Network("fd00::/8"), IPv6Network("2001:db8::/64")])),
    clock_skew_s=st.none() | st.floats(-1e12, 1e12),
    router_now=st.none() | st.datetimes(timezones=st.just(UTC)),
    utc_offset=st.none() | st.timedeltas(timedelta(hours=-14), timedelta(hours=14)),
    router_zone=st.none() | st.sampled_from([BERLIN, parse_zone("UTC-14:00")]),
    days_zone=st.none() | st.sampled_from([BERLIN, parse_zone("UTC+05:45")]),
    unchanged_since=st.none() | st.datetimes(timezones=st.just(UTC)),
    unchanged_readings=NUMBERS,
    active_devices=NUMBERS,
)


@given(ANY_FACTS)
def test_no_facts_make_it_raise_and_what_it_says_can_be_stored_and_pasted(facts: RouterFacts) -> None:
    for check in diagnose(facts):
        assert check.check in CODES
        assert check.message.isprintable()
        assert check.ok == (check.fix is None)
        assert check.fix is None or (check.fix.isprintable() and check.fix.isascii())
