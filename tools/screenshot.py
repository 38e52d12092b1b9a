"""Take the pictures of the README and the docs from the running product: ``python tools/screenshot.py [NAME…]``.

Each picture is a function here that serves a board, brings it into the state to be seen, and writes
docs/images/NAME.png; with names, only those are taken.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
IMAGES = ROOT / "docs" / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

FULL_MS = 90_000
"""The longest that a window of 60 ticks may take to fill, with the start."""


@contextlib.contextmanager
def running(*command: str, cwd: Path = ROOT, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program for as long as the context is open."""
    program = subprocess.Popen(
        [sys.executable, *command], cwd=cwd, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


@contextlib.contextmanager
def serve(*arguments: str) -> Iterator[str]:
    """Run tickboard for as long as the context is open, and give its address."""
    with running("-m", "tickboard", *arguments, "--port", "0", "--state", "none") as server:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found, "the server gave no address"
        yield found[0]


@contextlib.contextmanager
def look(
    browser: Browser, url: str, width: int, height: int, *, dark: bool = False, zone: str | None = None
) -> Iterator[Page]:
    """Open a page in a window of this size, in a time zone."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        timezone_id=zone,
    )
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()


def wait_for_window(page: Page) -> None:
    """Wait until the window is full."""
    expect(page.locator(".metric-card").first).to_contain_text("(60 samples)", timeout=FULL_MS)


def dashboard(browser: Browser) -> None:
    """The example, light, dark and on a phone."""
    with serve("run", str(EXAMPLES / "dashboard.py")) as url:
        for name, (dark, width, height) in {
            "light": (False, 1440, 900),
            "dark": (True, 1440, 900),
            "phone": (False, 390, 844),
        }.items():
            with look(browser, url, width, height, dark=dark) as page:
                wait_for_window(page)
                page.screenshot(path=IMAGES / f"dashboard-{name}.png")


def host(browser: Browser) -> None:
    """The board of the machine."""
    with serve() as url, look(browser, url, 1440, 900) as page:
        wait_for_window(page)
        page.screenshot(path=IMAGES / "host.png")


def tour(browser: Browser) -> None:
    """The tour of the page: what fires, a ranked table, an enlarged chart, a wall, and a server that has gone."""
    with serve("run", str(EXAMPLES / "checkout.py")) as url:
        with look(browser, url, 1440, 900) as page:
            expect(page.locator(".alert-critical").first).to_be_visible(timeout=FULL_MS)
            wait_for_window(page)
            page.screenshot(path=IMAGES / "page-firing.png")
            page.locator('.chart[data-metric="pod_cpu"]').screenshot(path=IMAGES / "page-labels.png")
            page.goto(f"{url}#chart=latency_p95")
            page.reload()
            page.wait_for_timeout(3_000)
            page.screenshot(path=IMAGES / "page-enlarged.png")
        with look(browser, f"{url}?kiosk", 1920, 1080, dark=True) as page:
            page.wait_for_timeout(3_000)
            page.screenshot(path=IMAGES / "page-kiosk.png")
    with contextlib.ExitStack() as served:
        url = served.enter_context(serve("run", str(EXAMPLES / "dashboard.py")))
        with look(browser, url, 1100, 560) as page:
            wait_for_window(page)
            served.close()
            expect(page.get_by_text("Stale since")).to_be_visible(timeout=FULL_MS)
            page.wait_for_timeout(12_000)
            page.screenshot(path=IMAGES / "page-stale.png")


def panels(browser: Browser) -> None:
    """A state timeline, a bar list and a text."""
    with serve("run", str(EXAMPLES / "services.py")) as url, look(browser, url, 1100, 560) as page:
        page.locator(".states").wait_for()
        page.wait_for_timeout(62_000)
        page.locator(".panels").screenshot(path=IMAGES / "page-panels.png")


def shop(browser: Browser) -> None:
    """The board of the tutorial."""
    with serve("run", str(EXAMPLES / "shop.py"), "--interval", "500ms") as url, look(browser, url, 1100, 560) as page:
        wait_for_window(page)
        page.screenshot(path=IMAGES / "shop.png")


def heatmap(browser: Browser) -> None:
    """A heat map beside a chart of the same histogram, after its values have changed."""
    with serve("run", str(EXAMPLES / "heatmap.py")) as url, look(browser, url, 1100, 460) as page:
        expect(page.locator(".heatmap canvas").first).to_be_visible(timeout=FULL_MS)
        page.wait_for_timeout(FULL_MS * 2 / 3)
        page.locator(".row-panels").screenshot(path=IMAGES / "heatmap.png")


def feed(browser: Browser) -> None:
    """The feed of the tutorial, with an alert that fires and one that is over."""
    with serve("run", str(EXAMPLES / "shop.py"), "--interval", "500ms") as url, look(browser, url, 1100, 560) as page:
        expect(page.locator(".alert-feed")).to_contain_text("orders wait", timeout=FULL_MS)
        expect(page.locator(".recent-row").first).to_be_visible(timeout=FULL_MS)
        expect(page.locator('.alert[data-state="firing"]').first).to_be_visible(timeout=FULL_MS)
        page.locator(".alert-feed").screenshot(path=IMAGES / "feed.png")


def problem(browser: Browser) -> None:
    """What the page says of a dashboard file with a mistake."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shop.py"
        good = (EXAMPLES / "shop.py").read_text()
        file.write_text(good)
        with serve("dev", str(file)) as url, look(browser, url, 1100, 560) as page:
            expect(page.locator(".metric-card").first).to_contain_text("samples)")
            file.write_text(good.replace("board.card(orders)", "board.carrd(orders)"))
            expect(page.locator(".problems")).to_contain_text("carrd")
            page.locator(".problems").screenshot(path=IMAGES / "problem.png")


def pushed(browser: Browser) -> None:
    """Metrics that nobody has declared."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.py"
        file.write_text('from tickboard import Board\n\nboard = Board("Pushed")\n')
        with (
            serve("run", str(file), "--interval", "250ms") as url,
            running(str(EXAMPLES / "push.py"), url),
            look(browser, url, 1100, 460) as page,
        ):
            expect(page.locator(".metric-card").first).to_be_visible(timeout=FULL_MS)
            page.wait_for_timeout(FULL_MS / 4)
            page.screenshot(path=IMAGES / "pushed.png")


def middleware(browser: Browser) -> None:
    """The requests of a FastAPI application."""
    command = ("-m", "uvicorn", "fastapi_app:app", "--port", "8931", "--log-level", "warning")
    with running(*command, cwd=EXAMPLES, METRIC_INTERVAL_MS="250"):
        address = "http://127.0.0.1:8931"
        _wait_until_served(address)
        with look(browser, f"{address}/live/", 1100, 560) as page, httpx.Client(base_url=address) as client:
            for number in range(250):
                for path, method in (("/items/7", "GET"), ("/orders", "POST"), (f"/{number}", "GET")):
                    client.request(method, path)
                time.sleep(0.06)
            page.screenshot(path=IMAGES / "middleware.png")


def night(browser: Browser) -> None:
    """The guide to last night's incident: the strip, what fired, what changed, and the same on a phone."""
    now = time.time()
    midnight = now - now % 86_400
    # At 02:12 by the clocks of Berlin in winter, of the last night that is over.
    incident = midnight + 72 * 60 - (86_400 if now - midnight < 4 * 3_600 else 0)
    environment = {"INCIDENT": str(incident)}
    with tempfile.TemporaryDirectory() as folder:
        recorder = ("-m", "tests.e2e.night", folder, str(incident - 8 * 3_600))
        subprocess.run([sys.executable, *recorder], cwd=ROOT, env=os.environ | environment, check=True)
        board = str(ROOT / "tests" / "e2e" / "boards" / "night.py")
        kept = ("--state", f"{folder}/alerts", "--history", f"{folder}/ticks.sqlite")
        with running("-m", "tickboard", "run", board, *kept, "--port", "0", INCIDENT=str(incident)) as server:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found, "the server gave no address"
            _night_pictures(browser, found[0], now - incident)


def _night_pictures(browser: Browser, url: str, ago_s: float) -> None:
    deployed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago_s - 120))
    mark = {"text": "deploy checkout 4.12.0", "by": "ci", "timestamp": deployed}
    httpx.post(f"{url.rstrip('/')}/api/marks", json=mark).raise_for_status()
    with look(browser, url, 1440, 900, zone="Europe/Berlin") as page:
        drawn = page.locator(".strip-outline:not(.shown) .strip-averages")
        expect(drawn).to_have_attribute("d", re.compile("^M"), timeout=FULL_MS)
        page.screenshot(path=IMAGES / "night-strip.png", clip={"x": 0, "y": 0, "width": 1440, "height": 420})
        box = page.locator(".strip").bounding_box()
        assert box is not None
        kept_s = ago_s + 8 * 3_600
        for press, ago in ((True, ago_s + 3_600), (False, ago_s - 1_800)):
            page.mouse.move(box["x"] + box["width"] * (1 - ago / kept_s), box["y"] + box["height"] / 2, steps=5)
            page.mouse.down() if press else page.mouse.up()
        expect(page.locator(".health-says")).to_have_text("2 were firing")
        page.mouse.move(720, 880)
        page.wait_for_timeout(2_000)
        page.screenshot(path=IMAGES / "night-range.png")
        page.get_by_role("button", name=re.compile("^What changed. Latency of checkout")).click()
        expect(page.locator("li.change .change-values").first).to_be_attached()
        page.wait_for_timeout(2_000)
        page.screenshot(path=IMAGES / "night-changed.png")
        link = page.url
    with look(browser, link, 390, 844, zone="America/Los_Angeles") as page:
        expect(page.locator("li.change .change-values").first).to_be_attached()
        page.wait_for_timeout(2_000)
        page.screenshot(path=IMAGES / "night-phone.png")


def _wait_until_served(address: str) -> None:
    for _ in range(200):
        with contextlib.suppress(httpx.TransportError):
            httpx.get(address)
            return
        time.sleep(0.1)
    raise SystemExit(f"nothing answers at {address}")


PICTURES: dict[str, Callable[[Browser], None]] = {
    take.__name__: take
    for take in (dashboard, host, tour, panels, night, shop, heatmap, feed, problem, pushed, middleware)
}


def main(names: list[str]) -> None:
    """Take the pictures."""
    if unknown := set(names) - PICTURES.keys():
        sys.exit(f"{', '.join(sorted(unknown))}: the pictures are {', '.join(PICTURES)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for name in names or PICTURES:
            PICTURES[name](browser)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
