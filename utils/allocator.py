"""How the C library keeps freed memory. Called once, by a server at its start."""

import ctypes

#: mallopt's parameters, from glibc's malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8

_LARGE_BYTES = 1 << 20
_ARENAS = 2


def give_back_freed_memory() -> None:
    """Give a router's long answer back to the system as soon as it is done with.

    By itself glibc raises its threshold to the largest block that was ever freed, and keeps a heap for each of some
    threads: a hundred threads that have had one large answer each hold many times what they need. Elsewhere than on
    glibc this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_ARENA_MAX, _ARENAS)
