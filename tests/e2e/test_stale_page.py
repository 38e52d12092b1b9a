"""Stale values on the page are marked wherever they are shown, and a page without a connection has no colour."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Watched, loaded
from tests.e2e.looks import CONTRAST
from tests.serving import serve, wait_for

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
        chart.get_by_role("button", name="Show as table").click()
        expect(chart.locator("thead")).to_contain_text(STALE)
        # The other one is not stale.
        for place in (fan, table.locator("thead th").nth(2)):
            expect(place).not_to_contain_text("stale")
        expect(both).not_to_have_class(re.compile(r"\bstale\b"))
        fails.unlink()
        expect(page.locator(".stale-note")).to_have_count(0)
        expect(pump).not_to_have_class(re.compile(r"\bstale\b"))
    assert watched.errors == []


COLOURED = """() => [...document.querySelectorAll("canvas")].filter((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.some((red, i) => i % 4 === 0 && data[i + 3] > 200
        && Math.max(red, data[i + 1], data[i + 2]) - Math.min(red, data[i + 1], data[i + 2]) > 60);
}).length"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_without_a_connection_is_grey_and_readable(page: Page, tmp_path: Path, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    values = tmp_path / "values"
    values.write_text("95")
    board = str(Path(BOARD).with_name("switched.py"))
    with serve("run", board, "--interval", "100", env={"VALUES": str(values)}) as server:
        page.goto(server.url)
        value = page.locator('.metric-card[data-metric="value"] .now-value')
        expect(page.locator(".critical-badge")).to_be_visible()
        expect(page.locator(".chart canvas").first).to_be_visible()
        wait_for(lambda: page.evaluate(f"({COLOURED})()") > 0)
        weight = int(value.evaluate("(it) => getComputedStyle(it).fontWeight"))
        loaded(page)
    expect(page.get_by_role("region", name="Connection lost")).to_be_visible()
    wait_for(lambda: page.evaluate(f"({COLOURED})()") == 0)
    # The last values are still there, lighter.
    expect(value).to_have_text("95")
    assert int(value.evaluate("(it) => getComputedStyle(it).fontWeight")) < weight
    for part in (
        ".value",
        ".unit",
        ".message",
        ".outcome",
        ".alert-value",
        ".severity",
        ".critical-badge",
        ".stale-why",
    ):
        for found in page.locator(part).all():
            assert found.evaluate(CONTRAST) >= 4.5, part
