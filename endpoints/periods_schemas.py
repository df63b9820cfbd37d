"""What /api/device-usage/periods takes and gives."""

from datetime import date

from pydantic import Field

from endpoints.common_schemas import Out, RouterQuery
from endpoints.device_usage_schemas import NamedOut, UsageOut
from services.periods import PeriodPage, PeriodUsage


class PeriodsQuery(RouterQuery):
    page: int = Field(default=1, ge=1, le=1_000_000)
    page_size: int = Field(default=12, ge=1, le=100)
    top: int = Field(default=100, ge=1, le=500, description="devices of each period; times pageSize at most 10,000")


class PeriodDeviceOut(UsageOut, NamedOut):
    is_router: bool
    is_unresolved: bool = Field(description="hosts whose MAC nlbwmon could not look up, together")


class OtherDevicesOut(UsageOut):
    devices: int


class PeriodSpanOut(Out):
    start: date = Field(description="first local day")
    end: date = Field(description="last local day, included")
    is_current: bool = Field(description="the running one, as of the last reading")
    is_complete: bool = Field(description="the router's final totals are known; false for the running one")


class AccountingPeriodOut(UsageOut, PeriodSpanOut):
    devices: list[PeriodDeviceOut] = Field(description="those that used most, as many as top says")
    other_devices: OtherDevicesOut = Field(description="the rest together")


class PeriodsOut(Out):
    periods: list[AccountingPeriodOut] = Field(description="newest first")
    pending_periods: int = Field(description="archives of the router that are still to be read")


def periods_view(page: PeriodPage) -> PeriodsOut:
    return PeriodsOut(periods=[_period(period) for period in page.periods], pending_periods=page.pending)


def _period(period: PeriodUsage) -> AccountingPeriodOut:
    return AccountingPeriodOut(
        start=period.start,
        end=period.end,
        is_current=period.is_current,
        is_complete=period.is_complete,
        bytes_down=period.bytes_down,
        bytes_up=period.bytes_up,
        total_bytes=period.bytes_down + period.bytes_up,
        devices=[
            PeriodDeviceOut(
                mac=device.mac,
                name=device.name,
                bytes_down=device.bytes_down,
                bytes_up=device.bytes_up,
                total_bytes=device.bytes_down + device.bytes_up,
                is_router=device.is_router,
                is_unresolved=device.is_unresolved,
            )
            for device in period.devices
        ],
        other_devices=OtherDevicesOut(
            devices=period.others.devices,
            bytes_down=period.others.bytes_down,
            bytes_up=period.others.bytes_up,
            total_bytes=period.others.bytes_down + period.others.bytes_up,
        ),
    )
