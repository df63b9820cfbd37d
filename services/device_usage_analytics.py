"""What usage series say. Pure functions: they take series and give verdicts, and touch neither database nor clock."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter, itemgetter

from services.analytics.change_parts import explain
from services.analytics.change_words import told_parts
from services.analytics.period_comparison import (
    Change,
    PeriodComparison,
    PeriodUsage,
    both,
    changes_between,
    deltas_between,
    devices_that_came_and_went,
    protocols_that_came_and_went,
    together,
    total_of,
)
from services.analytics.streaming_anomalies import (
    StreamingAnomalyDetector as StreamingAnomalyDetector,  # looked for here
)
from services.analytics.unusual_usage import (
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
from services.analytics.usage_trends import UsageTrends, by_direction, judge_trend
from services.analytics.usual_usage import UsualUsage
from utils.units import readable_bytes, signed_percent


def calculate_usage_trends(
    series: Mapping[str, Sequence[float | None]], earlier: Mapping[str, Sequence[float | None]] | None = None
) -> UsageTrends:
    """Sort devices by the direction of their usage, in bytes a day; None marks a day nobody observed.

    ``earlier``: the days right before those, which tell what is usual of a device and make the verdict surer.
    """
    before = earlier or {}
    return by_direction({mac: judge_trend(values, before.get(mac, ())) for mac, values in series.items()})


def compare_periods(
    before: PeriodUsage,
    after: PeriodUsage,
    *,
    first_seen: Mapping[str, datetime],
    unranked: Collection[str] = (),
) -> PeriodComparison:
    """Compare two periods' usage by device and protocol, in bytes, and explain the change by its largest parts.

    ``first_seen``: when each MAC was; ``unranked``: MACs that are no device, which neither come nor go.
    """
    total = Change(before=total_of(before.totals), after=total_of(after.totals))
    if before.totals is None or after.totals is None:
        return PeriodComparison(total=total)
    devices = changes_between(before.totals, after.totals)
    used_before, used_after = ({mac: usage.protocols_of(mac) for mac in devices} for usage in (before, after))
    protocols = changes_between(together(used_before.values()), together(used_after.values()))
    ranked = {mac: change for mac, change in devices.items() if mac not in unranked}
    who = devices_that_came_and_went(before, after, ranked, first_seen)
    what = protocols_that_came_and_went(before, after, protocols)
    return PeriodComparison(
        total=total,
        devices=devices,
        used_before=used_before,
        used_after=used_after,
        protocols=protocols,
        parts=explain({mac: deltas_between(used_before[mac], used_after[mac]) for mac in devices}),
        new_devices=who.new,
        returned_devices=who.returned,
        gone_devices=who.gone,
        new_protocols=what.new,
        gone_protocols=what.gone,
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
    minute = observed[-1][0].minute  # on Lord Howe Island clocks change by half an hour: what began at three is 03:30
    for at, value in observed:
        wall = at.replace(tzinfo=None, minute=minute)
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
    first_seen: Mapping[str, datetime],
    unranked: Collection[str] = (),
    top: int = 10,
) -> UsageReport:
    """Put a period's report together. ``unranked``: MACs that are no device; they count in the totals alone.

    ``first_seen``: when each MAC was.
    """
    comparison = compare_periods(previous, period, first_seen=first_seen, unranked=unranked)
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
        highlights=tuple(_highlights(period, previous, comparison, top_devices, names)),
    )


def _highlights(
    period: PeriodUsage,
    previous: PeriodUsage,
    comparison: PeriodComparison,
    top_devices: Sequence[ReportedDevice],
    names: Mapping[str, str],
) -> Iterator[str]:
    total = comparison.total
    if total.after is None:
        yield "Nothing of this period was observed."
        return
    more = ""
    if total.percent is not None:
        change = signed_percent(abs(total.percent)).lstrip("+")
        more = f", {change} {'less' if total.percent < 0 else 'more'} than in the period before"
    yield f"{readable_bytes(both(total.after))} were used{more}."
    if parts := told_parts(comparison, names):
        yield f"What changed most: {parts}."
    for device in top_devices[:1]:
        amount = readable_bytes(device.bytes_down + device.bytes_up)
        yield f"{names.get(device.mac, device.mac)} used most: {amount}, {device.percentage:g} % of it."
    if total.before is not None and not previous.is_well_observed:
        yield f"Of the period before only {100 * previous.coverage:.0f} % was observed; more may have been used."
    if not period.is_well_observed:
        yield f"Only {100 * period.coverage:.0f} % of the time was observed; what was used in the rest is not known."
