"""The connection state of the page in a real browser: "Live" only when it is, and otherwise the reason."""

import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.conftest import loaded
from tests.e2e.proxy import Proxy
from tests.serving import Server, serve

COUNTING = str(Path(__file__).parent / "boards" / "counting.py")


@pytest.fixture
def counting() -> Iterator[Server]:
    with serve("run", COUNTING, "--interval", "100") as server:
        yield server


def state(page: Page) -> Locator:
    return page.locator(".status .state")


def without_upgrade(data: bytes) -> bytes:
    """Forward a request like a proxy that does not support WebSockets."""
    return re.sub(rb"(?im)^(upgrade|connection): .*\r\n", b"", data)


def without_port(data: bytes) -> bytes:
    """Forward a request like nginx with `proxy_set_header Host $host`."""
    return re.sub(rb"(?im)^(host: 127\.0\.0\.1):\d+\r\n", rb"\1\r\n", data)


@pytest.mark.parametrize(
    ("change", "said", "also"),
    [
        (without_upgrade, "HTTP works, but the WebSocket does not.", "proxy_set_header Upgrade $http_upgrade;"),
        (without_port, "The server refuses the WebSocket. It answers 403", "Host"),
    ],
)
def test_the_page_says_why_the_websocket_is_blocked(
    page: Page, counting: Server, change: Callable[[bytes], bytes], said: str, also: str
) -> None:
    changed = True
    with Proxy(counting.port, lambda data: change(data) if changed else data) as proxy:
        page.goto(f"http://127.0.0.1:{proxy.port}/")
        trouble = page.get_by_role("alert", name="Connection")
        expect(trouble).to_contain_text(said)
        expect(trouble).to_contain_text(also)
        expect(state(page)).to_have_text("Disconnected")
        # The message vanishes when the proxy works.
        changed = False
        expect(state(page)).to_have_text("Live")
        expect(trouble).to_have_count(0)


def test_a_stopped_server_is_not_reported_as_a_proxy_problem(page: Page, counting: Server) -> None:
    with Proxy(counting.port) as proxy:
        page.goto(f"http://127.0.0.1:{proxy.port}/")
        expect(state(page)).to_have_text("Live")
        proxy.cut()
        expect(state(page)).to_have_text("Disconnected")
        page.wait_for_timeout(5_000)
        expect(page.get_by_role("alert", name="Connection")).to_have_count(0)


def test_the_page_is_not_live_while_the_server_hangs(page: Page, counting: Server) -> None:
    page.goto(counting.url)
    expect(state(page)).to_have_text("Live")
    loaded(page)
    counting.process.send_signal(signal.SIGSTOP)
    try:
        expect(state(page)).to_have_text("Not live")
        expect(page.locator(".status .note")).to_have_text(re.compile(r"^behind by \d+ s$"))
        expect(page.get_by_role("region", name="Connection lost")).to_contain_text("no tick has come for")
    finally:
        counting.process.send_signal(signal.SIGCONT)
    expect(state(page)).to_have_text("Live")
    expect(page.locator(".status .note")).to_have_count(0)


HOLD_TIMERS = """
    const real = window.setTimeout;
    window.setTimeout = (call, after, ...more) => (window.held && after > 400 ? 0 : real(call, after, ...more));
"""


def test_a_lost_connection_is_explained_and_can_be_tried_again_at_once(page: Page, counting: Server) -> None:
    # The page connects by itself, and never tries again unless somebody presses the button.
    page.add_init_script("delete window.SharedWorker;" + HOLD_TIMERS)
    with Proxy(counting.port) as proxy:
        page.goto(f"http://127.0.0.1:{proxy.port}/")
        expect(state(page)).to_have_text("Live")
        loaded(page)
        page.evaluate("window.held = true")
        proxy.cut()
        bar = page.get_by_role("region", name="Connection lost")
        expect(bar).to_contain_text(re.compile(r"Stale since \d\d:\d\d:\d\d, for \d+ s"))
        expect(bar).to_contain_text("The server does not answer. Showing the last values received.")
        expect(page).to_have_title(re.compile(r"^Stale since \d\d:\d\d:\d\d · Counting$"))
        expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("^data:"))
        help = bar.get_by_role("button", name="What can I do?")
        expect(help).to_have_attribute("aria-expanded", "false")
        help.click()
        expect(bar.get_by_role("listitem").first).to_contain_text(f"curl -sS http://127.0.0.1:{proxy.port}/api/health")
        proxy.restore()
        page.wait_for_timeout(2_000)
        expect(state(page)).to_have_text("Disconnected")
        bar.get_by_role("button", name="Retry now").click()
        expect(state(page)).to_have_text("Live")
        expect(bar).to_have_count(0)
        expect(page.get_by_role("main")).to_be_focused()
        expect(page).to_have_title("Counting")
        expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile(r"icon-.*\.svg$"))


def test_a_page_that_was_hidden_is_live_again_and_up_to_date(page: Page, counting: Server) -> None:
    page.goto(counting.url)
    expect(state(page)).to_have_text("Live")
    hide = """(hidden) => {
        const state = hidden ? "hidden" : "visible";
        Object.defineProperty(document, "visibilityState", { get: () => state, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    seq = counting.json("/api/health")["seq"]
    counting.wait_for(lambda: counting.json("/api/health")["seq"] > seq + 40)
    page.evaluate(hide, False)
    expect(state(page)).to_have_text("Live")
    last = page.locator('.metric-card[data-metric="count"] .now-value')
    counting.wait_for(lambda: int(last.inner_text().replace(",", "")) >= seq + 40)


@pytest.mark.parametrize("hours", [5, -9])
def test_changing_the_viewers_clock_does_not_affect_the_state(page: Page, counting: Server, hours: int) -> None:
    page.goto(counting.url)
    expect(state(page)).to_have_text("Live")
    page.evaluate("(ms) => { const now = Date.now; Date.now = () => now() + ms; }", hours * 3_600_000)
    seq = counting.json("/api/health")["seq"]
    counting.wait_for(lambda: counting.json("/api/health")["seq"] > seq + 40)
    expect(state(page)).to_have_text("Live")
    expect(page.locator(".status .note")).to_have_count(0)
