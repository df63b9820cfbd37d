"""How long routers could not read out files of nlbwmon's that a reading needs. The taker asks it with each reading.

A daemon that is busy answers as one without a file does, and a file on worn flash may never be read again. So such a
reading is put off, and after a while goes on without the file: the accounting then counts nothing twice.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from utils.errors import FileUnreadable

#: So long, and so often at least, a file is asked for again.
PUT_OFF_FOR = timedelta(minutes=10)
_TRIES = 3


@dataclass
class _Trouble:
    #: The reading that is compared with: once another one is stored, it is another matter.
    base: datetime
    since: datetime
    tries: int = 0


class UnreadableFiles:
    """What is remembered of each router. In memory: after a restart it is worth another while."""

    def __init__(self) -> None:
        self._troubles: dict[str, _Trouble] = {}

    def put_off(self, router_id: str, *, base: datetime, now: datetime) -> None:
        """Raises FileUnreadable, unless the router's reading was put off for long enough."""
        trouble = self._troubles.get(router_id)
        if trouble is None or trouble.base != base:
            trouble = self._troubles[router_id] = _Trouble(base=base, since=now)
        trouble.tries += 1
        if trouble.tries <= _TRIES or now - trouble.since < PUT_OFF_FOR:
            raise FileUnreadable

    def forget(self, router_id: str) -> None:
        """All that is needed can be read."""
        self._troubles.pop(router_id, None)
