"""Attacks on a board by a page of another site in a real browser, with and without permission.

The other site is a separate server on loopback, under the name evil.example. Each attempt is repeated against a board
that allows it, to prove that the board refuses it and that the attempt itself works.
"""

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from tests.e2e.conftest import CHROMIUM, QUIET
from tests.serving import Server, serve, wait_for

BOARDS = Path(__file__).parents[1] / "boards"

NAMES = "MAP evil.example 127.0.0.1, MAP rebound.example 127.0.0.1, MAP board.example 127.0.0.1"


class Site(BaseHTTPRequestHandler):
    """Another site: every path is an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>evil</title><body>")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def evil() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://evil.example:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def named_browser() -> Iterator[Browser]:
    """A browser that resolves some names to this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, f"--host-resolver-rules={NAMES}"])
        yield browser
        browser.close()


@pytest.fixture
def browsing(named_browser: Browser) -> Iterator[BrowserContext]:
    with named_browser.new_context() as context:
        context.set_default_timeout(20_000)
        yield context


@pytest.fixture(scope="module")
def closed() -> Iterator[Server]:
    """A board that allows nothing."""
    with alarming() as server:
        yield server


@pytest.fixture(scope="module")
def opened(evil: str) -> Iterator[Server]:
    """A board that allows the other site everything that can be allowed."""
    with alarming("--allow-origin", evil, "--allow-frame", evil, "--allow-host", "rebound.example") as server:
        yield server


@contextlib.contextmanager
def alarming(*flags: str) -> Iterator[Server]:
    """Serve a board on which an alert fires."""
    with serve("run", str(BOARDS / "alarms.py"), "--interval", "100", *flags) as server:
        push(server, "load", 9)
        wait_for(lambda: alerts(server))
        yield server


def push(server: Server, name: str, value: float, **labels: str) -> None:
    pushed = {"name": name, "value": value, "labels": labels}
    httpx.post(f"{server.url}api/metrics", json=pushed).raise_for_status()


