"""Zoom, brush and peaks on charts in a real browser: by mouse, touch and keyboard."""

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from tests.e2e.conftest import Watched, address
from tests.serving import Server, serve

from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History

BOARD = """
from tickboard import Board

board = Board("Past", interval_ms=1000, window_size=60)
cpu = board.gauge("cpu", "CPU", unit="%")
modes = board.gauge("modes", "Modes", unit="%", labels=["mode"])


@board.every()
def step():
    cpu.set(10)
    for mode in ("user", "system"):
        modes.labels(mode=mode).set(20)


board.row(board.chart(cpu), board.chart(modes, stacked=True))
"""
KEPT_S = 3 * 3_600
"""So much history is there: too much to be drawn tick by tick."""

DAY_S = 86_400
DAY_BEFORE_S = 600
"""So much is there of the day before, up to the same time of day."""

HEIGHTS = """(canvas) => {
    const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const rows = [];
    for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++) {
            const [red, , blue, alpha] = data.slice(4 * (y * width + x), 4 * (y * width + x) + 4);
            if (alpha > 100 && blue - red > 60) { rows.push(y); break; }
        }
    return rows.filter((y, place) => place === 0 || y - rows[place - 1] > 3).length;
}"""
"""At how many heights, apart from each other, something is drawn in the colour of the first line."""


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A board with history: the CPU is at 10 % but for one second an hour ago, and was at 60 % the day before."""
    folder = tmp_path_factory.mktemp("past")
    (folder / "board.py").write_text(BOARD)
    said: list[str | None] = []
    history = History(folder / "ticks.sqlite", Retention(), said.append)
    history.begin("earlier", 1000, 60)
    series = (("cpu", (), "%"), *(("modes", (("mode", mode),), "%") for mode in ("user", "system")))
    layout = Layout(series, np.arange(3))
    end = time.time() - 2
    for second in range(DAY_BEFORE_S):
        history.append(second + 1, end - DAY_S - DAY_BEFORE_S + second, layout, np.array([60.0, 20.0, 30.0]))
    for second in range(KEPT_S):
        peak = 95.0 if second == KEPT_S - 3_600 else 10.0
        history.append(DAY_BEFORE_S + second + 1, end - KEPT_S + second, layout, np.array([peak, 20.0, peak / 2]))
    history.close()
    assert not any(said)
    with serve("run", str(folder / "board.py"), "--history", str(folder / "ticks.sqlite")) as server:
        yield server


def seconds(text: str) -> float:
    """Return an RFC 3339 time as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def canvas(page: Page, metric: str) -> Locator:
    return page.locator(f'.chart[data-metric="{metric}"] .canvas')


def pill(page: Page) -> Locator:
    return page.get_by_role("group", name=re.compile("^The range "))


def standing(page: Page) -> tuple[float, float]:
    """Wait until the address has a range that stands still, and return it in seconds."""
    page.wait_for_url(re.compile(r"[?&]from=.*&to="))
    query = parse_qs(urlsplit(address(page)).query)
    return seconds(query["from"][0]), seconds(query["to"][0])


def opened(page: Page, address: str) -> Locator:
    """Open the page at an address, wait for its range of time, and return the drawn canvas of its first chart."""
    if "?" in address:
        # The strip asks for the first metric alone.
        with page.expect_response(
            lambda answer: "/api/history" in answer.url and "metrics=modes" in answer.url
        ) as came:
            page.goto(address)
        came.value.finished()
    else:
        page.goto(address)
    chart = canvas(page, "cpu")
    expect(chart.locator("canvas").last).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=re.compile("Live|Standing still"))).to_be_attached()
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return chart


def point(chart: Locator, share: float) -> tuple[float, float]:
    """Return a point on the canvas; its axis begins some pixels from the left."""
    box = chart.bounding_box()
    assert box is not None
    return box["x"] + 40 + share * (box["width"] - 46), box["y"] + 60


def drag(page: Page, chart: Locator, begin: float, end: float) -> None:
    page.mouse.move(*point(chart, begin))
    page.mouse.down()
    page.mouse.move(*point(chart, (begin + end) / 2))
    page.mouse.move(*point(chart, end))
    page.mouse.up()


