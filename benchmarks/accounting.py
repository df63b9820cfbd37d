"""Usage between two readings of 5,252 rows, a third of which grew, against parsing the two."""

from collections.abc import Iterator

from benchmarks.measure import Options, Result, medians, timed
from benchmarks.readings import FIRST_READING, INTERVAL, OFFICE, PERIOD, grown, nlbw_json
from services.accounting.account import account, compare
from services.accounting.counters import Reading
from services.accounting.wanted_files import wanted_files
from utils.nlbwmon_parser import parse_nlbw_json


def accounting(options: Options) -> Iterator[Result]:
    printed = [OFFICE, nlbw_json(grown(parse_nlbw_json(OFFICE).rows, share=1 / 3))]
    before, after = (parse_nlbw_json(output).rows for output in printed)

    def readings() -> tuple[Reading, Reading]:
        """New ones each time: a reading keeps its index."""
        return (
            Reading(read_at=FIRST_READING, period_start=PERIOD.start, rows=before, boot_id="1"),
            Reading(read_at=FIRST_READING + INTERVAL, period_start=PERIOD.start, rows=after, boot_id="1"),
        )

    def alone() -> object:
        old, new = readings()
        return account(compare(old, new), new)

    def as_collected() -> object:
        old, new = readings()
        compared = compare(old, new)
        wanted_files(compared)
        return account(compared, new).by_device()

    alone_s, collected_s, limit_s = medians(
        timed(alone),
        timed(as_collected),
        timed(lambda: [parse_nlbw_json(output) for output in printed]),
        rounds=options.rounds(200),
    )
    yield Result(name="accounting, two readings", ours_s=alone_s, limit_s=limit_s, at_most=1.0)
    yield Result(name="accounting, with all that a collection asks", ours_s=collected_s, limit_s=limit_s)
