"""Reading an office's 5,252 rows, checked and summed up by device, against orjson making lists of the same bytes."""

from collections.abc import Iterator

import orjson

from benchmarks.measure import Options, Result, medians, timed
from benchmarks.readings import OFFICE
from utils.nlbwmon_parser import parse_nlbw_json


def parse(options: Options) -> Iterator[Result]:
    ours_s, limit_s = medians(
        timed(lambda: parse_nlbw_json(OFFICE)), timed(lambda: orjson.loads(OFFICE)), rounds=options.rounds(300)
    )
    yield Result(name="parse, 5,252 rows", ours_s=ours_s, limit_s=limit_s, at_most=1.6)
