"""nlbwmon's files of accounting periods: archives, and the last commit of the running one. Nothing is written there."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from commands_server_operations.nlbw_answers import (
    NO_DATA,
    NOT_FOUND,
    Connections,
    nlbw_output,
    output_or_nothing,
    twice,
)
from commands_server_operations.router_script import Section, run_script
from commands_server_operations.router_target import RouterTarget
from utils.errors import NlbwmonDown, OutputTooLarge

#: dropbear takes commands of at most 9,000 bytes, and a large office's archives are half a megabyte each.
_ARCHIVES_AT_ONCE = 24

#: Where the accounting waits for them: few, so that each batch stays far below any limit on output.
_FILES_AT_ONCE = 4

#: Each with the path of a file.
_TIMES_AT_ONCE = 24

_COPY_TIMES: Mapping[str, str] = {"ram_copy": "ls /tmp/0.db", "ram_copy_time": "date -r /tmp/0.db +%s"}

#: Where a router may keep nlbwmon's files. Anything else never gets into a command.
_DIRECTORY = re.compile(r"(?=.{1,128}$)(?:/[A-Za-z0-9_][A-Za-z0-9._-]*){1,16}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class ArchivesAnswer:
    """nlbwmon's files of some periods."""

    #: nlbw's JSON by the period's first day; a period without a file is absent.
    tables: Mapping[date, bytes]
    #: Those that are not known to be without one all the same: nlbw failed on it, or "no data" was said of a file that
    #: is there (so says a daemon that is busy).
    unreadable: frozenset[date]


@dataclass(frozen=True, kw_only=True)
class PeriodFilesAnswer(ArchivesAnswer):
    """And when nlbwmon wrote them. Text is None where the router doesn't tell."""

    #: date +%s
    clock: str | None
    #: date -r of each file, by the period's first day: when it was written, by the router's clock
    written: Mapping[date, str]
    #: date -r of nlbwmon's copy in RAM
    ram_copy: str | None
    #: Whether there is such a copy.
    has_ram_copy: bool | None


def get_archived_periods(
    connections: Connections, target: RouterTarget, names: Mapping[date, str]
) -> dict[date, bytes]:
    """nlbw's JSON of each accounting period in ``names``: first day -> what the router calls it.

    A period without archive is absent. One round trip for each 24 of them. nlbwmon says "no data" both where there
    is no archive and where it was busy, so those are asked for once more, 0.2 s later. Raises as
    get_current_bandwidth_data, and ValueError for a name that is not of the form YYYY-MM-DD.
    """
    wanted = list(names.items())
    found: dict[date, bytes] = {}
    for first in range(0, len(wanted), _ARCHIVES_AT_ONCE):
        found |= _archives(connections, target, dict(wanted[first : first + _ARCHIVES_AT_ONCE]), nlbw_output)
    return found


def get_period_files(
    connections: Connections, target: RouterTarget, names: Mapping[date, str], *, directory: str | None
) -> PeriodFilesAnswer:
    """The files of ``names`` (first day -> what the router calls it), and when each was written.

    A round trip for each 4 of them, and one for each 12 or so. One that is too large alone is unreadable as well.
    Raises NlbwmonMissing, NlbwmonDown, BadRouterOutput where the answer as a whole is incomplete, and what
    connections.run raises. ``directory``: the router's `database_directory`; None where it doesn't tell.
    """
    printed = _each_file(connections, target, names)
    # After the files, so that one that was written meanwhile is noticed; and the clock after the moments told by it.
    asked: dict[str, str] = {}
    for name in names.values():
        asked |= file_time_commands(name, directory)
    times = _run_in_batches(connections, target, {**asked, **_COPY_TIMES, "clock": "date +%s"})
    written = {start: text for start, name in names.items() if (text := file_time(name, times))}
    copy = times["ram_copy"].exit_status
    return PeriodFilesAnswer(
        tables=_readable(printed),
        unreadable=_unreadable(printed, written),
        clock=times["clock"].text,
        written=written,
        ram_copy=times["ram_copy_time"].text,
        has_ram_copy=None if copy == NOT_FOUND else copy == 0,
    )


