"""Which account the embedded PostgreSQL runs under, the way to its files for that account, and running it there.

PostgreSQL refuses to run as root. Where this product runs as root (a container, a quick trial on a server), the
embedded server runs as `nobody` instead. Called by `embedded_postgres`; never adds an account, never makes
anything readable.
"""

import logging
import os
import pwd
import stat
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_log = logging.getLogger(__name__)

#: Present on every Unix, owns nothing, can't log in.
_UNPRIVILEGED = "nobody"

#: The variables that it gets of ours, to find programs and libraries with. Others hold secrets (CREDENTIALS_KEYS), and
#: whoever runs as its account can read what it was given.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


@dataclass(frozen=True)
class ServerAccount:
    """The account that runs the server while this process is root."""

    name: str
    uid: int
    gid: int


def account_for(data: Path) -> ServerAccount | None:
    """The account to run the server of `data` under; None = under our own, because that is not root.

    Data that exists keeps its owner: a user's `make demo` followed by one with sudo must not take it from him.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return ServerAccount(f"user {owner.st_uid}", owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        raise PermissionError(
            f"PostgreSQL can't run as root and there is no account {_UNPRIVILEGED!r} to run it under"
        ) from None
    return ServerAccount(entry.pw_name, entry.pw_uid, entry.pw_gid)


def hand_over(directory: Path, account: ServerAccount) -> None:
    """Give `directory` and all below it to the account. Links are changed, never followed.

    `directory` itself comes last: until then only its present owner gets in. Whoever runs as the account could else put
    a link in the place of a directory on the way, and be given what it points to.
    """
    for folder, folders, files in os.walk(directory, topdown=False):
        for name in (*folders, *files):
            os.chown(os.path.join(folder, name), account.uid, account.gid, follow_symlinks=False)
    os.chown(directory, account.uid, account.gid, follow_symlinks=False)


def grant_search(directories: Iterable[Path], account: ServerAccount) -> None:
    """Let the account walk through `directories` (resolved paths) and all their parents.

    Search (x) on root's own directories is all that is added: who has it can open a file inside whose name he knows
    and whose own mode lets him, but can't list, read or write anything new. A parent of another owner is not ours
    to open.

    Raises:
        PermissionError: a parent belongs to somebody else; the message says what to do.
    """
    opened: list[str] = []
    for directory in dict.fromkeys(parent for each in directories for parent in (each, *each.parents)):
        status = directory.stat()
        if _may_search(status, account):
            continue
        if status.st_uid != 0:
            raise PermissionError(
                f"PostgreSQL can't run as root, and {account.name}, which runs it instead, can't pass through "
                f"{directory}. Start this program as that directory's owner, or set DATA_DIR elsewhere, "
                f"or run: chmod o+x {directory}"
            )
        directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
        opened.append(str(directory))
    if opened:
        _log.info(
            "PostgreSQL runs as %s, because it can't run as root; to reach its files, search permission (o+x, not "
            "read) was added to: %s",
            account.name,
            ", ".join(opened),
        )


def _may_search(status: os.stat_result, account: ServerAccount) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def spawn(
    command: Sequence[str | Path], account: ServerAccount | None, *, stdin: int, output: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a program of PostgreSQL under the right account, without our terminal, language or secrets."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return subprocess.Popen(  # noqa: S603 # nosec B603 # our own binaries, no shell
        [str(part) for part in command],
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**environment, "LC_ALL": "C"},
        cwd="/",  # the account may not be allowed into ours
        umask=0o077,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
