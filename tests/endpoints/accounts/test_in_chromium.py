"""Signing in with a real browser, and what is tried out on /api/docs then."""

from typing import Any

import requests

from tests.endpoints.accounts.provider import ANNA, BrowserOf


def test_who_is_signed_in_can_try_everything_out_on_the_page_of_the_api(url: str, page: Any) -> None:
    page.goto(f"{url}/api/auth/login?next=/api/docs")
    page.fill("input[name=sub]", ANNA.sub)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/api/docs")
    assert page.evaluate("document.cookie") == "", "no script reads the cookie"

    def status_of(method: str, path: str) -> str:
        operation = requests.get(f"{url}/openapi.json", timeout=10).json()["paths"][path][method]
        block = page.locator(f"#operations-{operation['tags'][0]}-{operation['operationId']}")
        block.wait_for(timeout=20_000)
        block.locator(".opblock-summary-control").click()
        block.locator(".try-out__btn").click()
        block.locator(".execute").click()
        return str(block.locator(".live-responses-table .response-col_status").last.inner_text())

    assert status_of("get", "/api/auth/me").startswith("200")
    assert status_of("post", "/api/auth/logout").startswith("200")
    assert page.evaluate("fetch('/api/auth/me').then(answer => answer.status)") == 401


def test_a_page_that_is_shown_somewhere_else_changes_nothing(anna: BrowserOf, url: str, page: Any) -> None:
    """Its forms come with the cookie where a browser sends it, without the header that only our own pages can set."""
    page.context.add_cookies([{"name": "netpilot_session", "value": anna.cookie, "url": url}])
    form = f'<form method=post action="{url}/api/auth/logout"><button>win a prize</button></form>'
    page.route("http://prizes.test/", lambda route: route.fulfill(content_type="text/html", body=form))
    page.goto("http://prizes.test/")
    page.click("button")
    page.wait_for_load_state()
    assert '"success":false' in page.content()
    assert anna.call("GET", "/api/auth/me").status_code == 200
