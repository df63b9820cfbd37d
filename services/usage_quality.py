"""How far the usage of a span is to be trusted, from the events of its time. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.accounting.notes import RANK, Quality
from services.buckets import Span

#: Usage that was observed less of the time than this is not told without saying so.
WELL_OBSERVED = 0.95


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The worst that is known of a span's usage, and why."""

    #: None where nothing is known of it at all: before monitoring, or in the future.
    quality: Quality | None
    #: Types of the events behind it, each once, in order of time; none where it is simply measured.
    reasons: tuple[str, ...] = ()


_MEASURED, _UNKNOWN = Trust(quality=Quality.MEASURED), Trust(quality=None)


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A span of whose usage something is to be said."""

    span: Span
    quality: Quality
    reason: str


def judge(spans: Sequence[Span], coverages: Sequence[float], doubts: Iterable[Doubt]) -> list[Trust]:
    """What holds for each of ``spans``, which are in order and apart. ``coverages``: the share observed of each."""
    trusts = [_MEASURED if share > 0 else _UNKNOWN for share in coverages]
    starts: list[datetime] = [span.start for span in spans]
    ends: list[datetime] = [span.end for span in spans]
    for doubt in doubts:
        for index in range(bisect_right(ends, doubt.span.start), bisect_left(starts, doubt.span.end)):
            trusts[index] = _worse(trusts[index], doubt.quality, (doubt.reason,))
    return trusts


def overall(trusts: Iterable[Trust]) -> Trust:
    """The worst of all."""
    worst = _UNKNOWN
    for trust in trusts:
        if trust.quality is not None:
            worst = _worse(worst, trust.quality, trust.reasons)
    return worst


def _worse(trust: Trust, quality: Quality, reasons: tuple[str, ...]) -> Trust:
    known = trust.quality
    return Trust(
        quality=quality if known is None or RANK[quality] > RANK[known] else known,
        reasons=(*trust.reasons, *(reason for reason in reasons if reason not in trust.reasons)),
    )
