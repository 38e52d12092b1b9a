"""What a page costs its browser: the time of the renderer's main thread, counted by Chromium's own tracing."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks.page.builds import Build

BOARD = Path(__file__).with_name("board.py")

CATEGORIES = ["toplevel", "__metadata"]

PIXELS = """() => [...document.querySelectorAll(".chart canvas")]
    .filter((it) => it.getContext("2d").getImageData(0, 0, it.width, it.height).data.some((value) => value !== 0))
    .reduce((sum, it) => [sum[0] + 1, sum[1] + it.width * it.height], [0, 0])"""


COUNT_DRAWS = """
    window.draws = 0;
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...box) {
        window.draws++;
        return clear.apply(this, box);
    };
"""
"""Both pages begin each drawing of a chart with an empty canvas."""


@dataclass(frozen=True)
class Case:
    """A board, and the window that it is looked at in."""

    charts: int
    interval_ms: int
    width: int
    height: int
    window: int = 60


@dataclass(frozen=True)
class Cost:
    """What a page cost.

    Attributes:
        percent: of one core, of the renderer's main thread.
        draws: a second, of each chart.
        charts: how many were drawn.
        pixels: of their canvases together.
    """

    percent: float
    draws: float
    charts: int
    pixels: int


@contextmanager
def served(build: Build, case: Case, history: Path | None = None, *, clock: bool = False) -> Iterator[str]:
    """Serve a board with the page of a build; yield its address.

    Args:
        build: the page.
        case: the board.
        history: its history; None: it has none.
        clock: whether it has a card of the time.
    """
    environment = build.environment() | {
        "CHARTS": str(case.charts),
        "INTERVAL_MS": str(case.interval_ms),
        "WINDOW": str(case.window),
    }
    if clock:
        environment["CLOCK"] = "1"
    command = [sys.executable, "-m", "tickboard", "run", str(BOARD), "--port", "0", "--state", "none"]
    command += ["--history", str(history or "none")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            if found is None:
                raise RuntimeError(f"{' '.join(command)} did not say where it serves")
            yield found[0]
        finally:
            process.terminate()
            process.wait(10)


def measure(browser: Browser, build: Build, case: Case, seconds: float) -> Cost:
    """Return what looking at a board costs.

    Raises:
        RuntimeError: not all charts were drawn.
    """
    with served(build, case) as url:
        context = browser.new_context(viewport={"width": case.width, "height": case.height}, color_scheme="light")
        try:
            page = context.new_page()
            page.add_init_script(COUNT_DRAWS)
            page.goto(url)
            page.locator(".chart canvas").first.wait_for()
            time.sleep(max(3, seconds / 4))
            began, drawn = time.monotonic(), page.evaluate("window.draws")
            percent = main_thread_percent(browser, page, seconds)
            draws = (page.evaluate("window.draws") - drawn) / case.charts / (time.monotonic() - began)
            charts, pixels = page.evaluate(PIXELS)
        finally:
            context.close()
    if charts < case.charts:
        raise RuntimeError(f"{build.name} drew {charts} of {case.charts} charts in {case.width} x {case.height}")
    return Cost(percent, draws, charts, pixels)


def main_thread_percent(browser: Browser, page: Page, seconds: float) -> float:
    """Return how much of some seconds the main thread of a page's renderer was busy, in percent: time on the CPU."""
    browser.start_tracing(page=page, categories=CATEGORIES)
    time.sleep(seconds)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    names = {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["name"] == "thread_name"}
    tasks: dict[tuple[int, int], list[dict[str, float]]] = {}
    for event in events:
        if event.get("ph") == "X" and event["name"].endswith("RunTask"):
            tasks.setdefault((event["pid"], event["tid"]), []).append(event)
    mains = [tasks[thread] for thread, name in names.items() if name == "CrRendererMain" and thread in tasks]
    # Other renderers, of an empty page, have hardly any.
    busy = max(sum(task.get("tdur", task["dur"]) for task in main) for main in mains)
    stamps = [event["ts"] for main in tasks.values() for event in main]
    return 100 * busy / (max(stamps) - min(stamps))
