"""What /api/device-usage/analytics/trends takes and gives."""

from pydantic import Field

from endpoints.common_schemas import Out, RouterQuery, Share
from endpoints.device_usage_schemas import NamedOut, SpanOut, TrendsOut
from services.trends import PeriodTrends, TrendPeriod


class TrendsQuery(RouterQuery):
    period: TrendPeriod = TrendPeriod.LAST_7_DAYS


class TrendDayOut(SpanOut):
    coverage: Share


class DeviceTrendOut(NamedOut):
    direction: str | None = Field(description="increasing, stable or decreasing; null with too few observed days")
    change_percent: float | None = Field(
        description="from the first to the last day along the fitted line, relative to the median day"
    )
    values: list[int | None] = Field(description="bytes in each of the days; null where too little was observed")


class PeriodTrendsOut(Out):
    period: TrendPeriod
    timezone: str
    days: list[TrendDayOut] = Field(description="those that are over")
    devices: list[DeviceTrendOut] = Field(description="those that used most first")
    usage_trends: TrendsOut = Field(description="MACs by direction, as in the summary")


def trends_view(told: PeriodTrends) -> PeriodTrendsOut:
    usage_trends = TrendsOut.model_validate(told.trends)
    directions = {mac: name for name, macs in usage_trends for mac in macs}
    return PeriodTrendsOut(
        period=told.period,
        timezone=told.timezone,
        days=[
            TrendDayOut(start=day.span.start, end=day.span.end, coverage=share)
            for day, share in zip(told.days, told.coverages, strict=True)
        ],
        devices=[
            DeviceTrendOut(
                mac=device.mac,
                name=told.names[device.mac],
                direction=directions.get(device.mac),
                change_percent=None if device.change_percent is None else round(device.change_percent, 1),
                values=list(device.values),
            )
            for device in told.devices
        ],
        usage_trends=usage_trends,
    )
