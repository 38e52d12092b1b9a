"""The page, beside an earlier one in the same run: what drawing costs, how far it is behind, its weight and memory."""

import os
import statistics
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from benchmarks.page import lag, memory, past, weight
from benchmarks.page.builds import Build, before, here
from benchmarks.page.tracing import Case, measure
from benchmarks.report import Table

ROUNDS = 3
SECONDS = 10.0
LAG_S = 60.0
MEMORY_S = 600.0

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]

BUDGETS = [
    ("200 charts at 1 tick a second", Case(charts=200, interval_ms=1000, width=1920, height=22_400), 30),
    ("20 charts at 60 ticks a second", Case(charts=20, interval_ms=16, width=1280, height=2_800), 30),
    ("4 charts at 1 tick a second", Case(charts=4, interval_ms=1000, width=1280, height=900), 5),
]
"""Boards, all of whose charts are in sight, and what they may cost in percent of a core."""


def drawing(browser: Browser, earlier: Build, now: Build, rounds: int, seconds: float) -> Table:
    """Return the table of the main thread's time."""
    result = Table(
        "The page: drawing",
        "How busy the main thread of the page's renderer is, by Chromium's tracing: time on the CPU, without a "
        "graphics card, in percent of a core. All charts are in sight. Draws are those of each chart in a second: "
        "a page that falls behind draws less. "
        f"Medians of {rounds} rounds of {seconds:.0f} s, in which "
        "the two pages took turns.",
        ["board", earlier.name, "draws", "pixels", "this page", "draws", "pixels", "limit"],
    )
    for name, case, limit in BUDGETS:
        costs: dict[Build, list[float]] = {earlier: [], now: []}
        draws: dict[Build, list[float]] = {earlier: [], now: []}
        pixels = {}
        for _ in range(rounds):
            for build, found in costs.items():
                cost = measure(browser, build, case, seconds)
                found.append(cost.percent)
                draws[build].append(cost.draws)
                pixels[build] = f"{cost.pixels / 1e6:.1f} M"
        cells = [
            (f"{statistics.median(costs[build]):.1f} %", f"{statistics.median(draws[build]):.1f}/s", pixels[build])
            for build in (earlier, now)
        ]
        result.add(name, *cells[0], *cells[1], f"< {limit} %")
    return result


def tables(revision: str | None = None, *, short: bool = False) -> Iterator[Table]:
    """Yield the tables of this benchmark.

    Args:
        revision: the earlier page, as git calls it; None for the newest that draws with uPlot.
        short: whether one short round is enough.
    """
    earlier, now = before(revision), here()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield drawing(browser, earlier, now, 1 if short else ROUNDS, 5 if short else SECONDS)
            boards = [(name, case) for name, case, _ in BUDGETS]
            yield lag.table(browser, now, boards, 5 if short else LAG_S)
            yield weight.table(browser, earlier, now)
            yield from past.tables(browser, now, 1 if short else past.ROUNDS)
            yield memory.table(browser, now, 20 if short else MEMORY_S)
        finally:
            browser.close()
