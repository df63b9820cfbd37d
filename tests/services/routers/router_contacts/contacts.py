"""What happens at a router, and how it is asked."""

from datetime import timedelta

from server import Runtime
from services.context import RouterContext
from simulator.faults import Faults
from simulator.ssh_server import HostedRouter
from tests.homes import run_due
from utils.errors import RouterAuthFailed, RouterError

BASE = "/api/device-usage"
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def change_password(hosted: HostedRouter, password: str = "changed") -> None:
    """At the router itself; who is signed in has to sign in anew."""
    hosted.password = password
    hosted.drop_connections()


def show_another_key(hosted: HostedRouter) -> None:
    hosted.faults = Faults(other_host_key=True)
    hosted.drop_connections()


def refresh(runtime: Runtime, context: RouterContext) -> RouterError | None:
    try:
        runtime.services.device_usage.refresh(context)
    except RouterError as error:
        return error
    return None


def everybody_asks(runtime: Runtime, context: RouterContext) -> None:
    """The collector's clockwork, /refresh and /current."""
    run_due(runtime)
    assert isinstance(refresh(runtime, context), RouterAuthFailed)
    assert isinstance(runtime.services.device_usage.get_current(context).warning, RouterAuthFailed)
