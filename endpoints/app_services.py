"""The services an application was built with, as its endpoints reach them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import current_app

from services.accounts.accounts import AccountService
from services.accounts.api_tokens import TokenService
from services.accounts.sessions import SessionService
from services.anomalies import AnomalyService
from services.audit import AuditLog
from services.comparisons import ComparisonService
from services.device_usage_export import UsageExportService
from services.device_usage_service import DeviceUsageService
from services.devices.devices import DeviceService
from services.devices.merged_devices import MergedDeviceService
from services.events import EventService
from services.people import PeopleService
from services.periods import PeriodService
from services.protocols import ProtocolService
from services.reports.reports import UsageReportService
from services.routers.routers import RouterService
from services.status import StatusService
from services.trends import TrendService
from services.usage_history import UsageHistoryService
from services.usage_summary import UsageSummaryService

_EXTENSION = "netpilot"


@dataclass(frozen=True, kw_only=True)
class AppServices:
    """Everything the endpoints may call."""

    devices: DeviceService
    merged_devices: MergedDeviceService
    people: PeopleService
    device_usage: DeviceUsageService
    history: UsageHistoryService
    periods: PeriodService
    protocols: ProtocolService
    summary: UsageSummaryService
    trends: TrendService
    anomalies: AnomalyService
    comparisons: ComparisonService
    export: UsageExportService
    reports: UsageReportService
    events: EventService
    status: StatusService
    routers: RouterService
    accounts: AccountService
    sessions: SessionService
    tokens: TokenService
    audit: AuditLog
    #: Who is signed in without signing in: the account of the local mode; None in others.
    local_session_id: str | None
    #: Raises DatabaseUnavailable unless the server can answer requests.
    check_ready: Callable[[], object]

    def attach_to(self, extensions: dict[str, object]) -> None:
        extensions[_EXTENSION] = self


def app_services() -> AppServices:
    """The services of the application that handles this request."""
    return cast(AppServices, current_app.extensions[_EXTENSION])
