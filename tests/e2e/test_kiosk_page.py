"""The page on a wall: readable from afar, with nothing to press, and nothing left out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Watched
from tests.e2e.test_everyone_page import AXE, FINDINGS
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "wall.py")
DASHBOARD = str(Path(__file__).parents[2] / "examples" / "dashboard.py")


@pytest.fixture(scope="module")
def wall() -> Iterator[Server]:
    with serve("run", BOARD, env={"FIRING": "1"}) as server:
        yield server


@pytest.mark.parametrize(("width", "height", "columns"), [(1920, 1080, 4), (2560, 1440, 5)])
def test_a_wall_shows_every_series_in_cells_and_what_fires_in_a_band(
    watched: Watched, wall: Server, width: int, height: int, columns: int
) -> None:
    page = watched.page
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{wall.url}?kiosk")
    cells = page.locator(".kiosk-cell")
    expect(cells).to_have_count(80)
    expect(page.locator(".kiosk-column")).to_have_count(columns)
    expect(page.locator('.kiosk-cell[data-metric="payments_part_7"]')).to_have_text(re.compile(r"part 7.*7 ms"))
    assert page.evaluate("[...document.querySelectorAll('.kiosk-cell')].every((it) => it.offsetHeight >= 58)")
    # The worst first; a section that is folded is not on the wall, nor is anything to press.
    band = page.get_by_role("list", name="Firing").get_by_role("listitem")
    expect(band).to_have_text(
        [re.compile(r"CRITICAL.*payments part 7 is over 1 ms"), re.compile(r"WARNING.*search part 3 is over 1 ms")]
    )
    expect(page.locator(".critical-badge")).to_have_text("1 Critical")
    for severity, metric in (("critical", "payments_part_7"), ("warning", "search_part_3")):
        expect(page.locator(f'.kiosk-cell[data-metric="{metric}"]')).to_have_attribute("data-severity", severity)
    expect(page.locator("h2")).to_contain_text(["checkout", "payments", "search", "catalog", "identity"])
    expect(page.get_by_text("Tickboard itself")).to_have_count(0)
    expect(page.get_by_role("button")).to_have_count(0)
    expect(page.locator(".kiosk-clock")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    cut = cells.evaluate_all("(all) => all.filter((it) => it.scrollWidth > it.clientWidth).length")
    assert cut == 0
    assert watched.errors == []


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (2560, 1440)])
@pytest.mark.parametrize(("series", "firing"), [(200, "0"), (200, "1"), (1000, "1")])
def test_a_wall_shows_up_to_a_thousand_series_without_scrolling(
    page: Page, width: int, height: int, series: int, firing: str
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    board = str(Path(BOARD).with_name("large_wall.py"))
    with serve("run", board, env={"SERIES": str(series), "FIRING": firing}) as server:
        page.goto(f"{server.url}?kiosk")
        cells = page.locator(".kiosk-cell, .kiosk-small")
        expect(cells).to_have_count(series)
        expect(page.locator(".kiosk-firing")).to_have_count(int(firing))
        page.wait_for_timeout(500)
        out = "(all) => all.filter((it) => it.getBoundingClientRect().bottom > innerHeight).length"
        assert cells.evaluate_all(out) == 0
        assert page.evaluate("document.documentElement.scrollHeight") <= height
        scrolls = "(it) => it.scrollHeight > it.clientHeight || it.scrollWidth > it.clientWidth"
        assert not page.locator(".kiosk-columns").evaluate(scrolls)
        hot = page.locator("[data-metric='load_r0{node=\"0\"}']")
        expect(hot).to_have_attribute("data-severity", "critical") if firing == "1" else None
        expect(hot).to_contain_text("99")


def test_the_clock_of_a_wall_goes_and_its_cells_follow_the_ticks(page: Page) -> None:
    page.set_viewport_size({"width": 1920, "height": 1080})
    with serve("run", str(Path(__file__).parent / "boards" / "many.py"), "--interval", "200") as server:
        page.goto(f"{server.url}?kiosk")
        expect(page.locator(".kiosk-cell")).to_have_count(200)
        clock, value = page.locator(".kiosk-clock"), page.locator(".kiosk-now").first
        time, number = clock.inner_text(), value.inner_text()
        expect(clock).not_to_have_text(time)
        expect(value).not_to_have_text(number)
    expect(page.locator(".kiosk-status")).to_contain_text("Disconnected")


def test_a_wall_of_few_series_has_large_cards_and_charts(page: Page) -> None:
    with serve("run", DASHBOARD) as server:
        page.set_viewport_size({"width": 1920, "height": 1080})
        page.goto(server.url)
        value = page.locator('.metric-card[data-metric="cpu_usage"] .now-value')
        expect(value).to_have_text(re.compile(r"\d"))
        size = "(it) => Number.parseFloat(getComputedStyle(it).fontSize)"
        usual = value.evaluate(size)
        page.goto(f"{server.url}?kiosk")
        expect(page.locator(".kiosk .chart canvas").first).to_be_visible()
        assert value.evaluate(size) > 1.3 * usual
        expect(page.locator(".kiosk .chart")).to_have_count(4)
        expect(page.get_by_role("button", name="Pause")).to_have_count(0)
        # It goes back to the usual size with the usual page.
        page.goto(server.url)
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        assert value.evaluate(size) == usual


def test_a_wall_shows_every_severity_what_has_ended_as_over_and_since_when_it_is_stale(
    page: Page, tmp_path: Path
) -> None:
    values = tmp_path / "values"
    values.write_text("95")
    board = str(Path(BOARD).with_name("switched.py"))
    with serve("run", board, "--interval", "100", env={"VALUES": str(values)}) as server:
        page.goto(server.url)
        expect(page.locator(".firing-list .alert")).to_have_count(2)
        # A viewer at a desk hides the warnings; on a wall nobody could show them again.
        page.evaluate("""localStorage.setItem("tickboard:hidden:/", '["warning"]')""")
        page.reload()
        expect(page.locator(".firing-list .alert")).to_have_count(1)
        page.goto(f"{server.url}?kiosk")
        band = page.locator(".kiosk-firing")
        expect(band).to_have_text([re.compile("CRITICAL"), re.compile("WARNING")])
        values.write_text("85")
        expect(band.first).to_have_text(re.compile(r"CRITICAL since \d\d:\d\d · resolved after \d"))
        expect(band.first).to_have_class(re.compile("resolved"))
        assert band.first.get_attribute("data-severity") is None
        expect(page.locator(".kiosk-stale")).to_have_count(0)
    expect(page.locator(".kiosk-stale")).to_have_text(re.compile(r"Stale since \d\d:\d\d:\d\d"))
    # How long the warning goes on firing is not known; the clock goes on.
    lasted, clock = page.locator(".kiosk-what p").filter(has_text="WARNING"), page.locator(".kiosk-clock")
    text = lasted.inner_text()
    for _ in range(2):
        expect(clock).not_to_have_text(clock.inner_text())
    expect(lasted).to_have_text(text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_wall(page: Page, wall: Server, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"{wall.url}?kiosk")
    expect(page.locator(".kiosk-firing")).to_have_count(2)
    page.evaluate(AXE.read_text())
    assert page.evaluate(FINDINGS) == []
