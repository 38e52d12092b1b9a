"""What changed? From an alert, a key, the search and a link: what is listed, where it leads, and what it says if there
is nothing to list."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tests.e2e.conftest import PATIENCE_MS, Watched, address
from tests.e2e.test_everyone_page import AXE, BROKEN, FINDINGS, TARGETS
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "stepped.py")

BEFORE_TICKS = 16
"""How long the values were steady before one stepped, and how long they have been since."""


def ticks(server: Server) -> int:
    """Return how many ticks the history has."""
    [series] = server.json("/api/history?metrics=memory&from=-10m&points=5000")["series"] or [{"count": []}]
    return sum(series["count"])


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A board on which one metric of a panel, and one series of none, have changed a while ago."""
    folder = tmp_path_factory.mktemp("stepped")
    values = folder / "values"
    values.write_text("")
    with serve("run", BOARD, "--history", str(folder / "ticks.sqlite"), env={"VALUES": str(values)}) as server:
        server.wait_for(lambda: ticks(server) >= BEFORE_TICKS)
        values.write_text("load queue disk")
        server.wait_for(lambda: ticks(server) >= 2 * BEFORE_TICKS)
        yield server


def panel(page: Page) -> Locator:
    """Return what changed, beside the board or in a sheet."""
    return page.locator(".changes")


def rows(page: Page) -> Locator:
    return panel(page).locator("li.change:not(.coming)")


def link(page: Page) -> Locator:
    """Return the way there from the alert."""
    return page.get_by_role("button", name="What changed? Load is high: 40 %")


