"""A real router: Debian's dropbear, and a folder of commands for it to run."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

FIXTURES = Path(__file__).parent / "fixtures"

#: Replays captured output the way nlbw does; DIR/state says what is wrong with the daemon.
NLBW = """#!/bin/sh
echo "$*" >> "DIR/calls"
read state < "DIR/state"
# "once 247" fails a single time: the daemon was busy with another client.
case "$state" in
    once*) echo ok > "DIR/state"; exit ${state#once } ;;
    ok) ;;
    *) exit "$state" ;;
esac
case "$*" in
    "-c json") cat "DIR/live.json" ;;
    "-c list") cat "DIR/list.txt" ;;
    "-c json -t "*)
        if [ -f "DIR/home-$4.json" ]; then cat "DIR/home-$4.json"
        else echo "Error while processing command: No data available" >&2; exit 195; fi ;;
    *) exit 1 ;;
esac
"""


class Home:
    """The folder of commands and files that a test's router has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        for fixture in ("home-2026-10-01.json", "home-2026-09-01.json", "list.txt"):
            shutil.copy(FIXTURES / fixture, folder)
        shutil.copy(FIXTURES / "live-dual-stack.json", folder / "live.json")
        self.nlbw_fails("ok")
        self.command("nlbw", NLBW.replace("DIR", str(folder)))
        self.command("ubus", '#!/bin/sh\necho \'{"hostname": "OpenWrt"}\'\n')

    @property
    def path(self) -> str:
        return f"{self.bin}:/usr/bin:/bin"

    def command(self, name: str, script: str) -> None:
        file = self.bin / name
        file.write_text(script)
        file.chmod(0o755)

    def nlbw_fails(self, state: str) -> None:
        """``ok``, an exit status, or ``once STATUS``."""
        (self.folder / "state").write_text(f"{state}\n")

    @property
    def nlbw_calls(self) -> list[str]:
        calls = self.folder / "calls"
        return calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "router")


@pytest.fixture
def dropbear(home: Home, tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A real dropbear whose commands run in ``home``: its port, and the private key that root signs in with.

    dropbear looks for authorized_keys in the user's real home. A mount namespace of its own shows it a
    throw-away folder there, so that no test touches the real one.
    """
    if not shutil.which("dropbear") or not shutil.which("dropbearkey"):
        pytest.skip("dropbear is not installed")
    user = pwd.getpwuid(os.getuid())
    if user.pw_uid != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("dropbear's tests need root and the right to make a mount namespace")
    key = paramiko.ECDSAKey.generate()
    key_file = tmp_path / "id"
    key.write_private_key_file(str(key_file))
    user_home = tmp_path / "user"
    (user_home / ".ssh").mkdir(parents=True, mode=0o700)
    (user_home / ".ssh" / "authorized_keys").write_text(f"{key.get_name()} {key.get_base64()}\n")
    for file in (user_home, user_home / ".ssh", user_home / ".ssh" / "authorized_keys"):
        file.chmod(0o700)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nPATH="{home.path}" exec sh -c "$SSH_ORIGINAL_COMMAND"\n')
    wrapper.chmod(0o755)
    host_key = tmp_path / "host_key"
    subprocess.run(["dropbearkey", "-t", "ed25519", "-f", str(host_key)], capture_output=True, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    mount_and_serve = 'mount --bind "$1" "$2" && shift 2 && exec dropbear "$@"'
    options = ["-F", "-E", "-s", "-r", str(host_key), "-p", f"127.0.0.1:{port}", "-c", str(wrapper)]
    server = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", mount_and_serve, "sh", str(user_home), user.pw_dir, *options],
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, server)
        yield port, key_file.read_text()
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if server.poll() is not None:
            pytest.skip("dropbear does not start here")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("dropbear did not come up")
