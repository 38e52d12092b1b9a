"""The time bar: the range on the page is chosen by menu, fields, keys and the strip, and replayed; a link keeps it."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.e2e.conftest import PATIENCE_MS, Watched, address, loaded
from tests.e2e.test_everyone_page import findings
from tests.serving import Server, serve

from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History

HOUR_S = 3600

INCIDENT_S = (10 * HOUR_S, 9.5 * HOUR_S)
"""How long ago CPU rose to 95 %, and fell again."""

BOARD = """
from tickboard import Board
board = Board("Past", interval_ms=1000, window_size=60)
cpu = board.gauge("cpu", "CPU", unit="%")
load = board.gauge("load", "Load")

@board.every()
def step():
    cpu.set(20)
    load.set(3)

board.card(cpu)
board.card(load)
board.chart(cpu)
board.chart(load)
"""

CPU = '.metric-card[data-metric="cpu"]'

STRIP = ".strip-outline:not(.shown) .strip-averages"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a board with a day of history, a tick every 20 s: an incident, and two hours without any."""
    folder = tmp_path_factory.mktemp("past")
    board, path = folder / "board.py", folder / "ticks.sqlite"
    board.write_text(BOARD)
    said: list[str | None] = []
    history = History(path, Retention(), said.append)
    history.begin("earlier", 1_000, 60)
    now = time.time()
    layout = Layout((("cpu", (), "%"), ("load", (), "")), np.array([0, 1]))
    for seq, age_s in enumerate(np.arange(24 * HOUR_S, 60, -20), 1):
        if not 20 * HOUR_S > age_s > 18 * HOUR_S:
            cpu = 95.0 if INCIDENT_S[0] > age_s > INCIDENT_S[1] else 20.0
            history.append(seq, now - float(age_s), layout, np.array([cpu, 3.0]))
        if not seq % 500:
            history.flush()
    history.close()
    assert not any(said)
    with serve("run", str(board), "--history", str(path)) as server:
        mark = {"text": "deploy 4.12", "timestamp": stamp(now - INCIDENT_S[0] - 60)}
        httpx.post(f"{server.url}api/marks", json=mark).raise_for_status()
        yield server


