"""POST /refresh of an office with 5,252 rows: everything but the SSH command, against parsing one reading."""

import time
from collections.abc import Iterator

from benchmarks.measure import Options, Result, medians, timed
from benchmarks.netpilot_process import netpilot
from benchmarks.office_router import office_router
from benchmarks.readings import OFFICE
from benchmarks.temporary_database import migrated_database, temporary_home
from utils.nlbwmon_parser import parse_nlbw_json


def refresh(options: Options) -> Iterator[Result]:
    with (
        migrated_database() as url,
        temporary_home() as home,
        office_router() as router,
        netpilot(url, home) as client,
    ):
        client.register(router)

        def ours() -> float:
            router.grow()
            ssh_before = client.ssh_seconds()
            started = time.perf_counter()
            client.ask("POST", "/api/device-usage/refresh")
            total = time.perf_counter() - started
            return total - (client.ssh_seconds() - ssh_before)

        parsing = timed(lambda: parse_nlbw_json(OFFICE))
        ours_s, limit_s = medians(ours, parsing, rounds=options.rounds(40))
    yield Result(name="refresh, 5,252 rows, without SSH", ours_s=ours_s, limit_s=limit_s, at_most_s=0.25)
