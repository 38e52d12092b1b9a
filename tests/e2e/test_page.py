"""The page in a real browser: what a person sees, and what they should never see."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.e2e.conftest import Watched
from tests.e2e.looks import watch_shifts
from tests.e2e.proxy import Proxy
from tests.serving import Server, serve
from websockets.sync.client import connect

ROOT = Path(__file__).parents[2]
DASHBOARD = str(ROOT / "examples" / "dashboard.py")
BOARDS = ROOT / "tests" / "e2e" / "boards"


@pytest.fixture(scope="module")
def spec() -> Iterator[Server]:
    """The dashboard of the specification, four times as fast."""
    with serve("run", DASHBOARD, "--interval", "250") as server:
        yield server


@pytest.fixture
def switched(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """A board with its values in a file: a test writes it to make alerts fire."""
    values = tmp_path / "values"
    values.write_text("10")
    with serve("run", str(BOARDS / "switched.py"), "--interval", "100", env={"VALUES": str(values)}) as server:
        yield server, values


def drawn_pixels(page: Page, chart: str) -> str:
    """Return the image on a chart's canvas as a string, empty when nothing is drawn."""
    drawn: str = page.evaluate(
        """(chart) => {
            const canvas = document.querySelector(`.chart[data-metric="${chart}"] canvas`);
            if (!canvas) return "";
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            return pixels.some((value) => value !== 0) ? canvas.toDataURL() : "";
        }""",
        chart,
    )
    return drawn


