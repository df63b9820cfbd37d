"""How a server ends on SIGTERM or Ctrl-C: what runs may finish for a while, then it is cut off from its routers."""

import signal
import time
from threading import Thread

from commands_server_operations.router_connection_manager import RouterConnectionManager
from endpoints.web_server import WebServer
from services.device_usage_collector import DeviceUsageCollector
from services.readings.backfill import ArchiveBackfill

#: How long a stopping server waits for collections and requests that run before it cuts them off from their routers.
STOP_GRACE_S = 5.0


def wind_down_on_signal(
    web: WebServer, backfill: ArchiveBackfill, collector: DeviceUsageCollector, connections: RouterConnectionManager
) -> None:
    """From now on a signal ends collections and requests side by side; the second one doesn't wait for the first."""

    def wind_down() -> None:
        ends = time.monotonic() + STOP_GRACE_S
        backfill.stop()
        collector.stop(STOP_GRACE_S)
        web.wait(ends - time.monotonic())
        connections.close()  # what still hangs on a router comes back with an error

    def on_signal(_number: int, _frame: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # an impatient second one must not spoil the clean end
        web.stop()
        Thread(target=wind_down, name="wind-down").start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
