"""What is asked before every new connection to a router, and told after it. The services answer, from the database."""

from typing import Protocol

from commands_server_operations.router_target import RouterTarget
from utils.errors import RouterError


class Contacts(Protocol):
    """RouterConnectionManager calls it while it is the router's only user: what one thread is told, the next one is
    asked about."""

    def before(self, target: RouterTarget) -> None:
        """Raises RouterAuthFailed where the router refused these credentials and it is not time to send them again."""

    def failed(self, target: RouterTarget, error: RouterError) -> None:
        """No connection came about, and why."""

    def signed_in(self, target: RouterTarget) -> None:
        """The router took the credentials."""
