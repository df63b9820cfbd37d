"""A socket to a router that takes in no more than an honest router sends.

paramiko believes any length that a packet's header names, up to 4 GiB, and gathers what comes in memory.
"""

import socket

import paramiko

#: SSH servers have to take 35,000 bytes (RFC 4253) and send no more than 32,768 of a channel in one packet.
_LARGEST_PACKET = 256 * 1024

#: Banner, key exchange and sign-in are some kilobytes.
_MOST_BEFORE_SIGN_IN = 1024 * 1024


class RouterSocket(socket.socket):
    """What is too much is an SSHException, which ends the connection."""

    def __init__(self, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._left: int | None = _MOST_BEFORE_SIGN_IN

    def has_signed_in(self) -> None:
        """From now on commands answer, whose output has a limit of its own."""
        self._left = None

    def recv(self, size: int, flags: int = 0) -> bytes:
        """paramiko asks for the rest of a packet in one piece, so ``size`` is what its header says."""
        if size > _LARGEST_PACKET:
            raise paramiko.SSHException(f"an SSH packet of more than {_LARGEST_PACKET} bytes")
        data = super().recv(size, flags)
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                raise paramiko.SSHException(f"more than {_MOST_BEFORE_SIGN_IN} bytes before the sign-in")
        return data
