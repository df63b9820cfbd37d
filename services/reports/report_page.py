"""A report in the words and lengths that its page shows: texts to print, and bars as shares of their chart. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from services.accounting.notes import Quality
from services.analytics.change_words import told_protocols
from services.analytics.period_comparison import Change
from services.buckets import Granularity
from services.people import Person
from services.reports.report_period import ReportPeriod
from services.reports.reports import ChartedUsage, PeriodReport
from services.usage_quality import WELL_OBSERVED
from utils.nlbwmon_parser import DeviceTotals
from utils.printable import printable
from utils.time import Zone
from utils.units import readable_bytes, signed_bytes, signed_percent

#: Rows of each list; of what is left out the page says how much it is.
MOST_ROWS = 12
MOST_NAMES = 6

_TITLES = {
    ReportPeriod.DAY: "Network usage of a day",
    ReportPeriod.WEEK: "Network usage of a week",
    ReportPeriod.MONTH: "Network usage of a month",
    ReportPeriod.RANGE: "Network usage",
}
#: What the page has to say of usage that is not simply measured; `recovered` is exact as well.
_MEANINGS = {
    Quality.ESTIMATED: "usage is partly an estimate: it is exact in sum, but the router was not read for hours or "
    "days, or only its archives tell of it.",
    Quality.UNKNOWN: "more may have been used than could be counted.",
}
_BARS = {Granularity.HOUR: "hour", Granularity.DAY: "day", Granularity.WEEK: "week", Granularity.MONTH: "month"}

#: Room for the largest changes with their names.
_MOST_OF_SENTENCE = 400

#: About so many bars have a label.
_LABELS = 12

Section = dict[str, Any]


def report_page(report: PeriodReport) -> Section:
    """Everything that the template prints. Nothing of it is markup: the template takes it all as text."""
    told = report.told
    is_known = told.comparison.total.after is not None
    return {
        "title": _TITLES[report.period],
        "router": printable(report.router_name),
        "days": _days(report.days.days.first, report.days.days.last),
        "zone": report.zone.key,
        "made": f"{_moment(report.made_at, report.zone)}",
        "isRunning": report.days.span.end >= report.made_at,
        "isKnown": is_known,
        "highlights": [printable(sentence, _MOST_OF_SENTENCE) for sentence in told.highlights],
        "figures": _figures(report) if is_known else [],
        "charts": _charts(report) if is_known else [],
        "sections": [section for section in _sections(report) if section["rows"]] if is_known else [],
        "gaps": _gaps(report),
        "doubts": list(_doubts(report)),
    }


def _figures(report: PeriodReport) -> list[Section]:
    total = report.told.comparison.total
    down, up = total.after or DeviceTotals(0, 0)
    was = "before: not observed" if total.before is None else f"before: {readable_bytes(sum(total.before))}"
    # The minutes since the last reading are no gap.
    observed = _share(report.told.period.coverage) if report.gaps else "100 %"
    return [
        {"label": "In all", "value": readable_bytes(down + up), "note": f"{down + up:,} bytes"},
        {"label": "Down", "value": readable_bytes(down), "note": "received by devices"},
        {"label": "Up", "value": readable_bytes(up), "note": "sent by devices"},
        {"label": "Change", "value": _change(total), "note": was},
        {"label": "Observed", "value": observed, "note": "of the time"},
    ]


# --- charts ----------------------------------------------------------------------------------------------


def _charts(report: PeriodReport) -> list[Section]:
    charts = [
        _chart(f"By {_BARS[report.granularity]}", [_bar(one, report) for one in report.chart], has_directions=True)
    ]
    if any(report.typical_day):
        hours = [
            {"label": f"{hour:02}", "down": used or 0, "up": 0, "isMissing": used is None, "isDoubtful": False}
            for hour, used in enumerate(report.typical_day)
        ]
        charts.append(_chart("By hour of the day, on average", hours, has_directions=False))
    return charts


def _bar(charted: ChartedUsage, report: PeriodReport) -> Section:
    (down, up), span = charted.usage, charted.bucket.span
    # The minutes since the last reading are no gap, however large a part of a running hour they are.
    has_gap = any(gap.start < span.end and span.start < gap.end for gap in report.gaps)
    return {
        "label": _bar_label(span.start.astimezone(report.zone.tz), report.granularity),
        "down": down or 0,
        "up": up or 0,
        "isMissing": has_gap and down is None,
        "isDoubtful": has_gap and down is not None and charted.coverage < WELL_OBSERVED,
    }


def _chart(title: str, bars: list[Section], *, has_directions: bool) -> Section:
    """Bars and lines as shares of the chart's height."""
    step, most = scale_of(max(bar["down"] + bar["up"] for bar in bars))
    every = math.ceil(len(bars) / _LABELS)
    return {
        "title": title,
        "hasDirections": has_directions,
        "hasMissing": any(bar["isMissing"] or bar["isDoubtful"] for bar in bars),
        "lines": [
            {"at": line * step / most, "label": _round_bytes(line * step)} for line in range(round(most / step) + 1)
        ],
        "bars": [
            {
                **bar,
                "down": bar["down"] / most,
                "up": bar["up"] / most,
                "label": bar["label"] if number % every == 0 else "",
            }
            for number, bar in enumerate(bars)
        ],
    }


