"""What the local mode's one account is given at start: the router of the ROUTER_* variables, and a word of welcome."""

import logging

from services.accounts.accounts import LOCAL_SESSION_ID
from services.routers.credentials import Credentials
from services.routers.routers import RouterRegistration, RouterService
from utils.config import Config
from utils.errors import NetPilotError

logger = logging.getLogger("netpilot")


def register_configured_router(config: Config, routers: RouterService) -> None:
    """Register the router of the ROUTER_* variables. It need not answer for the server to start."""
    if config.router_host is None:
        return
    try:
        registration = RouterRegistration(
            name=config.router_host,
            host=config.router_host,
            port=config.router_port,
            username=config.router_username,
            credentials=Credentials(
                password=config.router_password.get_secret_value() if config.router_password else None,
                private_key=config.router_key_file.read_text() if config.router_key_file else None,
            ),
            timezone=config.router_timezone,
        )
        routers.ensure_registered(LOCAL_SESSION_ID, registration)
    except (NetPilotError, OSError, UnicodeDecodeError) as error:
        logger.error("ROUTER_HOST %s could not be registered: %s", config.router_host, error)


def welcome(config: Config, routers: RouterService) -> str:
    """What a server that is ready says, with the way to a first router where there is none yet."""
    url = config.base_url
    if config.has_sign_in:
        return f"NetPilot is ready: {url}\nSign in at {url}/api/auth/login"
    if config.router_host or routers.list_all(LOCAL_SESSION_ID):
        return f"NetPilot is ready: {url}"
    return (
        f"NetPilot is ready: {url}\n"
        "No router is registered yet. Set ROUTER_HOST and ROUTER_PASSWORD (or ROUTER_KEY_FILE) and start again, or:\n"
        f"  curl {url}/api/routers -H 'Content-Type: application/json' \\\n"
        """       -d '{"name": "Home", "host": "192.168.1.1", "password": "..."}'"""
    )
