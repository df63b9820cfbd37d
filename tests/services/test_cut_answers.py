"""Answers that end too early or say that they failed: nothing of them is stored, and the next reading brings it all."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from commands_server_operations import device_usage_execute as execute
from commands_server_operations.period_files import file_time_commands
from commands_server_operations.router_target import CommandResult, RouterTarget
from db_operations.database import Database
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from simulator.faults import Faults
from simulator.router import Result, SimulatedRouter
from simulator.ssh_server import HostedRouter
from tests.homes import LAPTOP, PHONE, SOAK, Totals, dump, hourly, per_device, register, truth
from utils.errors import BadRouterOutput, NlbwmonDown, NlbwmonMissing, RouterError
from utils.nlbwmon_parser import parse_nlbw_json

SECOND = timedelta(seconds=1)
MARKER = re.compile(rb"([0-9a-f]{32} ([\w -]+)) (\d+)\n")
#: The file of the running period, as the reading before names it.
PERIOD, DIRECTORY = "2031-11-01", "/etc/nlbwmon"
SCRIPT = {**file_time_commands(PERIOD, DIRECTORY), **execute._BANDWIDTH}


def kept(database: Database) -> dict[str, list[str]]:
    """Everything stored but the routers' own rows: those tell of the failure."""
    return {table: rows for table, rows in dump(database).items() if table != "routers"}


def whole_answer(router: SimulatedRouter) -> bytes:
    """What the script of a reading prints, a first one left out."""
    lines = (f'{command}; echo "{"0" * 32} {name} $?"' for name, command in SCRIPT.items())
    return router.run("; ".join(lines)).stdout


@pytest.fixture
def lively(router: SimulatedRouter) -> SimulatedRouter:
    """A router with something in every section of its answer."""
    router.add_host(PHONE, "192.168.1.2", "phone")
    router.add_host(LAPTOP, "192.168.1.3", "laptop")
    router.commit()
    return router


# --- cut off ---------------------------------------------------------------------------------------------


def offsets_of(answer: bytes, step: int) -> Iterator[int]:
    """Every ``step``-th byte, and every byte around the markers between the sections."""
    borders = {border + near for found in MARKER.finditer(answer) for border in found.span() for near in range(-2, 3)}
    wanted = {*range(0, len(answer), step), *borders, len(answer)}
    yield from sorted(offset for offset in wanted if offset <= len(answer))


