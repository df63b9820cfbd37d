"""What was unusual in a router's usage: gathers the hours that `device_usage_analytics.detect_anomalies` judges."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import attrgetter

from db_operations.database import Database
from db_operations.device_usage_db import DeviceBucketRow, get_device_usage_history
from db_operations.devices_db import DeviceRecord
from db_operations.rollups_db import HOURLY, list_macs_with_hour
from db_operations.statements import Connection
from services.analytics.unusual_usage import LEAST_HOUR, Anomaly, Direction, Sensitivity
from services.analytics.usual_usage import BASELINE_WEEKS
from services.buckets import Granularity, buckets_between
from services.chosen_days import Days, chosen_days
from services.context import RouterContext
from services.device_series import names_of, rows_by_mac, series_of
from services.device_usage_analytics import detect_anomalies
from services.device_usage_service import check_is_shown
from services.devices.merged_devices import shown_as
from services.history_range import HistoryRange, devices_by_mac, load_range, zone_of
from services.usage_quality import WELL_OBSERVED
from utils.mac import ZERO_MAC
from utils.time import Clock, Zone

#: The longest range that is searched, in days.
MOST_DAYS_SEARCHED = 31


@dataclass(frozen=True, kw_only=True)
class FoundAnomalies:
    """What was unusual in a range of days, with the MAC whose it was, the latest first."""

    days: Days
    timezone: str
    coverage: float
    anomalies: Sequence[tuple[str, Anomaly]]
    names: Mapping[str, str]


class AnomalyService:
    """Searches one router at a time; every query is bound to its account."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def find(
        self,
        context: RouterContext,
        start_date: date | None,
        end_date: date | None,
        sensitivity: Sensitivity,
        mac: str | None = None,
    ) -> FoundAnomalies:
        """Hours and days with far more traffic than usual. Default range: the last 7 days.

        ``mac``: of one device alone; of one that is merged into another, the other's. Raises RouterNotFound,
        ValidationFailed, and DeviceNotFound for a device that is not shown.
        """
        with self._database.reading() as conn:
            zone = zone_of(conn, context)
            now = self._clock()
            days = chosen_days(start_date, end_date, today=zone.day_of(now), most=MOST_DAYS_SEARCHED)
            asked_days = buckets_between(days.first, days.last, Granularity.DAY, zone)
            asked = load_range(conn, context, zone, asked_days, Granularity.DAY, now)
            records = devices_by_mac(conn, context)
            shown = mac and shown_as(mac, records)
            if shown is not None and shown != ZERO_MAC:
                check_is_shown(records.get(shown))
            wanted, rows = _load_hours(conn, context, zone, days, records, now, shown)
        anomalies = _search(wanted, rows, records, asked.span.start, sensitivity)
        return FoundAnomalies(
            days=days,
            timezone=zone.key,
            coverage=asked.coverage,
            anomalies=sorted(anomalies, key=lambda found: found[1].at, reverse=True),
            names=names_of(records, (mac for mac, _ in anomalies)),
        )


def _load_hours(
    conn: Connection,
    context: RouterContext,
    zone: Zone,
    days: Days,
    records: Mapping[str, DeviceRecord],
    now: datetime,
    only: str | None,
) -> tuple[HistoryRange, list[DeviceBucketRow]]:
    """The hours of ``days`` and of those that tell what is usual, of the devices with an hour worth a look.

    ``only``: of that one, if it has such an hour.
    """
    owner = (context.session_id, context.router_id)
    # Nothing is known of the time before the first device was seen.
    known = min((zone.day_of(record.first_seen) for record in records.values()), default=days.first)
    first = max(known, days.first - timedelta(weeks=BASELINE_WEEKS))
    buckets = buckets_between(min(first, days.first), days.last, Granularity.HOUR, zone)
    wanted = load_range(conn, context, zone, buckets, Granularity.HOUR, now)
    since = zone.midnight(days.first)
    macs = list_macs_with_hour(conn, *owner, start=since, end=wanted.span.end, least=LEAST_HOUR)
    macs = [mac for mac in macs if only in (None, mac)]
    rows = get_device_usage_history(conn, *owner, HOURLY, start=wanted.start, end=wanted.end, macs=macs)
    return wanted, rows


def _search(
    wanted: HistoryRange,
    rows: Iterable[DeviceBucketRow],
    records: Mapping[str, DeviceRecord],
    since: datetime,
    sensitivity: Sensitivity,
) -> list[tuple[str, Anomaly]]:
    """What was unusual for each monitored device. What was before its first sighting says nothing of it."""
    hours = [bucket.span.start.astimezone(wanted.zone.tz) for bucket in wanted.buckets]
    found = []
    for mac, own_rows in rows_by_mac(rows).items():
        record = records.get(mac)
        if record is not None and not record.is_monitored:
            continue
        for direction in Direction:
            values = series_of(wanted, own_rows, attrgetter(f"bytes_{direction}"), WELL_OBSERVED)
            known = [
                (at, value) for at, value in zip(hours, values, strict=True) if not record or at >= record.first_seen
            ]
            anomalies = detect_anomalies(known, sensitivity=sensitivity, direction=direction, since=since)
            found += [(mac, anomaly) for anomaly in anomalies]
    return found
