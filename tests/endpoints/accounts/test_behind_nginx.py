"""The server behind a real nginx with TLS, set up with the lines that docs/configuration.md prints."""

import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Response

from server import Runtime
from tests.endpoints.accounts.probed_app import probed_app
from tests.homes import free_port, serving

NAME = "netpilot.example.org"
MANUAL = Path(__file__).parents[3] / "docs" / "configuration.md"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def make_certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    chain, private = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(certificate.sign(key, SHA256()).public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, private


def printed_for(directory: Path, *, http: int, https: int, backend: int) -> str:
    """What the manual prints, with this machine's ports and certificate; clients are who X-Test-Client says."""
    (printed,) = re.findall(r"```nginx\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    chain, key = make_certificate(directory)
    for pattern, ours in (
        (r"listen 80;", f"listen 127.0.0.1:{http};"),
        (r"listen 443 ", f"listen 127.0.0.1:{https} "),
        (r"/etc/\S+/fullchain\.pem", str(chain)),
        (r"/etc/\S+/privkey\.pem", str(key)),
        (r"127\.0\.0\.1:5000", f"127.0.0.1:{backend}"),
        (r"limit_conn netpilot 200;", "limit_conn netpilot 1;"),
    ):
        printed, count = re.subn(pattern, ours, printed)
        assert count == 1, pattern
    kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    paths = "".join(f"{kind}_temp_path {directory / kind};\n" for kind in kinds)
    return (
        f"daemon off; pid {directory / 'pid'}; error_log {directory / 'error.log'};\n"
        "events {}\nhttp { access_log off; set_real_ip_from 127.0.0.1; real_ip_header X-Test-Client;\n"
        f"{paths}{printed}}}\n"
    )


Ask = Callable[[str], bytes]


class Hold:
    """Requests for /held: when one has come in, and when they may be answered."""

    def __init__(self) -> None:
        self.has_come, self.may_end = Event(), Event()

    def answer(self) -> str:
        self.has_come.set()
        return str(self.may_end.wait(20))


@pytest.fixture
def hold() -> Hold:
    return Hold()


@pytest.fixture
def ask(make_runtime: Callable[..., Runtime], provider: str, tmp_path: Path, hold: Hold) -> Iterator[Ask]:
    """Sends a request, as it is written, by TLS to nginx: everything that is answered until the connection ends."""
    app = probed_app(make_runtime, provider, public_url=f"https://{NAME}", trusted_proxies=1)
    app.add_url_rule("/broken", "broken", lambda: Response(break_off()))
    app.add_url_rule("/held", view_func=hold.answer)
    http, https, backend = free_port(), free_port(), free_port()
    (tmp_path / "nginx.conf").write_text(printed_for(tmp_path, http=http, https=https, backend=backend))
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE

    def send(text: str) -> bytes:
        with socket.create_connection(("127.0.0.1", https), timeout=10) as plain, trust.wrap_socket(plain) as sock:
            sock.sendall(text.replace("\n", "\r\n").encode())
            return b"".join(iter(lambda: sock.recv(65_536), b""))

    with serving(app, backend):
        nginx = subprocess.Popen([str(NGINX), "-c", str(tmp_path / "nginx.conf")], stderr=subprocess.PIPE, text=True)
        try:
            for _ in range(200):
                with suppress(OSError):
                    moved = requests.get(f"http://127.0.0.1:{http}/x?y", headers={"Host": NAME}, allow_redirects=False)
                    assert moved.headers["Location"] == f"https://{NAME}/x?y"
                    api = requests.get(f"http://127.0.0.1:{http}/api/routers", headers={"Host": NAME})
                    assert (api.status_code, api.history) == (403, []), "who sends a token there has to notice"
                    break
                assert nginx.poll() is None, nginx.communicate()[1]
                time.sleep(0.05)
            yield send
        finally:
            nginx.terminate()
            nginx.communicate(timeout=10)


def break_off() -> Iterator[bytes]:
    yield b"the first half"
    raise RuntimeError("on purpose")


def test_what_a_client_says_of_itself_counts_for_nothing(ask: Ask) -> None:
    lies = (
        "X-Forwarded-For: 6.6.6.6, 7.7.7.7\nX-Forwarded-Proto: http\nX-Forwarded-Host: localhost\n"
        "X-Real-IP: 6.6.6.6\nForwarded: for=6.6.6.6;host=localhost;proto=http\nX_Forwarded_For: 6.6.6.6\n"
    )
    told = ask(f"GET /probe HTTP/1.1\nHost: {NAME}\n{lies}Connection: close, X-Forwarded-For\n\n")
    body = b"".join(told.partition(b"\r\n\r\n")[2].split())
    assert b'["127.0.0.1","https","netpilot.example.org"]' in body


def test_the_name_is_the_one_that_was_asked_for(ask: Ask) -> None:
    told = ask(f"GET /health/live HTTP/1.1\nHost: evil.example\nX-Forwarded-Host: {NAME}\nConnection: close\n\n")
    assert told.startswith(b"HTTP/1.1 404")


def status(ask: Ask, path: str, client: str) -> bytes:
    told = ask(f"GET {path} HTTP/1.1\nHost: {NAME}\nX-Test-Client: {client}\nConnection: close\n\n")
    return told.split()[1]


@pytest.mark.parametrize(
    ("client", "same", "others"),
    [
        ("2001:db8::1", ("2001:db8::2", "2001:db8::a:b:c:d"), ("2001:db8:0:1::1", "2001:db9::1", "192.0.2.1")),
        ("2001:db8:0:a::1", ("2001:db8:0:a::a", "2001:db8:0:a:a:a:a:a"), ("2001:db8:0:b::1",)),  # 0a is a line's end
        ("192.0.2.1", ("192.0.2.1",), ("192.0.2.2", "192.0.2.10", "2001:db8::1")),
    ],
)
def test_connections_are_counted_by_address_and_of_ipv6_by_network(
    ask: Ask, hold: Hold, client: str, same: tuple[str, ...], others: tuple[str, ...]
) -> None:
    with ThreadPoolExecutor() as pool:
        held = pool.submit(status, ask, "/held", client)
        try:
            assert hold.has_come.wait(10)
            assert {status(ask, "/health/live", one) for one in same} == {b"429"}
            assert {status(ask, "/health/live", one) for one in others} == {b"200"}
        finally:
            hold.may_end.set()
        assert held.result() == b"200"


def test_a_download_that_breaks_off_is_seen_to(ask: Ask) -> None:
    """Its chunks have no end."""
    told = ask(f"GET /broken HTTP/1.1\nHost: {NAME}\nConnection: close\n\n")
    assert b"Transfer-Encoding: chunked" in told
    assert b"the first half" in told
    assert not told.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "lengths", ["Content-Length: 5\nTransfer-Encoding: chunked", "Content-Length: 0\nContent-Length: 5"]
)
def test_a_request_of_two_lengths_is_none(ask: Ask, lengths: str) -> None:
    hidden = f"GET /probe HTTP/1.1\nHost: {NAME}\n\n"
    told = ask(f"POST /probe HTTP/1.1\nHost: {NAME}\n{lengths}\n\n0\n\n{hidden}")
    assert told.startswith(b"HTTP/1.1 400")
    assert told.count(b"HTTP/1.1 ") == 1
