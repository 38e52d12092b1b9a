"""Twenty charts at sixty ticks a second in a real browser, on a machine that is too slow for them."""

from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect
from tests.serving import serve

BOARD = str(Path(__file__).parent / "boards" / "busy.py")


@pytest.mark.parametrize("shared", [True, False])
def test_a_busy_page_ends_up_showing_the_newest_values(context: BrowserContext, tmp_path: Path, shared: bool) -> None:
    stop = tmp_path / "stop"
    page = context.new_page()
    if not shared:
        page.add_init_script("delete window.SharedWorker")
    with serve("run", BOARD, env={"STOP": str(stop)}) as server:
        page.goto(server.url)
        shown = page.locator('.metric-card[data-metric="count_0"] .now')
        expect(shown).to_contain_text("now")
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 8})
        seq = server.json("/api/health")["seq"]
        server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 300)
        stop.touch()
        # One more tick may have been counted while the file was created.
        seq = server.json("/api/health")["seq"]
        server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 5)
        last = int(server.json("/api/stats")["count_0"]["last"])
        expect(shown).to_have_text(f"now {last:,}")
        # The page is still slow, but not behind.
        expect(page.locator(".status .state")).to_have_text("Live")
