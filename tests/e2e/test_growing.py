"""Boards with very many series: which are shown, how others are found, and that the layout stays still."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "many_series.py")
SERIES = 1_000


class Workers:
    """A board of a thousand workers; a test sets how many of them work."""

    def __init__(self, server: Server, file: Path) -> None:
        self.server = server
        self.url = server.url
        self._file = file

    def work(self, number: int) -> None:
        """Set the number of workers that work from the next tick on."""
        # Atomically, since the board may read it at any time.
        fresh = self._file.with_suffix(".new")
        fresh.write_text(str(number))
        fresh.replace(self._file)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    file = tmp_path_factory.mktemp("many") / "working"
    file.write_text(str(SERIES))
    environment = {"WORKING": str(file), "NUMBER": str(SERIES)}
    with serve("run", BOARD, "--interval", "250", env=environment) as server:
        yield Workers(server, file)


@pytest.fixture
def workers(served: Workers) -> Workers:
    """The board with all workers at work."""
    served.work(SERIES)
    return served


def names(page: Page) -> Locator:
    return page.locator(".live-table tbody th")


def heading(page: Page, title: str) -> Locator:
    return page.locator(".live-table").get_by_role("columnheader", name=title)


def test_a_table_shows_the_highest_series_and_the_total_number(page: Page, workers: Workers) -> None:
    page.goto(workers.url)
    expect(names(page)).to_have_text(["w999", "w998", "w997", "w996", "w995"])
    first = page.locator(".live-table tbody tr").first.locator(".cell")
    expect(first).to_have_text([re.compile(r"999(\.\d)? %"), "1.0 KiB"])
    expect(page.locator(".table-count")).to_have_text("5 of 1,000")
    expect(heading(page, "Busy")).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_role("table", name="Busiest workers, newest values")).to_be_visible()


def test_the_values_of_a_table_follow_the_ticks(page: Page, workers: Workers) -> None:
    page.goto(workers.url)
    value = page.locator(".live-table tbody tr").first.locator(".cell").first
    expect(value).to_have_text("999.0 %")
    expect(value).to_have_text("999.1 %")


def test_a_table_can_be_sorted_by_mouse_and_keyboard(page: Page, workers: Workers) -> None:
    page.goto(workers.url)
    expect(names(page).first).to_have_text("w999")
    heading(page, "Memory used").get_by_role("button").click()
    expect(names(page)).to_have_text(["w0", "w1", "w2", "w3", "w4"])
    expect(heading(page, "Memory used")).to_have_attribute("aria-sort", "descending")
    expect(page.locator("[aria-sort]")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(names(page)).to_have_text(["w999", "w998", "w997", "w996", "w995"])
    expect(heading(page, "Memory used")).to_have_attribute("aria-sort", "ascending")
    heading(page, "worker").get_by_role("button").focus()
    page.keyboard.press("Space")
    expect(names(page)).to_have_text(["w0", "w1", "w2", "w3", "w4"])
    expect(heading(page, "worker")).to_have_attribute("aria-sort", "ascending")


def test_a_table_does_not_move_while_rows_appear_and_vanish(page: Page, workers: Workers) -> None:
    page.goto(workers.url)
    expect(names(page)).to_have_count(5)
    panel = page.locator(".table-panel")
    column = page.locator(".live-table thead th").nth(1)
    before = (panel.bounding_box(), column.bounding_box())
    workers.work(2)
    expect(names(page)).to_have_text(["w1", "w0"])
    expect(page.locator(".table-count")).to_have_text("2 of 2")
    assert (panel.bounding_box(), column.bounding_box()) == before
    workers.work(0)
    expect(page.get_by_text("No current values")).to_be_visible()
    assert (panel.bounding_box(), column.bounding_box()) == before
    workers.work(SERIES)
    expect(names(page).first).to_have_text("w999")
    assert (panel.bounding_box(), column.bounding_box()) == before


def test_a_chart_of_very_many_series_ranks_them_and_says_so(page: Page, workers: Workers) -> None:
    page.goto(workers.url)
    chart = page.locator('.chart[data-metric="busy"]')
    expect(chart.locator("canvas").first).to_be_visible()
    expect(chart.locator("h3")).to_contain_text("1,000 series")
    names = chart.locator(".ranked-table .row-name")
    expect(names).to_have_text([f"w{number}" for number in range(999, 991, -1)])
    expect(chart.locator(".ranked-table td.now").first).to_have_text(re.compile(r"^999\.\d$"))
    expect(chart.locator(".ranked-note")).to_contain_text("lines: the 100 highest")
    chart.get_by_role("button", name="50 more").click()
    expect(names).to_have_count(58)
    chart.get_by_label("Filter the series").fill("w12")
    expect(names).to_have_count(11)
    expect(names.first).to_have_text("w129")
    chart.get_by_role("button", name="More: ").click()
    chart.get_by_role("button", name="Show as table").click()
    expect(chart.locator("thead th")).to_have_count(41)
    expect(chart.locator("caption")).to_contain_text("40 of 1,000 series, the highest")


def test_cards_show_the_highest_series_and_say_so(page: Page, workers: Workers) -> None:
    page.goto(workers.url)
    expect(page.locator(".metric-card")).to_have_count(12)
    expect(page.locator('.metric-card[data-metric="busy{worker=\\"w999\\"}"] .value')).to_have_text(re.compile("999"))
    expect(page.locator(".more-cards")).to_have_text("12 of 1,000 series, the highest")


def test_a_row_can_be_collapsed_and_its_state_is_remembered(page: Page, workers: Workers) -> None:
    page.goto(workers.url)
    toggle = page.get_by_role("button", name="Workers", exact=True)
    expect(toggle).to_have_attribute("aria-expanded", "true")
    expect(page.locator(".chart canvas").first).to_be_visible()
    toggle.focus()
    page.keyboard.press("Enter")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    expect(page.locator(".chart, .table-panel")).to_have_count(0)
    page.reload()
    expect(page.locator(".metric-card")).to_have_count(12)
    expect(toggle).to_have_attribute("aria-expanded", "false")
    expect(page.locator(".chart, .table-panel")).to_have_count(0)
    toggle.click()
    expect(page.locator(".chart canvas").first).to_be_visible()
    expect(names(page)).to_have_count(5)


def test_all_rows_of_a_table_scroll_in_its_panel_below_their_headings(page: Page, workers: Workers) -> None:
    page.goto(workers.url)
    expect(names(page)).to_have_count(5)
    panel, scrolled = page.locator(".table-panel"), page.locator(".table-panel .table-scroll")
    size = "(it) => [it.offsetWidth, it.offsetHeight]"
    before = panel.evaluate(size)
    panel.get_by_role("button", name="All", exact=True).click()
    expect(names(page)).to_have_count(500)
    expect(page.locator(".table-count")).to_have_text("500 of 1,000")
    assert panel.evaluate(size) == before
    scrolled.focus()
    page.keyboard.press("End")
    expect(names(page).last).to_be_in_viewport()
    expect(heading(page, "Busy")).to_be_in_viewport()
    panel.get_by_role("button", name="Fewer").click()
    expect(names(page)).to_have_text(["w999", "w998", "w997", "w996", "w995"])


def test_a_table_can_be_filtered(page: Page, workers: Workers) -> None:
    page.goto(workers.url)
    expect(names(page)).to_have_count(5)
    field = page.get_by_label("Filter Busiest workers")
    field.fill("W12")
    expect(names(page)).to_have_text(["w129", "w128", "w127", "w126", "w125"])
    expect(page.locator(".table-count")).to_have_text("5 of 11")
    field.fill("x")
    expect(page.get_by_text("No rows match “x”")).to_be_visible()
    field.press("Escape")
    expect(names(page).first).to_have_text("w999")


def test_on_a_phone_a_table_has_the_name_the_value_and_one_more_column(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 844})
    with serve("run", str(Path(__file__).parent / "boards" / "processes.py")) as server:
        page.goto(server.url)
        expect(names(page)).to_have_count(3)
        headings = page.get_by_role("columnheader")
        expect(headings).to_have_text(["Process", "CPU", "Memory"])
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.set_viewport_size({"width": 1280, "height": 844})
        expect(headings).to_have_text(["Process", "User", "CPU", "Memory", "Count"])
        users = page.locator(".live-table td.label")
        expect(users).to_have_text(["root", "app", "root"])
        heading(page, "User").get_by_role("button").click()
        expect(names(page)).to_have_text(["worker", "db", "worker"])
        expect(users).to_have_text(["app", "root", "root"])


def test_ticks_do_not_change_panels_that_are_off_screen(page: Page, workers: Workers) -> None:
    page.goto(workers.url)
    expect(names(page)).to_have_count(5)
    page.evaluate("document.querySelector('.panels').style.paddingTop = '5000px'")
    expect(page.locator(".table-panel")).not_to_be_in_viewport()
    seq = workers.server.json("/api/health")["seq"]
    page.evaluate(
        """() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
            window.changes = 0;
            new MutationObserver((found) => { window.changes += found.length; }).observe(
                document.querySelector(".row:nth-of-type(2)"),
                { attributes: true, characterData: true, childList: true, subtree: true },
            );
            resolve();
        })))"""
    )
    workers.server.wait_for(lambda: workers.server.json("/api/health")["seq"] > seq + 8)
    assert page.evaluate("window.changes") == 0
    page.evaluate("document.querySelector('.panels').style.paddingTop = '0'")
    page.wait_for_function("() => window.changes > 0")