def file_time_commands(name: str, directory: str | None) -> dict[str, str]:
    """What asks when the file of the period called ``name`` was written; nlbwmon packs its files or doesn't.

    Nothing where ``directory`` is unknown or may not get into a command. Raises ValueError for a name that may not.
    """
    if directory is None or not _DIRECTORY.fullmatch(directory):
        return {}
    file = f"{directory}/{_checked(name).replace('-', '')}.db"
    return {f"packed {name}": f"date -r {file}.gz +%s", f"plain {name}": f"date -r {file} +%s"}


def file_time(name: str, sections: Mapping[str, Section]) -> str | None:
    """The answer to `file_time_commands`; None where nothing was asked or there is no such file."""
    for kind in ("packed", "plain"):
        section = sections.get(f"{kind} {name}")
        if section and section.text:
            return section.text
    return None


def _run_in_batches(connections: Connections, target: RouterTarget, commands: Mapping[str, str]) -> dict[str, Section]:
    items = list(commands.items())
    sections: dict[str, Section] = {}
    for first in range(0, len(items), _TIMES_AT_ONCE):
        sections |= run_script(connections, target, dict(items[first : first + _TIMES_AT_ONCE]))
    return sections


def _each_file(connections: Connections, target: RouterTarget, names: Mapping[date, str]) -> dict[date, bytes]:
    """Nothing where nlbw failed on a file, or it is too large alone; absent where nlbw has no data."""
    wanted = list(names.items())
    printed: dict[date, bytes] = {}
    for first in range(0, len(wanted), _FILES_AT_ONCE):
        batch = wanted[first : first + _FILES_AT_ONCE]
        try:
            printed |= _archives(connections, target, dict(batch), output_or_nothing)
        except OutputTooLarge:
            for day, name in batch:
                try:
                    printed |= _archives(connections, target, {day: name}, output_or_nothing)
                except OutputTooLarge:
                    printed[day] = b""
    return printed


def get_earlier_archives(
    connections: Connections, target: RouterTarget, names: Mapping[date, str], *, directory: str | None
) -> ArchivesAnswer:
    """nlbw's JSON of a few accounting periods, as get_archived_periods, each judged by itself: one spoils no other.

    One round trip, and another one where nlbw has no data of some. ``directory`` as get_period_files has it.
    """
    printed = _archives(connections, target, names, output_or_nothing)
    asked: dict[str, str] = {}
    for day in names.keys() - printed.keys():
        asked |= file_time_commands(names[day], directory)
    times = _run_in_batches(connections, target, asked)
    there = [day for day, name in names.items() if file_time(name, times)]
    return ArchivesAnswer(tables=_readable(printed), unreadable=_unreadable(printed, there))


def _readable(printed: Mapping[date, bytes]) -> dict[date, bytes]:
    return {day: output for day, output in printed.items() if output}


def _unreadable(printed: Mapping[date, bytes], there: Iterable[date]) -> frozenset[date]:
    """``there``: the periods of which the router tells when it wrote the file."""
    return frozenset(day for day in {*printed, *there} if not printed.get(day))


def _archives(
    connections: Connections,
    target: RouterTarget,
    names: Mapping[date, str],
    output_of: Callable[[Section, RouterTarget], bytes],
) -> dict[date, bytes]:
    found: dict[date, bytes] = {}
    missing = dict(names)
    for attempt in twice():
        with attempt:
            sections = run_script(connections, target, {name: _archive_command(name) for name in missing.values()})
            for day, name in list(missing.items()):
                section = sections[name]
                if section.exit_status != NO_DATA:
                    found[day] = output_of(section, target)
                    del missing[day]
            if missing and attempt.retry_state.attempt_number == 1:
                raise NlbwmonDown
    return found


def _archive_command(name: str) -> str:
    return f"nlbw -c json -t {_checked(name)}"


def _checked(name: str) -> str:
    """Only digits and dashes get into a command; there is nothing to quote."""
    if not _DATE.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is no name of an accounting period")
    return name
