import contextlib
import logging
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from db_operations.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from tests.postgres import FAST, temporary_home

ROOT = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about running as root")

#: A second process of the product: uses the server until its standard input ends.
USER = """
import sys
from pathlib import Path
from db_operations.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"})
print("starting", flush=True)
print(server.start(), flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with temporary_home() as home:
        yield home
        end(home)


@pytest.fixture(scope="module")
def shared_home() -> Iterator[Path]:
    """A DATA_DIR with data in it, made once: starting takes a twentieth of the time of creating."""
    with temporary_home() as home:
        server = EmbeddedPostgres(home, settings=FAST)
        server.start()
        server.stop()
        yield home


@pytest.fixture
def home(shared_home: Path) -> Iterator[Path]:
    """That DATA_DIR, with no server running before and after."""
    yield shared_home
    end(shared_home)


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(home, settings=FAST)
    yield server
    server.stop()


@pytest.fixture
def another_process() -> Iterator[Callable[[Path], "subprocess.Popen[str]"]]:
    started = []

    def start(home: Path) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "starting\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def until_up(process: "subprocess.Popen[str]") -> str:
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


# --- what it gives -------------------------------------------------------------------------------------------


def test_it_answers_on_a_socket_for_its_owner_only_and_on_no_port(home: Path, server: EmbeddedPostgres) -> None:
    url = server.start()
    assert query(url, "SHOW listen_addresses") == ""
    assert query(url, "SELECT inet_server_addr()") is None
    socket = home / "postgres" / ".s.PGSQL.5432"
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


def test_its_database_is_utf8_sorted_alike_everywhere_and_ours_without_being_superuser(
    server: EmbeddedPostgres,
) -> None:
    url = server.start()
    kind = "format('%s %s %s', pg_encoding_to_char(encoding), datlocprovider, datlocale)"
    assert query(url, f"SELECT {kind} FROM pg_database WHERE datname = current_database()") == "UTF8 b C.UTF-8"
    assert query(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    query(url, "CREATE TABLE things (id int)")


def test_it_is_durable_unless_told_otherwise(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    url = server.start()
    try:
        assert (query(url, "SHOW fsync"), query(url, "SHOW synchronous_commit")) == ("on", "on")
    finally:
        server.stop()


def test_it_does_not_hear_the_ctrl_c_of_our_terminal(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    assert os.getsid(postmaster(home)) != os.getsid(0)


def test_start_and_stop_may_be_repeated(home: Path, server: EmbeddedPostgres) -> None:
    url = server.start()
    query(url, "CREATE TABLE kept_1 AS SELECT 7 AS n")
    assert server.start() == url
    server.stop()
    server.stop()
    assert not is_running(home)
    assert server.ensure_running() is False, "a late call brings nothing back"
    assert query(server.start(), "SELECT n FROM kept_1") == 7


# --- several users -------------------------------------------------------------------------------------------


def test_the_last_of_two_in_one_process_stops_it(home: Path, server: EmbeddedPostgres) -> None:
    other = EmbeddedPostgres(home, settings=FAST)
    assert server.start() == other.start()
    server.stop()
    assert query(other.url, "SELECT 1") == 1
    other.stop()
    assert not is_running(home)


def test_the_last_of_two_processes_stops_it(
    home: Path, server: EmbeddedPostgres, another_process: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    other = another_process(home)
    assert server.start() == until_up(other)
    server.stop()
    assert is_running(home)
    other.communicate()
    assert other.returncode == 0
    assert not is_running(home)


def test_a_user_that_was_killed_does_not_count(
    home: Path, server: EmbeddedPostgres, another_process: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    other = another_process(home)
    until_up(other)
    server.start()
    other.kill()
    other.wait()
    assert query(server.url, "SELECT 1") == 1
    server.stop()
    assert not is_running(home)


def test_many_may_start_it_at_once(tmp_path: Path) -> None:
    servers = [EmbeddedPostgres(tmp_path, settings=FAST) for _ in range(5)]
    threads = [threading.Thread(target=server.start) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for server in servers:
        assert query(server.url, "SELECT 1") == 1
        server.stop()
    assert not is_running(tmp_path)


def test_a_fork_does_not_let_go_for_its_parent(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    if (child := os.fork()) == 0:
        server.stop()
        os._exit(0)
    os.waitpid(child, 0)
    other = EmbeddedPostgres(home, settings=FAST)
    other.start()
    other.stop()
    assert query(server.url, "SELECT 1") == 1


# --- after a crash -------------------------------------------------------------------------------------------


def test_a_server_left_by_a_killed_process_is_used_again(
    home: Path, server: EmbeddedPostgres, another_process: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    other = another_process(home)
    until_up(other)
    before = postmaster(home)
    other.kill()
    other.wait()
    assert query(server.start(), "SELECT 1") == 1
    assert postmaster(home) == before
    server.stop()
    assert not is_running(home)


def test_a_killed_server_is_started_again_with_its_data(home: Path, server: EmbeddedPostgres) -> None:
    url = server.start()
    query(url, "CREATE TABLE kept_2 AS SELECT 7 AS n")
    backend = psycopg2.connect(url)  # outlives the postmaster for a moment, and its shared memory with it
    os.kill(postmaster(home), signal.SIGKILL)
    time.sleep(0.05)
    assert server.ensure_running() is True
    assert server.ensure_running() is False
    assert query(url, "SELECT n FROM kept_2") == 7
    backend.close()


def test_it_starts_after_both_were_killed(
    home: Path, server: EmbeddedPostgres, another_process: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    other = another_process(home)
    until_up(other)
    os.kill(postmaster(home), signal.SIGKILL)
    other.kill()
    assert query(server.start(), "SELECT 1") == 1


def test_a_killed_server_can_be_stopped(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    os.kill(postmaster(home), signal.SIGKILL)
    server.stop()
    assert query(server.start(), "SELECT 1") == 1


def test_a_creation_that_was_killed_leaves_nothing(
    tmp_path: Path, another_process: Callable[[Path], "subprocess.Popen[str]"]
) -> None:
    other = another_process(tmp_path)
    deadline = time.monotonic() + 10
    while not list(tmp_path.glob("postgres.new-*/global")) and time.monotonic() < deadline:
        time.sleep(0.005)
    other.kill()
    assert not (tmp_path / "postgres").exists()
    assert list(tmp_path.glob("postgres.new-*"))
    server = EmbeddedPostgres(tmp_path, settings=FAST)
    assert query(server.start(), "SELECT 1") == 1
    assert not list(tmp_path.glob("postgres.new-*/base"))
    server.stop()


def test_a_recycled_process_number_does_not_stop_it_from_starting(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    file = home / "postgres" / "postmaster.pid"
    left = file.read_text()
    server.stop()
    owner = file.parent.stat()
    # Only a process of the same account looks like a server to PostgreSQL.
    kwargs = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], cwd="/", **kwargs) as recycled:
        file.write_text(f"{recycled.pid}\n" + left.partition("\n")[2])
        os.chown(file, owner.st_uid, owner.st_gid)
        try:
            assert query(server.start(), "SELECT 1") == 1
        finally:
            recycled.kill()


def test_a_server_whose_socket_was_cleaned_away_is_started_again(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    (home / "postgres" / ".s.PGSQL.5432").unlink()
    assert server.ensure_running() is True
    assert query(server.url, "SELECT 1") == 1


def test_stop_ends_a_server_that_hangs(home: Path, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ((signal.SIGINT, 0.2), (signal.SIGQUIT, 0.2), (signal.SIGKILL, 5.0))
    monkeypatch.setattr("db_operations.postgres_server._STOP_STEPS", steps)
    server.start()
    os.kill(postmaster(home), signal.SIGSTOP)
    server.stop()
    assert not is_running(home)


def test_stop_ends_a_start_under_way_in_another_thread(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    late = EmbeddedPostgres(home, settings=FAST)
    raised: list[Exception] = []

    def start() -> None:
        try:
            late.start()
        except EmbeddedPostgresError as error:
            raised.append(error)

    os.kill(postmaster(home), signal.SIGSTOP)
    thread = threading.Thread(target=start)
    thread.start()
    time.sleep(0.2)
    late.stop()
    thread.join(5)
    os.kill(postmaster(home), signal.SIGCONT)
    assert raised
    assert query(server.url, "SELECT 1") == 1


def test_stop_copes_with_a_removed_data_directory(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", settings=FAST)
    server.start()
    pid = postmaster(tmp_path / "data")
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# --- odd places ----------------------------------------------------------------------------------------------


def test_a_path_too_long_for_a_socket_gets_a_private_directory_elsewhere(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("long" * 30), settings=FAST)
    url = server.start()
    sockets = Path(parse_dsn(url)["host"])
    assert not sockets.is_relative_to(tmp_path)
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    server.stop()
    assert not sockets.exists()
    sockets.mkdir(mode=0o700)
    os.chown(sockets, (tmp_path / ("long" * 30) / "postgres").stat().st_uid, -1)
    assert query(server.start(), "SELECT 1") == 1, "the directory may be there already"
    server.stop()


def test_a_private_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("long" * 30), settings=FAST)
    url = server.start()
    sockets = Path(parse_dsn(url)["host"])
    server.stop()
    sockets.mkdir()
    sockets.chmod(0o777)
    with pytest.raises(EmbeddedPostgresError, match="Remove it"):
        server.start()
    sockets.rmdir()


@pytest.mark.parametrize("name", ['it\'s a "50%" größe $HOME`id`', "a,b"])
def test_any_directory_name_will_do(tmp_path: Path, name: str) -> None:
    server = EmbeddedPostgres(tmp_path / name, settings=FAST)
    try:
        assert query(server.start(), "SELECT 1") == 1
    finally:
        server.stop()


@as_root
def test_as_root_it_runs_as_nobody_and_says_which_parents_it_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    server = EmbeddedPostgres(private / "data", settings=FAST)
    with caplog.at_level(logging.INFO):
        server.start()
    try:
        assert Path(f"/proc/{postmaster(private / 'data')}").stat().st_uid == (private / "data/postgres").stat().st_uid
        assert (private / "data/postgres").stat().st_uid != 0
        assert stat.S_IMODE(private.stat().st_mode) == 0o701, "search, and nothing else"
        [line] = [record.getMessage() for record in caplog.records if record.name.endswith("server_account")]
        assert str(private) in line
    finally:
        server.stop()


@as_root
def test_as_root_it_does_not_open_the_directory_of_somebody_else(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 12345, 12345)
    with pytest.raises(EmbeddedPostgresError, match=f"chmod o\\+x {theirs}"):
        EmbeddedPostgres(theirs / "data", settings=FAST).start()
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o700


@as_root
def test_as_root_it_takes_data_that_root_has_put_back(home: Path, server: EmbeddedPostgres) -> None:
    query(server.start(), "CREATE TABLE kept_3 AS SELECT 7 AS n")
    server.stop()
    subprocess.run(["chown", "-R", "root:root", str(home / "postgres")], check=True)
    assert query(server.start(), "SELECT n FROM kept_3") == 7


# --- errors say what to do -------------------------------------------------------------------------------------


def test_data_of_another_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir(parents=True)
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 16.*pg_dump"):
        EmbeddedPostgres(tmp_path).start()


def test_a_directory_without_data_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match="holds no PostgreSQL data"):
        EmbeddedPostgres(tmp_path).start()


def test_what_postgresql_says_is_passed_on_at_once(home: Path) -> None:
    server = EmbeddedPostgres(home, settings={**FAST, "shared_buffers": "plenty"})
    began = time.monotonic()
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers": "plenty"'):
        server.start()
    assert time.monotonic() - began < 10
    server.stop()


def test_a_long_log_is_begun_anew(home: Path, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db_operations.postgres_server._LOG_MAX_BYTES", 10)
    server.start()
    assert server.ensure_running() is False
    assert (home / "postgres.log").stat().st_size == 0
    assert (home / "postgres.log.1").stat().st_size > 10
