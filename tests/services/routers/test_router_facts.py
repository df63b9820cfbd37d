"""What a router prints becomes facts, and nothing it prints makes the doctor raise."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands_server_operations.device_usage_execute import FactsAnswer
from services.routers.router_doctor import RouterFacts, diagnose
from services.routers.router_facts import read_facts
from utils.time import parse_zone

NOW = datetime(2031, 12, 1, 12, 0, tzinfo=UTC)
TOLD = {
    "clock": f"{int(NOW.timestamp()) + 2}\n",
    "utc_offset": "+0100\n",
    "zone_name": "Europe/Berlin\n",
    "settings": (
        "nlbwmon.@nlbwmon[0]=nlbwmon\n"
        "nlbwmon.@nlbwmon[0].netlink_buffer_size='1048576'\n"
        "nlbwmon.@nlbwmon[0].commit_interval='1d'\n"
        "nlbwmon.@nlbwmon[0].refresh_interval='1m'\n"
        "nlbwmon.@nlbwmon[0].database_directory='/mnt/sda1/nlbwmon'\n"
        "nlbwmon.@nlbwmon[0].database_limit='0'\n"
        "nlbwmon.@nlbwmon[0].local_network='192.168.0.0/16' 'lan'\n"
    ),
    "flow_offloading": "1\n",
    "flow_offloading_hw": "0\n",
    "conntrack_acct": "1\n",
    "rmem_max": "212992\n",
    "lan_addresses": "    inet6 fd00:1::1/60 scope global noprefixroute \n",
}
NOTHING = dict.fromkeys(TOLD)


def facts_of(answer: dict[str, str | None], timezone: str | None = None) -> RouterFacts:
    return read_facts(FactsAnswer(**answer), read_at=NOW, rows=7, timezone=timezone)


def test_of_very_many_networks_only_the_first_are_looked_at() -> None:
    listed = " ".join(f"'fd00:{number:x}::/32'" for number in range(3_000))
    told = TOLD | {"settings": f"nlbwmon.@nlbwmon[0].local_network={listed}\n"}
    assert len(facts_of(told).local_networks or ()) == 64


def test_every_fact_is_read() -> None:
    assert facts_of(TOLD, timezone="Asia/Tokyo") == RouterFacts(
        database_directory="/mnt/sda1/nlbwmon",
        database_limit=0,
        refresh_interval_s=60,
        commit_interval_s=86_400,
        netlink_buffer_size=1_048_576,
        local_networks=["192.168.0.0/16", "lan"],
        rows=7,
        flow_offloading=True,
        flow_offloading_hw=False,
        conntrack_acct=True,
        rmem_max=212_992,
        lan_prefixes=[IPv6Network("fd00:1::/60")],
        clock_skew_s=2.0,
        router_now=NOW + timedelta(seconds=2),
        utc_offset=timedelta(hours=1),
        router_zone=parse_zone("Europe/Berlin"),
        days_zone=parse_zone("Asia/Tokyo"),
    )


def test_what_a_router_does_not_tell_is_unknown() -> None:
    assert facts_of(NOTHING) == RouterFacts(rows=7, router_now=NOW)


def test_an_option_that_is_not_set_is_what_openwrt_starts_nlbwmon_with() -> None:
    facts = facts_of(NOTHING | {"settings": "nlbwmon.@nlbwmon[0]=nlbwmon\nnlbwmon.@nlbwmon[0].database_interval='1'\n"})
    assert (facts.database_directory, facts.database_limit) == ("/var/lib/nlbwmon", 10_000)
    assert (facts.refresh_interval_s, facts.commit_interval_s) == (30, 86_400)
    assert (facts.netlink_buffer_size, facts.local_networks) == (524_288, [])
    assert (facts.flow_offloading, facts.flow_offloading_hw) == (False, False), "uci is there; the option is not"


def test_without_uci_nobody_knows_about_flow_offloading() -> None:
    facts = facts_of(NOTHING | {"clock": TOLD["clock"]})
    assert (facts.flow_offloading, facts.flow_offloading_hw) == (None, None)


def test_settings_that_nlbwmon_would_not_take_are_unknown() -> None:
    section = "nlbwmon.@nlbwmon[0]"
    options = ("refresh_interval", "commit_interval", "database_limit", "netlink_buffer_size")
    facts = facts_of(NOTHING | {"settings": "".join(f"{section}.{option}='often'\n" for option in options)})
    assert (facts.refresh_interval_s, facts.commit_interval_s) == (None, None)
    assert (facts.database_limit, facts.netlink_buffer_size) == (None, None)


@pytest.mark.parametrize("days", [-2, 2, -22_000])
def test_a_clock_that_is_days_off_says_nothing_about_its_zone(days: int) -> None:
    clock = str(int((NOW + timedelta(days=days)).timestamp()))
    facts = facts_of(TOLD | {"clock": clock, "utc_offset": "+0000"})
    assert facts.router_now is None
    assert [check.check for check in diagnose(facts) if check.check in ("TIMEZONE", "CLOCK_SKEW")] == ["CLOCK_SKEW"]


#: Nearly right, or anything at all.
ANY_TEXT = (
    st.none()
    | st.sampled_from([text for text in TOLD.values() if text])
    | st.text(st.characters(), max_size=100)
    | st.sampled_from(["9" * 5_000, "-1", "nan", "+9999", "nlbwmon.@nlbwmon[0].database_directory='/tmp/\0\udcff'"])
    | st.text(st.characters(), max_size=50).map(lambda text: f"nlbwmon.@nlbwmon[0].database_directory='{text}'")
    | st.text(st.characters(), max_size=50).map(lambda text: f"    inet6 {text}/64 scope global")
)


@given(st.fixed_dictionaries({field.name: ANY_TEXT for field in fields(FactsAnswer)}), ANY_TEXT)
def test_no_answer_makes_the_doctor_raise(answer: dict[str, str | None], timezone: str | None) -> None:
    for check in diagnose(facts_of(answer, timezone=timezone)):
        assert check.message.isprintable()
        assert check.fix is None or check.fix.isprintable()
