"""Brings the database's schema up to date. Called once at start, by every process."""

from pathlib import Path

import psycopg2
from alembic import command
from alembic.config import Config as AlembicConfig
from psycopg2.extensions import parse_dsn
from sqlalchemy.exc import OperationalError

from utils.config import NO_DATABASE_URL, ConfigurationError
from utils.errors import DatabaseUnavailable

_INI = Path(__file__).resolve().parent.parent / "migrations" / "alembic.ini"


def migrate(database_url: str) -> None:
    """Apply what is missing. Safe to run in several processes at once: the later ones wait and find nothing to do.

    Raises DatabaseUnavailable, and ConfigurationError for a URL that libpq can't read.
    """
    try:
        parse_dsn(database_url)
    except (psycopg2.ProgrammingError, ValueError):  # ValueError: a NUL
        raise ConfigurationError(f"DATABASE_URL: {NO_DATABASE_URL}") from None
    config = AlembicConfig(str(_INI))
    config.attributes["database_url"] = _sqlalchemy_url(database_url)
    try:
        command.upgrade(config, "head")
    except OperationalError as error:
        # libpq's own first line says what is wrong (host, database, user), and no password.
        reason = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
        raise DatabaseUnavailable(f"The database does not answer: {reason}") from error


def _sqlalchemy_url(libpq_url: str) -> str:
    """SQLAlchemy knows libpq's URLs, but only under one of their two names."""
    scheme, separator, rest = libpq_url.partition("://")
    return f"postgresql+psycopg2{separator}{rest}" if scheme in ("postgres", "postgresql") else libpq_url