def test_values_appear(page: Page, spec: Server) -> None:
    page.goto(spec.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Live Dashboard")
    expect(page.locator(".status.connected")).to_contain_text("Live")
    for metric in ("cpu_usage", "memory_usage", "requests_per_sec", "avg_latency"):
        expect(page.locator(f'.metric-card[data-metric="{metric}"] .value')).to_have_text(re.compile(r"\d"))


def test_the_page_shows_everything_that_the_specification_requires(page: Page, spec: Server) -> None:
    page.goto(spec.url)
    expect(page.locator(".status .time")).to_contain_text(re.compile(r"Updated: \d"))
    cards = page.locator(".metric-card")
    expect(cards).to_have_count(4)
    first = cards.first
    expect(first).to_contain_text("CPU Usage")
    expect(first.locator(".unit").first).to_have_text("%")
    expect(first.locator(".range")).to_contain_text(re.compile(r"Min: *[\d.,]+.*Max: *[\d.,]+", re.DOTALL))
    expect(first.locator(".samples")).to_contain_text(re.compile(r"\(\d+ samples?\)"))
    for title in ("CPU Usage %", "Memory %", "Requests/sec", "Latency ms"):
        expect(page.locator(".chart h3").get_by_text(title)).to_be_attached()
    expect(page.get_by_role("region", name="Alerts", exact=True)).to_contain_text(
        re.compile(r"\d+ firing|No active alerts")
    )


def test_the_average_and_count_match_the_server(page: Page, spec: Server) -> None:
    page.goto(spec.url)
    card = page.locator('.metric-card[data-metric="cpu_usage"]')
    expect(card.locator(".samples")).to_contain_text("(60 samples)")


def test_a_chart_draws_pixels_that_change(page: Page, spec: Server) -> None:
    page.goto(spec.url)
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector('.chart[data-metric="cpu_usage"] canvas');
            const pixels = canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            return pixels?.some((value) => value !== 0);
        }"""
    )
    before = drawn_pixels(page, "cpu_usage")
    assert before
    page.wait_for_function(
        """(before) => document.querySelector('.chart[data-metric="cpu_usage"] canvas').toDataURL() !== before""",
        arg=before,
    )


def test_hovering_shows_the_value_and_its_time(page: Page, spec: Server) -> None:
    page.goto(spec.url)
    expect(page.locator('.metric-card[data-metric="cpu_usage"] .samples')).to_contain_text(
        re.compile(r"\(\d\d samples")
    )
    area = page.locator('.chart[data-metric="cpu_usage"] .chart-area')
    expect(area.locator("canvas").first).to_be_visible()
    # Near the newest values: the first tick of a board may have none.
    area.hover(position={"x": area.evaluate("(it) => it.clientWidth") - 30, "y": 60})
    tip = page.locator('.chart[data-metric="cpu_usage"] .tip')
    expect(tip).to_contain_text(re.compile(r"\d\d:\d\d:\d\d.*\d.*%", re.DOTALL))
    # The cursors of all charts in view move together.
    expect(page.locator('.chart[data-metric="memory_usage"] .cursor')).to_be_visible()
    page.mouse.move(5, 5)
    expect(page.locator(".tip")).to_have_count(0)
    expect(page.locator(".cursor")).to_have_count(0)


def test_pausing_freezes_the_page_and_resuming_jumps_to_now(page: Page, spec: Server) -> None:
    page.goto(spec.url)
    value = page.locator('.metric-card[data-metric="cpu_usage"] .value')
    expect(value).to_have_text(re.compile(r"\d"))
    page.get_by_role("button", name=re.compile("pause", re.IGNORECASE)).click()
    held = value.inner_text()
    seq = spec.json("/api/health")["seq"]
    spec.wait_for(lambda: spec.json("/api/health")["seq"] > seq + 4)
    assert value.inner_text() == held
    page.get_by_role("button", name="Live", exact=True).click()
    expect(value).not_to_have_text(held)


def test_no_error_is_logged_and_no_other_host_is_contacted(watched: Watched, spec: Server) -> None:
    watched.page.goto(spec.url)
    expect(watched.page.locator(".status.connected")).to_be_visible()
    expect(watched.page.locator('.metric-card[data-metric="avg_latency"] .value')).to_have_text(re.compile(r"\d"))
    assert watched.errors == []
    assert watched.hosts == {f"127.0.0.1:{spec.port}"}


def test_ticks_are_binary_and_everything_else_is_text(page: Page, spec: Server) -> None:
    # Without the shared worker the page has its own socket, which a test can listen to.
    page.add_init_script("delete window.SharedWorker")
    frames: list[str | bytes] = []

    def received(frame: str | bytes) -> None:
        frames.append(frame)

    page.on("websocket", lambda socket: socket.on("framereceived", received))
    with page.expect_websocket() as opened:
        page.goto(spec.url)
    for _ in range(4):
        opened.value.wait_for_event("framereceived")
    texts = [frame for frame in frames if isinstance(frame, str)]
    kinds = [frame[0] for frame in frames if isinstance(frame, bytes)]
    assert {json.loads(text)["type"] for text in texts} == {"series"}
    assert kinds[0] == 1
    assert set(kinds[1:]) == {2}
    expect(page.locator('.metric-card[data-metric="cpu_usage"] .value')).to_have_text(re.compile(r"\d"))


def test_series_that_appear_on_an_open_page_have_their_own_values(page: Page) -> None:
    with serve("run", str(BOARDS / "growing.py")) as server:
        page.goto(server.url)
        expect(page.locator(".status.connected")).to_be_visible()
        expect(page.locator(".metric-card")).to_have_count(8)
        for metric, base in (("first", 0), ("second", 100)):
            for number in range(1, 5):
                card = page.locator(f""".metric-card[data-metric='{metric}{{number="{number}"}}']""")
                value = base + number
                # An average has a decimal, whole numbers have none.
                expect(card.locator(".value")).to_have_text(f"{value}.0")
                expect(card.locator(".range")).to_have_text(f"Min: {value}Max: {value}")


def test_alerts_appear_and_can_be_cleared_once_resolved(page: Page, switched: tuple[Server, Path]) -> None:
    server, values = switched
    page.goto(server.url)
    expect(page.locator(".status.connected")).to_be_visible()
    alerts = page.get_by_role("region", name="Alerts", exact=True)
    expect(alerts).to_contain_text("No active alerts")
    expect(page.locator(".critical-badge")).to_have_count(0)
    values.write_text("95")
    critical = page.locator(".alert.alert-critical")
    expect(critical.locator(".severity")).to_have_text("CRITICAL")
    expect(critical.locator(".message")).to_have_text("Value critical: 95.0%")
    expect(page.locator(".critical-badge")).to_have_text("1 Critical")
    expect(page.locator(".warning-badge")).to_have_text("1 Warning")
    expect(alerts).to_contain_text("2 firing")
    expect(page).to_have_title(re.compile("1"))
    values.write_text("10")
    expect(page.locator(".critical-badge")).to_have_count(0)
    expect(alerts).to_contain_text("No active alerts")
    expect(page.locator(".alert").first).to_contain_text("resolved")
    # After a while they leave the place where they fired.
    expect(alerts).to_contain_text("Alerts (2)")
    page.get_by_role("button", name="Dismiss: Value high: 95.0%").click()
    expect(alerts).to_contain_text("Alerts (1)")
    page.get_by_role("button", name="Clear All").click()
    expect(page.locator(".alert")).to_have_count(0)
    # Cleared alerts stay away, although the server still has them.
    page.reload()
    expect(alerts).to_contain_text("No active alerts")
    expect(page.locator(".alert")).to_have_count(0)


def test_a_page_opened_during_an_incident_shows_it(page: Page, switched: tuple[Server, Path]) -> None:
    server, values = switched
    values.write_text("95")
    server.wait_for(lambda: server.json("/api/stats")["value"].get("last") == 95)
    page.goto(server.url)
    expect(page.locator(".critical-badge")).to_contain_text("1 Critical")


def counted(page: Page) -> tuple[float, float, int]:
    """Return the min, the max and the number of samples on the card of a paused page, all of one drawing."""
    page.get_by_role("button", name=re.compile("pause", re.IGNORECASE)).click()
    text = page.locator('.metric-card[data-metric="count"] .card-stats').inner_text().replace(",", "")
    found = re.search(r"min:?\s*(\d+)\s*max:?\s*(\d+)\s*\((\d+) samples?\)", text, re.IGNORECASE)
    assert found, text
    return float(found[1]), float(found[2]), int(found[3])


def test_a_lost_connection_is_resumed_without_a_gap(page: Page) -> None:
    """So many samples as the page has, the server has up to the page's newest value: in a gap they would be fewer."""
    with (
        serve("run", str(BOARDS / "counting.py"), "--interval", "50", "--window", "4000") as server,
        Proxy(server.port) as proxy,
    ):
        page.goto(f"http://127.0.0.1:{proxy.port}/")
        expect(page.locator(".status.connected")).to_be_visible()
        proxy.cut()
        expect(page.locator(".status.disconnected")).to_contain_text("Disconnected")
        proxy.restore()
        expect(page.locator(".status.connected")).to_be_visible()
        low, high, samples = counted(page)
        with connect(server.ws_url) as viewer:
            ticks = json.loads(viewer.recv())["data"]
        # A tick that the step was too late for has the value of the one before, and the next one may skip a value.
        assert [low, high] == [ticks[0]["value"], ticks[samples - 1]["value"]]


