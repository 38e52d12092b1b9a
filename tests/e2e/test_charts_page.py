"""Charts in a real browser: ranks, lines that stand out, the axis, and the enlarged view."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.conftest import Watched, address
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "labelled.py")


@pytest.fixture(scope="module")
def labelled() -> Iterator[Server]:
    with serve("run", BOARD) as server:
        yield server


def chart(page: Page, metric: str) -> Locator:
    return page.locator(f'.chart[data-metric="{metric}"]')


def has_colour(canvas: Locator, line: int) -> bool:
    """Return whether a canvas has pixels in a line's colour."""
    found: bool = canvas.evaluate(
        """(canvas, line) => {
            const style = getComputedStyle(document.documentElement);
            const colour = parseInt(style.getPropertyValue(`--line-${line}`).slice(1), 16);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            for (let i = 0; i < data.length; i += 4)
                if (((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]) === colour) return true;
            return false;
        }""",
        line,
    )
    return found


def test_more_than_eight_series_are_ranked_and_what_their_names_share_is_said_once(
    page: Page, labelled: Server
) -> None:
    page.goto(labelled.url)
    pods = chart(page, "pods")
    expect(pods.locator(".row-name")).to_have_text([f"{number:02}" for number in range(11, 3, -1)])
    expect(pods.locator(".chart-common")).to_have_text("pod = checkout-frankfurt-[…]")
    expect(pods.locator("h3")).to_contain_text("12 series")
    expect(pods.locator(".ranked-all")).to_have_text("all 12: avg 37.5 · p95 62.3")
    pods.get_by_role("button", name="4 more").click()
    expect(pods.locator(".row-name")).to_have_count(12)


def test_a_line_stands_out_while_it_is_pointed_at_and_stays_when_it_is_chosen(page: Page, labelled: Server) -> None:
    page.goto(labelled.url)
    pods = chart(page, "pods")
    first, second = pods.locator(".ranked-table tbody tr").nth(0), pods.locator(".ranked-table tbody tr").nth(1)
    canvas = pods.locator("canvas").first
    expect(second).to_be_visible()
    page.wait_for_function("(it) => it.width > 0", arg=canvas.element_handle())
    first.hover()
    expect(first).to_have_class(re.compile(r"\bon\b"))
    page.mouse.move(5, 5)
    expect(first).not_to_have_class(re.compile(r"\bon\b"))
    first.get_by_role("button").click()
    second.get_by_role("button").click(modifiers=["Control"])
    page.mouse.move(5, 5)
    for row in (first, second):
        expect(row.get_by_role("button")).to_have_attribute("aria-pressed", "true")
    pods.get_by_role("img").focus()
    page.keyboard.press("Escape")
    expect(pods.locator("[aria-pressed=true]")).to_have_count(0)
    # By keyboard alone: the arrows choose the lines one after the other.
    page.keyboard.press("ArrowDown")
    expect(first.get_by_role("button")).to_have_attribute("aria-pressed", "true")
    expect(pods.get_by_role("status")).to_contain_text("checkout-frankfurt-11: 65 %")
    for _ in range(100):
        if not has_colour(canvas, 2):
            break
        page.wait_for_timeout(50)
    assert has_colour(canvas, 1)
    assert not has_colour(canvas, 2)


def test_an_axis_that_does_not_start_at_zero_says_so(page: Page, labelled: Server) -> None:
    page.goto(labelled.url)
    expect(chart(page, "connections").locator("h3")).to_have_text(re.compile("Connections established · axis from 200"))
    expect(chart(page, "modes").locator("h3")).to_have_text(re.compile("^Modes %$"))


def test_a_chart_follows_the_viewers_own_colours(page: Page, labelled: Server) -> None:
    page.goto(labelled.url)
    canvas = chart(page, "connections").locator("canvas").first
    canvas.scroll_into_view_if_needed()
    line = """(it) => {
        const { data } = it.getContext("2d").getImageData(0, 0, it.width, it.height);
        const ink = new OffscreenCanvas(1, 1).getContext("2d");
        ink.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--line-1");
        ink.fillRect(0, 0, 1, 1);
        const [red, green, blue] = ink.getImageData(0, 0, 1, 1).data;
        return [data.some((v, i) => i % 4 === 0 && data[i + 3] === 255 && v === 0x31 && data[i + 1] === 0x68),
                data.some((v, i) => i % 4 === 0 && data[i + 3] === 255 && v === red
                    && data[i + 1] === green && data[i + 2] === blue)];
    }"""
    holds = f"([it, wanted]) => JSON.stringify(({line})(it)) === JSON.stringify(wanted)"
    page.wait_for_function(holds, arg=[canvas.element_handle(), [True, True]])
    page.emulate_media(forced_colors="active")
    page.wait_for_function(holds, arg=[canvas.element_handle(), [False, True]])
    page.emulate_media(forced_colors="none")
    page.wait_for_function(holds, arg=[canvas.element_handle(), [True, True]])


def test_a_chart_is_enlarged_and_the_back_button_and_escape_close_it(watched: Watched, labelled: Server) -> None:
    page = watched.page
    page.goto(labelled.url)
    enlarged = page.get_by_role("region", name="Modes, enlarged")
    chart(page, "modes").get_by_role("button", name="Enlarge: Modes").click()
    expect(enlarged.locator(".stats-table tbody tr")).to_have_count(3)
    assert address(page).endswith("#chart=modes")
    expect(chart(page, "modes")).to_be_hidden()
    page.go_back()
    expect(enlarged).to_have_count(0)
    expect(chart(page, "modes")).to_be_visible()
    page.goto(f"{labelled.url}#chart=pods")
    page.reload()
    enlarged = page.get_by_role("region", name="Pod CPU, enlarged")
    expect(enlarged.get_by_text("Pod above 60 %").first).to_be_visible()
    expect(enlarged.get_by_text("pods > 60")).to_be_visible()
    page.keyboard.press("Escape")
    expect(enlarged).to_have_count(0)
    expect(chart(page, "pods")).to_be_visible()
    assert watched.errors == []


def test_the_enlarged_chart_has_other_scales_and_can_be_saved(
    watched: Watched, labelled: Server, tmp_path: Path
) -> None:
    page = watched.page
    page.goto(f"{labelled.url}#chart=connections")
    enlarged = page.get_by_role("region", name="Connections, enlarged")
    expect(enlarged.locator("canvas").first).to_be_visible()
    expect(enlarged.get_by_role("button", name="Close", exact=True).first).to_have_attribute("aria-pressed", "true")
    for scale in ("From zero", "Log"):
        enlarged.get_by_role("button", name=scale).click()
        expect(enlarged.get_by_role("button", name=scale)).to_have_attribute("aria-pressed", "true")
    with page.expect_download() as saved:
        enlarged.get_by_role("button", name="CSV").click()
    assert saved.value.suggested_filename == "connections.csv"
    saved.value.save_as(tmp_path / "saved.csv")
    header, *rows = (tmp_path / "saved.csv").read_text().splitlines()
    assert header == "time,Connections"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z,2\d\d", rows[-1])
    with page.expect_download() as saved:
        enlarged.get_by_role("button", name="PNG").click()
    saved.value.save_as(tmp_path / "saved.png")
    assert (tmp_path / "saved.png").read_bytes().startswith(b"\x89PNG")
    enlarged.get_by_role("img").focus()
    page.keyboard.press("ArrowLeft")
    expect(enlarged.locator("thead .at")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    expect(enlarged.locator("tbody .at")).to_have_text(re.compile(r"2\d\d"))
    assert watched.errors == []
