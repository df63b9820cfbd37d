"""Rollup rows as what is judged: a series per device, and what the devices are called."""

from collections.abc import Callable, Iterable, Mapping

from db_operations.device_usage_db import DeviceBucketRow
from db_operations.devices_db import DeviceRecord
from services.device_usage_service import display_name
from services.history_range import HistoryRange
from utils.mac import ZERO_MAC


def series_of(
    wanted: HistoryRange,
    rows: Iterable[DeviceBucketRow],
    value_of: Callable[[DeviceBucketRow], int],
    least_coverage: float,
) -> list[int | None]:
    """One device's bytes in each bucket; None where less than ``least_coverage`` of it was observed, or only the sum of
    a long time that it lies in."""
    values: list[int | None] = [0 if share >= least_coverage else None for share in wanted.told_coverages]
    for row in rows:
        position = wanted.position_of(row.bucket)
        if (value := values[position]) is not None:
            values[position] = value + value_of(row)
    return values


def both_of(row: DeviceBucketRow) -> int:
    return row.bytes_down + row.bytes_up


def rows_by_mac(rows: Iterable[DeviceBucketRow]) -> dict[str, list[DeviceBucketRow]]:
    groups: dict[str, list[DeviceBucketRow]] = {}
    for row in rows:
        groups.setdefault(row.mac, []).append(row)
    return groups


def names_of(records: Mapping[str, DeviceRecord], macs: Iterable[str]) -> dict[str, str]:
    return {mac: display_name(mac, records.get(mac)) for mac in macs}


def unranked(records: Mapping[str, DeviceRecord]) -> set[str]:
    return {ZERO_MAC, *(mac for mac, record in records.items() if record.is_router or not record.is_monitored)}