def scale_of(largest: int) -> tuple[int, int]:
    """A round step between a chart's lines, in bytes, and what its height stands for: two to five steps."""
    power = 10 ** max(0, len(str(largest)) - 2)
    steps = (step * power for step in (1, 2, 5, 10, 20, 50))
    step = next(step for step in steps if largest <= 5 * step)
    return step, step * max(2, math.ceil(largest / step))


def _bar_label(start: datetime, granularity: Granularity) -> str:
    if granularity is Granularity.HOUR:
        return f"{start:%H}"
    return f"{start:%b} {start.year}" if granularity is Granularity.MONTH else f"{start.day} {start:%b}"


# --- lists -----------------------------------------------------------------------------------------------


def _sections(report: PeriodReport) -> Iterable[Section]:
    """The lists of the page in their order; those without a row are left out."""
    yield _top_devices(report)
    yield _people(report)
    yield _changes(report)
    yield _anomalies(report)


def _top_devices(report: PeriodReport) -> Section:
    return _usage_section(
        "Devices that used most",
        [
            (report.names[device.mac], device.mac, DeviceTotals(device.bytes_down, device.bytes_up))
            for device in report.told.top_devices
        ],
        report.told.comparison.total.after,
    )


def _people(report: PeriodReport) -> Section:
    rows = [
        (
            "Nobody's" if person.is_nobody else person.name,
            "devices without a person, the router and unresolved hosts" if person.is_nobody else _devices_of(person),
            DeviceTotals(person.bytes_down, person.bytes_up),
        )
        for person in report.people[:MOST_ROWS]
    ]
    section = _usage_section("People", rows, report.told.comparison.total.after)
    return {**section, "more": " ".join(_more(len(report.people)))}


def _devices_of(person: Person) -> str:
    used = [device.name for device in person.devices if device.bytes_down or device.bytes_up]
    return f"{len(used)} device{'s' if len(used) > 1 else ''}"


def _usage_section(title: str, rows: Sequence[tuple[str, str, DeviceTotals]], total: DeviceTotals | None) -> Section:
    """Who used how much, with a bar each: name, a word below it, bytes. ``total``: what their shares are of."""
    whole = sum(total) if total else 0
    largest = max((sum(used) for _, _, used in rows), default=0)
    return {
        "title": title,
        "intro": "",
        "head": ["", "Down", "Up", "In all", "Share", ""],
        "rows": [
            {
                "name": printable(name),
                "note": note if note != name else "",
                "cells": [
                    readable_bytes(used.bytes_down),
                    readable_bytes(used.bytes_up),
                    readable_bytes(sum(used)),
                    _share(sum(used) / whole) if whole else "",
                ],
                "bar": sum(used) / largest if largest else 0,
            }
            for name, note, used in rows
        ],
        "more": "",
    }


