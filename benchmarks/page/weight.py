"""How much a browser loads until the first panels are there: the page's files, compressed as the server sends them."""

import gzip

from playwright.sync_api import Browser

from benchmarks.page.builds import Build
from benchmarks.page.tracing import Case, served
from benchmarks.report import Table

LIMIT_KB = 65
ALL_KB = 110

CASE = Case(charts=4, interval_ms=1000, width=1280, height=900)

NOTE_FIRST_CHART = """
    new MutationObserver((_, observer) => {
        if (document.querySelector(".chart canvas") === null) return;
        window.firstChart = performance.now();
        observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
"""

LOADED = """() => performance.getEntriesByType("resource")
    .filter((it) => it.startTime < window.firstChart)
    .map((it) => new URL(it.name).pathname.slice(1))"""


def first_paint(browser: Browser, build: Build) -> dict[str, tuple[int, int]]:
    """Return the size, and compressed, of each file of code that is loaded before the first charts are drawn."""
    with served(build, CASE) as url:
        page = browser.new_page()
        page.add_init_script(NOTE_FIRST_CHART)
        try:
            page.goto(url)
            page.locator(".chart canvas").first.wait_for()
            loaded = set(page.evaluate(LOADED))
        finally:
            page.close()
    # The shared worker is loaded beside the page, and is no resource of it.
    found = [path for path in sorted(build.static.rglob("*")) if path.suffix in {".js", ".css"}]
    paths = {path.relative_to(build.static).as_posix(): path for path in found}
    first = {name: path for name, path in paths.items() if name in loaded or ".worker" in name}
    contents = {name: path.read_bytes() for name, path in first.items()}
    return {name: (len(content), len(gzip.compress(content, 9))) for name, content in contents.items()}


def table(browser: Browser, before: Build, now: Build) -> Table:
    """Return the table of what is loaded."""
    result = Table(
        "The page: what is loaded first",
        "Scripts and style sheets that a browser loads until the first charts are drawn, compressed by gzip. What is "
        "rarely used is loaded afterwards, or when it is wanted. Nothing comes from another host.",
        ["file", "size", "compressed", "limit"],
    )
    files = first_paint(browser, now)
    for name, (size, compressed) in files.items():
        result.add(f"`{name}`", f"{size / 1e3:.1f} kB", f"{compressed / 1e3:.1f} kB", "")
    total = sum(compressed for _, compressed in files.values())
    result.add("together", "", f"{total / 1e3:.1f} kB", f"< {LIMIT_KB} kB")
    everything = sum(len(gzip.compress(path.read_bytes(), 9)) for path in now.static.rglob("*.[jc]s*"))
    result.add("everything, also what is loaded later", "", f"{everything / 1e3:.1f} kB", f"< {ALL_KB} kB")
    earlier = sum(compressed for _, compressed in first_paint(browser, before).values())
    result.add(before.name, "", f"{earlier / 1e3:.1f} kB", "")
    return result
