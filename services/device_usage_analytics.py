"""What usage series say. Pure functions: they take series and give verdicts, and touch neither database nor clock."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter, itemgetter

from services.period_comparison import Change, ChangePart, PeriodComparison, PeriodUsage, both, total_of
from services.streaming_anomalies import StreamingAnomalyDetector as StreamingAnomalyDetector  # looked for here
from services.unusual_usage import (
    LIMITS,
    Anomaly,
    Direction,
    Sensitivity,
    anomaly_of_days,
    anomaly_of_hours,
    days_standing_out,
    days_up_to,
    deviations,
    episodes,
    in_zone,
    surprises,
)
from services.usage_trends import UsageTrends, by_direction, judge_trend
from services.usual_usage import UsualUsage
from utils.nlbwmon_parser import DeviceTotals
from utils.units import readable_bytes

#: Observed less of the time than this, a report says so.
WELL_OBSERVED = 0.95


def calculate_usage_trends(
    series: Mapping[str, Sequence[float | None]], earlier: Mapping[str, Sequence[float | None]] | None = None
) -> UsageTrends:
    """Sort devices by the direction of their usage, in bytes a day; None marks a day nobody observed.

    ``earlier``: the days right before those, which tell what is usual of a device and make the verdict surer.
    """
    before = earlier or {}
    return by_direction({mac: judge_trend(values, before.get(mac, ())) for mac, values in series.items()})


def compare_periods(
    before: Mapping[str, DeviceTotals] | None, after: Mapping[str, DeviceTotals] | None, *, named: int = 5
) -> PeriodComparison:
    """Compare two periods' usage by MAC, in bytes; None is a period that nobody observed.

    The ``named`` devices with the largest changes are parts of their own, all others are one.
    """
    total = Change(before=total_of(before), after=total_of(after))
    if before is None or after is None:
        return PeriodComparison(total=total, devices={}, parts=())
    nothing = DeviceTotals(0, 0)
    pairs = {mac: (before.get(mac, nothing), after.get(mac, nothing)) for mac in {*before, *after}}
    macs = sorted(pairs, key=lambda mac: (-abs(both(pairs[mac][1]) - both(pairs[mac][0])), mac))
    moved = [mac for mac in macs if pairs[mac][0] != pairs[mac][1]]
    groups: list[tuple[str | None, list[str]]] = [(mac, [mac]) for mac in moved[:named]]
    if others := moved[named:]:
        groups.append((None, others))
    return PeriodComparison(
        total=total,
        devices={mac: Change(before=pairs[mac][0], after=pairs[mac][1]) for mac in macs},
        parts=tuple(
            ChangePart(
                mac=name,
                devices=len(group),
                bytes_down=sum(pairs[mac][1].bytes_down - pairs[mac][0].bytes_down for mac in group),
                bytes_up=sum(pairs[mac][1].bytes_up - pairs[mac][0].bytes_up for mac in group),
            )
            for name, group in groups
        ),
    )


def detect_anomalies(
    series: Iterable[tuple[datetime, int | None]],
    *,
    sensitivity: Sensitivity = Sensitivity.MEDIUM,
    direction: Direction = Direction.DOWN,
    since: datetime | None = None,
) -> list[Anomaly]:
    """The hours and days of one device and direction with far more traffic than usual, from ``since`` on, in order.

    ``series``: the local start of each hour and its bytes, None where it was not (wholly) observed. What stands out is
    far above the same hours of the week before, and above a busy hour around that time: a film that begins an hour
    early is no news. It is told if the stream detector, which follows how far the device's hours deviate, is surprised
    by it: what deviates like that every other day is none. Hours in a row are one anomaly; a day is told only if
    no hours of it explain it. Less traffic than usual is no anomaly.
    """
    observed = [(at, value) for at, value in sorted(series, key=itemgetter(0)) if value is not None]
    if not observed:
        return []
    starts: dict[datetime, datetime] = {}
    hours: dict[datetime, int] = {}
    for at, value in observed:
        wall = at.replace(tzinfo=None)
        if value >= hours.get(wall, 0):  # of two hours that a clock change makes one, the larger
            starts[wall], hours[wall] = at, value
    begin = observed[0][0] if since is None else since.astimezone(observed[0][0].tzinfo) if since.tzinfo else since
    first, limits, usual = begin.replace(tzinfo=None), LIMITS[sensitivity], UsualUsage(hours)

    found = []
    standing_out = episodes(hours, usual, limits, first)
    if standing_out:
        surprise = surprises(deviations(hours, usual, first))
        for episode, before in standing_out:
            if max(surprise.get(at, 0.0) for at in episode.hours()) >= limits.surprise:
                found.append(anomaly_of_hours(episode, usual, before, direction, limits))
    if runs := days_standing_out(usual, standing_out, limits, first):
        surprise = surprises(days_up_to(hours, first))
        for days in runs:
            if max(surprise.get(at, 0.0) for at in hours if days[0] <= at.date() <= days[-1]) >= limits.surprise:
                found.append(anomaly_of_days(days, usual, direction, limits))
    return [in_zone(one, starts) for one in sorted(found, key=attrgetter("at"))]


# --- the report of a period ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ReportedDevice:
    """One of the devices that used most, in bytes."""

    mac: str
    bytes_down: int
    bytes_up: int
    #: Of all usage of the period, 0 to 100.
    percentage: float


@dataclass(frozen=True, kw_only=True)
class UsageReport:
    """A period for people: how much, whose, against the period before, and what was unusual."""

    period: PeriodUsage
    previous: PeriodUsage
    comparison: PeriodComparison
    top_devices: tuple[ReportedDevice, ...]
    #: With the MAC whose it was, the most unusual first.
    anomalies: tuple[tuple[str, Anomaly], ...]
    #: The same in sentences.
    highlights: tuple[str, ...]


def generate_usage_reports(
    period: PeriodUsage,
    previous: PeriodUsage,
    anomalies: Iterable[tuple[str, Anomaly]],
    names: Mapping[str, str],
    *,
    unranked: Collection[str] = (),
    top: int = 10,
) -> UsageReport:
    """Put a period's report together. ``unranked``: MACs that are no device; they count in the totals alone."""
    comparison = compare_periods(previous.totals, period.totals)
    total = both(comparison.total.after)
    ranked = sorted(
        ((mac, used) for mac, used in (period.totals or {}).items() if mac not in unranked and both(used)),
        key=lambda device: (-both(device[1]), device[0]),
    )
    top_devices = tuple(
        ReportedDevice(mac=mac, bytes_down=down, bytes_up=up, percentage=round(100 * (down + up) / total, 1))
        for mac, (down, up) in ranked[:top]
    )
    return UsageReport(
        period=period,
        previous=previous,
        comparison=comparison,
        top_devices=top_devices,
        anomalies=tuple(sorted(anomalies, key=lambda one: -one[1].score)),
        highlights=tuple(_highlights(period, comparison.total, top_devices, names)),
    )


def _highlights(
    period: PeriodUsage, total: Change, top_devices: Sequence[ReportedDevice], names: Mapping[str, str]
) -> Iterator[str]:
    if total.after is None:
        yield "Nothing of this period was observed."
        return
    more = "" if total.percent is None else f", {abs(total.percent):g} % {'less' if total.percent < 0 else 'more'}"
    yield f"{readable_bytes(both(total.after))} were used{more and more + ' than in the period before'}."
    for device in top_devices[:1]:
        amount = readable_bytes(device.bytes_down + device.bytes_up)
        yield f"{names.get(device.mac, device.mac)} used most: {amount}, {device.percentage:g} % of it."
    if period.coverage < WELL_OBSERVED:
        yield f"Only {100 * period.coverage:.0f} % of the time was observed; what was used in the rest is not known."
