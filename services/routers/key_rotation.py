"""Encrypting every stored credential anew with the newest key, while servers run. `server.py rotate-keys` calls it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from db_operations import credentials_db
from db_operations.database import Database
from services.routers.credentials import CredentialsUnreadable, CredentialVault

_BATCH = 100

#: A server that doesn't have the newest key first yet may go on storing: then it is said, and not tried for ever.
_MOST_PASSES = 10
_BETWEEN_PASSES_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """What a rotation did."""

    #: Encrypted anew.
    resealed: int
    #: Routers, by id, whose credentials none of the keys opens; they are as they were.
    unreadable: tuple[str, ...]
    #: Whether everything else is encrypted with the newest key now.
    is_complete: bool

    @property
    def is_clean(self) -> bool:
        """Whether the newest key alone opens everything."""
        return self.is_complete and not self.unreadable

    def in_words(self) -> str:
        """What was done and what is left to do, a sentence a line."""
        lines = [f"{self.resealed} stored credentials were encrypted anew."]
        if self.unreadable:
            lines.append(
                f"None of the keys opens those of router {', '.join(self.unreadable)}. "
                "Is an older key missing in CREDENTIALS_KEYS? If it is lost, their passwords have to be entered again."
            )
        if not self.is_complete:
            lines.append(
                "Some are being changed all the time, by a server with another newest key perhaps. Run it again."
            )
        return "\n".join(lines)


def rotate_keys(database: Database, vault: CredentialVault, *, sleep: Callable[[float], None] = time.sleep) -> Rotation:
    """Encrypt what older keys encrypted with the newest. Killed anywhere and run again, it goes on where it was.

    Passes over all routers until one finds nothing more to do: what a server stores meanwhile stays as it was stored,
    and is looked at again. Raises DatabaseUnavailable.
    """
    resealed = 0
    for _ in range(_MOST_PASSES):
        done, left, unreadable = _pass(database, vault)
        resealed += done
        if not done + left:
            return Rotation(resealed=resealed, unreadable=tuple(unreadable), is_complete=True)
        sleep(_BETWEEN_PASSES_S if left else 0)
    return Rotation(resealed=resealed, unreadable=tuple(unreadable), is_complete=False)


def _pass(database: Database, vault: CredentialVault) -> tuple[int, int, list[str]]:
    """How many were encrypted anew, how many somebody was changing just then, and the routers that stay shut."""
    done = left = 0
    unreadable: list[str] = []
    last = ""
    while True:
        with database.transaction() as conn:
            batch = credentials_db.list_credentials(conn, after=last, limit=_BATCH)
            for router_id, sealed in batch:
                try:
                    anew = vault.reseal(sealed)
                except CredentialsUnreadable:
                    unreadable.append(router_id)
                    continue
                if anew is None:
                    continue
                if credentials_db.replace_credentials(conn, router_id, sealed, anew):
                    done += 1
                else:
                    left += 1
        if len(batch) < _BATCH:
            return done, left, unreadable
        last = batch[-1][0]
