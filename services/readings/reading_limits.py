"""What no router is believed beyond: how many devices it names, and how fast its counters grow.

`LimitedTaker` holds readings to it, for the collector and /current alike; the back-fill holds archives to it.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

from commands_server_operations.nlbw_answers import Connections
from commands_server_operations.router_target import RouterTarget
from db_operations.database import Database
from db_operations.readings_db import ReadingRecord
from db_operations.routers_db import RouterRecord
from services.accounting.restored_tables import RouterFiles
from services.readings.router_answers import ReadAnswer
from services.readings.router_readings import ReadingTaker, TakenReading
from services.routers.credentials import CredentialVault
from utils.errors import TooManyDevices
from utils.mac import ZERO_MAC
from utils.time import Clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReadingLimits:
    """As they are configured."""

    #: MACs in one reading or one archive.
    max_devices: int
    max_link_gbitps: float

    @property
    def most_stored_devices(self) -> int:
        """Of one router over all time: phones that change their MAC daily are many in years."""
        return 10 * self.max_devices

    @property
    def most_snapshots_a_day(self) -> int:
        """Raw rows of one router: what it makes that is read every 5 minutes, and a million in any case.

        So that readings by hand, twenty a minute, fill no disk.
        """
        return min(288 * self.max_devices, 1_000_000)

    @property
    def fastest(self) -> float:
        """What the fastest link carries in each direction, in bytes per second."""
        return self.max_link_gbitps * 1_000_000_000 / 8

    @property
    def max_bytes_a_day(self) -> int:
        """The same in a day."""
        return int(self.fastest * 86_400)

    def check_devices(self, macs: Collection[str], *, where: str) -> None:
        """Raises TooManyDevices. ``where`` they are named, as a sentence begins: "The router's answer"."""
        if len(macs) > self.max_devices:
            raise TooManyDevices(
                f"{where} names {len(macs)} devices (MAC addresses), more than ROUTER_MAX_DEVICES "
                f"({self.max_devices}) allows. Nothing of it was stored. If there are so many, raise "
                "ROUTER_MAX_DEVICES and start the server again; otherwise look on the router at what makes them up: "
                "nlbw -c json and cat /tmp/dhcp.leases"
            )


class LimitedTaker(ReadingTaker):
    """Takes readings that keep to ``limits``."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        vault: CredentialVault,
        clock: Clock,
        *,
        limits: ReadingLimits,
    ) -> None:
        super().__init__(database, connections, vault, clock, fastest=limits.fastest)
        self._limits = limits

    def take(self, router: RouterRecord) -> TakenReading:
        """Read the router now. Raises RouterError, of which TooManyDevices is one; then nothing has changed."""
        taken = super().take(router)
        where = f"The answer of the router at {router.host}"
        macs = taken.totals.keys() | {device.mac for device in taken.devices}
        self._limits.check_devices(macs - {ZERO_MAC}, where=where)
        return taken

    def _files(
        self, target: RouterTarget, read: ReadAnswer, previous: ReadingRecord | None, wanted: Sequence[date]
    ) -> RouterFiles:
        """Without archives that name too many devices: they never change, so that no reading would succeed again. They
        are as good as missing, and the accounting says so.
        """
        files = super()._files(target, read, previous, wanted)
        tables = dict(files.tables)
        for start in [start for start in tables if previous and previous.period_start <= start < read.period.start]:
            try:
                macs = {row.mac for row in tables[start]}
                self._limits.check_devices(macs - {ZERO_MAC}, where="It")
            except TooManyDevices as error:
                logger.warning("router %s: archive %s is not used: %s", target.router_id, start, error.message)
                del tables[start]
        return replace(files, tables=tables)
