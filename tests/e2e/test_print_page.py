"""The printed page: complete, light and as wide as the sheet; afterwards the page is unchanged."""

import re
from pathlib import Path

from playwright.sync_api import expect
from tests.e2e.conftest import Watched, loaded
from tests.e2e.test_past_page import BOARD as MOVING
from tests.serving import serve

BOARD = str(Path(__file__).parent / "boards" / "some.py")
CHARTS = 10

RECORD = """addEventListener("afterprint", () => {
    window.printed = {
        theme: document.documentElement.dataset.theme,
        foot: document.querySelector("footer").innerText,
        values: [...document.querySelectorAll(".value")].map((it) => it.innerText),
        charts: [...document.querySelectorAll(".chart")].map((it) => {
            const canvas = it.querySelector("canvas");
            const pixels = canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            const { left, right } = (canvas ?? it).getBoundingClientRect();
            // The grid of the dark theme.
            const isDark = (red, i) => i % 4 === 0 && red === 0x1e && pixels[i + 1] === 0x24 && pixels[i + 2] === 0x2e;
            return {
                drawn: pixels?.some((value) => value !== 0) ?? false,
                dark: pixels?.some(isDark) ?? false,
                left,
                right,
            };
        }),
    };
});"""


def test_all_charts_are_printed_in_light_colours_and_full_width(watched: Watched) -> None:
    page = watched.page
    page.add_init_script(RECORD)
    page.emulate_media(color_scheme="dark")
    with serve("run", BOARD, "--interval", "50", env={"METRICS": str(CHARTS - 2)}) as server:
        page.goto(server.url)
        expect(page.locator(".chart canvas").first).to_be_visible()
        # Most are out of view and not drawn.
        assert page.locator(".chart canvas").count() < CHARTS
        before = page.locator(".chart canvas").first.evaluate("(it) => it.getBoundingClientRect().width")
        # What stands below the charts is loaded after them.
        loaded(page)
        for _ in range(2):
            pdf = page.pdf(format="A4")
            printed = page.evaluate("window.printed")
            assert printed["theme"] == "light"
            assert len(printed["charts"]) == CHARTS
            for chart in printed["charts"]:
                assert chart["drawn"]
                assert not chart["dark"]
                assert chart["left"] >= 0
                assert 600 < chart["right"] - chart["left"] <= 720
            assert all(re.search(r"\d", value) for value in printed["values"])
            # It can be handed to somebody: what, when and from where.
            assert re.search(
                rf"^A title that is .+, \w+,? \d+ \w+ \d{{4}} at \d\d:\d\d:\d\d .+, from {server.url}", printed["foot"]
            )
            # Each is in the document as an image.
            widths = [int(width) for width in re.findall(rb"/Subtype /Image\s*/Width (\d+)", pdf)]
            assert sum(width > 600 for width in widths) >= CHARTS, widths
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert page.locator("html").get_attribute("data-printing") is None
        page.wait_for_function(
            "(before) => document.querySelector('.chart canvas').getBoundingClientRect().width === before", arg=before
        )
        # The page keeps updating.
        drawn = page.locator(".chart canvas").first.evaluate("(it) => it.toDataURL()")
        page.wait_for_function("(drawn) => document.querySelector('.chart canvas').toDataURL() !== drawn", arg=drawn)
    assert watched.errors == []


PRINTED = """addEventListener("afterprint", () => {
    window.printed = {
        foot: document.querySelector("footer").innerText,
        pictures: [...document.querySelectorAll(".heatmap .canvas, .states [data-row]")].map((it) => {
            const canvas = it.querySelector("canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.some((value, i) => i % 4 === 3 && value > 0);
        }),
        bars: document.querySelectorAll(".bars tbody tr").length,
        text: document.querySelector(".text").innerText,
    };
});"""


def test_every_kind_of_panel_is_printed_at_a_past_time(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    page.add_init_script(PRINTED)
    with serve("run", MOVING, "--history", str(tmp_path / "ticks.sqlite")) as server:
        server.wait_for(lambda: server.json("/api/health")["seq"] > 60)
        page.goto(f"{server.url}?range=5m")
        expect(page.locator(".chart canvas").first).to_be_visible()
        page.keyboard.press(" ")
        expect(page.locator(".status .state")).to_have_text("Standing still")
        assert page.locator(".heatmap canvas").count() == 0
        page.pdf(format="A4")
        # What has never been in view is only loaded then.
        assert "Some values had not been loaded yet: print again." in page.evaluate("window.printed.foot")
        for _ in range(20):
            page.wait_for_timeout(500)
            page.pdf(format="A4")
            printed = page.evaluate("window.printed")
            if "print again" not in printed["foot"]:
                break
        assert printed["pictures"] == [True] * 4
        assert printed["bars"] == 5
        assert printed["text"] == "Ann is on call"
        page.emulate_media(media="print")
        assert page.locator("input, .filter, .icon-button").filter(visible=True).count() == 0
    assert watched.errors == []
