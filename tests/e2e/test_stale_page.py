"""Stale values on the page are marked wherever they are shown."""

import re
from pathlib import Path

from playwright.sync_api import expect
from tests.e2e.conftest import Watched
from tests.serving import serve

BOARD = str(Path(__file__).parent / "boards" / "failing.py")
STALE = re.compile(r"stale since \d\d:\d\d:\d\d")


def test_values_of_a_failing_sampler_are_marked_stale_until_it_works(watched: Watched, tmp_path: Path) -> None:
    page, fails = watched.page, tmp_path / "fails"
    with serve("run", BOARD, env={"FAILS": str(fails)}) as server:
        page.goto(server.url)
        pump = page.locator('.metric-card[data-metric^="pump"]')
        fan = page.locator('.metric-card[data-metric^="fan"]')
        chart = page.locator('.chart[data-metric="pump"]')
        both = page.locator('.chart[data-metric="pump fan"]')
        table = page.locator(".table-panel")
        expect(pump.locator(".value")).to_have_text(re.compile(r"\d"))
        expect(page.locator(".stale-note")).to_have_count(0)
        colour = pump.locator(".value").evaluate("(it) => getComputedStyle(it).color")
        fails.touch()
        expect(pump).to_contain_text(STALE)
        expect(pump).to_have_class(re.compile(r"\bstale\b"))
        assert pump.locator(".value").evaluate("(it) => getComputedStyle(it).color") != colour
        # The value is still shown.
        expect(pump.locator(".value")).to_have_text(re.compile(r"\d"))
        expect(page.get_by_role("alert").filter(has_text="read_pump")).to_be_visible()
        for place in (chart, both.get_by_text("Pump · north stale"), table.locator("thead th").nth(1)):
            place.scroll_into_view_if_needed()
            expect(place).to_contain_text(STALE)
        expect(table.locator("td").first).to_have_class(re.compile(r"\bstale\b"))
        chart.get_by_role("button", name="More: ").click()
        chart.get_by_role("menuitem", name="Show as table").click()
        expect(chart.locator("thead")).to_contain_text(STALE)
        # The other one is not stale.
        for place in (fan, table.locator("thead th").nth(2)):
            expect(place).not_to_contain_text("stale")
        expect(both).not_to_have_class(re.compile(r"\bstale\b"))
        fails.unlink()
        expect(page.locator(".stale-note")).to_have_count(0)
        expect(pump).not_to_have_class(re.compile(r"\bstale\b"))
    assert watched.errors == []
