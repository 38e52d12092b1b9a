"""Another time on the page: how long a day of many charts takes to be painted, and whether a replay keeps up."""

import re
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks.history.recordings import Synthetic
from benchmarks.page.builds import Build
from benchmarks.page.tracing import Case, main_thread_percent, served
from benchmarks.report import Table
from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History

CASE = Case(charts=60, interval_ms=1000, width=1920, height=6_800)
HOURS = 25
ROUNDS = 7
LIMIT_MS = 300
SPEED = "60"

WATCH = """
    window.drawn = new Map();
    window.pressed = 0;
    addEventListener("keydown", () => { window.pressed = performance.now(); }, true);
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...box) {
        const times = window.drawn.get(this.canvas) ?? [];
        times.push(performance.now());
        window.drawn.set(this.canvas, times);
        return clear.apply(this, box);
    };
"""
"""Notes when a key was pressed, and when each canvas was drawn."""

PAINTED = """() => {
    const answers = performance.getEntriesByType("resource").filter((it) => it.name.includes("api/history"));
    const asked = answers.filter((it) => it.startTime >= window.pressed);
    if (asked.length === 0) return null;
    const arrived = Math.max(...asked.map((it) => it.responseEnd));
    const charts = [...document.querySelectorAll(".chart canvas:not(.cursor)")];
    const after = charts.map((it) => (window.drawn.get(it) ?? []).find((time) => time >= arrived));
    if (after.some((time) => time === undefined)) return null;
    return [arrived - window.pressed, Math.max(...after) - window.pressed];
}"""
"""When the range had arrived and all charts had been drawn with it, in milliseconds after the key; null before."""

PAUSES = """(since) => [...window.drawn].filter(([it]) => it.closest(".chart") && !it.classList.contains("cursor"))
    .map(([, times]) => times.filter((time) => time >= since))
    .map((times) => Math.max(...times.slice(1).map((time, i) => time - times[i])))"""
"""The longest time between two drawings of each chart."""


def record(path: Path) -> None:
    """Write a day of the board, a second apart, up to a minute ago."""
    values = Synthetic(CASE.charts)
    layout = Layout(tuple((f"chart_{number}", (), "%") for number in range(CASE.charts)), np.arange(CASE.charts))
    count = HOURS * 3600
    start = time.time() - count - 60
    with closing(History(path, Retention(), print)) as history:
        history.begin("earlier", CASE.interval_ms, CASE.window)
        for seq in range(count):
            history.append(seq + 1, start + seq, layout, values.row())
            if not seq % 100:
                history.flush()
        history.settle()


def shown(browser: Browser, url: str) -> Page:
    """Return the page with all its charts in sight."""
    page = browser.new_page(viewport={"width": CASE.width, "height": CASE.height})
    page.add_init_script(WATCH)
    page.goto(url)
    page.locator(".chart canvas").nth(CASE.charts - 1).wait_for()
    page.wait_for_timeout(2_000)
    return page


def painted(page: Page, key: str) -> tuple[float, float]:
    """Return how long after a key a range has arrived, and has been painted, in milliseconds."""
    page.keyboard.press(key)
    arrived, drawn = page.wait_for_function(PAINTED).json_value()
    return float(arrived), float(drawn)


def tables(browser: Browser, build: Build, rounds: int = ROUNDS) -> list[Table]:
    """Return the tables of the day and of the replay."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ticks.sqlite"
        record(path)
        with served(build, CASE, path) as url:
            page = shown(browser, url)
            try:
                return [_day(page, rounds), _replay(browser, page)]
            finally:
                page.close()


def _day(page: Page, rounds: int) -> Table:
    result = Table(
        "The page: 24 hours",
        f"From the key for the last 24 hours until the last of {CASE.charts} charts, all in sight, is painted: history "
        f"on loopback, with {HOURS} h of ticks at one second. Median and highest of {rounds} times, after one.",
        ["", "arrived", "painted", "highest", "limit"],
    )
    found = []
    for _ in range(rounds + 1):
        found.append(painted(page, "6"))
        page.keyboard.press("1")
        page.wait_for_timeout(1_500)
    arrived, drawn = zip(*found[1:], strict=True)
    median = statistics.median(drawn)
    result.add(
        "24 h",
        f"{statistics.median(arrived):.0f} ms",
        f"{median:.0f} ms",
        f"{max(drawn):.0f} ms",
        f"< {LIMIT_MS} ms",
    )
    return result


def _replay(browser: Browser, page: Page, seconds: float = 20) -> Table:
    result = Table(
        "The page: replay",
        f"A replay of the same board at {SPEED} times its speed: how busy the main thread is, in percent of a core, "
        f"and the longest time in {seconds:.0f} s between two drawings of a chart. The page draws 15 times a second.",
        ["", "main thread", "draws", "longest pause"],
    )
    page.keyboard.press("5")
    page.wait_for_timeout(2_000)
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(1_000)
    page.get_by_role("button", name=re.compile(SPEED)).click()
    page.wait_for_timeout(2_000)
    since = page.evaluate("performance.now()")
    busy = main_thread_percent(browser, page, seconds)
    pauses = page.evaluate(PAUSES, since)
    drawn = page.evaluate("(since) => [...window.drawn.values()].flat().filter((time) => time >= since).length", since)
    passed = page.evaluate("performance.now()") - since
    rate = drawn / CASE.charts / passed * 1000
    result.add(f"{SPEED} times", f"{busy:.0f} %", f"{rate:.1f}/s", f"{max(pauses):.0f} ms")
    return result
