"""A home's first weeks: whatever day it is, every question has an answer, and the answers agree."""

from collections.abc import Callable
from datetime import timedelta

from server import Runtime, create_app
from simulator.clock import ManualClock
from simulator.home import typical_home
from simulator.ssh_server import SshServer
from tests.homes import Api, register

BASE = "/api/device-usage"
QUESTIONS = (
    "devices/merge-suggestions",
    "summary?period=7days",
    "summary?period=30days",
    "analytics/trends?period=7days",
    "analytics/trends?period=30days",
    "analytics/anomalies?sensitivity=high",
    "analytics/compare?period=month",
)


def test_on_each_day_every_question_has_an_answer_and_the_answers_agree(
    make_runtime: Callable[..., Runtime], ssh: SshServer, clock: ManualClock
) -> None:
    """Twenty-four days, a reading every six hours."""
    runtime = make_runtime()
    context = register(runtime, ssh.add(typical_home(start=clock.now(), clock=clock, ledger=False)))
    api = Api(create_app(runtime).test_client())
    for reading in range(4 * 24):
        runtime.collector.collect(context)
        clock.advance(timedelta(hours=6))
        if reading % 4:
            continue
        for question in QUESTIONS:
            api.data(f"{BASE}/{question}")
        week = {"startDate": str((clock.now() - timedelta(days=6)).date()), "endDate": str(clock.now().date())}
        totals = api.data(f"{BASE}/history", query_string=week)["totals"]
        rows = api.data(f"{BASE}/export/json", query_string=week)["rows"]
        report = api.data(f"{BASE}/report/generate", "POST", json={"period": "range", **week})
        for told in (api.data(f"{BASE}/{path}", query_string=week) for path in ("people", "protocols")):
            assert told["totals"] == totals
        assert report["usage"]["totalBytes"] == totals["totalBytes"]
        assert sum(row["totalBytes"] for row in rows) == (totals["totalBytes"] or 0)
        change = api.data(f"{BASE}/analytics/compare", query_string={"period": "week"})
        assert sum(part["totalBytes"] for part in change["parts"]) == (change["changeBytes"] or 0)
