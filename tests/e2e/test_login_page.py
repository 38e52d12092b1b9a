"""Logging in with a real browser: by a link, by name and password, and again when the session has ended."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.e2e.conftest import Watched, address
from tests.security.access import PASSWORD, Accounts
from tests.security.test_access_login import Board
from tests.security.test_access_routes import BOARD
from tests.security.test_tls import write
from tests.serving import serve


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    accounts = Accounts(tmp_path_factory.mktemp("access") / "access.json")
    accounts.person("Ann", "operator")
    accounts.person("Tom", "viewer")
    accounts.person("Una", "operator")
    with serve("run", BOARD, "--auth", "required", *accounts.flags) as server:
        yield Board(server, accounts, "/")


def log_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def open_menu(page: Page) -> None:
    page.get_by_role("button", name="Theme and density").click()


def is_live(page: Page) -> None:
    expect(page.locator(".state")).to_have_text("Live")


def test_a_person_logs_in_uses_the_board_and_logs_out(board: Board, watched: Watched) -> None:
    page = watched.page
    page.goto(f"{board.url}?range=5m")
    expect(page).to_have_url(re.compile(r"/login\?next=range%3D5m$"))
    log_in(page, "ann", "not the password")
    expect(page.get_by_role("alert")).to_have_text(re.compile("not known here"))
    expect(page.get_by_label("Name")).to_have_value("ann")
    log_in(page, "ann")
    is_live(page)
    expect(page).to_have_url(re.compile(r"/\?range=5m$"))
    page.get_by_role("button", name=re.compile("^Acknowledge")).first.click()
    expect(page.get_by_role("button", name=re.compile("^Acknowledged")).first).to_be_visible()
    expect(page.locator(".alert").first).to_contain_text("Ann")
    open_menu(page)
    page.get_by_role("button", name="Log out Ann").click()
    expect(page.get_by_label("Password")).to_be_visible()
    page.goto(board.url)
    expect(page.get_by_label("Password")).to_be_visible()


def test_a_link_logs_in_by_its_button(board: Board, page: Page) -> None:
    page.goto(board.url + board.link())
    page.get_by_role("button", name="Log in").click()
    is_live(page)
    expect(page).to_have_url(board.url)


def test_the_login_needs_no_scripts(board: Board, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(board.url)
        log_in(page, "Ann")
        expect(page).to_have_url(board.url)
        assert {each["name"][:10]: each["httpOnly"] for each in context.cookies()} == {"tickboard_": True}
    finally:
        context.close()


def test_a_viewer_has_no_buttons_that_change_alerts(board: Board, page: Page) -> None:
    page.goto(board.url)
    log_in(page, "Tom")
    is_live(page)
    alert = page.locator(".alert").first
    expect(alert).to_be_visible()
    open_menu(page)
    expect(page.get_by_role("button", name="Log out Tom")).to_be_visible()
    expect(alert.get_by_role("button", name=re.compile("Acknowledge"))).to_have_count(0)
    expect(alert.get_by_role("button", name=re.compile("Silence"))).to_have_count(0)
    expect(alert.get_by_role("button", name=re.compile("Dismiss"))).to_have_count(1)


def choose_a_range(page: Page) -> None:
    """Choose a range on the first chart, by keys."""
    page.get_by_role("img", name=re.compile("^cpu, line chart")).focus()
    for key in ("End", "ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()


def test_a_viewer_is_offered_no_mark(board: Board, page: Page) -> None:
    for name, offered in (("Tom", 0), ("Ann", 1)):
        page.goto(board.url)
        log_in(page, name)
        is_live(page)
        open_menu(page)
        expect(page.get_by_role("button", name=f"Log out {name}")).to_be_visible()
        page.keyboard.press("Escape")
        choose_a_range(page)
        expect(page.get_by_role("button", name="Mark", exact=True)).to_have_count(offered)
        page.keyboard.press("Escape")
        page.keyboard.press("?")
        expect(page.get_by_text("Next firing alert")).to_be_visible()
        expect(page.get_by_text("Mark the time of the cursor")).to_have_count(offered)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        # What a key opens is there before what the next one opens.
        page.keyboard.press("m")
        if offered:
            expect(page.get_by_role("dialog", name="New mark")).to_be_visible()
        else:
            page.keyboard.press("o")
            expect(page.get_by_role("dialog", name="Outline")).to_be_visible()
        page.context.clear_cookies()


def test_who_may_no_longer_do_it_is_told_so_and_loses_nothing(board: Board, page: Page) -> None:
    page.goto(board.url)
    log_in(page, "Una")
    is_live(page)
    board.accounts.file.change(lambda records: records.with_role("Una", "viewer"))
    board.server.wait_for(lambda: page.evaluate("fetch('api/me').then((answer) => answer.json())")["role"] == "viewer")
    refusal = re.compile("^This needs the role operator, and Una is a viewer")

    page.keyboard.press("m")
    dialog = page.get_by_role("dialog", name="New mark")
    dialog.get_by_label("What happened").fill("deployed 1.4")
    dialog.get_by_role("button", name="Mark", exact=True).click()
    expect(dialog.get_by_role("alert")).to_have_text(refusal)
    expect(dialog.get_by_label("What happened")).to_have_value("deployed 1.4")
    page.keyboard.press("Escape")

    alert = page.locator(".alert").first
    alert.get_by_role("button", name=re.compile("^Silence")).click()
    page.get_by_label("Reason").fill("a new disk comes")
    page.get_by_role("button", name="Silence for 2 h").click()
    expect(alert.get_by_role("alert")).to_have_text(refusal)
    expect(page.get_by_label("Reason")).to_have_value("a new disk comes")


def test_the_page_says_that_the_session_has_ended_and_leads_back(board: Board, page: Page) -> None:
    page.goto(f"{board.url}?range=2m")
    log_in(page, "Tom")
    is_live(page)
    board.accounts.file.change(lambda records: records.without_sessions_of("Tom"))
    notice = page.get_by_role("alert", name="Connection")
    expect(notice).to_contain_text("You are logged out.")
    notice.get_by_role("link", name="Log in").click()
    log_in(page, "Tom")
    is_live(page)
    expect(page).to_have_url(re.compile(r"\?range=2m$"))


def test_a_kiosk_starts_with_the_token_of_a_viewer(board: Board, context: BrowserContext) -> None:
    token = board.accounts.token("viewer")
    with board.browser() as other:
        board.server.wait_for(lambda: other.get("login", params={"token": token}).status_code == 303)
    page = context.new_page()
    page.goto(f"{board.url}login?token={token}&next=kiosk")
    expect(page).to_have_url(f"{board.url}?kiosk")
    assert token not in address(page)
    expect(page.locator("body")).to_contain_text("Own")


def test_ticks_arrive_where_the_viewer_has_accepted_a_certificate_by_hand(browser: Browser, tmp_path: Path) -> None:
    accounts = Accounts(tmp_path / "access.json")
    token = accounts.token("viewer")
    certificate, key = write(tmp_path)
    flags = ("--host", "0.0.0.0", "--tls-cert", str(certificate), "--tls-key", str(key))
    with serve("run", BOARD, *flags, *accounts.flags) as server:
        # It counts for the page alone: Chromium lets no WebSocket of a shared worker through.
        context = browser.new_context(ignore_https_errors=True)
        try:
            page = context.new_page()
            page.goto(f"https://localhost:{server.port}/login?token={token}")
            expect(page.locator(".state")).to_have_text("Live", timeout=60_000)
        finally:
            context.close()