def stamp(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def bar(page: Page) -> Locator:
    return page.get_by_role("region", name="Time")


def range_button(page: Page) -> Locator:
    return bar(page).get_by_role("button", name=re.compile("^Range: "))


def shown(page: Page) -> tuple[float, float]:
    """The range in the address, in seconds since 1970."""
    query = parse_qs(urlsplit(address(page)).query)
    first, last = (np.datetime64(query[name][0].rstrip("Z"), "ms").astype(float) / 1000 for name in ("from", "to"))
    return first, last


def opened(page: Page, server: Server, query: str = "") -> None:
    page.goto(server.url + query)
    expect(page.locator(STRIP)).to_have_attribute("d", re.compile("^M"))
    expect(page.locator(f"{CPU} .now-value")).to_have_text(re.compile(r"\d"))


def test_a_range_is_chosen_from_the_menu_and_by_keys_and_goes_on_live(watched: Watched, server: Server) -> None:
    page = watched.page
    opened(page, server)
    expect(range_button(page)).to_have_text("Last 1 min")
    range_button(page).click()
    page.get_by_role("button", name="Last 1 h 4").click()
    expect(page).to_have_url(server.url + "?range=1h")
    expect(range_button(page)).to_have_text("Last 1 h")
    expect(page.locator(f"{CPU} .samples")).to_have_text(re.compile(r"\((19|2\d)\d samples\)"))
    expect(page.locator(f"{CPU} .range")).to_contain_text("Max: 20")
    page.keyboard.press("6")
    expect(page).to_have_url(server.url + "?range=24h")
    # The peak is in the range now.
    expect(page.locator(f"{CPU} .range")).to_contain_text("Max: 95")
    page.keyboard.press("1")
    expect(page).to_have_url(server.url)
    assert watched.errors == []


def test_fields_say_what_is_wrong_and_show_a_range_that_stands_still(page: Page, server: Server) -> None:
    opened(page, server)
    range_button(page).click()
    menu = page.get_by_role("dialog", name=re.compile("^Range"))
    expect(menu).to_contain_text("Kept: every tick for 24 h")
    menu.get_by_label("From").fill("noon")
    menu.get_by_role("button", name="Show").click()
    expect(menu.get_by_role("alert")).to_contain_text("“noon” is not a time: write 20")
    begin = int(time.time()) - 11 * HOUR_S
    menu.get_by_label("From").fill(stamp(begin))
    menu.get_by_label("To").fill(stamp(begin - 60))
    page.keyboard.press("Enter")
    expect(menu.get_by_role("alert")).to_contain_text("The end is not after the beginning")
    menu.get_by_label("To").fill(stamp(begin + 2 * HOUR_S))
    page.keyboard.press("Enter")
    expect(page.locator(".status .state")).to_have_text("Standing still")
    assert shown(page) == (begin, begin + 2 * HOUR_S)
    expect(page.locator(f"{CPU} .range")).to_have_text(re.compile("Min: 20.*Max: 95"))
    expect(range_button(page)).to_contain_text("· 2 h")
    page.get_by_role("button", name="Live", exact=True).click()
    expect(page).to_have_url(server.url)
    expect(page.get_by_role("button", name="Pause")).to_be_focused()


def test_the_strip_finds_the_incident_and_its_frame_is_dragged_and_zoomed(page: Page, server: Server) -> None:
    opened(page, server)
    strip = page.locator(".strip")
    expect(strip.locator(".strip-gap.wide")).to_have_count(1)
    expect(strip.locator(".strip-mark")).to_have_count(1)
    box = strip.bounding_box()
    assert box is not None
    left, width, y = box["x"], box["width"], box["y"] + box["height"] / 2
    now = time.time()

    def x(ago_s: float) -> float:
        return left + width * (1 - ago_s / (24 * HOUR_S))

    page.mouse.move(x(INCIDENT_S[0] + 60), y)
    expect(strip.locator(".strip-tip")).to_contain_text("deploy 4.12")
    page.mouse.move(x(10.5 * HOUR_S), y)
    page.mouse.down()
    page.mouse.move(x(9 * HOUR_S), y, steps=5)
    # The end has its day too if midnight is in between.
    expect(strip.locator(".strip-tag")).to_contain_text(re.compile(r"\d\d:\d\d \S .*\d\d:\d\d"))
    page.mouse.up()
    expect(page.locator(f"{CPU} .range")).to_have_text(re.compile("Min: 20.*Max: 95"))
    first, last = shown(page)
    pixel = 24 * HOUR_S / width
    assert abs(first - (now - 10.5 * HOUR_S)) < 2 * pixel
    assert abs(last - (now - 9 * HOUR_S)) < 2 * pixel
    # The strip is wider now. Grab the frame, then an end.
    box = strip.bounding_box()
    assert box is not None
    left, width, y = box["x"], box["width"], box["y"] + box["height"] / 2
    page.mouse.move(x(9.75 * HOUR_S), y)
    page.mouse.down()
    page.mouse.move(x(13.75 * HOUR_S), y, steps=5)
    page.mouse.up()
    expect(page.locator(f"{CPU} .range")).to_contain_text("Max: 20")
    moved = shown(page)
    assert moved[1] - moved[0] == pytest.approx(last - first, abs=0.1)
    end = strip.locator(".strip-handle.to").bounding_box()
    assert end is not None
    page.mouse.move(end["x"] + end["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(x(9 * HOUR_S), y, steps=5)
    page.mouse.up()
    expect(page.locator(f"{CPU} .range")).to_contain_text("Max: 95")
    assert shown(page)[0] == moved[0]
    page.mouse.move(x(9.75 * HOUR_S), y)
    page.mouse.wheel(0, -800)
    expect(page).not_to_have_url(re.compile(re.escape(stamp(moved[0]).rstrip("Z"))))
    assert shown(page)[1] - shown(page)[0] < 3 * HOUR_S
    # At the end it follows now.
    page.mouse.move(x(23 * HOUR_S), y)
    page.mouse.down()
    page.mouse.move(left + width + 50, y, steps=5)
    page.mouse.up()
    expect(page.locator(".status .state")).to_have_text("Live")


def test_all_of_it_works_by_keyboard_alone(page: Page, server: Server) -> None:
    opened(page, server)
    page.keyboard.press("4")
    expect(page).to_have_url(server.url + "?range=1h")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".status .state")).to_have_text("Standing still")
    first, last = shown(page)
    assert last - first == pytest.approx(HOUR_S, abs=1)
    page.keyboard.press("ArrowLeft")
    assert shown(page)[0] == pytest.approx(first - HOUR_S / 2, abs=1)
    grip = page.get_by_role("slider", name="Range on the page")
    for _ in range(60):
        page.keyboard.press("Tab")
        if grip.evaluate("(it) => it === document.activeElement"):
            break
    expect(grip).to_be_focused()
    page.keyboard.press("-")
    first, last = shown(page)
    assert last - first == pytest.approx(2 * HOUR_S, abs=1)
    page.keyboard.press("Home")
    assert shown(page)[0] < time.time() - 23.9 * HOUR_S
    page.keyboard.press("Tab")
    begin = page.get_by_role("slider", name="Beginning of the range")
    expect(begin).to_be_focused()
    before = begin.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    expect(begin).not_to_have_attribute("aria-valuetext", before or "")
    assert shown(page)[1] - shown(page)[0] == pytest.approx(1.8 * HOUR_S, abs=2)
    page.keyboard.press("l")
    expect(page).to_have_url(server.url + "?range=1h")
    page.keyboard.press(" ")
    expect(page.locator(".status .state")).to_have_text("Standing still")


def test_another_browser_in_another_time_zone_sees_the_same_range_labelled_in_its_zone(
    browser: Browser, server: Server
) -> None:
    begin = int(time.time()) // 60 * 60 - 10 * HOUR_S
    query = f"?from={stamp(begin)}&to={stamp(begin + HOUR_S)}"
    said = []
    for zone, offset_s, name in (("Asia/Kolkata", 5.5 * HOUR_S, "UTC+5:30"), ("UTC", 0, "UTC")):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id=zone)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        opened(page, server, query)
        clock = time.strftime("%H:%M", time.gmtime(begin + offset_s))
        expect(range_button(page)).to_contain_text(f" {clock} ")
        expect(bar(page).locator(".time-zone")).to_have_text(name)
        expect(page.locator(f"{CPU} .range")).to_contain_text("Max: 95")
        assert shown(page) == (begin, begin + HOUR_S)
        said.append(page.locator(".metric-card").all_inner_texts())
        if offset_s:
            # UTC is chosen in the menu, and remembered.
            range_button(page).click()
            page.get_by_role("group", name="Time zone").get_by_role("button", name="UTC", exact=True).click()
            page.keyboard.press("Escape")
            page.reload()
            expect(bar(page).locator(".time-zone")).to_have_text("UTC")
            expect(range_button(page)).to_contain_text(time.strftime(" %H:%M ", time.gmtime(begin)))
        context.close()
    assert said[0] == said[1]