def alerts(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.json("/api/alerts")["alerts"]
    return found


def local(server: Server, path: str = "") -> str:
    return f"http://localhost:{server.port}/{path}"


@pytest.fixture
def attacker(browsing: BrowserContext, evil: str) -> Page:
    page = browsing.new_page()
    page.goto(evil)
    return page


READ = """async (url) => {
  try { return (await (await fetch(url)).text()).length > 0; } catch { return false; }
}"""


@pytest.mark.parametrize("path", ["api/stats", "api/alerts", "metrics", "api/board", "", "nothing"])
def test_a_page_of_another_site_cannot_read_a_document(
    attacker: Page, closed: Server, opened: Server, path: str
) -> None:
    assert attacker.evaluate(READ, local(opened, path)) is True
    assert attacker.evaluate(READ, local(closed, path)) is False


EMBED = """([tag, url]) => new Promise((done) => {
  const element = document.createElement(tag);
  element.onload = () => done(true);
  element.onerror = () => done(false);
  if (tag === "link") { element.rel = "stylesheet"; element.href = url; } else element.src = url;
  document.body.append(element);
})"""


def test_a_page_of_another_site_cannot_embed_an_asset(browsing: BrowserContext, attacker: Page, closed: Server) -> None:
    own = browsing.new_page()
    own.goto(local(closed))
    # As they were sent: the page gives itself another icon while an alert fires.
    sent = httpx.get(local(closed)).text
    for tag, pattern in (("img", "svg"), ("script", "js"), ("link", "css")):
        [path] = re.findall(rf'(?:src|href)="([^"]+\.{pattern})"', sent)[:1]
        url = urljoin(local(closed), path)
        assert own.evaluate(EMBED, [tag, url]) is True
        assert attacker.evaluate(EMBED, [tag, url]) is False


STREAM = """(url) => new Promise((done) => {
  const stream = new EventSource(url);
  stream.onopen = () => { stream.close(); done(true); };
  stream.onerror = () => { stream.close(); done(false); };
})"""

WATCH = """(url) => new Promise((done) => {
  const socket = new WebSocket(url);
  socket.onmessage = () => { socket.close(); done(true); };
  socket.onerror = () => done(false);
})"""


def test_a_page_of_another_site_cannot_read_the_alert_stream(attacker: Page, closed: Server, opened: Server) -> None:
    assert attacker.evaluate(STREAM, local(opened, "events/alerts")) is True
    assert attacker.evaluate(STREAM, local(closed, "events/alerts")) is False
    wait_for(lambda: closed.json("/api/health")["subscribers"] == 0)


def test_a_page_of_another_site_cannot_open_the_websocket(attacker: Page, closed: Server, opened: Server) -> None:
    for server, watches in ((opened, True), (closed, False)):
        assert attacker.evaluate(WATCH, local(server, "ws/metrics").replace("http", "ws")) is watches


SEND = """async ([url, body, type]) => {
  await fetch(url, { method: "POST", mode: "no-cors", body: type ? new Blob([body], { type }) : body }).catch(() => {});
}"""

BEACON = "([url, body]) => navigator.sendBeacon(url, body)"

FORM = """([url, body]) => {
  const form = document.createElement("form");
  Object.assign(form, { action: url, method: "post", enctype: "text/plain" });
  const field = document.createElement("input");
  [field.name, field.value] = body.split("=");
  form.append(field);
  document.body.append(form);
  form.submit();
}"""

SANDBOXED = """([url, body]) => new Promise((done) => {
  onmessage = done;
  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts";
  const send = `fetch(${JSON.stringify(url)}, { method: "POST", mode: "no-cors", body: ${JSON.stringify(body)} })`;
  frame.srcdoc = `<script>${send}.finally(() => parent.postMessage(0, "*"))</script>`;
  document.body.append(frame);
})"""


def names(server: Server) -> set[str]:
    return {metric["name"] for metric in server.json("/api/board")["metrics"]}


def test_a_page_of_another_site_cannot_push_without_a_preflight(
    attacker: Page, evil: str, closed: Server, opened: Server
) -> None:
    body = '{"name": "%s", "value": 1}'
    for server in (opened, closed):
        url = local(server, "api/metrics")
        attacker.goto(evil)
        attacker.evaluate(SEND, [url, body % "by_fetch", "text/plain"])
        attacker.evaluate(SEND, [url, body % "by_form_type", "application/x-www-form-urlencoded"])
        attacker.evaluate(BEACON, [url, body % "by_beacon"])
        with attacker.expect_navigation():
            # A form sends name=value: the value completes the JSON that the name begins.
            attacker.evaluate(FORM, [url, '{"name": "by_form", "unit": "=", "value": 1}'])
        attacker.goto(evil)
        attacker.evaluate(SANDBOXED, [url, body % "by_sandbox"])
    wait_for(lambda: {"by_fetch", "by_form_type", "by_beacon", "by_form"} <= names(opened))
    # Its origin is "null", which nobody can allow.
    assert "by_sandbox" not in names(opened)
    push(closed, "own", 1)
    wait_for(lambda: "own" in names(closed))
    assert not {name for name in names(closed) if name.startswith("by_")}


def test_a_page_of_another_site_cannot_acknowledge_or_silence(attacker: Page, closed: Server, opened: Server) -> None:
    ask = """async ([url, body]) => {
      const headers = { "content-type": "application/json" };
      try { return (await fetch(url, { method: "POST", headers, body })).status; } catch { return 0; }
    }"""
    for server, status in ((opened, 200), (closed, 0)):
        for alert in alerts(server):
            for path, body in (("ack", "{}"), ("silence", '{"duration": "1h", "reason": "x"}')):
                assert attacker.evaluate(ask, [local(server, f"api/alerts/{alert['id']}/{path}"), body]) == status
    assert opened.json("/api/silences")
    assert all("acknowledged" in alert for alert in alerts(opened))
    assert closed.json("/api/silences") == []
    assert not any("acknowledged" in alert for alert in alerts(closed))


# --- rebinding ---

PUSH = """async (url) => (await fetch(url, { method: "POST", body: '{"name": "re", "value": 1}' })).status"""


def test_dns_rebinding_is_refused(browsing: BrowserContext, closed: Server, opened: Server) -> None:
    for server, gets in ((opened, True), (closed, False)):
        page = browsing.new_page()
        # Whatever the answer, the browser treats the document and the board as one site.
        page.goto(f"http://rebound.example:{server.port}/api/stats")
        status = "async (path) => (await fetch(path)).status"
        wanted = 200 if gets else 421
        assert [page.evaluate(status, path) for path in ("/api/stats", "/", "/metrics")] == [wanted] * 3
        assert page.evaluate(WATCH, f"ws://rebound.example:{server.port}/ws/metrics") is gets
        assert page.evaluate(PUSH, "/api/metrics") == wanted
        assert page.evaluate(STREAM, "/events/alerts") is gets


# --- frames ---

FRAME = """(url) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.onload = () => done();
  frame.src = url;
  document.body.replaceChildren(frame);
})"""


def test_only_allowed_sites_can_frame_the_page(attacker: Page, closed: Server, opened: Server) -> None:
    attacker.evaluate(FRAME, local(opened))
    expect(attacker.frame_locator("iframe").locator(".status .state")).to_have_text("Live")
    for path in ("", "api/stats", "nothing", "metrics"):
        attacker.evaluate(FRAME, local(closed, path))
        expect(attacker.frame_locator("iframe").locator("body")).to_contain_text("refused to connect")


def test_the_page_can_frame_itself_only_if_allowed(browsing: BrowserContext, closed: Server) -> None:
    page = browsing.new_page()
    with alarming("--allow-frame", "self") as allowing:
        page.goto(local(allowing))
        page.evaluate(FRAME, local(allowing))
        expect(page.frame_locator("iframe").locator(".status .state")).to_have_text("Live")
    page.goto(local(closed))
    page.evaluate(FRAME, local(closed))
    expect(page.frame_locator("iframe").locator("body")).to_contain_text("refused to connect")


# --- the page under its own policy ---

VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) =>
  window.violations.push([event.violatedDirective, event.blockedURI, event.sourceFile]));
