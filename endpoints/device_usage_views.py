"""From the services' dataclasses to the answers of /api/device-usage: the one place where their shapes meet."""

from collections.abc import Iterable
from typing import Any

from endpoints import device_usage_schemas as out
from services.device_usage_collector import Collection
from services.device_usage_service import CurrentDevice, CurrentUsage, ProtocolUsage
from services.history_range import BucketUsage
from services.routers.freshness import Freshness, warning_of
from services.status import MonitoringStatus
from services.usage_history import History
from services.usage_quality import Trust, overall
from services.usage_summary import Summary
from utils.errors import RowsFrozen


def current_view(current: CurrentUsage) -> out.CurrentOut:
    total = current.total
    return out.CurrentOut(
        **_now(current),
        devices=[out.CurrentDeviceOut(**_current_device(device)) for device in current.devices],
        total_bandwidth=out.TotalBandwidthOut(
            download=total.bytes_down, upload=total.bytes_up, total=total.bytes_down + total.bytes_up
        ),
    )


def device_current_view(
    current: CurrentUsage, device: CurrentDevice, protocols: list[ProtocolUsage]
) -> out.DeviceCurrentOut:
    return out.DeviceCurrentOut(
        **_now(current),
        **_current_device(device),
        protocols=[out.ProtocolOut.model_validate(protocol) for protocol in protocols],
    )


def history_view(history: History) -> out.HistoryOut:
    return out.HistoryOut(
        **_range(history),
        devices=[
            out.DeviceHistoryOut.model_validate(
                {
                    "mac": device.mac,
                    "name": device.name,
                    "is_router": device.is_router,
                    "is_unresolved": device.is_unresolved,
                    "bytes_down": device.bytes_down,
                    "bytes_up": device.bytes_up,
                    "total_bytes": device.bytes_down + device.bytes_up,
                    "buckets": _buckets(device.buckets),
                }
            )
            for device in history.devices
        ],
    )


def device_history_view(history: History, mac: str, name: str) -> out.OneDeviceHistoryOut:
    return out.OneDeviceHistoryOut(**_range(history), mac=mac, name=name)


def summary_view(summary: Summary) -> out.SummaryOut:
    return out.SummaryOut(
        period=summary.period,
        start=summary.start,
        end=summary.end,
        total_usage=summary.total_usage,
        average_daily=summary.average_daily,
        top_devices=[out.TopDeviceOut.model_validate(device) for device in summary.top_devices],
        usage_trends=out.TrendsOut.model_validate(summary.trends),
        coverage=summary.coverage,
        **_trust(summary.trust),
    )


def refresh_view(collection: Collection) -> out.RefreshOut:
    taken, stored = collection.taken, collection.stored
    return out.RefreshOut(
        timestamp=taken.reading.read_at,
        devices=stored.devices,
        new_devices=list(stored.new_devices),
        bytes_down=stored.bytes_down,
        bytes_up=stored.bytes_up,
        duration_ms=round(taken.duration_s * 1000),
        notes=[note.message for note in taken.usage.notes],
    )


def just_read(collection: Collection) -> Freshness:
    """After a refresh the newest stored reading is this one."""
    taken = collection.taken
    warning = warning_of(RowsFrozen()) if taken.usage.is_frozen else None
    return Freshness(last_reading_at=taken.reading.read_at, is_stale=taken.usage.is_frozen, warning=warning)


def freshness_of_current(current: CurrentUsage) -> Freshness:
    """What is shown was asked for just now: its own time and its own warning are the newest there are of the router."""
    error = current.warning
    warning = warning_of(error) if error else None
    return Freshness(last_reading_at=current.timestamp, is_stale=error is not None, warning=warning)


def status_view(status: MonitoringStatus) -> out.StatusOut:
    router = status.router
    error = None
    if router.last_error_at and router.last_error_code:
        error = out.RouterErrorOut(
            at=router.last_error_at, code=router.last_error_code, message=router.last_error_message or ""
        )
    return out.StatusOut(
        collector=out.CollectorOut(
            running=status.is_collector_running,
            interval_minutes=router.collect_interval_minutes,
            next_run_at=router.next_collect_at if status.is_collector_running else None,
        ),
        router=out.RouterStatusOut(
            reachable=status.is_reachable,
            last_success_at=router.last_success_at,
            last_error=error,
            consecutive_failures=router.consecutive_failures,
        ),
        nlbwmon=out.NlbwmonOut(
            running=status.is_nlbwmon_running,
            database_interval=status.database_interval,
            last_commit=status.last_commit_at,
        ),
        storage=out.StorageOut(
            snapshots=status.stored.snapshots, oldest=status.stored.oldest, newest=status.stored.newest
        ),
        coverage24h=status.coverage_24h,
        warnings=[
            out.StatusWarningOut(code=warning.code, message=warning.message, fix=warning.fix)
            for warning in status.warnings
        ],
    )


def _now(current: CurrentUsage) -> dict[str, Any]:
    warning = current.warning
    return {
        "timestamp": current.timestamp,
        "source": "live" if current.is_live else "stored",
        "stale": current.warning is not None,
        "period": {"start": current.period_start, "end": current.period_end},
        "warning": {"code": warning.code, "message": warning.message} if warning else None,
    }


def _current_device(device: CurrentDevice) -> dict[str, Any]:
    return {
        "mac": device.mac,
        "name": device.name,
        "bytes_down": device.bytes_down,
        "bytes_up": device.bytes_up,
        "total_bytes": device.bytes_down + device.bytes_up,
        "rate_down": device.rate_down,
        "rate_up": device.rate_up,
        "is_router": device.is_router,
        "is_unresolved": device.is_unresolved,
    }


def _bucket(usage: BucketUsage) -> dict[str, Any]:
    (bucket,) = _buckets([usage])
    return bucket


def _buckets(usage: Iterable[BucketUsage]) -> list[dict[str, Any]]:
    """Of one device. Its schema makes all of them at once, in half the time: hours of an office are many thousands."""
    return [
        {"bytes_down": down, "bytes_up": up, "total_bytes": None if down is None or up is None else down + up}
        for down, up in usage
    ]


def _trust(trust: Trust) -> dict[str, Any]:
    return {"quality": trust.quality, "reasons": list(trust.reasons)}


def _range(history: History) -> dict[str, Any]:
    return {
        "granularity": history.granularity,
        "timezone": history.timezone,
        "start_date": history.start_date,
        "end_date": history.end_date,
        "totals": _bucket(history.totals),
        "coverage": history.coverage,
        **_trust(overall(history.trusts)),
        "buckets": [
            out.BucketOut(
                start=bucket.span.start, end=bucket.span.end, coverage=share, **_bucket(usage), **_trust(trust)
            )
            for bucket, usage, share, trust in zip(
                history.buckets, history.usage, history.coverages, history.trusts, strict=True
            )
        ],
    }
