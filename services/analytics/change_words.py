"""What changed between two periods as sentences, and what keeps one from believing them. Pure.

Names are what people and devices call themselves: any text, shortened here so that it can't be taken for the sentence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.analytics.change_parts import ChangePart, PartKind, ProtocolPart
from services.analytics.period_comparison import Extent, PeriodComparison, PeriodUsage, both
from utils.printable import harmless
from utils.units import readable_bytes, signed_bytes, signed_percent

#: Longer names are cut in a sentence.
_MOST_OF_NAME = 40

#: Periods whose lengths differ by more than this are not alike; months of 30 and 31 days are.
_ALIKE = 0.05


@dataclass(frozen=True, kw_only=True)
class ComparisonWarning:
    """What to know before a change is believed."""

    code: str
    message: str


def told_change(comparison: PeriodComparison, names: Mapping[str, str], base: str) -> str:
    """The whole change: "1.2 GB more than in the week before (+18 %): TV +1.4 GB, phone −0.2 GB." ``base``: than what,
    such as "in the week before"."""
    total = comparison.total
    if total.before is None or total.after is None:
        unseen = " and ".join(
            f"period {number}" for number, used in ((1, total.before), (2, total.after)) if used is None
        )
        return f"What changed can't be told: nothing of {unseen} was observed."
    if not total.absolute:
        head = f"As much as {base}, {readable_bytes(both(total.after))}"
    else:
        percent = "" if total.percent is None else f" ({signed_percent(total.percent)})"
        word = "more" if total.absolute > 0 else "less"
        head = f"{readable_bytes(abs(total.absolute))} {word} than {base}{percent}"
    parts = told_parts(comparison, names)
    return f"{head}: {parts}." if parts else f"{head}."


def told_parts(comparison: PeriodComparison, names: Mapping[str, str]) -> str:
    """The parts of a change in one line: "TV +1.4 GB, phone (gone) −0.2 GB, 7 others +0.1 GB"."""
    return ", ".join(
        f"{_who(part, comparison, names)} {signed_bytes(part.bytes_down + part.bytes_up)}" for part in comparison.parts
    )


def told_part(part: ChangePart, comparison: PeriodComparison, names: Mapping[str, str]) -> str:
    """One part with its protocols: "TV +1.4 GB: HTTPS +1.3 GB, QUIC +0.1 GB"."""
    head = f"{_who(part, comparison, names)} {signed_bytes(part.bytes_down + part.bytes_up)}"
    return f"{head}: {protocols}" if (protocols := told_protocols(part)) else head


def told_protocols(part: ChangePart) -> str:
    """What a part is made up of in one line: "HTTPS +1.3 GB, QUIC +0.1 GB"."""
    return ", ".join(f"{_what(one)} {signed_bytes(one.bytes_down + one.bytes_up)}" for one in part.protocols)


def _who(part: ChangePart, comparison: PeriodComparison, names: Mapping[str, str]) -> str:
    if part.mac is None:
        return f"{part.devices} others"
    name = harmless(names.get(part.mac, part.mac), _MOST_OF_NAME)
    if part.mac in (comparison.new_devices or ()):
        return f"{name} (new)"
    return f"{name} (gone)" if part.mac in (comparison.gone_devices or ()) else name


def _what(part: ProtocolPart) -> str:
    if part.kind is PartKind.PART_OF_DAY:
        return "part of a day"
    if part.kind is PartKind.OTHERS:
        return f"{part.protocols} other protocols"
    return harmless(part.name or "", _MOST_OF_NAME)


def warnings_of(before: PeriodUsage, after: PeriodUsage) -> Iterator[ComparisonWarning]:
    """Why the two are not to be compared without a second thought, each reason once."""
    for number, usage in enumerate((before, after), start=1):
        if usage.totals is None:
            yield ComparisonWarning(
                code="NOT_OBSERVED",
                message=f"Nothing of period {number} was observed, so that there is nothing to compare."
                if usage.start < usage.end
                else f"Period {number} has only just begun, so that there is nothing to compare yet.",
            )
        elif not usage.is_well_observed:
            yield ComparisonWarning(
                code="PARTLY_OBSERVED",
                message=f"Only {_share(usage.coverage)} of period {number} was observed; what was used in the rest is "
                "not in it. A part of the change may be that nobody looked.",
            )
    yield from _warn_of_lengths(before, after)
    if before.start < after.end and after.start < before.end:
        yield ComparisonWarning(
            code="OVERLAPPING",
            message="The periods overlap. What was used in both is in both, and changes nothing.",
        )


def _warn_of_lengths(before: PeriodUsage, after: PeriodUsage) -> Iterator[ComparisonWarning]:
    lengths = [usage.end - usage.start for usage in (before, after)]
    days = [f"{length.total_seconds() / 86_400:.1f}".removesuffix(".0") for length in lengths]
    running = [number for number, usage in enumerate((before, after), start=1) if usage.extent is Extent.RUNNING]
    if len(running) == 1 and Extent.WHOLE in (before.extent, after.extent):
        number, other = running[0], 3 - running[0]
        yield ComparisonWarning(
            code="STILL_RUNNING",
            message=f"Period {number} is still running: {days[number - 1]} days of it have passed, and period {other} "
            f"has all of its {days[other - 1]}.",
        )
    elif max(lengths) - min(lengths) > _ALIKE * max(lengths):
        yield ComparisonWarning(
            code="DIFFERENT_LENGTHS",
            message=f"Period 1 has {days[0]} days and period 2 has {days[1]}: a longer one has more usage without "
            "anybody having used more.",
        )


def _share(coverage: float) -> str:
    """Never 100 % of what isn't whole."""
    return f"{min(99, int(100 * coverage))} %"
