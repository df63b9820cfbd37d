"""What nlbw's exit statuses mean, and when to ask again. Shared by what asks for the running period and for others."""

from typing import Protocol

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from commands_server_operations.router_script import Section
from commands_server_operations.router_target import CommandResult, RouterTarget
from utils.errors import BadRouterOutput, NlbwmonDown, NlbwmonMissing, RouterError

#: nlbw's exit statuses, as measured on a real client.
NOT_FOUND = 127
NO_DATA = 195
NO_DAEMON = 247


class Connections(Protocol):
    """What runs a command on a router: RouterConnectionManager."""

    def run(self, target: RouterTarget, command: str) -> CommandResult: ...


def twice() -> Retrying:
    """Try again once: the daemon serves one client at a time, each for at most 100 ms."""
    return Retrying(
        retry=retry_if_exception_type(NlbwmonDown),
        stop=stop_after_attempt(2),
        wait=wait_fixed(0.2),
        reraise=True,
    )


def nlbw_output(section: Section, target: RouterTarget) -> bytes:
    raise_for_nlbw(section, target)
    if not section.output.strip():
        raise BadRouterOutput(f"nlbwmon on the router {target.where} answered with nothing.")
    return section.output


def output_or_nothing(section: Section, target: RouterTarget) -> bytes:
    """Nothing where nlbw failed on this file alone. Raises for what is wrong with all of nlbwmon."""
    if section.exit_status in (NOT_FOUND, NO_DAEMON):
        raise nlbw_failure(section.exit_status, target)
    return section.output if section.exit_status == 0 else b""


def raise_for_nlbw(section: Section, target: RouterTarget) -> None:
    if section.exit_status != 0:
        raise nlbw_failure(section.exit_status, target)


def nlbw_failure(exit_status: int, target: RouterTarget) -> RouterError:
    if exit_status == NOT_FOUND:
        return NlbwmonMissing(
            f"nlbwmon is not installed on the router {target.where}. Run there: opkg update && opkg install nlbwmon"
        )
    if exit_status in (NO_DAEMON, NO_DATA):
        return NlbwmonDown(
            f"nlbwmon is installed on the router {target.where} but does not answer. "
            "Run there: /etc/init.d/nlbwmon restart"
        )
    return BadRouterOutput(f"nlbw failed on the router {target.where} with exit status {exit_status}.")
