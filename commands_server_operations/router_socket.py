"""A socket to a router that takes in no more than an honest router sends.

paramiko believes any length that a packet's header names, up to 4 GiB, and gathers what comes in memory.
"""

import socket

import paramiko

#: SSH servers have to take 35,000 bytes (RFC 4253) and send no more than 32,768 of a channel in one packet.
_LARGEST_PACKET = 256 * 1024

#: Banner, key exchange and sign-in are some kilobytes.
_MOST_BEFORE_SIGN_IN = 1024 * 1024

#: What comes beside the output of a command is next to nothing. But a router that complains without an end of something
#: else is read all the same, as long as it costs no more than a second.
_MOST_BESIDE_OUTPUT = 64 * 1024 * 1024

#: Reads of the socket: two a packet, and one for each piece that a large one comes in. Each takes this process as much
#: time as some kilobytes do, so that a router that sends packets of a byte would keep a core busy with few bytes. A
#: sign-in needs some dozens.
_MOST_READS_BEFORE_SIGN_IN = 1024
_MOST_READS_BESIDE_OUTPUT = 16 * 1024

#: Bytes. Programs hand over 1 KiB at a time, networks carry 1.4: both are two reads at most.
_OUTPUT_A_READ = 512


class RouterSocket(socket.socket):
    """What is too much is an SSHException, which ends the connection."""

    def __init__(self, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._left = _MOST_BEFORE_SIGN_IN
        self._reads_left = _MOST_READS_BEFORE_SIGN_IN

    def begin_command(self, max_output_bytes: int) -> None:
        """What is taken from now on: the output in small packets, which are twice as many bytes, and what comes beside.

        What nobody reads, such as errors and messages to be ignored, would else come for as long as the command may
        take, and after it: it costs little memory, but a core.
        """
        self._left = 2 * max_output_bytes + _MOST_BESIDE_OUTPUT
        self._reads_left = max_output_bytes // _OUTPUT_A_READ + _MOST_READS_BESIDE_OUTPUT

    @property
    def has_had_enough(self) -> bool:
        return self._left < 0 or self._reads_left < 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        """paramiko asks for the rest of a packet in one piece, so ``size`` is what its header says."""
        if size > _LARGEST_PACKET:
            raise paramiko.SSHException(f"an SSH packet of more than {_LARGEST_PACKET} bytes")
        data = super().recv(size, flags)
        self._left -= len(data)
        self._reads_left -= 1
        if self.has_had_enough:
            raise paramiko.SSHException("far more bytes or packets than a sign-in or a command needs")
        return data
