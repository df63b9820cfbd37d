"""What /api/device-usage/analytics/anomalies takes and gives."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Self

from pydantic import Field

from endpoints.common_schemas import Bytes, IsoDate, Mac, Out, RouterQuery, Share
from endpoints.device_usage_schemas import NamedOut
from services.analytics.unusual_usage import Anomaly, AnomalyKind, Direction, Sensitivity
from services.anomalies import FoundAnomalies


class AnomaliesQuery(RouterQuery):
    start_date: IsoDate | None = Field(default=None, description="first local day; 6 days before endDate if left out")
    end_date: IsoDate | None = Field(default=None, description="last local day, included; today if left out")
    sensitivity: Sensitivity = Sensitivity.MEDIUM
    mac: Mac | None = Field(default=None, description="one device; all, if left out")


class AnomalyOut(NamedOut):
    kind: AnomalyKind = Field(description="hours in a row, or whole days that no hours of them explain")
    at: datetime = Field(description="when the first of them begins")
    until: datetime = Field(description="when the last of them ends")
    direction: Direction
    observed: Bytes
    expected_low: Bytes
    expected_high: Bytes
    score: float = Field(description="how many times the usual spread it lies above the usual level")
    comparisons: int = Field(description="how many earlier ones it was compared with")
    message: str

    @classmethod
    def of(cls, mac: str, anomaly: Anomaly, names: Mapping[str, str]) -> Self:
        return cls(
            mac=mac,
            name=names.get(mac, mac),
            kind=anomaly.kind,
            at=anomaly.at.astimezone(UTC),
            until=anomaly.until.astimezone(UTC),
            direction=anomaly.direction,
            observed=anomaly.observed,
            expected_low=anomaly.expected_low,
            expected_high=anomaly.expected_high,
            score=anomaly.score,
            comparisons=anomaly.comparisons,
            message=anomaly.message,
        )


class AnomaliesOut(Out):
    start_date: date
    end_date: date
    timezone: str
    sensitivity: Sensitivity
    coverage: Share
    anomalies: list[AnomalyOut] = Field(description="the latest first")


def anomalies_view(found: FoundAnomalies, sensitivity: Sensitivity) -> AnomaliesOut:
    return AnomaliesOut(
        start_date=found.days.first,
        end_date=found.days.last,
        timezone=found.timezone,
        sensitivity=sensitivity,
        coverage=found.coverage,
        anomalies=[AnomalyOut.of(mac, anomaly, found.names) for mac, anomaly in found.anomalies],
    )
