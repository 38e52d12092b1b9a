"""Whether the memory of a page that stays open is flat: its heap after garbage collections."""

import time

from playwright.sync_api import Browser, CDPSession

from benchmarks.page.builds import Build
from benchmarks.page.tracing import Case, served
from benchmarks.report import Table

CASE = Case(charts=20, interval_ms=16, width=1280, height=2400, window=600)
LOOKS = 6
LIMIT_MB = 1


def heap_mb(session: CDPSession) -> float:
    """Return the size of all that is in use."""
    session.send("HeapProfiler.collectGarbage")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["JSHeapUsedSize"]) / 1e6


def heaps(browser: Browser, build: Build, seconds: float, case: Case = CASE) -> list[float]:
    """Return the heap at equal distances over some seconds, in MB, once the window is full."""
    with served(build, case) as url:
        page = browser.new_page(viewport={"width": case.width, "height": case.height})
        try:
            page.goto(url)
            page.locator(".chart canvas").first.wait_for()
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable")
            time.sleep(case.window * case.interval_ms / 1e3)
            found = [heap_mb(session)]
            for _ in range(LOOKS - 1):
                time.sleep(seconds / (LOOKS - 1))
                found.append(heap_mb(session))
            return found
        finally:
            page.close()


def table(browser: Browser, now: Build, seconds: float) -> Table:
    """Return the table of the heap over time."""
    result = Table(
        "The page: memory",
        f"The heap of a page with {CASE.charts} charts at 60 ticks a second, after a garbage collection: an hour at "
        "one tick a second is as many ticks as a minute here.",
        ["after", "heap", "more than at first", "limit"],
    )
    found = heaps(browser, now, seconds)
    for i, heap in enumerate(found):
        limit = f"< {LIMIT_MB} MB" if i == len(found) - 1 else ""
        result.add(f"{seconds * i / (LOOKS - 1):.0f} s", f"{heap:.2f} MB", f"{heap - found[0]:+.2f} MB", limit)
    return result
