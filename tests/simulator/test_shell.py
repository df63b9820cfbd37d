"""The little shell does what ash does, or says that it does not."""

import pytest

from simulator.clock import ManualClock
from simulator.home import empty_router
from simulator.router import SimulatedRouter


@pytest.mark.parametrize(
    ("line", "stdout", "status"),
    [
        ("echo a; echo b", "a\nb\n", 0),
        ("echo 'a  b' \"c $?\"", "a  b c 0\n", 0),
        ("false; echo $?; echo $?", "1\n0\n", 0),
        ("false && echo no; echo done", "done\n", 0),
        ("false || echo yes", "yes\n", 0),
        ("true || echo no && echo also", "also\n", 0),
        ("nope; echo $?", "127\n", 0),
        ("nope 2>/dev/null", "", 127),
        ("nope 2>&1", "ash: nope: not found\n", 127),
        ("nope >/dev/null 2>&1; echo $?", "127\n", 0),
        ("echo gone >/dev/null", "", 0),
        ('nlbw -c json -t foo; s=$?; echo; echo "mark ${s} $s"', "\nmark 1 1\n", 0),
        ("printf '%s-%s\\n' a b c d", "a-b\nc-d\n", 0),
        ("printf '\\n5f usage %s\\n' $?", "\n5f usage 0\n", 0),
        ('x=$(echo in; false); echo $? "$x"', "1 in\n", 0),
        ("echo one\necho two", "one\ntwo\n", 0),
        ("exit 3; echo never", "", 3),
        ("command -v nlbw; command -v nope; echo $?", "/usr/bin/nlbw\n127\n", 0),
        ("cat /proc/sys/net/netfilter/nf_conntrack_acct", "1\n", 0),
        ("uci -q get nlbwmon.@nlbwmon[0].database_interval", "1\n", 0),
        ("cat /proc/sys/net/core/rmem_max", "524288\n", 0),
        ("uci -q get firewall.@defaults[0].flow_offloading", "", 1),
        ("uci -q get firewall.@defaults[0].flow_offloading_hw", "", 1),
        ("uci -q get nlbwmon.@nlbwmon[0].local_network", "192.168.0.0/16 172.16.0.0/12 10.0.0.0/8 lan\n", 0),
        ("uci -q get system.@system[0].zonename; date +%z", "Europe/Berlin\n+0100\n", 0),
        ("date +%s; date +%Y-%m-%d", "1794301200\n2026-11-10\n", 0),
    ],
)
def test_a_line_gives_what_ash_would(router: SimulatedRouter, line: str, stdout: str, status: int) -> None:
    result = router.run(line)

    assert (result.stdout.decode(), result.status) == (stdout, status)


@pytest.mark.parametrize(
    "line", ["nlbw -c json | head", "echo `date`", "(echo a)", "echo a &", "cat < /etc/passwd", "echo 'a"]
)
def test_what_it_does_not_know_it_refuses_aloud(router: SimulatedRouter, line: str) -> None:
    result = router.run(line)

    assert result.status == 2
    assert b"syntax error" in result.stderr


def test_a_missing_file_is_reported_as_busybox_does(router: SimulatedRouter) -> None:
    result = router.run("cat /no/such")

    assert (result.stderr, result.status) == (b"cat: can't open '/no/such': No such file or directory\n", 1)


def test_commands_can_be_missing_or_broken(router: SimulatedRouter) -> None:
    router.missing = {"uci", "ip"}
    router.broken = {"ubus": ("Command failed: Permission denied", 6)}

    assert router.run("uci -q get a.b.c").status == 127
    assert router.run("ip neigh show").status == 127
    assert router.run("ubus call system board").status == 6


def test_the_settings_are_shown_as_uci_shows_them(router: SimulatedRouter) -> None:
    lines = router.run("uci -q show nlbwmon").stdout.decode().splitlines()

    assert lines[0] == "nlbwmon.@nlbwmon[0]=nlbwmon"
    assert "nlbwmon.@nlbwmon[0].database_interval='1'" in lines
    assert "nlbwmon.@nlbwmon[0].netlink_buffer_size='524288'" in lines
    assert lines[-1] == "nlbwmon.@nlbwmon[0].local_network='192.168.0.0/16' '172.16.0.0/12' '10.0.0.0/8' 'lan'"


def test_flow_offloading_is_shown_once_it_is_set(clock: ManualClock) -> None:
    router = empty_router(clock, flow_offloading=True, flow_offloading_hw=False)

    assert router.run("uci -q get firewall.@defaults[0].flow_offloading").stdout == b"1\n"
    assert router.run("uci -q get firewall.@defaults[0].flow_offloading_hw").stdout == b"0\n"


def test_the_addresses_of_the_lan_are_shown_as_ip_shows_them(clock: ManualClock) -> None:
    router = empty_router(clock, lan_ipv6=("2001:db8:1:1::1/64", "fd12:3456:789a::1/60"))
    line = "ip -6 addr show dev br-lan scope global"

    assert router.run(line).stdout.decode() == (
        "7: br-lan: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qlen 1000\n"
        "    inet6 2001:db8:1:1::1/64 scope global noprefixroute \n"
        "       valid_lft forever preferred_lft forever\n"
        "    inet6 fd12:3456:789a::1/60 scope global noprefixroute \n"
        "       valid_lft forever preferred_lft forever\n"
    )
    router.lan_ipv6 = ()
    assert router.run(line).stdout == b""
    assert router.run("ip -6 addr show dev eth7 scope global").status == 1


def test_hosts_show_up_in_leases_and_neighbours(router: SimulatedRouter) -> None:
    router.add_host("02:11:22:33:44:01", "192.168.1.101", "laptop", state="STALE")
    router.add_host("02:11:22:33:44:02", "192.168.1.102", state="FAILED", lease=False)

    assert router.run("cat /tmp/dhcp.leases").stdout.decode().split()[1:4] == [
        "02:11:22:33:44:01",
        "192.168.1.101",
        "laptop",
    ]
    assert router.run("ip neigh show").stdout.decode().splitlines() == [
        "192.168.1.101 dev br-lan lladdr 02:11:22:33:44:01 STALE",
        "192.168.1.102 dev br-lan FAILED",
    ]
