"""How the C library keeps freed memory."""

import ctypes

#: mallopt's parameters, from glibc's malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8

_LARGE_BYTES = 1 << 20
_ARENAS = 2


def give_back_freed_memory() -> None:
    """Give a router's long answer back to the system as soon as it is done with. Called once, by a server at its start.

    By itself glibc raises its threshold to the largest block that was ever freed, and keeps a heap for each of some
    threads: a hundred threads that have had one large answer each hold many times what they need. Elsewhere than on
    glibc this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_ARENA_MAX, _ARENAS)


def give_back_holes() -> None:
    """Give back the pages that are free in the middle of a heap; by itself glibc gives back what is free at its end.

    After a burst of requests that is most of it: a few rows that stay keep 300 MiB. Called every few seconds, which
    costs a millisecond where little was freed since. Elsewhere than on glibc this does nothing.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
