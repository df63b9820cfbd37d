"""How lines of the log look."""

import json
import logging
import time
from collections.abc import Iterator

import pytest

from utils.logs import set_up_logging


@pytest.fixture(autouse=True)
def others_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somewhere far from UTC; pytest's own handlers are back at the end."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    monkeypatch.setattr(logging.root, "handlers", [])
    level = logging.root.level
    yield
    logging.root.setLevel(level)
    monkeypatch.undo()
    time.tzset()


def tell() -> None:
    record = logging.makeLogRecord(
        {
            "name": "root",
            "msg": "it is nine",
            "created": 1_794_387_600.25,
            "msecs": 250.0,
            "levelname": "INFO",
            "levelno": logging.INFO,
        }
    )
    logging.root.handle(record)


def test_times_are_in_utc_wherever_the_machine_is(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "text")
    tell()
    assert capsys.readouterr().err == "2026-11-11T09:00:00.250Z INFO    root: it is nine\n"


def test_for_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")
    tell()
    assert json.loads(capsys.readouterr().err)["asctime"] == "2026-11-11T09:00:00.250Z"
