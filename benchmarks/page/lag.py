"""How far a page is behind: the time from a tick to its value on the page, for every value that the page shows."""

import time

from playwright.sync_api import Browser

from benchmarks.page.builds import Build
from benchmarks.page.tracing import Case, served
from benchmarks.report import Table

LIMIT_S = 1.0

WATCH = """() => {
    const value = document.querySelector('.metric-card[data-metric="clock"] .now-value');
    window.lags = [];
    new MutationObserver(() => {
        const shown = Number(value.textContent.replaceAll(",", ""));
        // The clock starts again every hour.
        const lag = ((performance.timeOrigin + performance.now()) / 1000 - shown) % 3600;
        window.lags.push(lag > 1800 ? lag - 3600 : lag);
    }).observe(value, { characterData: true, childList: true, subtree: true });
}"""
"""Note how old each value of the clock is when it appears. It has one decimal."""


def lags(browser: Browser, build: Build, case: Case, seconds: float) -> list[float]:
    """Return how old each shown value was when it appeared, in seconds.

    Raises:
        RuntimeError: the page showed none.
    """
    with served(build, case, clock=True) as url:
        page = browser.new_page(viewport={"width": case.width, "height": case.height})
        try:
            page.goto(url)
            page.locator(".chart canvas").first.wait_for()
            time.sleep(3)
            page.evaluate(WATCH)
            time.sleep(seconds)
            found: list[float] = page.evaluate("window.lags")
        finally:
            page.close()
    if not found:
        raise RuntimeError(f"{build.name} showed no value in {seconds:.0f} s")
    return found


def table(browser: Browser, now: Build, cases: list[tuple[str, Case]], seconds: float) -> Table:
    """Return the table of how far the page is behind."""
    result = Table(
        "The page: how far it is behind",
        "The time from a tick on the server to its value in the page, at every change of a card's value. A page may "
        f"leave ticks out, and does above 15 a second. For {seconds:.0f} s each.",
        ["board", "values shown", "median", "most", "limit"],
    )
    for name, case in cases:
        # The clock on the card has one decimal, so an age may be 0.05 s below zero.
        found = sorted(max(0.0, age) for age in lags(browser, now, case, seconds))
        middle, most = found[len(found) // 2], found[-1]
        result.add(name, f"{len(found) / seconds:.1f}/s", f"{middle:.1f} s", f"{most:.1f} s", f"< {LIMIT_S:.0f} s")
    return result
