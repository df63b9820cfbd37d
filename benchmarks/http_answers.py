"""Answers of the real web server, against the same server sending a constant of the same size. For information.

The client keeps its connection. /current is shared with the reading of at most 5 s ago, as a dashboard meets it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg2

from benchmarks.measure import Options, Result, medians, timed
from benchmarks.netpilot_process import Client, netpilot
from benchmarks.office_router import office_router
from benchmarks.stored_usage import add_devices, add_rollups
from benchmarks.temporary_database import migrated_database, temporary_home


def http_answers(options: Options) -> Iterator[Result]:
    today = datetime.now(UTC).date()
    history = f"/api/device-usage/history?startDate={today - timedelta(days=29)}&endDate={today}&granularity=day"
    with (
        migrated_database() as url,
        temporary_home() as home,
        office_router() as router,
        netpilot(url, home) as client,
    ):
        conn = psycopg2.connect(url)
        router_id = client.register(router)
        add_devices(conn, router_id)
        add_rollups(conn, router_id, last_day=today)
        conn.commit()
        conn.close()
        client.ask("POST", "/api/device-usage/refresh")
        for name, path in (
            ("/current", "/api/device-usage/current"),
            ("/history, 30 days, 50 devices", f"{history}&pageSize=50"),
            ("/history, 30 days, 250 devices", f"{history}&pageSize=250"),
        ):
            yield _against_constant(client, name, path, options.rounds(150))


def _against_constant(client: Client, name: str, path: str, rounds: int) -> Result:
    size = len(client.ask("GET", path))
    ours_s, limit_s = medians(
        timed(lambda: client.ask("GET", path)),
        timed(lambda: client.ask("GET", f"/benchmark/constant/{size}")),
        rounds=rounds,
    )
    return Result(name=f"http {name}, {size / 1000:.0f} kB", ours_s=ours_s, limit_s=limit_s)
