"""The migrations: together they are the schema, there and back, and by two processes at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from alembic import command
from alembic.config import Config
from psycopg2.extensions import parse_dsn

from db_operations.migrations import _INI, _sqlalchemy_url, migrate

ROOT = Path(__file__).parents[2]

SCHEMA = """
SELECT table_name, column_name, data_type, is_nullable, column_default, character_maximum_length::text
FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'device_usage_monitoring_%'
UNION ALL SELECT conrelid::regclass::text, pg_get_constraintdef(oid), '', '', '', '' FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'device_usage_monitoring_%'
UNION ALL SELECT tablename, indexdef, '', '', '', '' FROM pg_indexes WHERE schemaname = 'public'
AND tablename NOT LIKE 'device_usage_monitoring_%'
ORDER BY 1, 2
"""


def run(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    connection.autocommit = True  # CREATE DATABASE takes no transaction
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@pytest.fixture
def empty_url(postgres_url: str) -> Iterator[str]:
    """A database of its own without a table, as a URL that alembic takes."""
    run(postgres_url, "DROP DATABASE IF EXISTS migrations_test WITH (FORCE)")
    run(postgres_url, "CREATE DATABASE migrations_test")
    name = parse_dsn(postgres_url)["dbname"]
    head, _, options = postgres_url.partition("?")
    yield head[: -len(name)] + "migrations_test" + (f"?{options}" if options else "")
    run(postgres_url, "DROP DATABASE migrations_test WITH (FORCE)")


def alembic(url: str) -> Config:
    config = Config(str(_INI))
    config.attributes["database_url"] = _sqlalchemy_url(url)
    return config


def test_going_back_and_forth_gives_the_same_schema(empty_url: str, postgres_url: str) -> None:
    migrate(empty_url)
    schema = run(empty_url, SCHEMA)
    assert schema == run(postgres_url, SCHEMA)
    assert len(schema) > 80
    command.downgrade(alembic(empty_url), "base")
    left = [row[0] for row in run(empty_url, SCHEMA)]
    assert set(left) == {"alembic_version"}
    migrate(empty_url)
    assert run(empty_url, SCHEMA) == schema


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    migrate(empty_url)
    schema = run(empty_url, SCHEMA)
    migrate(empty_url)
    assert run(empty_url, SCHEMA) == schema


def test_rows_from_before_are_counted(empty_url: str) -> None:
    migrate(empty_url)
    command.downgrade(alembic(empty_url), "0002")
    run(
        empty_url,
        """
        CREATE TABLE device_usage_monitoring_20311111 PARTITION OF device_usage_monitoring
            FOR VALUES FROM ('2031-11-11 00:00Z') TO ('2031-11-12 00:00Z');
        CREATE TABLE device_usage_monitoring_20311112 PARTITION OF device_usage_monitoring
            FOR VALUES FROM ('2031-11-12 00:00Z') TO ('2031-11-13 00:00Z');
        INSERT INTO device_usage_monitoring (session_id, router_id, timestamp, device_mac)
        SELECT 'alice', 'r' || router, moment, mac FROM generate_series(1, 2) AS router,
            generate_series('2031-11-11 23:00Z'::timestamptz, '2031-11-12 00:30Z', '30 minutes') AS moment,
            (VALUES ('02:00:00:00:00:01'), ('02:00:00:00:00:02')) AS devices (mac)
        """,
    )
    migrate(empty_url)
    days = run(
        empty_url,
        """
        SELECT router_id, session_id, day::text, snapshots, to_char(oldest AT TIME ZONE 'UTC', 'DD HH24:MI'),
               to_char(newest AT TIME ZONE 'UTC', 'DD HH24:MI') FROM snapshot_days ORDER BY 1, 3
        """,
    )
    assert days == [
        (router, "alice", *day)
        for router in ("r1", "r2")
        for day in (("2031-11-11", 4, "11 23:00", "11 23:30"), ("2031-11-12", 4, "12 00:00", "12 00:30"))
    ]


def test_processes_that_migrate_at_the_same_moment_all_succeed(empty_url: str, postgres_url: str) -> None:
    program = "import sys; from db_operations.migrations import migrate; sys.stdin.readline(); migrate(sys.argv[1])"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_url], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for process in started:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in started:
        _, complaints = process.communicate(timeout=60)
        assert process.returncode == 0, complaints.decode()
    assert run(empty_url, SCHEMA) == run(postgres_url, SCHEMA)
    assert run(empty_url, "SELECT count(*) FROM alembic_version") == [(1,)]


def test_every_key_of_usage_data_holds_the_router(postgres_url: str) -> None:
    statement = """
        SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE contype IN ('p', 'u') AND connamespace = 'public'::regnamespace
          AND conrelid::regclass::text LIKE 'device_usage%'
    """
    keys = run(postgres_url, statement)
    assert len(keys) >= 3
    assert [key for key in keys if "router_id" not in str(key[1])] == []
