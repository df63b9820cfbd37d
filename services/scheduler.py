"""The clockwork: what runs by itself, and how often. One a process; each job is a method of some service."""

import logging
from collections.abc import Callable
from datetime import datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

logger = logging.getLogger(__name__)

Job = Callable[[], object]


def make_scheduler(
    *, every_second: Job | None, every_few_seconds: list[Job], every_day: Job, now: datetime
) -> BackgroundScheduler:
    """A scheduler with these jobs, not started yet.

    A job that is late runs once, not once for each time it was missed, and never beside itself.
    """
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={"default": ThreadPoolExecutor(4)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    if every_second is not None:
        scheduler.add_job(_guarded(every_second), "interval", seconds=1, next_run_time=now)
    for job in every_few_seconds:
        scheduler.add_job(_guarded(job), "interval", seconds=5)
    scheduler.add_job(_guarded(every_day), "interval", hours=24, next_run_time=now, jitter=600)
    return scheduler


def _guarded(job: Job) -> Callable[[], None]:
    """A job that fails is logged and comes again; the scheduler goes on."""

    def run() -> None:
        try:
            job()
        except Exception:
            logger.exception("a scheduled job failed")

    return run
