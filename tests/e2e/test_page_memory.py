"""A page that stays open does not grow: its heap after thousands of ticks is what it was with a full window."""

from benchmarks.page.builds import here
from benchmarks.page.memory import heaps
from benchmarks.page.tracing import Case
from playwright.sync_api import Browser

CASE = Case(charts=8, interval_ms=16, width=1280, height=1200, window=120)


def test_the_memory_of_an_open_page_is_flat(browser: Browser) -> None:
    found = heaps(browser, here(), 12, CASE)
    # The first look is at a heap that is still warming up.
    assert min(found[-2:]) - found[1] < 1
