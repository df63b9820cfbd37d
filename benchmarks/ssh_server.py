"""A router to run commands on: Debian's dropbear, which is OpenWrt's SSH server too, or else the simulator's."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from benchmarks.office_router import office_router
from benchmarks.temporary_database import temporary_home


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where to sign in as root, and a command that prints ``output_bytes`` bytes there."""

    server: str
    port: int
    command: str
    password: str | None = None
    private_key: str | None = None


@contextlib.contextmanager
def ssh_server(output_bytes: int) -> Iterator[Address]:
    """dropbear needs root here: its users' keys lie in their homes, and a mount namespace shows it another home."""
    namespace = ["unshare", "-m", "true"]
    is_there = shutil.which("dropbear") and shutil.which("dropbearkey") and shutil.which("unshare")
    if is_there and os.geteuid() == 0 and subprocess.run(namespace, capture_output=True, check=False).returncode == 0:
        with temporary_home() as folder, _dropbear(folder, output_bytes) as address:
            yield address
    else:
        with office_router(always_print=b"x" * output_bytes) as router:
            yield Address(server="simulator", port=router.port, command="nlbw -c json", password=router.password)


@contextlib.contextmanager
def _dropbear(folder: Path, output_bytes: int) -> Iterator[Address]:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh" / "authorized_keys").write_bytes(public + b"\n")
    for path in (home, home / ".ssh", home / ".ssh" / "authorized_keys"):
        path.chmod(0o700)
    (folder / "answer").write_bytes(b"x" * output_bytes)
    host_key = folder / "host_key"
    subprocess.run(["dropbearkey", "-t", "ed25519", "-f", host_key], capture_output=True, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    serve = 'mount --bind "$1" "$2" && shift 2 && exec dropbear "$@"'
    options = ["-F", "-E", "-s", "-r", host_key, "-p", f"127.0.0.1:{port}"]
    server = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", serve, "sh", home, pwd.getpwuid(0).pw_dir, *options], stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, server)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
        yield Address(server="dropbear", port=port, command=f"cat {folder / 'answer'}", private_key=pem)
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(250):
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.02)
    raise RuntimeError("dropbear does not start here")