def test_a_replay_moves_on_stops_and_goes_live(page: Page, server: Server) -> None:
    begin = int(time.time()) - 12 * HOUR_S
    opened(page, server, f"?from={stamp(begin)}&to={stamp(begin + HOUR_S)}")
    before = range_button(page).inner_text()
    bar(page).get_by_role("button", name=re.compile("60 times the speed")).click()
    expect(range_button(page)).not_to_have_text(before)
    page.keyboard.press("Escape")
    bar(page).get_by_role("button", name="Stop the replay").click()
    expect(bar(page).get_by_role("button", name="Replay", exact=True)).to_be_visible()
    first, last = shown(page)
    assert first > begin
    assert last - first == pytest.approx(HOUR_S, abs=1)
    page.keyboard.press("l")
    expect(page.locator(".status .state")).to_have_text("Live")


def test_a_range_that_does_not_load_says_so_and_is_loaded_on_request(page: Page, server: Server) -> None:
    opened(page, server)
    page.route("**/api/history?*", lambda route: route.fulfill(status=503, json={"error": "history is busy"}))
    page.keyboard.press("6")
    notice = page.locator(".range-said[role=status]")
    expect(notice).to_contain_text("Loading the last 24 h")
    # After the tries of the page itself.
    expect(notice).to_contain_text("Could not load the last 24 h: history is busy. The page keeps what it had.")
    expect(page.locator(f"{CPU} .now-value")).to_have_text(re.compile(r"\d"))
    page.unroute("**/api/history?*")
    notice.get_by_role("button", name="Retry").click()
    expect(page.locator(f"{CPU} .range")).to_contain_text("Max: 95")
    expect(notice).not_to_contain_text("Could not load")


def test_a_range_that_is_not_kept_says_so_and_leads_to_the_oldest(page: Page, server: Server) -> None:
    page.goto(f"{server.url}?from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z")
    notice = page.locator(".range-said[role=status]")
    expect(notice).to_contain_text("This range is no longer kept: the oldest values are from")
    notice.get_by_role("button", name="Go to the oldest").click()
    expect(notice).to_be_empty()
    expect(page.locator(f"{CPU} .range")).to_contain_text("Max: 20")
    gap = int(time.time()) - 19.5 * HOUR_S
    page.goto(f"{server.url}?from={stamp(gap)}&to={stamp(gap + HOUR_S)}")
    expect(notice).to_have_text("Nothing was recorded in this range.")