def test_a_drag_zooms_all_charts_and_a_double_click_or_backspace_goes_back(watched: Watched, past: Server) -> None:
    page = watched.page
    chart = opened(page, f"{past.url}?range=1h")
    drag(page, chart, 0.75, 0.25)
    first, last = standing(page)
    assert 1_700 < last - first < 1_900
    # The other chart begins there too.
    other = canvas(page, "modes")
    other.focus()
    page.keyboard.press("Home")
    oldest = "|".join(time.strftime("%H:%M:%S", time.localtime(first + later)) for later in range(-5, 6))
    expect(page.locator('.chart[data-metric="modes"]').get_by_role("status")).to_have_text(re.compile(f"({oldest}):"))
    zoomed = address(page)
    drag(page, chart, 0.4, 0.6)
    page.wait_for_function("(before) => location.href !== before", arg=zoomed)
    assert standing(page)[1] - standing(page)[0] < 500
    page.mouse.dblclick(*point(chart, 0.5))
    page.wait_for_url(zoomed)
    page.keyboard.press("Backspace")
    page.wait_for_url(re.compile(r"\?range=1h$"))
    assert watched.errors == []


def test_a_drag_changes_nothing_but_its_own_overlay(page: Page, past: Server) -> None:
    page.add_init_script(
        """const { clearRect } = CanvasRenderingContext2D.prototype;
        window.redrawn = 0;
        CanvasRenderingContext2D.prototype.clearRect = function (...place) {
            const { canvas } = this;
            const lines = canvas.className !== "cursor" && canvas === canvas.parentElement?.lastElementChild;
            if (lines && canvas.closest(".chart")) window.redrawn++;
            return clearRect.apply(this, place);
        };"""
    )
    now = time.time()
    stamp = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - ago)) for ago in (5_400, 1_800)]
    chart = opened(page, f"{past.url}?from={stamp[0]}&to={stamp[1]}")
    page.wait_for_function("() => window.redrawn > 0")
    page.mouse.move(*point(chart, 0.2))
    page.mouse.down()
    page.mouse.move(*point(chart, 0.3))
    expect(page.locator(".brush-pill.draft")).to_be_visible()
    # Nothing moves but the pointer from here on.
    before = page.evaluate("() => window.redrawn")
    for step in range(31, 70):
        page.mouse.move(*point(chart, step / 100))
    expect(page.locator(".brush-pill.draft")).to_contain_text("min")
    assert page.evaluate("() => window.redrawn") == before
    page.keyboard.press("Escape")
    expect(page.locator(".brush-pill")).to_have_count(0)
    page.mouse.up()
    assert "from=" + stamp[0] in address(page)


