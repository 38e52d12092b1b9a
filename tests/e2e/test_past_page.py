"""The page at another time: what it shows then is what it showed while that was now."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.e2e.conftest import PATIENCE_MS, Watched
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "moving.py")


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve("run", BOARD, "--history", str(tmp_path_factory.mktemp("history") / "ticks.sqlite")) as server:
        yield server


def ready(page: Page) -> None:
    """Wait until all panels are in view and have values."""
    page.set_viewport_size({"width": 1280, "height": 2_800})
    expect(page.locator('.metric-card[data-metric="level"] .now-value')).to_have_text(re.compile(r"\d"))
    expect(page.locator(".ranked-table tbody tr").first).to_be_visible()
    expect(page.locator(".table-panel tbody tr").first).to_be_visible()
    expect(page.locator(".bars tbody tr").first).to_be_visible()
    expect(page.locator(".states [data-row] canvas")).to_have_count(3)
    expect(page.locator(".heat-scale")).to_contain_text("%")


def said(page: Page) -> dict[str, list[str]]:
    """What all panels say. The order of rows is left out: it follows the values seldom, so that one can read them."""
    more = page.get_by_role("button", name="4 more")
    for _ in range(more.count()):
        more.first.click()
    expect(page.locator(".ranked-table .now")).to_have_count(2 * 13)
    # A heat map and a timeline have their values as tables.
    for name in ("Request duration", "Services"):
        page.get_by_role("button", name=f"More: {name}").click()
        page.get_by_role("button", name="Show as table").click()
    kinds = [".metric-card", ".chart-head", ".ranked-table .now", ".table-panel tbody tr", ".bars tbody tr"]
    kinds += [".heatmap tr", ".states tr", ".text"]
    panels = {selector: page.locator(selector).all_inner_texts() for selector in kinds}
    for name in ("Request duration", "Services"):
        page.get_by_role("button", name=f"More: {name}").click()
        page.get_by_role("button", name=re.compile("^Show as (heat map|timeline)$")).click()
    assert all(panels.values()), panels
    return {selector: sorted(texts) for selector, texts in panels.items()}


def pictures(page: Page) -> list[str]:
    """What is drawn in charts of one series, whose colours do not depend on what was before, heat map and timeline."""
    canvases = page.locator(".chart:not(.ranked, .table-panel, .bars) canvas:not(.cursor)")
    expect(canvases).to_have_count(2 + 1 + 4)
    found: list[str] = canvases.evaluate_all("(all) => all.map((it) => it.toDataURL())")
    return found


def test_a_past_time_shows_what_every_panel_showed_then(page: Page, moving: Server, browser: Browser) -> None:
    page.goto(moving.url)
    ready(page)
    expect(page.locator('.metric-card[data-metric="level"]')).to_contain_text("(40 samples)")
    page.keyboard.press(" ")
    expect(page.locator(".status .state")).to_have_text("Standing still")
    expect(page.locator(".table-now")).to_have_text(re.compile(r"^at \d\d:\d\d:\d\d$"))
    then = said(page)
    # The link is opened by somebody else, once its time is in the history only.
    page.wait_for_timeout(10_000)
    assert said(page) == then
    other = browser.new_context().new_page()
    other.set_default_timeout(PATIENCE_MS)
    other.goto(page.url)
    ready(other)
    expect(other.locator('.metric-card[data-metric="level"]')).to_contain_text("(40 samples)")
    assert said(other) == then
    assert pictures(other) == pictures(page)
    other.context.close()


def test_a_longer_range_comes_from_history_and_goes_on_live(watched: Watched, moving: Server) -> None:
    page = watched.page
    card = page.locator('.metric-card[data-metric="level"] .samples')
    page.goto(f"{moving.url}?range=5m")
    expect(card).to_have_text(re.compile(r"^\(([5-9]\d|\d{3}) samples\)$"))
    before = card.inner_text()
    expect(card).not_to_have_text(before)
    assert watched.errors == []


def test_a_range_that_cannot_be_loaded_is_tried_again_and_the_picture_stays(page: Page, moving: Server) -> None:
    page.goto(moving.url)
    ready(page)
    refused: list[str] = []

    def refuse_twice(route: Route) -> None:
        if len(refused) == 2:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.abort()

    page.route("**/api/history?*", refuse_twice)
    page.evaluate("history.replaceState(null, '', '?range=5m')")
    page.reload()
    expect(page.locator('.metric-card[data-metric="level"] .now-value')).to_have_text(re.compile(r"\d"))
    expect(page.locator('.metric-card[data-metric="level"] .samples')).to_have_text(
        re.compile(r"^\(([5-9]\d|\d{3}) samples\)$")
    )
    assert len(refused) == 2
