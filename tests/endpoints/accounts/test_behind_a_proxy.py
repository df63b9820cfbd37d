"""The real web server as a proxy calls it: whose word counts, and signing in by https."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

from endpoints import rate_limits
from server import Runtime
from tests.endpoints.accounts.probed_app import probed_app
from tests.endpoints.accounts.provider import ANNA
from tests.homes import serving

NAME = "netpilot.example.org"
OURS = f"https://{NAME}"

#: As a proxy in front sends it.
PROXIED = {"Host": NAME, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}

Open = Callable[[int], AbstractContextManager[str]]


@pytest.fixture
def behind(make_runtime: Callable[..., Runtime], provider: str) -> Open:
    """with behind(2) as url: a server that trusts two proxies, and tells at /probe what it believes."""

    @contextmanager
    def running(trusted_proxies: int) -> Iterator[str]:
        app = probed_app(make_runtime, provider, public_url=OURS, trusted_proxies=trusted_proxies)
        with serving(app) as url:
            yield url

    return running


@pytest.mark.parametrize(
    ("proxies", "forwarded", "believed"),
    [
        (0, "192.0.2.1", "127.0.0.1"),
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "6.6.6.6, 192.0.2.1", "192.0.2.1"),
        (1, "6.6.6.6, 7.7.7.7,192.0.2.1", "192.0.2.1"),
        (1, "127.0.0.1, 2001:db8::1", "2001:db8::1"),
        (2, "192.0.2.1, 10.0.0.2", "192.0.2.1"),
        (2, "6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        (2, "192.0.2.1", "127.0.0.1"),  # it came past one of them
        (1, "", "127.0.0.1"),
        (1, "192.0.2.1:50123", "192.0.2.1"),  # as some write it
        (1, "[2001:DB8::1]:50123", "2001:db8::1"),
        (1, "[2001:db8::1]", "2001:db8::1"),
        (1, "fe80::1%" + "x" * 5_000, "fe80::1"),
        (1, "unknown", "127.0.0.1"),  # what is no address is not taken for one
        (1, "<script>", "127.0.0.1"),
        (1, "192.0.2.1:x", "127.0.0.1"),
        (1, "x" * 5_000, "127.0.0.1"),
    ],
)
def test_the_address_is_what_the_trusted_proxies_say(behind: Open, proxies: int, forwarded: str, believed: str) -> None:
    with behind(proxies) as url:
        headers = {"Host": NAME, "X-Forwarded-For": forwarded}
        assert requests.get(f"{url}/probe", headers=headers).json()[0] == believed


@pytest.mark.parametrize("proxies", [0, 1])
@pytest.mark.parametrize("header", ["Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6", "X_Forwarded_For: 6.6.6.6"])
def test_other_words_for_an_address_count_for_nothing(behind: Open, proxies: int, header: str) -> None:
    with behind(proxies) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as sock:
        sock.sendall(f"GET /probe HTTP/1.1\r\nHost: {NAME}\r\n{header}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(65_536), b""))
        assert b"127.0.0.1" in answer
        assert b"6.6.6.6" not in answer


def test_two_lines_are_one_list(behind: Open) -> None:
    with behind(1) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as sock:
        lines = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.9\r\n"
        sock.sendall(f"GET /probe HTTP/1.1\r\nHost: {NAME}\r\n{lines}Connection: close\r\n\r\n".encode())
        assert b"192.0.2.9" in b"".join(iter(lambda: sock.recv(65_536), b""))


@pytest.mark.parametrize("proxies", [0, 1])
def test_who_makes_up_addresses_guesses_no_more_often(behind: Open, proxies: int) -> None:
    """It can write what it likes at the left; the proxy adds its true address at the right."""
    with behind(proxies) as url:
        statuses = []
        for number in range(rate_limits.GUESSES.amount + 5):
            made_up = f"6.6.6.{number}" + (", 192.0.2.1" if proxies else "")
            headers = {"Host": NAME, "X-Forwarded-For": made_up, "Authorization": f"Bearer np_{number}"}
            statuses.append(requests.get(f"{url}/api/auth/me", headers=headers).status_code)
        assert statuses == [401] * rate_limits.GUESSES.amount + [429] * 5
        neighbour = PROXIED | {"X-Forwarded-For": "192.0.2.200", "Authorization": "Bearer np_x"}
        assert requests.get(f"{url}/api/auth/me", headers=neighbour).status_code == (401 if proxies else 429)


# --- names and schemes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proxies", "headers", "status"),
    [
        (0, {"Host": NAME}, 200),
        (0, {"Host": "evil.example"}, 404),
        (0, {"Host": "evil.example", "X-Forwarded-Host": NAME}, 404),
        (1, {"Host": "backend:5000", "X-Forwarded-Host": NAME}, 200),
        (1, {"Host": "127.0.0.1:5000"}, 200),
        (1, {"Host": NAME, "X-Forwarded-Host": "evil.example"}, 404),
        (1, {"Host": NAME, "X-Forwarded-Host": f"{NAME}, evil.example"}, 404),
        (1, {"Host": f"{NAME}.evil.example"}, 404),
    ],
)
def test_the_server_answers_to_its_own_name(behind: Open, proxies: int, headers: dict[str, str], status: int) -> None:
    with behind(proxies) as url:
        assert requests.get(f"{url}/api/auth/me", headers=headers).status_code == (401 if status == 200 else status)
        assert requests.get(f"{url}/health/ready", headers=headers).status_code == status


def test_the_scheme_is_the_nearest_proxys(behind: Open) -> None:
    with behind(1) as url:
        for sent, believed in (("https", "https"), ("http", "http"), ("https, http", "http"), ("http, https", "https")):
            headers = {"Host": NAME, "X-Forwarded-Proto": sent}
            assert requests.get(f"{url}/probe", headers=headers).json()[1] == believed
    with behind(0) as url:
        headers = {"Host": NAME, "X-Forwarded-Proto": "https"}
        assert requests.get(f"{url}/probe", headers=headers).json()[1] == "http"


# --- signing in ------------------------------------------------------------------------------------------


def cookies_of(answer: requests.Response) -> dict[str, tuple[str, set[str]]]:
    """name -> value, attributes: a client that knows https would keep these, and requests would not."""
    found = {}
    for line in answer.raw.headers.getlist("Set-Cookie"):
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        found[name] = value, {one for one in attributes if not one.startswith(("Expires", "Max-Age"))}
    return found


@pytest.fixture
def signed_in_behind(behind: Open) -> Iterator[tuple[str, dict[str, str]]]:
    """The server's URL, and the headers of a browser that has signed in through the proxy."""
    with behind(1) as url:
        begun = requests.get(f"{url}/api/auth/login?next=/x", headers=PROXIED, allow_redirects=False)
        assert parse_qs(urlsplit(begun.headers["Location"]).query)["redirect_uri"] == [f"{OURS}/api/auth/callback"]
        ((name, (value, attributes)),) = cookies_of(begun).items()
        assert name.startswith("__Host-netpilot_sign_in_")
        assert attributes == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
        approved = requests.post(begun.headers["Location"], data={"sub": ANNA.sub}, allow_redirects=False)
        back = urlsplit(urljoin(begun.headers["Location"], approved.headers["Location"]))
        assert (back.scheme, back.netloc) == ("https", NAME)
        headers = PROXIED | {"Cookie": f"{name}={value}"}
        landed = requests.get(f"{url}{back.path}?{back.query}", headers=headers, allow_redirects=False)
        assert (landed.status_code, landed.headers["Location"]) == (302, "/x")
        assert {answer.headers["Cache-Control"] for answer in (begun, landed)} == {"no-store"}
        value, attributes = cookies_of(landed)["__Host-netpilot_session"]
        assert attributes == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}, "and no Domain"
        browser = PROXIED | {"Cookie": f"__Host-netpilot_session={value}"}
        me = requests.get(f"{url}/api/auth/me", headers=browser).json()["data"]
        yield url, browser | {"X-CSRFToken": me["csrfToken"]}


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (OURS, 201),
        (None, 201),
        (f"http://{NAME}", 403),
        (f"https://{NAME}:8443", 403),
        (f"https://{NAME}.evil.example", 403),
        ("https://example.org", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_a_write_is_of_our_own_page_by_https(
    signed_in_behind: tuple[str, dict[str, str]], origin: str | None, status: int
) -> None:
    url, browser = signed_in_behind
    headers: dict[str, Any] = browser | ({} if origin is None else {"Origin": origin})
    assert requests.post(f"{url}/api/auth/tokens", json={"name": "x"}, headers=headers).status_code == status


def test_a_cookie_without_the_prefix_is_none(signed_in_behind: tuple[str, dict[str, str]]) -> None:
    """Another host of the domain could set it."""
    url, browser = signed_in_behind
    planted = browser | {"Cookie": browser["Cookie"].removeprefix("__Host-")}
    assert requests.get(f"{url}/api/auth/me", headers=planted).status_code == 401


def test_the_account_is_shown_the_clients_address(signed_in_behind: tuple[str, dict[str, str]]) -> None:
    url, browser = signed_in_behind
    (session,) = requests.get(f"{url}/api/auth/sessions", headers=browser).json()["data"]["sessions"]
    (entry,) = requests.get(f"{url}/api/auth/audit", headers=browser).json()["data"]["entries"]
    assert session["address"] == entry["address"] == "192.0.2.1"


def test_browsers_are_to_remember_https_where_there_is_nothing_else(behind: Open, client: Any) -> None:
    with behind(1) as url:
        for path in ("/health/live", "/api/auth/me", "/api/docs", "/nothing"):
            sent = requests.get(url + path, headers=PROXIED).headers["Strict-Transport-Security"]
            assert sent == "max-age=31536000", "and not for names below ours"
    assert "Strict-Transport-Security" not in client.get("/health/live").headers