def test_a_drag_with_shift_brushes_and_its_actions_stand_beside_it(watched: Watched, past: Server) -> None:
    page = watched.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chart = opened(page, f"{past.url}?range=1h")
    page.keyboard.down("Shift")
    drag(page, chart, 0.25, 0.5)
    page.keyboard.up("Shift")
    assert page.url.endswith("?range=1h")
    expect(pill(page)).to_contain_text("15 min")
    # All charts show it.
    expect(canvas(page, "modes").locator("canvas:not(.cursor)")).to_have_count(2)
    pill(page).get_by_role("button", name="Copy link").click()
    expect(pill(page).get_by_role("button", name="Copied")).to_be_visible()
    query = parse_qs(urlsplit(page.evaluate("() => navigator.clipboard.readText()")).query)
    assert 850 < seconds(query["to"][0]) - seconds(query["from"][0]) < 950
    pill(page).get_by_role("button", name="Zoom").click()
    first, last = standing(page)
    assert abs(seconds(query["from"][0]) - first) < 2
    assert abs(seconds(query["to"][0]) - last) < 2
    pill(page).get_by_role("button", name="Back").click()
    page.wait_for_url(re.compile(r"\?range=1h$"))
    expect(pill(page)).to_have_count(0)
    page.keyboard.down("Shift")
    drag(page, chart, 0.25, 0.5)
    page.keyboard.up("Shift")
    expect(pill(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(pill(page)).to_have_count(0)
    expect(canvas(page, "modes").locator("canvas:not(.cursor)")).to_have_count(1)
    assert watched.errors == []


def test_by_keyboard_alone_a_range_is_brushed_zoomed_and_left(watched: Watched, past: Server) -> None:
    page = watched.page
    chart = opened(page, f"{past.url}?range=1h")
    said = page.locator('.chart[data-metric="cpu"]').get_by_role("status")
    chart.focus()
    for key in ("End", "PageUp", "Shift+PageUp", "Shift+PageUp"):
        page.keyboard.press(key)
    expect(said).to_have_text(re.compile(r"^Chosen: .* to .*, \d+ (s|min)\. Enter zooms, Escape ends$"))
    expect(pill(page)).to_be_visible()
    page.keyboard.press("Tab")
    expect(pill(page).get_by_role("button").first).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    first, last = standing(page)
    page.keyboard.press("Escape")
    expect(pill(page)).to_have_count(0)
    zoomed = address(page)
    page.keyboard.press("+")
    page.wait_for_function("(before) => location.href !== before", arg=zoomed)
    assert standing(page)[1] - standing(page)[0] == pytest.approx((last - first) / 2, abs=1)
    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")
    page.wait_for_url(re.compile(r"\?range=1h$"))
    expect(said).to_have_text(re.compile("^Back to "))
    assert watched.errors == []


class Fingers:
    """Touches a page."""

    def __init__(self, page: Page) -> None:
        self._session: Any = page.context.new_cdp_session(page)

    def _send(self, kind: str, points: tuple[tuple[float, float], ...]) -> None:
        fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    def down(self, *points: tuple[float, float]) -> None:
        self._send("touchStart", points)

    def move(self, *points: tuple[float, float]) -> None:
        self._send("touchMove", points)

    def up(self) -> None:
        self._send("touchEnd", ())


def test_by_touch_two_fingers_zoom_and_a_long_press_brushes(browser: Browser, past: Server) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    fingers = Fingers(page)
    chart = opened(page, f"{past.url}?range=1h")
    chart.scroll_into_view_if_needed()
    # One finger reads values.
    fingers.down(point(chart, 0.5))
    fingers.move(point(chart, 0.6))
    expect(page.locator('.chart[data-metric="cpu"] .tip')).to_contain_text("%")
    fingers.up()
    assert page.url.endswith("?range=1h")
    # Two fingers zoom.
    fingers.down(point(chart, 0.4), point(chart, 0.6))
    fingers.move(point(chart, 0.3), point(chart, 0.7))
    fingers.move(point(chart, 0.3), point(chart, 0.7))
    fingers.up()
    first, last = standing(page)
    assert 1_600 < last - first < 2_000
    # A long press brushes.
    fingers.down(point(chart, 0.3))
    expect(page.locator('.chart[data-metric="cpu"] canvas')).to_have_count(3)
    fingers.move(point(chart, 0.5))
    fingers.move(point(chart, 0.7))
    fingers.up()
    expect(pill(page)).to_be_visible()
    for button in pill(page).get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    context.close()


def test_a_peak_of_one_second_is_in_the_tooltip_the_stats_and_the_csv(
    watched: Watched, past: Server, tmp_path: Path
) -> None:
    page = watched.page
    page.goto(f"{past.url}?range=6h#chart=cpu")
    enlarged = page.get_by_role("region", name="CPU, enlarged")
    expect(enlarged.locator(".stats-table td.max")).to_have_text("95.0")
    expect(enlarged.locator(".stats-table th.p95")).to_have_text("p95 of avg")
    expect(enlarged.locator(".enlarged-aside")).to_contain_text("from min to max, so no peak is lost")
    with page.expect_download() as saved:
        enlarged.get_by_role("button", name="CSV").click()
    saved.value.save_as(tmp_path / "saved.csv")
    header, *rows = (tmp_path / "saved.csv").read_text().splitlines()
    assert header == "time,CPU min,CPU max,CPU avg,CPU count"
    highest = max((row.split(",") for row in rows), key=lambda row: float(row[2] or 0))
    assert highest[2] == "95"
    assert 10 < float(highest[3]) < 95
    assert float(highest[4]) > 1
    chart = enlarged.locator(".canvas")
    begin = seconds(rows[0].split(",")[0])
    page.mouse.move(*point(chart, 0.99))
    tip = enlarged.locator(".tip")
    expect(tip).to_be_visible()
    chart.focus()
    page.mouse.move(5, 5)
    page.keyboard.press("Home")
    for _ in range(len(rows)):
        said = enlarged.get_by_role("status").last.inner_text()
        if "to 95" in said:
            break
        page.keyboard.press("ArrowRight")
    assert re.search(r": [\d.]+ % from 10\.0 to 95\.0$", said)
    assert begin < seconds(highest[0])
    assert watched.errors == []


def test_a_drag_and_keys_before_their_code_has_arrived_are_not_lost(page: Page, past: Server) -> None:
    late = re.compile(r"/assets/later-.*\.js$")
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route(late, hold)
    chart = opened(page, past.url)
    drag(page, chart, 0.25, 0.75)
    chart.focus()
    page.keyboard.press("ArrowLeft")
    assert page.url == past.url
    for route in waiting:
        route.continue_()
    first, last = standing(page)
    assert 20 < last - first < 40
    expect(page.locator('.chart[data-metric="cpu"]').get_by_role("status")).to_have_text(re.compile(r": 10(\.0)? %$"))


def test_a_mark_is_on_the_charts_and_says_its_text_to_pointer_and_keyboard(watched: Watched, past: Server) -> None:
    page = watched.page
    page.goto(past.url)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1_800))
    made = page.request.post(f"{past.url}api/marks", data={"text": "deploy 4.12.0", "timestamp": stamp})
    assert made.ok
    chart = opened(page, f"{past.url}?range=1h")
    expect(chart.locator("canvas.time-overlay")).to_be_visible()
    tip = page.locator('.chart[data-metric="cpu"] .tip')
    page.mouse.move(*point(chart, 0.1))
    expect(tip).to_be_visible()
    expect(tip).not_to_contain_text("deploy")
    box = chart.bounding_box()
    assert box is not None
    for x in range(int(box["x"] + box["width"] / 2) - 20, int(box["x"] + box["width"] / 2) + 40, 4):
        page.mouse.move(x, box["y"] + 60)
        # A move is seen with the next frame.
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if "deploy 4.12.0" in tip.inner_text():
            break
    expect(tip).to_contain_text("deploy 4.12.0")
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator('.chart[data-metric="cpu"]').get_by_role("status")).to_have_text(
        re.compile("Mark: deploy 4.12.0")
    )
    assert watched.errors == []