def _changes(report: PeriodReport) -> Section:
    comparison, before = report.told.comparison, report.told.previous
    changes = [(mac, change) for mac, change in comparison.devices.items() if change.absolute]
    notes = [
        f"{what}: {_named(macs, report.names)}."
        for what, macs in (
            ("New", comparison.new_devices),
            ("Back again", comparison.returned_devices),
            ("Only in the period before", comparison.gone_devices),
        )
        if macs
    ]
    protocols = {part.mac: told_protocols(part) for part in comparison.parts}
    return {
        "title": "What changed",
        "intro": f"Since the period before, which is {_moment(before.start, report.zone)} to "
        f"{_moment(before.end, report.zone)}.",
        "head": ["", "Before", "Now", "Change", ""],
        "rows": [
            {
                "name": printable(report.names[mac]),
                "note": printable(protocols.get(mac, ""), _MOST_OF_SENTENCE),
                "cells": [
                    readable_bytes(sum(change.before or ())),
                    readable_bytes(sum(change.after or ())),
                    signed_bytes(change.absolute or 0),
                    "new" if mac in (comparison.new_devices or ()) else _change(change),
                ],
                "bar": None,
            }
            for mac, change in changes[:MOST_ROWS]
        ],
        "more": " ".join([*_more(len(changes)), *notes]).strip(),
    }


def _anomalies(report: PeriodReport) -> Section:
    anomalies = report.told.anomalies
    return {
        "title": "Out of the ordinary",
        "intro": "Far more than the same device used at such times before.",
        "head": ["", "When", ""],
        "rows": [
            {
                "name": printable(report.names[mac]),
                "note": "",
                "cells": [_moment(anomaly.at, report.zone), anomaly.message],
                "bar": None,
            }
            for mac, anomaly in anomalies[:MOST_ROWS]
        ],
        "more": " ".join(_more(len(anomalies))),
    }


def _gaps(report: PeriodReport) -> Section:
    longest = sorted(report.gaps, key=lambda gap: gap.start - gap.end)[:MOST_ROWS]
    return {
        "rows": [
            {
                "from": _moment(gap.start, report.zone),
                "to": _moment(gap.end, report.zone),
                "length": _length(gap.end - gap.start),
            }
            for gap in sorted(longest)
        ],
        "more": f"And {len(report.gaps) - MOST_ROWS} shorter ones." if len(report.gaps) > MOST_ROWS else "",
    }


def _doubts(report: PeriodReport) -> Iterable[str]:
    """In how many of the chart's bars usage is not simply measured, and what that means."""
    qualities = [one.trust.quality for one in report.chart]
    for quality, meaning in _MEANINGS.items():
        if count := qualities.count(quality):
            yield f"In {count} of {len(qualities)} {_BARS[report.granularity]}s {meaning}"


# --- words -----------------------------------------------------------------------------------------------


def _days(first: date, last: date) -> str:
    """Such as 17 to 24 November 2026, the year and month once."""
    if first == last:
        return f"{last:%A}, {last.day} {last:%B %Y}"
    start = f"{first.day}"
    if (first.year, first.month) != (last.year, last.month):
        start += f" {first:%B}"
    if first.year != last.year:
        start += f" {first.year}"
    return f"{start} to {last.day} {last:%B %Y}"


def _moment(moment: datetime, zone: Zone) -> str:
    local = moment.astimezone(zone.tz)
    return f"{local:%a} {local.day} {local:%b} {local.year}, {local:%H:%M}"


def _length(length: timedelta) -> str:
    minutes = max(1, round(length / timedelta(minutes=1)))
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(part for part in parts if part)


def _share(share: float) -> str:
    """Never 100 % of what isn't whole, nor 0 % of what isn't nothing."""
    percent = 100 * share
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{min(percent, 99.9 if share < 1 else 100.0):.1f} %".replace(".0 %", " %")


def _change(change: Change) -> str:
    return "–" if change.percent is None else signed_percent(change.percent)


def _round_bytes(amount: int) -> str:
    return readable_bytes(amount).replace(".0 ", " ") if amount else "0"


def _more(count: int) -> list[str]:
    return [f"And {count - MOST_ROWS} more."] if count > MOST_ROWS else []


def _named(macs: Sequence[str], names: Mapping[str, str]) -> str:
    shown = ", ".join(printable(names.get(mac, mac), 30) for mac in macs[:MOST_NAMES])
    return f"{shown} and {len(macs) - MOST_NAMES} more" if len(macs) > MOST_NAMES else shown
