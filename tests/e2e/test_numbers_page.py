"""Numbers, units and names on the page in a real browser: precise enough to differ, and never truncated."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.conftest import Watched
from tests.serving import Server, serve

BOARDS = Path(__file__).parent / "boards"

CUT = """() => [...document.querySelectorAll("body *")].filter((it) => {
    if (it.closest(".visually-hidden, .u-wrap, svg") || it.offsetWidth === 0) return false;
    // A narrow card leaves the words of its last line to screen readers.
    if (it.innerText.trim() === "" || getComputedStyle(it).clipPath !== "none") return false;
    const { left, right } = it.getBoundingClientRect();
    const scrolled = it.closest(".table-scroll");
    const outside = !scrolled && (left < 0 || right > document.documentElement.clientWidth + 1);
    const { display, overflowX, overflowY, textOverflow, webkitLineClamp } = getComputedStyle(it);
    // Shortened with an ellipsis, and there in full under the pointer.
    if ((textOverflow === "ellipsis" || webkitLineClamp !== "none") && it.title) return outside;
    const hides = (overflow, whole, part) => whole > part + 1 && ["hidden", "clip"].includes(overflow);
    const cut = hides(overflowX, it.scrollWidth, it.clientWidth) || hides(overflowY, it.scrollHeight, it.clientHeight);
    const wider = it.scrollWidth > it.clientWidth + 1 && overflowX === "visible" && display !== "inline";
    return outside || cut || (wider && !scrolled);
}).map((it) => `${it.outerHTML.slice(0, 120)} ${it.scrollWidth} ${it.clientWidth}`)"""
"""The elements that are truncated without an ellipsis, off the screen, or narrower than their text."""


@pytest.fixture(scope="module")
def extremes() -> Iterator[Server]:
    with serve("run", str(BOARDS / "extremes.py")) as server:
        yield server


def card(page: Page, metric: str) -> Locator:
    return page.locator(f'.metric-card[data-metric="{metric}"]')


@pytest.mark.parametrize(
    ("metric", "low", "high"),
    [
        ("ratio", "0.99991", "0.99998"),
        ("events", "33.3 G events", "999.9 G events"),
        ("clock", "16,777,214", "16,777,215"),
        ("large", "1.0e38", "3.0e38"),
        ("small", "1.0e-30", "2.0e-30"),
        ("uptime", "3 d 4 h 0 min 1 s", "3 d 4 h 0 min 5 s"),
        ("memory", "900 B", "16.0 GiB"),
        ("minus", "0", "0"),
    ],
)
def test_the_minimum_and_maximum_are_shown_with_enough_digits_to_differ(
    page: Page, extremes: Server, metric: str, low: str, high: str
) -> None:
    page.goto(extremes.url)
    expect(card(page, metric).locator(".range")).to_have_text(f"Min: {low}Max: {high}")


def test_a_value_has_the_same_number_of_digits_everywhere(page: Page, extremes: Server) -> None:
    page.goto(extremes.url)
    expect(card(page, "ratio").locator(".value")).to_have_text(re.compile(r"^0\.9999\d$"))
    expect(card(page, "ratio").locator(".now")).to_have_text(re.compile(r"^now 0\.9999[18] ratio$"))
    chart = page.locator('.chart[data-metric="ratio"]')
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".line-value")).to_have_text(re.compile(r"^0\.9999[18]$"))
    chart.get_by_role("button", name="More: ").click()
    chart.get_by_role("button", name="Show as table").click()
    expect(chart.locator("td").first).to_have_text(re.compile(r"^0\.9999[18] ratio$"))


def test_long_names_are_shortened_to_the_parts_that_differ(page: Page, extremes: Server) -> None:
    # So narrow that the lines' labels are listed below them.
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(extremes.url)
    cards = page.locator('.metric-card[data-metric^="racks"] .card-note')
    expect(cards).to_have_count(6)
    chart, table = page.locator('.chart[data-metric="racks"]'), page.locator(".table-panel")
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".line-label")).to_have_count(6)
    expect(table.locator("tbody tr")).to_have_count(6)
    for names in (cards, chart.locator(".line-label"), table.locator("tbody th")):
        seen = names.evaluate_all(
            "(all) => all.map((it) => it.querySelector('[aria-hidden]')?.innerText ?? it.innerText)"
        )
        assert sorted(re.findall(r"rack-\d{4}", " ".join(seen))) == [f"rack-000{number}" for number in range(1, 7)]
        assert all(len(one) <= 30 for one in seen)
        # The full name is available as a tooltip and to a screen reader.
        titles = names.evaluate_all("(all) => all.map((it) => it.querySelector('[title]').title)")
        assert all("dc-frankfurt-hall-b-rack-" in title and "example.net" in title for title in titles)


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_text_is_truncated_on_any_screen(watched: Watched, extremes: Server, width: int) -> None:
    page = watched.page
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(extremes.url)
    expect(card(page, "wordy").locator(".value")).to_have_text(re.compile(r"\d"))
    expect(page.locator(".alert .message")).to_be_visible()
    for chart in page.locator(".chart").all():
        chart.scroll_into_view_if_needed()
        expect(chart.locator("canvas").first).to_be_visible()
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert watched.errors == []