"""


def test_violations_of_the_content_security_policy_are_detected(browsing: BrowserContext, closed: Server) -> None:
    browsing.add_init_script(VIOLATIONS)
    page = browsing.new_page()
    page.goto(local(closed))
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), { text: 'window.ran = 1' }))")
    page.wait_for_function("window.violations.length >= 2")
    assert page.evaluate("window.ran") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_never_violates_its_content_security_policy(named_browser: Browser, scheme: str) -> None:
    messages: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # There is nothing that the first seconds of a server could be compared with. The page says so.
        nothing_before = "/api/changes?" in message.location["url"]
        if message.type in {"error", "warning"} and not nothing_before:
            messages.append(message.text)

    with (
        alarming("--allow-host", "board.example") as server,
        serve() as host,
        named_browser.new_context(
            color_scheme="dark" if scheme == "dark" else "light", permissions=["notifications"]
        ) as context,
    ):
        context.set_default_timeout(20_000)
        context.add_init_script(VIOLATIONS)
        page = context.new_page()
        page.on("console", on_console)
        # Also under a name that the browser does not treat as a secure context, and with the process table.
        for url in (local(server), f"http://board.example:{server.port}/", local(host)):
            page.goto(url)
            expect(page.locator(".status .state")).to_have_text("Live")
            if url != local(host):
                expect(page.get_by_text("load 9.0").first).to_be_visible()
            for button in page.query_selector_all("button"):
                if button.is_visible() and button.is_enabled():
                    button.click()
                    # What it opened is over the others.
                    page.keyboard.press("Escape")
                    page.keyboard.press("Escape")
            page.get_by_role("button", name="Live", exact=True).click()
            push(server, "disk", 95, host="a")
            page.mouse.move(400, 400)
            page.emulate_media(media="print")
            page.emulate_media(media="screen")
            expect(page.locator(".status .state")).to_have_text("Live")
            assert page.evaluate("window.violations") == []
    assert messages == []