@pytest.mark.timeout(120 * SOAK)
def test_a_connection_cut_at_any_byte_stores_nothing_and_the_next_reading_brings_it_all(
    runtime: Runtime,
    context: RouterContext,
    hosted: HostedRouter,
    lively: SimulatedRouter,
    clock: ManualClock,
    database: Database,
) -> None:
    """Real TCP connections, cut after so many bytes: every eighth of an answer, and all around the sections' ends.

    NETPILOT_SOAK=8 and more: every byte.
    """
    runtime.collector.collect(context)
    answer = whole_answer(lively)
    assert set(SCRIPT) == {found[2].decode() for found in MARKER.finditer(answer)}
    stored, used = kept(database), 0
    for number, offset in enumerate(offsets_of(answer, max(1, 8 // SOAK))):
        lively.traffic(PHONE, rx=offset + 1, tx=3)
        lively.traffic(LAPTOP, rx=1, tx=1, family=6)
        clock.advance(SECOND)
        hosted.faults = Faults(cut_after=offset)
        with pytest.raises(RouterError):
            runtime.collector.collect(context)
        assert kept(database) == stored, offset
        used += offset + 1
        if number % 10 == 0:
            hosted.faults = Faults()
            clock.advance(SECOND)
            assert runtime.collector.collect(context).stored.bytes_down >= used
            stored, used = kept(database), 0
    hosted.faults = Faults()
    clock.advance(SECOND)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == truth(lively.ledger.totals())  # type: ignore[union-attr]


def test_an_archive_cut_at_any_byte_leaves_the_whole_reading_for_the_next_time(
    runtime: Runtime,
    context: RouterContext,
    hosted: HostedRouter,
    lively: SimulatedRouter,
    clock: ManualClock,
    database: Database,
) -> None:
    """The second command of a reading: what an accounting period that is over held in the end."""
    runtime.collector.collect(context)
    lively.traffic(PHONE, rx=70_000, tx=7)
    clock.advance(timedelta(days=30))
    lively.traffic(PHONE, rx=1, tx=2)
    whole, stored = lively.run, kept(database)
    answers: list[Result] = []

    def cut_what_comes_next(line: str, **options: bool) -> Result:
        """The first command of a reading comes through; whatever is asked after it is cut off."""
        answers.append(whole(line, **options))
        hosted.faults = Faults(cut_after=cut_after)
        return answers[-1]

    cut_after = 0
    lively.run = cut_what_comes_next  # type: ignore[method-assign]
    while cut_after == 0 or cut_after <= len(answers[-1].stdout):
        answers.clear()
        hosted.faults = Faults()
        with pytest.raises(RouterError):
            runtime.collector.collect(context)
        assert len(answers) >= 2, "the reading and the archive"
        assert kept(database) == stored, cut_after
        cut_after += 7
        clock.advance(SECOND)
    lively.run = whole  # type: ignore[method-assign]
    hosted.faults = Faults()
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == truth(lively.ledger.totals())  # type: ignore[union-attr]


class Ended:
    """A router whose answer ends after so many bytes although the connection and the exit status are all right."""

    def __init__(self, answer: bytes, ends_after: int) -> None:
        self._answer = answer
        self._ends_after = ends_after

    def run(self, target: RouterTarget, command: str) -> CommandResult:
        nonce = re.findall(r"[0-9a-f]{32}", command)[-1].encode()
        stdout = self._answer.replace(b"0" * 32, nonce)[: self._ends_after]
        return CommandResult(stdout=stdout, stderr=b"", exit_status=0, duration_s=0)


def test_an_answer_that_ends_at_any_byte_with_success_is_refused(lively: SimulatedRouter) -> None:
    """A router that is short of memory ends programs in the middle. Every byte, whatever NETPILOT_SOAK says."""
    lively.traffic(PHONE, rx=1, tx=1)
    target = RouterTarget(session_id="alice", router_id="r1", host="192.168.1.1", port=22, username="root")
    answer = whole_answer(lively)
    for ends_after in range(len(answer)):
        with pytest.raises(BadRouterOutput):
            execute.get_current_bandwidth_data(Ended(answer, ends_after), target, period=PERIOD, directory=DIRECTORY)
    whole = execute.get_current_bandwidth_data(Ended(answer, len(answer)), target, period=PERIOD, directory=DIRECTORY)
    assert whole.devices.board
    assert whole.last_commit


def test_nlbws_own_output_is_refused_wherever_it_ends(lively: SimulatedRouter) -> None:
    """The frame around it is whole: the shell went on after nlbw was killed."""
    lively.traffic(PHONE, rx=1, tx=1)
    lively.traffic(LAPTOP, rx=1, tx=1, family=6)
    output = lively.run("nlbw -c json").stdout.strip()
    for ends_after in range(len(output)):
        with pytest.raises(BadRouterOutput):
            parse_nlbw_json(output[:ends_after])
    assert len(parse_nlbw_json(output).rows) == 2


# --- ended with a failure --------------------------------------------------------------------------------


@pytest.fixture
def used(runtime: Runtime, context: RouterContext, lively: SimulatedRouter, clock: ManualClock) -> Totals:
    """A reading, and traffic since: what the next reading has to bring."""
    runtime.collector.collect(context)
    lively.traffic(PHONE, rx=1_000, tx=10)
    clock.advance(SECOND)
    return truth(lively.ledger.totals())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *[(status, BadRouterOutput) for status in (1, 2, 126, 137, 143, 255)],
        *[(127, NlbwmonMissing), (195, NlbwmonDown), (247, NlbwmonDown)],
    ],
)
def test_valid_output_of_an_nlbw_that_says_it_failed_is_refused(
    runtime: Runtime,
    context: RouterContext,
    lively: SimulatedRouter,
    used: Totals,
    clock: ManualClock,
    database: Database,
    status: int,
    error: type[RouterError],
) -> None:
    whole, stored = lively.run, kept(database)

    def fails(line: str, **options: bool) -> Result:
        result = whole(line, **options)
        stdout = re.sub(rb"([0-9a-f]{32} usage) 0", rb"\1 %d" % status, result.stdout)
        assert stdout != result.stdout
        return Result(stdout, result.stderr, result.status)

    lively.run = fails  # type: ignore[method-assign]
    with pytest.raises(error):
        runtime.collector.collect(context)
    assert kept(database) == stored
    lively.run = whole  # type: ignore[method-assign]
    clock.advance(SECOND)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == used


@pytest.mark.parametrize("status", [1, 137, 255])
def test_a_whole_answer_of_a_shell_that_says_it_failed_is_refused(
    runtime: Runtime,
    context: RouterContext,
    hosted: HostedRouter,
    used: Totals,
    clock: ManualClock,
    database: Database,
    status: int,
) -> None:
    stored = kept(database)
    hosted.faults = Faults(exit_status=status)
    with pytest.raises(BadRouterOutput, match=f"exit status {status}"):
        runtime.collector.collect(context)
    assert kept(database) == stored
    hosted.faults = Faults()
    clock.advance(SECOND)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == used


# --- without an end --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        (Faults(drip_s=0.02), "ROUTER_TIMEOUT"),
        (Faults(drip_s=0.02, stderr_flood=3_000_000), "ROUTER_TIMEOUT"),
        (Faults(drip_s=0.02, stderr_flood=90_000_000), "OUTPUT_TOO_LARGE"),
        (Faults(endless=True), "OUTPUT_TOO_LARGE"),
        (Faults(endless=True, stderr_flood=3_000_000), "OUTPUT_TOO_LARGE"),
    ],
    ids=["drip", "drip and errors", "drip and flood", "endless", "endless and errors"],
)
def test_an_answer_without_an_end_is_given_up_and_the_next_reading_brings_it_all(
    make_runtime: Callable[..., Runtime],
    hosted: HostedRouter,
    lively: SimulatedRouter,
    clock: ManualClock,
    database: Database,
    faults: Faults,
    code: str,
) -> None:
    """A byte every 20 ms for half a minute, under a deadline of a second for the whole: a limit per read never ends."""
    runtime = make_runtime(router_command_timeout_s=1, router_max_output_bytes=200_000)
    context = register(runtime, hosted)
    runtime.collector.collect(context)
    lively.traffic(PHONE, rx=1_000, tx=10)
    clock.advance(SECOND)
    stored = kept(database)
    hosted.faults = faults
    with pytest.raises(RouterError) as caught:
        runtime.collector.collect(context)
    assert caught.value.code == code
    assert hosted.stats.connections == 1
    assert kept(database) == stored
    hosted.faults = Faults()
    clock.advance(SECOND)
    runtime.collector.collect(context)
    assert per_device(hourly(database, context)) == truth(lively.ledger.totals())  # type: ignore[union-attr]
