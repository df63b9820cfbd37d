"""What can go wrong between a router and whoever asks it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Everything that is wrong with one hosted router at the moment; `Faults()` is a healthy one.

    Set `hosted.faults = Faults(hang=True)` and, later, `hosted.faults = Faults()`. A fault of the connection meets
    new connections, a fault of commands meets new commands.
    """

    #: stop listening, and drop the connections there are: connection refused
    refuse: bool = False
    #: accept, and never say a word
    silent: bool = False
    #: show another host key than before
    other_host_key: bool = False
    #: refuse every password and key
    refuse_auth: bool = False
    #: take a command and never answer
    hang: bool = False
    #: send standard output one byte at a time, with this many seconds between two
    drip_s: float | None = None
    #: close the TCP connection, without a word, after so many bytes of standard output
    cut_after: int | None = None
    #: send standard output without an end
    endless: bool = False
    #: send so many bytes of standard error before standard output
    stderr_flood: int = 0
    #: send these bytes in place of standard output
    stdout: bytes | None = None
    #: report this exit status, whatever it was
    exit_status: int | None = None
    #: close the channel without an exit status
    no_exit_status: bool = False