@pytest.fixture
def shown(page: Page, stepped: Server) -> Page:
    """The page with what changed in the episode of the alert."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(stepped.url)
    link(page).click()
    expect(rows(page)).to_have_count(3)
    return page


def test_an_alert_leads_to_what_changed_with_it(watched: Watched, stepped: Server) -> None:
    page = watched.page
    page.goto(stepped.url)
    link(page).click()
    expect(page.get_by_role("complementary", name="What changed?")).to_be_visible()
    expect(rows(page).locator(".change-name")).to_have_text(["Queue length orders", "Load", "Disk busy sdc"])
    expect(rows(page).locator(".change-factor > :first-child")).to_have_text(["÷10", "×4.0", "×2.7"])  # noqa: RUF001
    expect(rows(page).nth(1)).to_contain_text("10.0 → ")
    expect(rows(page).nth(1)).to_contain_text("40.0 %")
    expect(page.get_by_role("status").filter(has_text="series changed")).to_have_text(
        "3 of 14 series changed · 11 did not"
    )
    # Both halves of its line are drawn.
    line = rows(page).first.locator(".change-values")
    expect(line).to_have_attribute("d", re.compile(r"M.*M|M.*L.*M"))
    assert watched.errors == []


def test_filters_choose_among_what_changed(shown: Page) -> None:
    panel(shown).get_by_role("button", name="Up").click()
    expect(rows(shown).locator(".change-name")).to_have_text(["Load", "Disk busy sdc"])
    panel(shown).get_by_role("button", name="Down").click()
    expect(rows(shown).locator(".change-name")).to_have_text(["Queue length orders"])
    panel(shown).get_by_label("Filter what changed").fill("sdc")
    expect(panel(shown)).to_contain_text("No changed series matches “sdc”.")
    # Escape empties the field first.
    shown.keyboard.press("Escape")
    expect(panel(shown).get_by_label("Filter what changed")).to_have_value("")
    shown.keyboard.press("Escape")
    expect(panel(shown)).to_have_count(0)


def test_a_series_goes_to_its_chart_and_one_without_gets_one(shown: Page) -> None:
    rows(shown).nth(1).get_by_role("button", name="Go to its chart: Load").click()
    chart = shown.locator('.chart[data-metric="load"]')
    expect(chart).to_have_class(re.compile("stands-out"))
    expect(chart).to_be_in_viewport()
    # Of many series, the one stands out.
    rows(shown).last.get_by_role("button", name="Go to its chart: Disk busy sdc").click()
    expect(shown.locator('.chart[data-metric="disk"] .ranked-table tr.on')).to_contain_text("sdc")
    rows(shown).first.get_by_role("button", name="Put it on the page: Queue length orders").click()
    pinned = shown.get_by_role("region", name="Pinned", exact=True).locator('.chart[data-metric="queue"]')
    expect(pinned).to_be_in_viewport()
    expect(pinned.get_by_role("img")).to_have_accessible_name(re.compile("orders: latest 3"))
    # It is there after a reload, in this browser, and what changed too.
    shown.reload()
    expect(pinned).to_be_visible()
    expect(rows(shown)).to_have_count(3)
    expect(rows(shown).first.get_by_role("button")).to_have_accessible_name("Go to its chart: Queue length orders")
    pinned.get_by_role("button", name="More: Queue length").click()
    shown.get_by_role("button", name="Unpin from the top").click()
    expect(pinned).to_have_count(0)


def test_a_link_shows_the_same_to_somebody_in_another_time_zone(shown: Page, browser: Browser) -> None:
    assert re.search(r"#changes=[\dT:.Z-]+/[\dT:.Z-]+,[\dT:.Z-]+/[\dT:.Z-]+$", address(shown))
    other = browser.new_context(viewport={"width": 1440, "height": 900}, timezone_id="Asia/Kolkata").new_page()
    other.set_default_timeout(PATIENCE_MS)
    other.goto(shown.url)
    expect(rows(other)).to_have_count(3)
    assert rows(other).all_inner_texts() == rows(shown).all_inner_texts()
    there, here = (panel(each).locator(".changes-ranges b").first.inner_text() for each in (other, shown))
    [hour] = re.findall(r"\d\d(?=:\d\d:\d\d –)", here)  # noqa: RUF001
    assert hour not in re.findall(r"\d\d(?=:\d\d:\d\d –)", there)  # noqa: RUF001
    # What was open closes without leaving the page.
    other.keyboard.press("Escape")
    expect(panel(other)).to_have_count(0)
    assert "#" not in address(other)
    other.context.close()


def test_what_changed_waits_for_the_titles_that_come_with_the_board(shown: Page, browser: Browser) -> None:
    other = browser.new_context().new_page()
    other.set_default_timeout(PATIENCE_MS)
    other.add_init_script("delete window.SharedWorker")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    other.route("**/api/board", hold)
    with other.expect_response("**/api/changes?*") as answered:
        other.goto(address(shown))
    answered.value.finished()
    other.wait_for_timeout(500)
    expect(panel(other).get_by_role("status").filter(has_text="Comparing all series")).to_be_visible()
    expect(rows(other)).to_have_count(0)
    held[0].continue_()
    expect(rows(other).locator(".change-name")).to_have_text(["Queue length orders", "Load", "Disk busy sdc"])
    other.context.close()


def test_a_comparison_that_fails_does_not_wait_for_the_board(shown: Page, browser: Browser) -> None:
    other = browser.new_context().new_page()
    other.set_default_timeout(PATIENCE_MS)
    other.add_init_script("delete window.SharedWorker")
    other.route("**/api/board", lambda route: None)
    error = {"error": "the history cannot be read"}
    other.route("**/api/changes?*", lambda route: route.fulfill(status=500, json=error))
    other.goto(address(shown))
    expect(panel(other).get_by_role("alert")).to_contain_text("The history cannot be read.")
    other.context.close()


def test_the_keyboard_reaches_everything_and_the_focus_returns(page: Page, stepped: Server) -> None:
    page.goto(stepped.url)
    expect(link(page)).to_be_visible()
    link(page).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What changed?")).to_be_focused()
    expect(rows(page)).to_have_count(3)
    names = []
    for _ in range(9):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.innerText"))
    assert names == [
        *("Copy link", "Close: what changed", "Other times", "", "All", "Up", "Down"),
        *("Put it on the page: Queue length orders", "Go to its chart: Load"),
    ]
    page.keyboard.press("Escape")
    expect(panel(page)).to_have_count(0)
    expect(link(page)).to_be_focused()
    # The range on the page, with the time before it.
    page.keyboard.press("w")
    expect(page.get_by_role("heading", name="What changed?")).to_be_focused()
    page.keyboard.press("w")
    expect(panel(page)).to_have_count(0)
    page.keyboard.press("w")
    page.go_back()
    expect(panel(page)).to_have_count(0)


def test_the_search_opens_it_and_it_stays_under_what_opens_over_it(page: Page, stepped: Server) -> None:
    page.goto(stepped.url)
    expect(link(page)).to_be_visible()
    page.keyboard.press("/")
    page.get_by_role("combobox").fill("what changed")
    page.keyboard.press("Enter")
    expect(panel(page)).to_be_visible()
    page.keyboard.press("o")
    expect(page.get_by_role("dialog", name="Outline")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Outline")).to_have_count(0)
    expect(panel(page)).to_be_visible()
    page.locator('.chart[data-metric="load"]').get_by_role("button", name="Enlarge: Load").click()
    expect(page.locator(".enlarged")).to_be_visible()
    expect(panel(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".enlarged")).to_have_count(0)
    expect(panel(page)).to_be_visible()


def test_both_ranges_can_be_edited(shown: Page) -> None:
    edit = panel(shown).get_by_role("button", name="Other times")
    edit.click()
    first, last = (panel(shown).get_by_role("group", name="Compare").get_by_label(name) for name in ("From", "To"))
    first.fill("yesterday")
    panel(shown).get_by_role("button", name="Compare").click()
    expect(panel(shown).get_by_role("alert")).to_contain_text("“yesterday” is not a time: write 20")
    expect(first).to_have_attribute("aria-invalid", "true")
    end = dt.datetime.fromisoformat(last.input_value())
    first.fill((end + dt.timedelta(seconds=1)).isoformat(" "))
    panel(shown).get_by_role("button", name="Compare").click()
    expect(panel(shown).get_by_role("alert")).to_contain_text("The end is not after the beginning")
    # The same length, a day earlier: nothing is kept from then.
    first.fill((end - dt.timedelta(seconds=4)).isoformat(" "))
    panel(shown).get_by_role("button", name="A day earlier").click()
    before = panel(shown).get_by_role("group", name="Against").get_by_label("To")
    expect(before).to_have_value((end - dt.timedelta(days=1)).isoformat(" "))
    panel(shown).get_by_role("button", name="Compare").click()
    expect(edit).to_be_focused()
    expect(panel(shown)).to_contain_text("The time to compare with is no longer kept: the oldest values are from")
    # One step back closes it, however often it was edited.
    shown.go_back()
    expect(panel(shown)).to_have_count(0)


def test_steady_times_have_not_changed(page: Page, stepped: Server) -> None:
    [memory] = stepped.json("/api/history?metrics=memory&from=-10m&points=5000")["series"]
    times = memory["times"]
    page.goto(f"{stepped.url}#changes={times[8]}/{times[14]}")
    expect(panel(page)).to_contain_text("Nothing changed: all 14 series are as before.")
    page.goto(f"{stepped.url}#changes={times[8]}/{times[10]}")
    expect(panel(page)).to_contain_text("Too short: each of the two ranges needs 5 ticks.")


def test_a_server_that_is_busy_or_fails_is_said_and_can_be_asked_again(page: Page, stepped: Server) -> None:
    answers: list[dict[str, Any]] = [
        {"status": 503, "headers": {"Retry-After": "1"}, "json": {"error": "busy"}},
        {"status": 500, "json": {"error": "the history cannot be read"}},
    ]

    def answer(route: Route) -> None:
        if answers:
            route.fulfill(**answers.pop(0))
        else:
            route.continue_()

    page.route("**/api/changes?*", answer)
    page.goto(stepped.url)
    link(page).click()
    expect(panel(page).locator(".changes-foot")).to_have_text("The server is busy. Asking again in 1 s.")
    expect(panel(page).get_by_role("alert")).to_contain_text("The history cannot be read.")
    panel(page).get_by_role("button", name="Try again").click()
    expect(rows(page)).to_have_count(3)


def test_without_history_it_says_so(page: Page, tmp_path: Path) -> None:
    values = tmp_path / "values"
    values.write_text("load")
    with serve("run", BOARD, "--history", "none", env={"VALUES": str(values)}) as server:
        page.goto(server.url)
        link(page).click()
        expect(panel(page).get_by_role("alert")).to_contain_text("This board keeps no history")


def test_a_phone_has_it_in_a_sheet(page: Page, stepped: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(stepped.url)
    link(page).click()
    sheet = page.get_by_role("dialog", name="What changed?")
    expect(rows(page)).to_have_count(3)
    box = sheet.bounding_box()
    assert box
    assert (box["x"], box["width"], box["y"] + box["height"]) == (0, 390, 844)
    assert sheet.evaluate("(it) => it.scrollWidth <= it.clientWidth")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(link(page)).to_be_focused()
    # The chart is below the sheet, so that goes first.
    link(page).click()
    rows(page).nth(1).get_by_role("button").click()
    expect(sheet).to_have_count(0)
    expect(page.locator('.chart[data-metric="load"]')).to_be_in_viewport()


@pytest.mark.parametrize("width", [320, 390, 768, 1101, 1440, 2560])
def test_it_fits_every_width(shown: Page, width: int) -> None:
    shown.set_viewport_size({"width": width, "height": 800})
    panel(shown).get_by_role("button", name="Other times").click()
    expect(panel(shown).get_by_label("From").first).to_be_visible()
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert panel(shown).evaluate("(it) => it.scrollWidth <= it.clientWidth")
    assert shown.evaluate(BROKEN) == []
    assert shown.evaluate(TARGETS % 24) == []


@pytest.mark.parametrize("colours", ["light", "dark", "forced"])
def test_axe_finds_nothing_in_it(shown: Page, colours: str) -> None:
    shown.emulate_media(
        color_scheme="dark" if colours == "dark" else "light", forced_colors="active" if colours == "forced" else "none"
    )
    shown.evaluate(AXE.read_text())
    for width in (390, 1440):
        shown.set_viewport_size({"width": width, "height": 900})
        panel(shown).get_by_role("button", name="Other times").click()
        expect(panel(shown).get_by_label("From").first).to_be_visible()
        assert shown.evaluate(FINDINGS) == []
        panel(shown).get_by_role("button", name="Cancel").click()


def test_a_brushed_range_is_compared_with_the_time_before_it(shown: Page) -> None:
    shown.keyboard.press("Escape")
    expect(panel(shown)).to_have_count(0)
    box = shown.locator('.chart[data-metric="memory"] .canvas').bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    shown.keyboard.down("Shift")
    shown.mouse.move(box["x"] + box["width"] * 0.6, middle)
    shown.mouse.down()
    shown.mouse.move(box["x"] + box["width"] * 0.8, middle, steps=5)
    shown.mouse.up()
    shown.keyboard.up("Shift")
    shown.get_by_role("button", name="What changed?", exact=True).click()
    expect(panel(shown).locator(".changes-ranges")).to_have_text(
        re.compile(r"–.* against .*–.*, the [\d.]+ \w+ before")  # noqa: RUF001
    )
    # Its range stays chosen; so does w, which closes it.
    shown.keyboard.press("w")
    expect(panel(shown)).to_have_count(0)
    expect(shown.locator(".brush-pill")).to_be_visible()
