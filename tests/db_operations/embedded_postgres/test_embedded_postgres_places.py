"""An embedded server in odd directories and under another account than ours."""

import logging
import os
import stat
import subprocess
from pathlib import Path

import pytest
from psycopg2.extensions import parse_dsn

from db_operations.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from db_operations.server_account import ServerAccount, hand_over
from tests.db_operations.embedded_postgres.processes import postmaster, query
from tests.postgres import FAST

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about running as root")


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


def test_what_is_handed_over_is_out_of_reach_until_all_below_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who owns a directory can replace what is in it by links: nothing behind it must be looked up by its path then."""
    (tmp_path / "base" / "1").mkdir(parents=True)
    (tmp_path / "base" / "1" / "file").touch()
    changed: list[Path] = []
    monkeypatch.setattr(os, "chown", lambda path, *_, **__: changed.append(Path(path)))
    hand_over(tmp_path, ServerAccount("nobody", 65534, 65534))
    below = [tmp_path / "base" / "1" / "file", tmp_path / "base" / "1", tmp_path / "base"]
    assert changed == [*below, tmp_path]
