"""A real Chromium for the tests of the page."""

import os
import shutil
from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    expect,
    sync_playwright,
)

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"

WITHOUT_WINDOWS = os.environ.get("CHROMIUM") or shutil.which("chromium-headless-shell") or CHROMIUM
"""Chromium without its own windows, in which a page takes half the CPU time; it shows no notifications."""

PATIENCE_MS = 30_000
"""How long to wait for the page: long enough for a busy machine, and shorter than a test may take."""

expect.set_options(timeout=PATIENCE_MS)

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def address(page: Page) -> str:
    """Return the address of a page as it is now; Playwright's own is that of its last event."""
    found: str = page.evaluate("location.href")
    return found


# Not session-scoped: Playwright's loop runs in this thread as long as the browser lives, so that no other test could
# run its own.
@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A browser: without its own windows, or the program that a test's parameter names."""
    with sync_playwright() as playwright:
        program = getattr(request, "param", WITHOUT_WINDOWS)
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


class Watched:
    """A page, with its errors and the hosts that it has contacted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _on_request(self, request: Request) -> None:
        if request.url.startswith(("http", "ws")):
            self.hosts.add(request.url.split("/")[2])


@pytest.fixture
def watched(context: BrowserContext) -> Watched:
    return Watched(context.new_page())


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report with a failed test what its page says, and the errors in its console."""
    report = yield
    watched = getattr(item, "funcargs", {}).get("watched")
    if report.when == "call" and report.failed and isinstance(watched, Watched):
        try:
            text = watched.page.locator("body").aria_snapshot(timeout=5_000)
        except Error as error:
            text = f"not known: {error}"
        report.sections.append(("the page", f"{watched.page.url}\n{text}"))
        report.sections.append(("errors of the page", "\n".join(watched.errors)))
    return report


def loaded(page: Page) -> None:
    """Wait until the page has what it needs once the server has gone: values, and what it loads after those."""
    page.wait_for_function(
        """() => ["js", "css"].every((kind) => performance.getEntriesByType("resource")
            .some(({ name, responseEnd }) => name.includes("/later") && name.endsWith(kind) && responseEnd > 0))"""
    )
