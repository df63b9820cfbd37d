"""How far usage is to be trusted: the worst that any event says of a bucket's time."""

from datetime import UTC, datetime, timedelta

from services.accounting.notes import Quality
from services.buckets import Span
from services.usage_quality import Doubt, Trust, judge, overall

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


def hours(start: float, end: float) -> Span:
    return Span(NOON + timedelta(hours=start), NOON + timedelta(hours=end))


BUCKETS = [hours(number, number + 1) for number in range(4)]


def doubt(start: float, end: float, quality: Quality, reason: str = "gap") -> Doubt:
    return Doubt(span=hours(start, end), quality=quality, reason=reason)


def qualities(*doubts: Doubt, coverages: tuple[float, ...] = (1, 1, 1, 1)) -> list[Quality | None]:
    return [trust.quality for trust in judge(BUCKETS, coverages, doubts)]


def test_what_nobody_doubts_was_measured() -> None:
    assert qualities() == [Quality.MEASURED] * 4


def test_what_was_not_observed_is_not_known() -> None:
    assert qualities(coverages=(0, 0, 0.1, 1)) == [None, None, Quality.MEASURED, Quality.MEASURED]


def test_a_doubt_is_about_the_buckets_it_touches_and_no_other() -> None:
    assert qualities(doubt(1, 2, Quality.ESTIMATED)) == [
        Quality.MEASURED,
        Quality.ESTIMATED,
        Quality.MEASURED,
        Quality.MEASURED,
    ]
    assert qualities(doubt(0.9, 2.1, Quality.UNKNOWN)) == [*[Quality.UNKNOWN] * 3, Quality.MEASURED]
    assert qualities(doubt(-5, 0, Quality.UNKNOWN), doubt(4, 9, Quality.UNKNOWN)) == [Quality.MEASURED] * 4
    assert qualities(doubt(-5, 9, Quality.UNKNOWN)) == [Quality.UNKNOWN] * 4


def test_the_worst_counts_and_every_reason_is_named_once() -> None:
    trusts = judge(
        BUCKETS,
        (1, 1, 1, 1),
        [
            doubt(0, 1, Quality.UNKNOWN, "gap"),
            doubt(0, 1, Quality.RECOVERED, "recovered"),
            doubt(0.5, 2, Quality.UNKNOWN, "gap"),
        ],
    )
    assert trusts[0] == Trust(quality=Quality.UNKNOWN, reasons=("gap", "recovered"))
    assert overall(trusts) == Trust(quality=Quality.UNKNOWN, reasons=("gap", "recovered"))


def test_nothing_at_all_is_not_known() -> None:
    assert overall([]) == Trust(quality=None)
    assert overall(judge(BUCKETS, (0, 0, 0, 0), [])) == Trust(quality=None)