def test_the_page_reconnects_to_a_restarted_server_without_a_reload(page: Page) -> None:
    with serve("run", str(BOARDS / "counting.py"), "--interval", "50") as first:
        port = first.port
        page.goto(first.url)
        expect(page.locator(".status.connected")).to_be_visible()
        page.evaluate("window.notReloaded = true")
    expect(page.locator(".status.disconnected")).to_contain_text("Disconnected")
    with serve("run", str(BOARDS / "counting.py"), "--interval", "50", "--window", "4000", port=port) as second:
        expect(page.locator(".status.connected")).to_be_visible()
        second.wait_for(lambda: second.json("/api/health")["seq"] > 20)
        expect(page.locator('.metric-card[data-metric="count"] .samples')).to_contain_text(
            re.compile(r"\(\d\d samples")
        )
        low, high, samples = counted(page)
        with connect(second.ws_url) as viewer:
            ticks = json.loads(viewer.recv())["data"]
        # Only what the second has sent; a tick that the step was too late for has the value of the one before.
        assert [low, high] == [ticks[0]["value"], ticks[samples - 1]["value"]]
        assert page.evaluate("window.notReloaded") is True


def test_ten_tabs_are_all_live(context: BrowserContext, spec: Server) -> None:
    pages = [context.new_page() for _ in range(10)]
    for page in pages:
        page.goto(spec.url)
    for page in pages:
        page.bring_to_front()
        expect(page.locator(".status.connected")).to_be_visible()
        expect(page.locator('.metric-card[data-metric="cpu_usage"] .value')).to_have_text(re.compile(r"\d"))
    # All of them share one WebSocket and one alert stream.
    health = spec.json("/api/health")
    assert (health["viewers"], health["subscribers"]) == (1, 1)


