"""Runs the migrations. One transaction, one lock: two processes may start, and migrate, at the same moment."""

from alembic import context
from sqlalchemy import create_engine, pool, text

#: Any number that nothing else in this database locks.
MIGRATION_LOCK = 0x6E65_7470_696C_6F74  # "netpilot"


def run() -> None:
    engine = create_engine(context.config.attributes["database_url"], poolclass=pool.NullPool)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.configure(connection=connection)
        context.run_migrations()


run()
