"""A browser in which somebody is logged in: no other site can use that, and a rebound name has no cookie."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.security.access import PASSWORD, Accounts
from tests.security.test_access_routes import BOARD
from tests.security.test_browser import browsing, evil, named_browser
from tests.serving import Server, serve

__all__ = ["browsing", "evil", "named_browser"]

READ = """async (url) => {
  try { return (await fetch(url, {credentials: "include"})).status } catch (error) { return String(error.name) }
}"""

SEND = """async ([url, type]) => {
  const body = JSON.stringify({text: "from elsewhere"});
  const init = {method: "POST", credentials: "include", mode: "no-cors", headers: {"Content-Type": type}, body};
  try { await fetch(url, init) } catch {}
}"""

WRITE = """async (url) => (await fetch(url, {method: "POST", body: '{"text": "x"}'})).status"""

WATCH = """(url) => new Promise((done) => {
  const socket = new WebSocket(url);
  socket.onopen = () => done("open");
  socket.onclose = () => done("closed");
})"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    accounts = Accounts(tmp_path_factory.mktemp("access") / "access.json")
    accounts.person("Ann", "admin")
    with serve("run", BOARD, "--host", "0.0.0.0", *accounts.flags) as running:
        yield running


@pytest.fixture
def logged_in(browsing: BrowserContext, server: Server) -> Page:
    page = browsing.new_page()
    page.goto(f"http://board.example:{server.port}/")
    page.get_by_label("Name").fill("Ann")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".state")).to_have_text("Live")
    assert page.evaluate(READ, "/api/board") == 200
    return page


def test_a_name_that_is_rebound_to_the_board_has_no_cookie(logged_in: Page, server: Server) -> None:
    rebound = logged_in.context.new_page()
    rebound.goto(f"http://rebound.example:{server.port}/api/health")
    assert rebound.evaluate(READ, "/api/board") == 401
    assert rebound.evaluate(READ, "/api/history") == 401
    assert rebound.evaluate(WATCH, f"ws://rebound.example:{server.port}/ws/metrics") == "closed"
    assert rebound.evaluate(WRITE, "/api/marks") == rebound.evaluate(WRITE, "/api/metrics") == 401
    # While the board's own page goes on.
    assert logged_in.evaluate(READ, "/api/board") == 200


def test_a_page_of_another_site_can_use_no_login(logged_in: Page, server: Server, evil: str) -> None:
    board = f"http://board.example:{server.port}"
    other = logged_in.context.new_page()
    other.goto(evil)
    assert other.evaluate(READ, f"{board}/api/board") == "TypeError"
    assert other.evaluate(WATCH, f"ws://board.example:{server.port}/ws/metrics") == "closed"
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json"):
        other.evaluate(SEND, [f"{board}/api/marks", kind])
        other.evaluate(SEND, [f"{board}/logout", kind])
    assert logged_in.evaluate("async () => (await (await fetch('/api/marks')).json()).length") == 0
    assert logged_in.evaluate(READ, "/api/board") == 200


def test_a_form_of_another_site_logs_nobody_out_or_in(logged_in: Page, server: Server, evil: str) -> None:
    board = f"http://board.example:{server.port}"
    for path in ("logout", "login"):
        other = logged_in.context.new_page()
        other.goto(evil)
        other.set_content(f'<form method="post" action="{board}/{path}"><button>go</button></form>')
        with other.expect_navigation() as sent:
            other.get_by_role("button").click()
        assert sent.value is not None
        assert sent.value.status == 403
    assert logged_in.evaluate(READ, "/api/board") == 200


def test_the_cookie_is_not_for_scripts(logged_in: Page) -> None:
    assert logged_in.evaluate("document.cookie") == ""
    [cookie] = logged_in.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