def test_charts_off_screen_are_not_drawn(page: Page) -> None:
    with serve("run", str(BOARDS / "many.py")) as server:
        page.goto(server.url)
        expect(page.locator(".metric-card")).to_have_count(200)
        expect(page.locator(".chart")).to_have_count(200)
        expect(page.locator(".metric-card .value").first).to_have_text(re.compile(r"\d"))
        page.locator(".chart").first.scroll_into_view_if_needed()
        expect(page.locator(".chart canvas").first).to_be_visible()
        assert page.locator(".chart canvas").count() < 60
        last = page.locator(".chart").last
        last.scroll_into_view_if_needed()
        expect(last.locator("canvas").first).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 900), (1920, 1080)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_every_screen_in_both_themes(
    page: Page, spec: Server, width: int, height: int, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": height})
    page.goto(spec.url)
    expect(page.locator('.metric-card[data-metric="cpu_usage"] .value')).to_have_text(re.compile(r"\d"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    shades = [int(shade) for shade in re.findall(r"\d+", background)[:3]]
    assert (sum(shades) < 3 * 90) == (scheme == "dark")


def rows_of(page: Page, selector: str) -> list[list[tuple[float, float]]]:
    """Return the left and right edges of all matches of a selector, row by row, as shares of the panels' width."""
    boxes: list[dict[str, float]] = page.evaluate(
        """(selector) => {
            const { left, width } = document.querySelector(".panels").getBoundingClientRect();
            return [...document.querySelectorAll(selector)].map((it) => {
                const box = it.getBoundingClientRect();
                return { top: box.top, left: (box.left - left) / width, right: (box.right - left) / width };
            });
        }""",
        selector,
    )
    rows: dict[float, list[tuple[float, float]]] = {}
    for box in boxes:
        rows.setdefault(box["top"], []).append((box["left"], box["right"]))
    return list(rows.values())


@pytest.mark.parametrize("count", [1, 2, 4, 5, 6, 7, 8])
def test_panels_fill_their_rows(page: Page, count: int) -> None:
    with serve("run", str(BOARDS / "some.py"), env={"METRICS": str(count)}) as server:
        page.goto(server.url)
        for width in (390, 1000, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 900})
            # Only cards with metrics: before the board is known, four empty ones are shown.
            expect(page.locator(".metric-card[data-metric]")).to_have_count(count)
            charts = rows_of(page, '.chart[data-metric^="metric"]')
            assert sum(map(len, charts)) == count
            assert [(row[0][0], row[-1][1]) for row in charts] == [pytest.approx((0, 1), abs=0.01)] * len(charts)
            # Cards have equal widths: the last row may lack one card, but not more.
            assert all(len(row) >= len(rows[0]) - 1 for rows in [rows_of(page, ".metric-card")] for row in rows)


COLORS_AT_THE_END = """() => {
    const canvas = document.querySelector('.chart[data-metric="parts"] canvas');
    const style = getComputedStyle(document.documentElement);
    const { width, height } = canvas;
    const left = Math.round(width * 0.58);
    const { data } = canvas.getContext("2d").getImageData(left, 0, width - left, height);
    const drawn = new Set();
    for (let i = 0; i < data.length; i += 4) drawn.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    return [1, 2, 3, 4].filter((line) => drawn.has(parseInt(style.getPropertyValue(`--line-${line}`).slice(1), 16)));
}"""
"""Which of the first four colours are at the right of a chart, where the lines' labels are."""


def test_the_labels_of_four_lines_are_fully_visible_on_every_screen(page: Page) -> None:
    with serve("run", str(BOARDS / "some.py"), env={"METRICS": "1"}) as server:
        page.goto(server.url)
        chart = page.locator('.chart[data-metric="parts"]').first
        expect(chart.locator("canvas").first).to_be_visible()
        # All lines are at 1, over each other, and each has its label.
        page.wait_for_function(f"() => ({COLORS_AT_THE_END})().length === 4")
        # Where there is no room beside the lines, they are listed below.
        page.set_viewport_size({"width": 320, "height": 900})
        legend = chart.locator(".legend")
        expect(legend.locator(".line-value")).to_have_text(["1"] * 4)
        expect(legend.locator(".line-label").first).to_have_text("received with errors")
        shown = legend.evaluate("(it) => [it.scrollHeight <= it.clientHeight, it.scrollWidth <= it.clientWidth]")
        assert shown == [True, True]
        page.set_viewport_size({"width": 1280, "height": 900})
        expect(legend).to_have_count(0)


def test_on_a_phone_the_header_has_two_aligned_rows(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    with serve("run", str(BOARDS / "some.py"), env={"METRICS": "1"}) as server:
        page.goto(server.url)
        expect(page.locator(".critical-badge")).to_be_visible()
        expect(page.locator(".status .time")).to_be_visible()
        middle = {
            name: page.locator(name).evaluate(
                "(it) => { const { top, bottom } = it.getBoundingClientRect(); return (top + bottom) / 2; }"
            )
            for name in ("h1", ".actions", ".pill", ".critical-badge", ".status .time")
        }
        assert middle["h1"] == pytest.approx(middle[".actions"], abs=5)
        assert middle[".pill"] > middle[".actions"] + 20
        assert middle[".pill"] == pytest.approx(middle[".critical-badge"], abs=5)
        assert middle[".pill"] == pytest.approx(middle[".status .time"], abs=5)


def test_the_theme_and_density_can_be_changed_and_are_remembered(page: Page, spec: Server) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(spec.url)

    def is_dark() -> bool:
        shades = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
        return sum(int(shade) for shade in shades[:3]) < 270

    assert not is_dark()
    page.get_by_role("button", name="Theme and density").click()
    page.get_by_role("button", name="Theme: dark").click()
    page.get_by_role("button", name="Density: compact").click()
    assert is_dark()
    page.reload()
    expect(page.locator(".status.connected")).to_be_visible()
    assert is_dark()
    expect(page.locator("html")).to_have_attribute("data-density", "compact")


def test_nothing_shifts_while_values_change(page: Page, spec: Server) -> None:
    page.goto(spec.url)
    expect(page.locator('.metric-card[data-metric="cpu_usage"] .samples')).to_contain_text("(60 samples)")
    # What fires makes room for itself, once: it comes and goes, and keeps its place meanwhile.
    expect(page.locator(".firing-list .alert")).to_have_count(2)
    expect(page.locator(".recent-row")).to_have_count(2)
    grows = ".alert-feed, .legend, .badges, .metric-card h3, .card-now .spark-canvas, .chart-head .line-value"
    watch_shifts(page, grows)
    seq = spec.json("/api/health")["seq"]
    spec.wait_for(lambda: spec.json("/api/health")["seq"] > seq + 8)
    # The feed and the badges grow with alerts, the title of a card makes room for the shape of its severity, as that of
    # a chart does at the cost of the empty space before its value, and a number with more digits than all before it
    # takes room from the spark beside it, once, as a legend's text does; every other element stays in place.
    assert page.evaluate("window.shifts") == []


def test_a_reloaded_dashboard_file_updates_the_open_page(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    source = (
        'from tickboard import Board\nboard = Board("{title}", interval_ms=100)\n'
        'gauge = board.gauge("{metric}", "{metric}")\ngauge.set(5)\n'
    )
    file.write_text(source.format(title="Before", metric="one"))
    with serve("dev", str(file)) as server:
        page.goto(server.url)
        expect(page.get_by_role("heading", level=1)).to_have_text("Before")
        page.evaluate("window.notReloaded = true")
        file.write_text("import nonsense_that_is_not_there\n")
        expect(page.get_by_text("nonsense_that_is_not_there").first).to_be_visible()
        expect(page.get_by_text("board.py:1").first).to_be_visible()
        expect(page.locator(".status.connected")).to_be_visible()
        file.write_text(source.format(title="After", metric="two"))
        expect(page.get_by_role("heading", level=1)).to_have_text("After")
        expect(page.locator('.metric-card[data-metric="two"] .value')).to_have_text(re.compile("5"))
        expect(page.get_by_text("nonsense_that_is_not_there")).to_have_count(0)
        assert page.evaluate("window.notReloaded") is True


def test_the_host_board_shows_this_machine(watched: Watched) -> None:
    with serve() as server:
        page = watched.page
        page.goto(server.url)
        expect(page.get_by_role("heading", level=1)).to_contain_text("Live Dashboard")
        for metric in ("cpu_usage", "memory_usage"):
            expect(page.locator(f'.metric-card[data-metric="{metric}"] .value')).to_have_text(re.compile(r"\d"))
        assert watched.errors == []


@pytest.mark.parametrize("width", [390, 1280])
def test_the_host_board_fits_every_screen_down_to_the_end(watched: Watched, width: int) -> None:
    with serve("--interval", "200") as server:
        page = watched.page
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(server.url)
        expect(page.locator('.metric-card[data-metric="cpu_usage"] .value')).to_have_text(re.compile(r"\d"))
        # All charts are drawn when they scroll into view, and none is wider than the page.
        for chart in page.locator(".chart:has(.canvas)").all():
            chart.scroll_into_view_if_needed()
            expect(chart.locator("canvas").first).to_be_visible()
        outside = page.evaluate(
            """() => [...document.querySelectorAll(".panels :is(article, section, h3, li, button, canvas)")]
                .filter((it) => !it.closest(".table-scroll"))
                .filter((it) => it.getBoundingClientRect().right > document.documentElement.clientWidth)
                .map((it) => it.outerHTML.slice(0, 80))"""
        )
        assert outside == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert watched.errors == []


def test_the_page_works_with_a_keyboard_and_a_screen_reader(page: Page, spec: Server) -> None:
    page.goto(spec.url)
    expect(page.locator('.chart[data-metric="cpu_usage"] canvas').first).to_be_visible()
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, a, [tabindex]")]
            .filter((it) => !(it.getAttribute("aria-label") || it.innerText.trim() || it.title))
            .map((it) => it.outerHTML.slice(0, 80))"""
    )
    assert unnamed == []
    expect(page.locator('.chart[data-metric="cpu_usage"] [role="img"]')).to_have_attribute(
        "aria-label", re.compile("CPU Usage")
    )
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement !== document.body")


def test_the_arrow_keys_move_the_cursor_of_every_chart(page: Page, spec: Server) -> None:
    page.goto(spec.url)
    expect(page.locator('.metric-card[data-metric="cpu_usage"] .samples')).to_contain_text(
        re.compile(r"\(\d\d samples")
    )
    page.locator('.chart[data-metric="cpu_usage"] [role="img"]').focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    chart = page.locator('.chart[data-metric="cpu_usage"]')
    expect(chart.get_by_role("status")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d: \d+\.\d %$"))
    for metric in ("cpu_usage", "memory_usage"):
        expect(page.locator(f'.chart[data-metric="{metric}"] .cursor')).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".cursor")).to_have_count(0)
