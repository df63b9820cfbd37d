"""What can happen in a home, one function an event; `happen` draws one, with its details, from a generator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from tests.homes import LAPTOP, PHONE, TV
from tests.life.interruptions import Cut, Death
from tests.life.watched_home import HomePlan, WatchedHome

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MACS = (PHONE, LAPTOP, TV, "00:00:00:00:00:00")
PORTS = (443, 80, 53, 22, 9_999)
ZONES = ("Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "UTC", "America/New_York")

#: Both nights of Europe's and Lord Howe's clock changes, and a month's end, lie ahead of these.
STARTS = (
    datetime(2031, 10, 24, 9, tzinfo=UTC),
    datetime(2032, 3, 26, 9, tzinfo=UTC),
    datetime(2031, 11, 29, 21, tzinfo=UTC),
    datetime(2032, 4, 2, 9, tzinfo=UTC),
)
INTERVALS = ("1", "15", "31", "2031-10-01/1", "2031-10-01/7")

Operation = Callable[[WatchedHome, Random], str]


def draw_plan(rng: Random, interval: str | None = None) -> HomePlan:
    return HomePlan(
        start=rng.choice(STARTS),
        zone=rng.choice(ZONES),
        interval=interval or rng.choice(INTERVALS),
        limit=rng.choice((3, 5, 8, 10_000, 10_000, 0)),
        on_disk=rng.random() < 0.8,
        commit_interval=rng.choice((3_600, 86_400, 86_400)),
        generations=rng.choice((2, 10, 10)),
        rollover_delay=rng.choice((0, 0, 10, 25)),
    )


# -- traffic and time -------------------------------------------------------------------------------------


def traffic(home: WatchedHome, rng: Random) -> str:
    mac, port, family = rng.choice(MACS), rng.choice(PORTS), rng.choice((4, 4, 6))
    # No packet is smaller than its headers.
    down = rng.choice((0, rng.randrange(28, 100), rng.randrange(28, 10**6), rng.randrange(28, 10**10)))
    up = rng.choice((0, rng.randrange(28, 100), rng.randrange(28, 10**6)))
    home.router.traffic(mac, rx=down, tx=up, port=port, family=6 if family == 6 else None)
    return f"traffic {mac} port {port} IPv{family} {down} {up}"


def much_traffic(home: WatchedHome, rng: Random) -> str:
    for _ in range(8):
        traffic(home, rng)
        home.wait(timedelta(seconds=rng.randrange(1, 40)))
    return "traffic of eight rows"


def wait(home: WatchedHome, rng: Random) -> str:
    unit = rng.choice((SECOND, SECOND, MINUTE, MINUTE, MINUTE, HOUR))
    step = unit * rng.randrange(1, 60) if unit is not HOUR else HOUR * rng.randrange(1, 30)
    home.wait(step)
    return f"wait {step}"


def wait_long(home: WatchedHome, rng: Random) -> str:
    step = DAY * rng.choice((1, 2, 7, 16, 31, 45)) + MINUTE * rng.randrange(0, 1_440)
    while step > timedelta(0):
        part = min(step, DAY * 3)
        home.wait(part)
        step -= part
        traffic(home, rng)
    return "wait for days, with some traffic"


def reach_rollover(home: WatchedHome, rng: Random) -> str:
    """To some seconds or minutes before or after the moment at which the router begins a period."""
    daemon = home.router.daemon
    begins_us = daemon.interval.next_start(home.router.wall_us // 1_000_000, daemon.zone) * 1_000_000
    begins = EPOCH + timedelta(microseconds=begins_us) - home.router.clock_offset
    moment = begins + rng.choice((-90, -20, -1, 0, 1, 10, 100, 130, 1_000)) * SECOND
    if moment - home.clock.now() > 40 * DAY:
        return "no rollover in sight"
    home.reach(moment)
    return f"reach {moment:%Y-%m-%d %H:%M:%S}Z, rollover at {begins:%H:%M:%S}Z"


# -- readings ---------------------------------------------------------------------------------------------


def read(home: WatchedHome, rng: Random) -> str:
    home.wait(SECOND * rng.choice((1, 10, 60, 300, 300, 300)))
    return "read" if home.read() else "read: failed"


def fail_to_read(home: WatchedHome, rng: Random) -> str:
    cut = Cut(at=rng.choice((1, 1, 2, 2, 3)), after=rng.random() < 0.5)
    home.wait(SECOND * 10)
    home.fail_to_read(cut)
    return f"reading with {cut}"


def die_while_reading(home: WatchedHome, rng: Random) -> str:
    death = (
        Death(at=rng.randrange(1, 5), is_of_acknowledgement=True)
        if rng.random() < 0.25
        else Death(at=rng.randrange(1, 16), after=rng.random() < 0.5)
    )
    home.wait(SECOND * 10)
    home.die_while_reading(death)
    return f"reading with {death}"


def read_twice_at_once(home: WatchedHome, rng: Random) -> str:
    is_later_first = rng.random() < 0.5
    home.wait(SECOND * 10)

    def between() -> None:
        home.wait(SECOND * rng.randrange(1, 60))
        traffic(home, rng)

    home.read_twice_at_once(between, is_later_first=is_later_first)
    return f"two readings of one base, the later one stored {'first' if is_later_first else 'last'}"


def read_while_it_commits(home: WatchedHome, rng: Random) -> str:
    """Traffic and a commit between the two round trips of a reading."""

    def interlude() -> None:
        home.wait(SECOND * rng.randrange(1, 20))
        traffic(home, rng)
        home.router.commit()

    home.wait(SECOND * 10)
    home.read_with(interlude)
    return "reading, with traffic and a commit between its round trips"


# -- the daemon and the router ----------------------------------------------------------------------------


def commit(home: WatchedHome, _rng: Random) -> str:
    home.wait(4 * SECOND)  # files are dated by whole seconds: one written sooner after a start passes for an older one
    home.router.commit()
    return "commit"


def restart_daemon(home: WatchedHome, rng: Random) -> str:
    down = SECOND * rng.choice((0, 1, 40, 4_000))
    home.router.stop()
    if down:
        home.wait(down / 2)
        traffic(home, rng)
        home.wait(down / 2)
    home.router.start()
    return f"SIGTERM, and a start {down} later"


def crash(home: WatchedHome, _rng: Random) -> str:
    home.router.crash()
    return "crash of the daemon"


def crash_without_copy(home: WatchedHome, _rng: Random) -> str:
    home.router.advance()
    home.router.daemon.forget_ram_copy()
    home.router.crash()
    return "crash of the daemon, its copy in RAM removed"


def power_loss(home: WatchedHome, rng: Random) -> str:
    has_disk = rng.choice((None, None, None, False))
    home.router.power_loss(has_disk=has_disk)
    return f"power loss, has_disk={has_disk}"


def reboot(home: WatchedHome, _rng: Random) -> str:
    home.router.reboot()
    return "reboot"


# -- clocks -----------------------------------------------------------------------------------------------


def boot_in_1970(home: WatchedHome, rng: Random) -> str:
    """A power loss, or a reboot, after which the clock is wrong until NTP answers, soon or late."""
    booted = EPOCH if rng.random() < 0.7 else home.clock.now() - 200 * DAY
    home.router.advance()
    home.router._offset = (booted - home.clock.now()) // timedelta(microseconds=1)
    (home.router.power_loss if rng.random() < 0.7 else home.router.reboot)()
    home.router.doubt_clock()
    if rng.random() < 0.5:
        home.wait(SECOND * rng.randrange(1, 90))
        traffic(home, rng)
        home.router.set_clock(timedelta(0))
        return f"boot in {booted.year}, the clock is right soon after"
    return f"boot in {booted.year}"


def set_clock(home: WatchedHome, rng: Random) -> str:
    ahead = rng.choice((-40 * DAY, -DAY, -HOUR, -MINUTE, MINUTE, HOUR, DAY, 40 * DAY))
    home.router.set_clock(ahead)
    return f"clock set {ahead} ahead"


def set_clock_right(home: WatchedHome, _rng: Random) -> str:
    home.router.set_clock(timedelta(0))
    return "clock set right"


def change_zone(home: WatchedHome, rng: Random) -> str:
    zone = rng.choice(ZONES)
    home.router.change_zone(zone)
    return f"zone {zone}"


#: How often each is drawn.
OPERATIONS: dict[Operation, int] = {
    traffic: 30,
    much_traffic: 5,
    wait: 14,
    wait_long: 1,
    reach_rollover: 5,
    read: 26,
    fail_to_read: 3,
    die_while_reading: 4,
    read_twice_at_once: 2,
    read_while_it_commits: 2,
    commit: 4,
    restart_daemon: 3,
    crash: 3,
    crash_without_copy: 1,
    power_loss: 3,
    reboot: 2,
    boot_in_1970: 1,
    set_clock: 1,
    set_clock_right: 2,
    change_zone: 1,
}

#: What makes a router's clock or zone wrong. Where it does, less than all may be stored if it is shown as unknown; so
#: every other life does without, and has to be exact.
CLOCKS = ("boot_in_1970", "set_clock", "set_clock_right", "change_zone")


def do(home: WatchedHome, operation: Operation, rng: Random) -> None:
    """Let it happen, and note it."""
    home.tally.steps += 1
    home.log.append(f"{home.clock.now():%Y-%m-%d %H:%M:%S}Z {operation.__name__} …")
    told = operation(home, rng)
    home.log[-1] = home.log[-1].replace("…", f"({told})")
    home.wait(SECOND)  # no two things happen at the same moment