def test_without_history_only_the_window_is_offered(page: Page, tmp_path: Path) -> None:
    board = tmp_path / "board.py"
    board.write_text(BOARD.replace("window_size=60", "window_size=300"))
    with serve("run", str(board), "--history", "none") as server:
        page.goto(server.url)
        expect(range_button(page)).to_have_text("Last 5 min")
        loaded(page)
        expect(page.locator(".strip-place")).to_have_count(0)
        range_button(page).click()
        menu = page.get_by_role("dialog", name=re.compile("^Range"))
        expect(menu.locator(".range-follow button")).to_have_text(["Last 1 min1", "Last 5 min2"])
        expect(menu).to_contain_text("No history is kept")
        page.keyboard.press("Escape")
        page.keyboard.press("4")
        expect(range_button(page)).to_have_text("Last 5 min")
        expect(page.locator(".strip")).to_have_count(0)


def test_before_the_first_tick_everything_can_be_opened(watched: Watched, tmp_path: Path) -> None:
    page, board = watched.page, tmp_path / "board.py"
    board.write_text(BOARD.replace("interval_ms=1000", "interval_ms=3_600_000"))
    with serve("run", str(board), "--history", str(tmp_path / "ticks.sqlite")) as server:
        page.goto(server.url)
        expect(page.locator(".status.connected")).to_be_visible()
        expect(page.locator(CPU)).to_contain_text("(0 samples)")
        range_button(page).click()
        menu = page.get_by_role("dialog", name=re.compile("^Range"))
        expect(menu.get_by_label("From")).to_have_value(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"))
        page.keyboard.press("Escape")
        expect(page.locator(".time-zone")).to_have_text("UTC")
        for key in ("w", "e", "m", "o", "?", "/"):
            page.keyboard.press(key)
            expect(page.get_by_role("dialog").or_(page.locator(".enlarged, .changes")).first).to_be_visible()
            page.keyboard.press("Escape")
        for key in ("ArrowLeft", "l", "Space", "Backspace", "n", "2", "t"):
            page.keyboard.press(key)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(page.locator("footer")).to_contain_text(re.compile(r"Past, \w+, \d+ \w+ \d{4} at \d\d:\d\d:\d\d UTC"))
    assert "could not be loaded" not in page.locator("body").inner_text()
    assert [error for error in watched.errors if "ERR_CONNECTION" not in error] == []


def test_a_wall_shows_the_range_of_its_address_without_controls(page: Page, server: Server) -> None:
    page.goto(f"{server.url}?kiosk&range=24h")
    expect(page.locator(".kiosk-range")).to_have_text("Last 24 h")
    expect(page.locator(f"{CPU} .range")).to_contain_text("Max: 95")
    expect(bar(page)).to_have_count(0)
    begin = int(time.time()) - 12 * HOUR_S
    page.goto(f"{server.url}?kiosk&from={stamp(begin)}&to={stamp(begin + HOUR_S)}")
    expect(page.locator(".kiosk-status")).to_contain_text("Standing still")
    expect(page.locator(".kiosk-range")).to_contain_text(re.compile(r"\d \S \d"))


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone_a_tap_on_the_strip_goes_there_and_nothing_is_cut(
    browser: Browser, server: Server, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, has_touch=True, is_mobile=True)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    opened(page, server, "?range=1h")
    box = page.locator(".strip").bounding_box()
    assert box is not None
    page.touchscreen.tap(box["x"] + box["width"] * (1 - 9.75 / 24), box["y"] + box["height"] / 2)
    expect(page.locator(f"{CPU} .range")).to_have_text(re.compile("Max: 95"))
    expect(page.locator(".status .state")).to_have_text("Standing still")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for button in bar(page).get_by_role("button").all():
        if button.is_visible():
            size = button.bounding_box()
            assert size is not None
            assert size["width"] >= 24, button
            assert size["height"] >= 42, button
    range_button(page).tap()
    menu = page.get_by_role("dialog", name=re.compile("^Range"))
    menu.get_by_role("button", name=re.compile("^Last 6 h")).tap()
    expect(page).to_have_url(server.url + "?range=6h")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_time_bar(page: Page, server: Server, scheme: str) -> None:
    page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    begin = int(time.time()) - 10 * HOUR_S
    opened(page, server, f"?from={stamp(begin)}&to={stamp(begin + HOUR_S)}")
    range_button(page).click()
    expect(page.get_by_label("From")).to_be_visible()
    assert findings(page) == {}
