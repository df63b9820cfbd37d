"""Logging, set up once at start: lines for people or JSON for programs."""

import logging
import sys
import time

from pythonjsonlogger.json import JsonFormatter

_TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_JSON = "%(asctime)s %(levelname)s %(name)s %(message)s"

#: Libraries that say more at INFO than anybody running this server wants to read, or secrets at DEBUG: authlib says
#: there what proves to the provider that it is we who come back with somebody's code.
_QUIET = ("apscheduler", "alembic", "authlib", "simulator", "waitress.queue")


def set_up_logging(level: str, log_format: str) -> None:
    """``level``: LOG_LEVEL, ``log_format``: LOG_FORMAT (text or json). Everything goes to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = JsonFormatter(_JSON) if log_format == "json" else logging.Formatter(_TEXT)
    # ISO 8601 in UTC, as everywhere else: lines of two machines can be put in order, also when clocks go back.
    formatter.converter = time.gmtime
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR if name == "waitress.queue" else logging.WARNING)
