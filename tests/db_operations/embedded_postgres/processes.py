"""The processes of an embedded server and of those who use it: which one runs, when it is up, what it answers."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import psycopg2


def until_up(process: "subprocess.Popen[str]") -> str:
    """Wait until another process has its server: the URL that it prints then."""
    assert process.stdout
    return process.stdout.readline().strip()


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "postmaster.pid").read_text().split()[0])


def end(home: Path) -> None:
    """Kill what a failed test has left running."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        os.kill(postmaster(home), signal.SIGKILL)


def is_running(home: Path) -> bool:
    try:
        state = Path(f"/proc/{postmaster(home)}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def query(url: str, sql: str) -> object:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
    finally:
        connection.close()
