"""State timelines, bar lists and texts in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.conftest import Watched
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "panels.py")

HAS_COLOUR = """(canvas, name) => {
    const colour = parseInt(getComputedStyle(document.documentElement).getPropertyValue(name).slice(1), 16);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4)
        if (((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]) === colour) return true;
    return false;
}"""
"""Whether a canvas has pixels of a colour of the style sheet."""


HAS_PIXELS = """(canvas, [left, right]) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const { x } = canvas.getBoundingClientRect();
    let found = false;
    for (let i = 3; i < data.length; i += 4) {
        if (data[i] === 0) continue;
        const at = x + ((i >> 2) % canvas.width) / devicePixelRatio;
        if (at < left || at > right) return false;
        found = true;
    }
    return found;
}"""
"""Whether a canvas has pixels, and all of them between two places."""


@pytest.fixture(scope="module")
def board() -> Iterator[Server]:
    with serve("run", BOARD) as server:
        yield server


@pytest.fixture
def timeline(page: Page, board: Server) -> Locator:
    """The state timeline once a service is down."""
    page.goto(board.url)
    found = page.locator('.states[data-metric="up"]')
    expect(found.get_by_role("img", name=re.compile("db: down, since"))).to_be_visible()
    return found


def test_a_timeline_shows_the_state_of_each_series_and_colours_only_bad_ones(timeline: Locator) -> None:
    expect(timeline.locator(".states-name")).to_contain_text(["cache", "db", "web"])
    expect(timeline.locator(".states-legend li")).to_have_text(["down", "up"])
    description = timeline.get_by_role("img").get_attribute("aria-label") or ""
    # A value between two states is none of them.
    assert re.search(r"^Services, state timeline\. cache: 0\.5, .*db: down, since .*web: up, ", description)
    coloured = [canvas.evaluate(HAS_COLOUR, "--critical") for canvas in timeline.locator("[data-row] canvas").all()]
    assert coloured == [False, True, False]


def test_a_timeline_is_read_by_pointer_and_shares_its_moment_with_the_charts(page: Page, timeline: Locator) -> None:
    bar = timeline.locator('[data-row="1"] .states-bar')
    box = bar.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2)
    expect(timeline.locator(".tip")).to_have_text(re.compile(r"db\s*down.*since \d\d:\d\d:\d\d · "))
    expect(page.locator('.chart[data-metric="cpu_usage"] canvas.cursor')).to_be_visible()
    page.mouse.move(5, 5)
    expect(timeline.locator(".tip")).to_have_count(0)


def test_a_timeline_is_read_by_keyboard_and_as_a_table(page: Page, timeline: Locator) -> None:
    timeline.get_by_role("img").focus()
    said = timeline.get_by_role("status")
    page.keyboard.press("ArrowLeft")
    expect(said).to_have_text(re.compile(r"^cache, \d\d:\d\d:\d\d: 0\.5$"))
    page.keyboard.press("ArrowDown")
    expect(said).to_have_text(re.compile(r"^db, \d\d:\d\d:\d\d: down$"))
    page.keyboard.press("Home")
    expect(said).to_have_text(re.compile(r"^db, \d\d:\d\d:\d\d: up$"))
    timeline.get_by_role("button", name="More: Services").click()
    page.get_by_role("button", name="Show as table").click()
    newest = timeline.get_by_role("row").nth(1)
    expect(newest).to_contain_text("db")
    expect(newest).to_contain_text("down")


def test_a_range_is_chosen_on_a_timeline_by_mouse_and_by_keyboard(page: Page, timeline: Locator) -> None:
    bar = timeline.locator('[data-row="1"] .states-bar').bounding_box()
    assert bar

    def drag(*shares: float) -> None:
        for share in shares:
            page.mouse.move(bar["x"] + share * bar["width"], bar["y"] + 8)
            page.mouse.down()
        page.mouse.up()

    page.keyboard.down("Shift")
    drag(0.2, 0.5, 0.8)
    page.keyboard.up("Shift")
    pill = timeline.get_by_role("group", name=re.compile("^The range "))
    expect(pill.get_by_role("button", name="What changed?")).to_be_visible()
    # It is behind the rows, and on the charts.
    shade = timeline.locator(".states-body > .time-overlay")
    assert shade.evaluate(HAS_PIXELS, (bar["x"] - 1, bar["x"] + bar["width"] + 1))
    expect(page.locator('.chart[data-metric="cpu_usage"] .time-overlay')).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".time-overlay")).to_have_count(0)
    drag(0.8, 0.5, 0.2)
    page.wait_for_url(re.compile("from=.*to="))
    page.mouse.dblclick(bar["x"] + bar["width"] / 2, bar["y"] + 8)
    page.wait_for_url(re.compile(r"/$"))
    page.mouse.move(5, 5)
    timeline.get_by_role("img").focus()
    for key in ("End", "PageUp", "Shift+PageUp"):
        page.keyboard.press(key)
    expect(timeline.get_by_role("status")).to_have_text(re.compile("^Chosen: .*Enter zooms"))
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("from=.*to="))


def test_bars_are_ranked_and_filtered_and_say_what_fires(page: Page, board: Server) -> None:
    page.goto(board.url)
    bars = page.locator('.bars[data-metric="disk full_in"]')
    names, rows = bars.locator("tbody th"), bars.locator("tbody tr")
    expect(names).to_have_text(["/disk11", "/disk10", "/disk9", "/disk8", "/disk7"])
    expect(rows.first).to_have_attribute("data-severity", "critical")
    expect(rows.first.locator(".bars-value")).to_have_text("95.0")
    expect(rows.first.locator(".bars-beside")).to_have_text(re.compile(r"^full in \d.*"))
    expect(rows.nth(1).locator(".bars-beside")).to_have_text("")
    assert rows.first.locator(".bars-bar i").evaluate("(it) => it.style.left") == "90%"
    expect(bars.locator(".table-count")).to_have_text("5 of 12")
    bars.get_by_role("button", name="All").click()
    expect(names).to_have_count(12)
    bars.get_by_label("Filter Disk space").fill("disk3")
    expect(names).to_have_text(["/disk3"])
    bars.get_by_role("button", name="Enlarge: Disk space").click()
    expect(page.get_by_role("heading", name="Disk space").first).to_be_visible()
    assert page.evaluate("location.hash") == "#chart=disk"


def test_hostile_markdown_does_nothing(watched: Watched, board: Server) -> None:
    page = watched.page
    page.goto(board.url)
    text = page.get_by_role("region", name="On call")
    expect(text).to_contain_text('Ann <script>window.harmed = 1</script> <img src=x onerror="window.harmed = 2">')
    expect(text).to_contain_text("[script](javascript:window.harmed=4)")
    links = text.locator("a").evaluate_all("(all) => all.map((it) => [it.innerText, it.protocol, it.rel, it.target])")
    assert links == [
        ["wiki", "https:", "noopener noreferrer", "_blank"],
        ["mail", "mailto:", "noopener noreferrer", ""],
        ["CPU over time", "http:", "noopener noreferrer", ""],
        ["picture", "https:", "noopener noreferrer", "_blank"],
    ]
    expect(text.get_by_role("cell", name="now")).to_have_css("text-align", "right")
    elsewhere = page.get_by_role("region", name="From elsewhere")
    elsewhere.get_by_text("click").click()
    elsewhere.get_by_text("tab").click()
    assert page.locator(".text :is(script, img, style, iframe, [href^=javascript], [onerror])").count() == 0
    assert page.evaluate("window.harmed") is None
    # A link to the board itself stays in this tab.
    text.get_by_role("link", name="CPU over time").click()
    expect(page.locator(".enlarged")).to_be_visible()
    assert watched.hosts == {f"127.0.0.1:{board.port}"}
    assert watched.errors == []


def test_rows_and_texts_are_found_by_the_search(page: Page, timeline: Locator) -> None:
    page.keyboard.press("/")
    search = page.get_by_role("combobox")
    search.fill("wiki call")
    expect(page.get_by_role("option")).to_have_text(["On call"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="On call")).to_have_class(re.compile("stands-out"))
    page.keyboard.press("/")
    search.fill("disk3")
    expect(page.get_by_role("option")).to_contain_text(["/disk3"])
    page.keyboard.press("Enter")
    expect(page.locator(".bars tbody th")).to_have_text(["/disk3"])
    page.keyboard.press("/")
    search.fill("db services")
    expect(page.get_by_role("option").first).to_contain_text("down")
    page.keyboard.press("Enter")
    expect(timeline).to_have_class(re.compile("stands-out"))
