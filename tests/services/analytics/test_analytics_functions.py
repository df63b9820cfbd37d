"""The pure functions behind anomalies and reports."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st

from services.analytics.period_comparison import PeriodUsage
from services.analytics.unusual_usage import AnomalyKind, Direction, Sensitivity
from services.device_usage_analytics import detect_anomalies, generate_usage_reports
from simulator.devices import Household
from simulator.household import TYPICAL_DEVICES
from utils.nlbwmon_parser import DeviceTotals

PHONE, LAPTOP, TV = "ac:bc:32:8e:51:72", "a4:34:d9:6f:0d:33", "8c:79:f5:21:40:0b"
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2031, 9, 1, tzinfo=BERLIN)
HOUR = timedelta(hours=1)
MB, GB = 10**6, 10**9

Series = list[tuple[datetime, int | None]]
TOTALS = st.dictionaries(
    st.sampled_from([f"02:00:00:00:00:{number:02x}" for number in range(12)]),
    st.builds(DeviceTotals, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)),
)

# --- anomalies -------------------------------------------------------------------------------------------


def nights(count: int, usual: int = 200 * MB, seed: int = 1) -> Series:
    """``count`` days from a Monday on, quiet but for 03:00, which has a backup of about ``usual``."""
    rng = Random(seed)
    return [
        (at, int(usual * rng.uniform(0.5, 1.5)) if at.hour == 3 else rng.randrange(MB))
        for at in (MONDAY + number * HOUR for number in range(24 * count))
    ]


def planted(series: Series, at: datetime, value: int | None) -> Series:
    return [(moment, value if moment == at else old) for moment, old in series]


def test_a_planted_hour_is_found_told_in_a_sentence_and_nothing_else_is() -> None:
    at = MONDAY + timedelta(days=29, hours=3)
    series = planted(nights(35, usual=250 * MB), at, 14_200 * MB)
    (found,) = detect_anomalies(series, direction=Direction.UP)

    assert (found.at, found.direction, found.observed, found.comparisons) == (at, Direction.UP, 14_200 * MB, 21)
    assert 125 * MB <= found.expected_low <= found.expected_high <= 375 * MB
    assert found.score > 50
    assert found.message == "14.2 GB up on Tuesday 03:00; 21 working days before: 0.1 to 0.4 GB"


@pytest.mark.parametrize("first", [datetime(2031, 2, 3, tzinfo=UTC), datetime(2031, 8, 4, tzinfo=UTC)])
def test_clocks_that_change_by_half_an_hour_leave_the_hours_what_they_were(first: datetime) -> None:
    rng, lord_howe = Random(1), ZoneInfo("Australia/Lord_Howe")
    hours = [(first + number * HOUR).astimezone(lord_howe) for number in range(24 * 70)]
    series: Series = [(at, rng.randrange(MB) if at.hour != 3 else rng.randrange(100, 300) * MB) for at in hours]
    change = next(at for at in hours if at.utcoffset() != hours[0].utcoffset())
    for at in [at for at in hours if at.hour == 3 and abs((at - change).days) < 4]:
        (found,) = detect_anomalies(planted(series, at, 2 * GB))
        assert (found.at, found.until, found.kind) == (at, at + HOUR, AnomalyKind.HOURS)


def test_the_same_hour_later_does_not_make_the_first_one_usual() -> None:
    """Only earlier hours count: what comes after changes no verdict."""
    at = MONDAY + timedelta(days=29, hours=3)
    series = planted(nights(60), at, 14 * GB)
    short = [point for point in series if point[0] <= at]

    assert detect_anomalies(short) == [one for one in detect_anomalies(series) if one.at <= at]


def test_with_five_of_that_weekday_the_others_are_not_asked() -> None:
    at = MONDAY + timedelta(days=21 * 7 + 1, hours=3)
    (found,) = detect_anomalies(planted(nights(22 * 7, usual=250 * MB), at, 14_200 * MB), direction=Direction.UP)
    assert found.message == "14.2 GB up on Tuesday 03:00; 21 Tuesdays before: 0.1 to 0.3 GB"


def test_hours_in_a_row_are_one_anomaly_held_against_the_same_hours_together() -> None:
    at = MONDAY + timedelta(days=45, hours=22)
    series = nights(49)
    for number in range(4):
        series = planted(series, at + number * HOUR, (5 + number) * GB)
    (found,) = detect_anomalies(series)
    assert (found.at, found.until, found.kind) == (at, at + 4 * HOUR, AnomalyKind.HOURS)
    assert (found.observed, found.comparisons) == (26 * GB, 6)
    assert found.message == "26.0 GB down on Thursday 22:00 to Friday 02:00; 6 Thursdays before: 1.1 to 2.4 MB"


def test_a_day_is_told_that_no_hour_of_it_explains() -> None:
    rng = Random(3)
    day = MONDAY + timedelta(days=43)
    series: Series = []
    for at in (MONDAY + number * HOUR for number in range(24 * 49)):
        least = 150 if at.date() == day.date() else 60
        used = at.hour >= 8 and (rng.random() < 0.25 or least == 150)
        series.append((at, int(rng.uniform(least, 180) * MB) if used else rng.randrange(MB)))
    (found,) = detect_anomalies(series)
    assert (found.at, found.until, found.kind) == (day, day + timedelta(days=1), AnomalyKind.DAYS)
    assert found.message.startswith(f"{found.observed / GB:.1f} GB down on all of Tuesday; 6 Tuesdays before: ")
    assert found.expected_high < 0.5 * found.observed


def test_a_busy_hour_does_not_make_its_day_one_more_anomaly() -> None:
    at = MONDAY + timedelta(days=29, hours=3)
    assert [one.kind for one in detect_anomalies(planted(nights(35), at, 14 * GB))] == [AnomalyKind.HOURS]


def test_what_deviates_every_few_days_is_no_anomaly() -> None:
    """At a time of the week that was quiet, but no larger and no rarer than at others."""
    rng = Random(5)
    series: Series = [
        (at, rng.randrange(400, 900) * MB if rng.random() < 0.02 else rng.randrange(MB))
        for at in (MONDAY + number * HOUR for number in range(24 * 63))
    ]
    assert detect_anomalies(series, since=MONDAY + timedelta(days=42)) == []


def test_in_the_first_ten_days_nothing_is_said() -> None:
    series = nights(14)
    for day, expected in ((4, []), (8, []), (11, [MONDAY + timedelta(days=11, hours=3)])):
        at = MONDAY + timedelta(days=day, hours=3)
        assert [one.at for one in detect_anomalies(planted(series, at, 14 * GB))] == expected


def test_hours_not_observed_are_no_comparisons_and_are_not_judged() -> None:
    at = MONDAY + timedelta(days=29, hours=3)
    series = planted(nights(35), at, 14 * GB)
    gap = [(moment, None if moment < at and moment.day % 2 else value) for moment, value in series]
    (found,) = detect_anomalies(gap)
    unseen = [(moment, None if moment < at - timedelta(days=4) else value) for moment, value in series]

    assert found.comparisons < 14
    assert detect_anomalies(unseen) == []
    assert detect_anomalies(planted(series, at, None)) == []


def test_tiny_traffic_is_no_anomaly() -> None:
    at = MONDAY + timedelta(days=29, hours=12)
    assert detect_anomalies(planted(nights(35), at, 49 * MB)) == []
    assert len(detect_anomalies(planted(nights(35), at, 120 * MB))) == 1


def test_a_weekend_is_held_against_weekends() -> None:
    series = [
        (at, 3 * GB if at.weekday() >= 5 and at.hour == 15 else 0)
        for at in (MONDAY + number * HOUR for number in range(24 * 42))
    ]
    thursday = MONDAY + timedelta(days=38, hours=15)
    (found,) = detect_anomalies(planted(series, thursday, 3 * GB))
    assert (found.at, found.expected_high) == (thursday, 0)


def test_a_film_begun_an_hour_early_is_no_anomaly() -> None:
    series = [
        (at, 2 * GB if at.hour in (20, 21, 22) else 10_000)
        for at in (MONDAY + number * HOUR for number in range(24 * 35))
    ]
    assert detect_anomalies(planted(series, MONDAY + timedelta(days=29, hours=19), 2 * GB)) == []
    assert len(detect_anomalies(planted(series, MONDAY + timedelta(days=29, hours=4), 2 * GB))) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (400, []),
        (600, [Sensitivity.HIGH]),
        (800, [Sensitivity.MEDIUM, Sensitivity.HIGH]),
        (1_500, [Sensitivity.LOW, Sensitivity.MEDIUM, Sensitivity.HIGH]),
    ],
)
def test_the_more_sensitive_the_less_it_takes(value: int, expected: list[Sensitivity]) -> None:
    series = planted(nights(35), MONDAY + timedelta(days=29, hours=3), value * MB)
    assert [one for one in Sensitivity if detect_anomalies(series, sensitivity=one)] == expected


def test_what_was_out_of_the_ordinary_itself_is_left_out_of_what_is_expected() -> None:
    first, second = MONDAY + timedelta(days=22, hours=3), MONDAY + timedelta(days=29, hours=3)
    found = detect_anomalies(planted(planted(nights(35), first, 9 * GB), second, 14 * GB), since=second)
    assert found[0].expected_high <= 300 * MB
    assert found[0].message.endswith("0.1 to 0.3 GB, but for 1 of them")


def test_the_clock_change_makes_no_anomaly() -> None:
    start = datetime(2031, 9, 1, tzinfo=ZoneInfo("UTC"))
    series = [((start + number * HOUR).astimezone(BERLIN), 0) for number in range(24 * 70)]
    steady: Series = [(at, 500 * MB if at.hour == 3 else 0) for at, _ in series]
    assert detect_anomalies(steady) == []


def test_in_a_lifelike_home_the_planted_hour_is_found_and_nothing_else() -> None:
    start = datetime(2026, 9, 1, tzinfo=ZoneInfo("UTC"))
    first = int(start.timestamp()) // 86_400
    home = Household(TYPICAL_DEVICES, 1, BERLIN)
    hours: dict[tuple[str, int], list[int]] = {}
    for day in range(first, first + 42):
        for tick, deltas in enumerate(home.day(day).ticks):
            for key, _, rx, _, tx, _ in deltas:
                cell = hours.setdefault((key[3], (day - first) * 24 + tick // 12), [0, 0])
                cell[0] += rx
                cell[1] += tx
    since, at = start + timedelta(days=35), start + timedelta(days=38, hours=1)
    hours.setdefault((LAPTOP, 38 * 24 + 1), [0, 0])[1] += 14 * GB
    found = []
    for device in TYPICAL_DEVICES:
        for position, direction in enumerate(Direction):
            series = [
                ((start + hour * HOUR).astimezone(BERLIN), hours.get((device.mac, hour), (0, 0))[position])
                for hour in range(24 * 42)
            ]
            found += [(device.mac, one) for one in detect_anomalies(series, direction=direction, since=since)]
    assert [(mac, one.at, one.direction) for mac, one in found] == [(LAPTOP, at, Direction.UP)]


# --- report ----------------------------------------------------------------------------------------------


def period(totals: dict[str, DeviceTotals] | None, coverage: float = 1.0) -> PeriodUsage:
    return PeriodUsage(start=MONDAY, end=MONDAY + timedelta(days=7), totals=totals, coverage=coverage)


def test_a_report_ranks_devices_and_says_the_most_important_in_sentences() -> None:
    now = {PHONE: DeviceTotals(3 * GB, 0), TV: DeviceTotals(5 * GB, GB), LAPTOP: DeviceTotals(GB, 0)}
    report = generate_usage_reports(
        period(now, 0.8), period({TV: DeviceTotals(8 * GB, 0)}), [], {TV: "客厅电视"}, first_seen={}, unranked={LAPTOP}
    )

    assert [(one.mac, one.percentage) for one in report.top_devices] == [(TV, 60.0), (PHONE, 30.0)]
    assert report.highlights == (
        "10.0 GB were used, 25 % more than in the period before.",
        f"What changed most: {PHONE} +3.0 GB, 客厅电视 −2.0 GB, {LAPTOP} +1.0 GB.",
        "客厅电视 used most: 6.0 GB, 60 % of it.",
        "Only 80 % of the time was observed; what was used in the rest is not known.",
    )


def test_a_report_tells_how_much_more_however_much_that_is() -> None:
    report = generate_usage_reports(
        period({TV: DeviceTotals(100 * GB, 0)}), period({TV: DeviceTotals(1_000, 0)}), [], {}, first_seen={}
    )
    assert report.highlights[0] == "100.0 GB were used, 9,999,999,900 % more than in the period before."


def test_a_report_says_that_the_period_before_was_hardly_observed() -> None:
    used = {TV: DeviceTotals(GB, 0)}
    report = generate_usage_reports(period(used), period(used, 0.08), [], {}, first_seen={})
    assert report.highlights[-1] == "Of the period before only 8 % was observed; more may have been used."


def test_a_report_on_what_nobody_observed_claims_nothing() -> None:
    report = generate_usage_reports(period(None, 0), period({TV: DeviceTotals(1, 1)}), [], {}, first_seen={})
    assert report.highlights == ("Nothing of this period was observed.",)
    assert report.comparison.total.absolute is None


def test_a_report_has_the_most_unusual_first() -> None:
    series = nights(35)
    for day, value in ((28, 9 * GB), (29, 20 * GB)):
        series = planted(series, MONDAY + timedelta(days=day, hours=3), value)
    found = [(PHONE, anomaly) for anomaly in detect_anomalies(series)]
    report = generate_usage_reports(period({}), period({}), found, {}, first_seen={})
    assert [anomaly.observed for _, anomaly in report.anomalies] == [20 * GB, 9 * GB]
