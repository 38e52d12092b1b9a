"""A board without any metric says how to send it a value, and shows the first one that comes."""

import re
from pathlib import Path

import httpx
from playwright.sync_api import BrowserContext, expect
from tests.e2e.conftest import Watched
from tests.serving import serve


def test_a_board_without_metrics_says_how_to_send_one(
    context: BrowserContext, watched: Watched, tmp_path: Path
) -> None:
    page, file = watched.page, tmp_path / "empty.py"
    file.write_text('from tickboard import Board\n\nboard = Board("Orders", interval_ms=100)\n')
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    with serve("run", str(file)) as server:
        page.goto(server.url)
        address = server.url.rstrip("/")
        waiting = page.get_by_role("region", name="Send the first value")
        expect(waiting).to_contain_text(address)
        expect(page.locator(".status")).to_contain_text("Waiting for the first value")
        expect(page).to_have_title("Orders: waiting for the first value")
        expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("^data:"))
        expect(waiting).to_contain_text(
            re.compile(r"Connected\. 0 series, 0 rules\. Listening for \d+ s; nothing was refused\.")
        )
        waiting.get_by_role("button", name="Copy").click()
        expect(waiting.get_by_role("button", name="Copied")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == f"""curl {address}/api/metrics -d '{{"name": "queue", "value": 3}}'"""
        # The other ways, by keyboard too.
        waiting.get_by_role("tab", name="Shell").focus()
        page.keyboard.press("ArrowRight")
        expect(waiting.get_by_role("tab", name="Python")).to_be_focused()
        expect(waiting.get_by_role("tabpanel")).to_contain_text(f'tickboard.push("{address}")')
        for name in ("A command", "OpenTelemetry", "StatsD"):
            waiting.get_by_role("tab", name=name).click()
            expect(waiting.get_by_role("tabpanel", name=name)).to_be_visible()
        answer = httpx.post(f"{address}/api/metrics", json={"name": "queue", "value": 3})
        assert answer.status_code == 200, answer.text
        expect(page.locator('.metric-card[data-metric="queue"] .now-value')).to_have_text("3")
        expect(waiting).to_have_count(0)
        expect(page).to_have_title("Orders")
    assert watched.errors == []
