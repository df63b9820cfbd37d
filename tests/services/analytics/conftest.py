"""A watched home, and how its devices used the network."""

from datetime import UTC, datetime

import pytest

from db_operations import rollups_db
from db_operations.database import Database
from db_operations.device_usage_db import DeviceSighting, update_device_metadata
from db_operations.rollups_db import RollupRow
from server import Runtime
from services.context import RouterContext
from simulator.clock import ManualClock
from tests.homes import LAPTOP, PHONE, TV
from tests.services.analytics.watched import BERLIN, DAY, GB, MB, NOW, Use, cover


@pytest.fixture
def home(context: RouterContext, clock: ManualClock, database: Database, runtime: Runtime) -> RouterContext:
    """Watched for 60 days without a gap until now; phone, laptop and TV are known from the start."""
    runtime.routers.update(context, {"timezone": "Europe/Berlin"})
    clock.set(NOW)
    cover(database, context, NOW - 60 * DAY, NOW)
    sightings = [
        DeviceSighting(mac=mac, hostname=name, ips="", is_router=False, is_active=False)
        for mac, name in ((PHONE, "phone"), (LAPTOP, "laptop"), (TV, "tv"))
    ]
    with database.transaction() as conn:
        update_device_metadata(
            conn, context.session_id, context.router_id, sightings, at=NOW - 60 * DAY, previous_at=None
        )
    return context


@pytest.fixture
def use(database: Database, context: RouterContext) -> Use:
    """use(mac, hour, down, up): usage in one UTC hour and its day."""

    def store(mac: str, at: datetime, down: int, up: int = 0) -> None:
        owner = (context.session_id, context.router_id)
        with database.transaction() as conn:
            rollups_db.add_to_hourly(conn, *owner, [RollupRow(mac, at, down, up)])
            rollups_db.add_to_daily(conn, *owner, [RollupRow(mac, BERLIN.day_of(at), down, up)])

    return store


@pytest.fixture
def backups(home: RouterContext, use: Use) -> datetime:
    """45 nights with a backup of the laptop at three in Berlin, one of them far too large: when."""
    for back in range(45):
        at = datetime(2031, 11, 12, 3, tzinfo=BERLIN.tz) - back * DAY
        use(LAPTOP, at.astimezone(UTC), 0, (150 + back) * MB)
    use(PHONE, datetime(2031, 11, 11, 19, tzinfo=UTC), 40 * MB, 0)
    at = datetime(2031, 11, 11, 2, tzinfo=UTC)
    use(LAPTOP, at, 0, 14 * GB)
    return at