def test_an_enlarged_chart_has_the_marks_and_the_values_of_the_day_before(watched: Watched, past: Server) -> None:
    page = watched.page
    page.goto(past.url)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 120))
    assert page.request.post(f"{past.url}api/marks", data={"text": "rollback", "timestamp": stamp}).ok
    page.goto(f"{past.url}?range=5m#chart=cpu")
    enlarged = page.get_by_role("region", name="CPU, enlarged")
    expect(enlarged.locator(".enlarged-aside")).to_contain_text(re.compile(r"Marks\s*rollback\s*\d\d:\d\d:\d\d"))
    lines = enlarged.locator("canvas:not(.cursor, .time-overlay)")
    assert lines.evaluate(HEIGHTS) == 1
    day_before = enlarged.get_by_role("button", name="Day before")
    day_before.click()
    expect(day_before).to_have_attribute("aria-pressed", "true")
    page.wait_for_function(f"(canvas) => ({HEIGHTS})(canvas) === 2", arg=lines.element_handle())
    expect(enlarged.get_by_text("Dashed: one day before")).to_be_visible()
    enlarged.get_by_role("button", name="Min\N{EN DASH}max band").click()
    page.wait_for_function(f"(canvas) => ({HEIGHTS})(canvas) === 1", arg=lines.element_handle())
    # Some hours ago there is no day before.
    day_before.click()
    first, last = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago)) for ago in (9_000, 7_200)]
    page.goto(f"{past.url}?from={first}&to={last}#chart=cpu")
    enlarged.get_by_role("button", name="Day before").click()
    expect(enlarged.get_by_text("Nothing is kept of the day before")).to_be_visible()
    assert watched.errors == []
