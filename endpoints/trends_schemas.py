"""What /api/device-usage/analytics/trends takes and gives."""

from datetime import date
from typing import Any

from pydantic import Field

from endpoints.common_schemas import Bytes, Out, PageQuery, Share
from endpoints.device_usage_schemas import NamedOut, SpanOut, TrendsOut
from services.analytics.month_projection import LEAST_DAYS, PROJECTION_CONFIDENCE
from services.analytics.usage_profiles import Profile
from services.analytics.usage_trends import RANGE_CONFIDENCE, TREND_CONFIDENCE, TrendDirection, UsageTrend
from services.month_outlook import MonthOutlook
from services.trends import PeriodTrends, Tendency, TrendPeriod


class TrendsQuery(PageQuery):
    period: TrendPeriod = TrendPeriod.LAST_7_DAYS


class TrendDayOut(SpanOut):
    coverage: Share


class ChangeRangeOut(Out):
    low: float | None
    high: float | None


class TrendOut(Out):
    direction: TrendDirection | None = Field(
        description="increasing or decreasing where the fitted line ends at least a quarter above or a fifth below its "
        f"beginning and confidence is at least {TREND_CONFIDENCE:g}; else stable. Null with too few known days"
    )
    confidence: float | None = Field(
        ge=0,
        le=1,
        description="1 less the probability that a device which goes nowhere shows a slope like this by chance "
        "(Mann and Kendall's test; of a few days, how far the same device varied in the weeks before)",
    )
    change_percent: float | None = Field(
        description="from the first to the last observed day along the fitted line (Theil and Sen's, weekdays taken "
        "out): 100 is doubled, -100 is gone. Null with too few days, and where the line begins at nothing"
    )
    change_range: ChangeRangeOut | None = Field(
        description=f"where the true changePercent lies with a confidence of {RANGE_CONFIDENCE:.0%}"
    )
    reason: str | None = Field(description="in words, why there is no direction")
    values: list[int | None] = Field(
        description="bytes in each of the days; null where less than half was observed, or before the first sighting"
    )


class ProfileOut(Out):
    bytes: list[int | None] = Field(description="average per observed hour, or day; null where none was observed")
    observed: list[float] = Field(description="how many hours, or days, were observed and are still kept")


class MonthOut(Out):
    used: Bytes = Field(description="observed in the month so far: what it comes to at least")
    projected: int | None = Field(
        description="what the whole month is expected to come to, after the last 56 days and their weekdays; time of "
        f"the month that nobody observed counts like time to come. Null with fewer than {LEAST_DAYS} known days, "
        "or with less than half of the month so far observed"
    )
    low: int | None = Field(
        description=f"low to high: the range that the total lies in in {PROJECTION_CONFIDENCE:.0%} of months, "
        "never below used"
    )
    high: int | None
    reason: str | None = Field(description="in words, why nothing is projected")


class TendencyOut(TrendOut):
    hour_profile: ProfileOut = Field(description="24 hours of the router's days, from midnight")
    weekday_profile: ProfileOut = Field(description="7 days, from Monday; the finished days of the period")
    month: MonthOut


class DeviceTrendOut(TendencyOut, NamedOut):
    pass


class TotalTrendOut(TendencyOut):
    coverage: Share = Field(description="share of the finished days that lies between good readings, 0 to 1")


class MonthSoFarOut(Out):
    start: date
    end: date
    coverage: Share = Field(description="share of the month so far that lies between good readings, 0 to 1")


class PeriodTrendsOut(Out):
    period: TrendPeriod
    timezone: str
    days: list[TrendDayOut] = Field(description="those that are over")
    month: MonthSoFarOut = Field(description="the calendar month that is projected")
    total: TotalTrendOut = Field(description="all devices, the router's own and unresolved traffic included")
    devices: list[DeviceTrendOut] = Field(description="one page of those with usage, those that used most first")
    usage_trends: TrendsOut = Field(description="MACs of all pages by direction, as in the summary")


def trends_view(told: PeriodTrends) -> PeriodTrendsOut:
    month = told.month
    return PeriodTrendsOut(
        period=told.period,
        timezone=told.timezone,
        days=[
            TrendDayOut(start=day.span.start, end=day.span.end, coverage=share)
            for day, share in zip(told.days, told.coverages, strict=True)
        ],
        month=MonthSoFarOut(start=month.first_day, end=month.last_day, coverage=month.coverage),
        total=TotalTrendOut(**_tendency(told.total), coverage=told.coverage),
        devices=[
            DeviceTrendOut(mac=mac, name=told.names[mac], **_tendency(device)) for mac, device in told.devices.items()
        ],
        usage_trends=TrendsOut.model_validate(told.trends),
    )


def _tendency(told: Tendency) -> dict[str, Any]:
    return {
        **_trend(told.trend),
        "values": list(told.values),
        "hour_profile": _profile(told.hours),
        "weekday_profile": _profile(told.weekdays),
        "month": _month(told.month),
    }


def _trend(trend: UsageTrend) -> dict[str, Any]:
    is_judged = trend.direction is not None
    return {
        "direction": trend.direction,
        "confidence": None if trend.confidence is None else round(trend.confidence, 4),
        "change_percent": _rounded(trend.change_percent),
        "change_range": ChangeRangeOut(low=_rounded(trend.low_percent), high=_rounded(trend.high_percent))
        if is_judged
        else None,
        "reason": trend.reason,
    }


def _profile(profile: Profile) -> ProfileOut:
    return ProfileOut(bytes=list(profile.averages), observed=[round(count, 2) for count in profile.observed])


def _month(month: MonthOutlook) -> MonthOut:
    expected = month.projection
    return MonthOut(
        used=month.used,
        projected=expected.expected if expected else None,
        low=expected.low if expected else None,
        high=expected.high if expected else None,
        reason=month.reason,
    )


def _rounded(percent: float | None) -> float | None:
    return None if percent is None else round(percent, 1)
