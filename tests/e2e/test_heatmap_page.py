"""Heat maps in a real browser: live, at another time, by pointer and keyboard, and as a table."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.conftest import address
from tests.e2e.test_charts_page import has_colour
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "heat.py")
TO = "\N{EN DASH}"

CHANGED = 30
"""The tick at which the values change."""


@pytest.fixture(scope="module")
def heat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    history = tmp_path_factory.mktemp("heat") / "h.sqlite"
    with serve("run", BOARD, "--history", str(history)) as server:
        # The window then has the later values only.
        server.wait_for(lambda: server.json("/api/health")["seq"] > CHANGED + 25)
        yield server


def heatmap(page: Page, title: str) -> Locator:
    return page.locator(".heatmap").filter(has=page.get_by_role("heading", name=title))


def test_a_heat_map_shows_which_share_of_the_values_lies_in_each_bucket(page: Page, heat: Server) -> None:
    page.goto(heat.url)
    duration = heatmap(page, "Request duration")
    picture = duration.get_by_role("img")
    expect(picture).to_have_accessible_name(
        f"Request duration, heat map. Over all times: most values 250{TO}300 ms, 90 % of all. "
        f"Latest: 250{TO}300 ms, 90 %"
    )
    expect(duration.locator("h3")).to_have_text(re.compile("Request duration ms · share of values · 2 series"))
    expect(duration.locator(".heat-scale")).to_contain_text("90 %")
    # The greatest share has the full colour.
    assert has_colour(duration.locator("canvas").first, 1)
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    # The top row is the bucket with the most values.
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 14)
    expect(duration.locator(".tip")).to_contain_text(f"250{TO}300 ms90 %")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 40)
    expect(duration.locator(".tip")).to_contain_text(f"80{TO}100 ms10 %")
    # A chart shows the same moment.
    expect(page.locator(".chart:not(.heatmap) .cursor")).to_have_count(1)
    page.mouse.move(2, 2)
    expect(duration.locator(".tip")).to_have_count(0)
    expect(heatmap(page, "Orders").locator(".chart-common")).to_have_text("route=/orders")
    expect(heatmap(page, "Never observed")).to_contain_text("No values in this time")


def test_a_heat_map_can_be_read_by_keyboard_and_as_a_table(page: Page, heat: Server) -> None:
    page.goto(heat.url)
    duration = heatmap(page, "Request duration")
    expect(duration.get_by_role("img")).to_have_accessible_name(re.compile("Latest"))
    duration.get_by_role("img").focus()
    said = duration.get_by_role("status")
    page.keyboard.press("ArrowLeft")
    expect(said).to_have_text(re.compile(rf"^\d\d:\d\d:\d\d: 250{TO}300 ms, 90 %, [\d,]+(\.\d)? /s$"))
    page.keyboard.press("ArrowDown")
    expect(said).to_have_text(re.compile(rf": 100{TO}250 ms, 0 %, 0\.0 /s$"))
    page.keyboard.press("ArrowDown")
    expect(said).to_have_text(re.compile(rf": 80{TO}100 ms, 10 %, [\d,]+(\.\d)? /s$"))
    page.keyboard.press("Escape")
    expect(said).to_be_empty()
    duration.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Show as table").click()
    table = duration.get_by_role("table")
    expect(table.locator("thead")).to_have_text(f"Time250{TO}300 ms100{TO}250 ms80{TO}100 ms")
    expect(table.locator("tbody tr").first).to_have_text(re.compile(r"^\d\d:\d\d:\d\d90 %0 %10 %$"))


def test_a_heat_map_shows_another_time_from_history(page: Page, heat: Server) -> None:
    page.goto(f"{heat.url}?range=5m")
    duration = heatmap(page, "Request duration")
    # Both the earlier and the later values.
    expect(duration.get_by_role("img")).to_have_accessible_name(re.compile("Latest"))
    duration.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Show as table").click()
    expect(duration.locator("thead")).to_have_text(f"Time250{TO}300 ms100{TO}250 ms80{TO}100 ms20{TO}80 ms15{TO}20 ms")


def test_a_drag_on_a_heat_map_zooms_all_charts(page: Page, heat: Server) -> None:
    page.goto(heat.url)
    duration = heatmap(page, "Request duration")
    picture = duration.get_by_role("img")
    expect(picture).to_have_accessible_name(re.compile("Latest"))
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    # What chooses a range is loaded with the first event.
    expect(duration.locator(".tip")).to_be_visible()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile("from=.*to="))


def test_an_enlarged_heat_map_can_be_saved_and_linked(page: Page, heat: Server, tmp_path: Path) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(heat.url)
    heatmap(page, "Request duration").get_by_role("button", name="Enlarge").click()
    enlarged = page.get_by_role("region", name="Request duration, enlarged")
    expect(enlarged.get_by_role("img")).to_have_accessible_name(re.compile("Latest"))
    with page.expect_download() as saved:
        enlarged.get_by_role("button", name="CSV").click()
    saved.value.save_as(tmp_path / "saved.csv")
    header, first, *_ = (tmp_path / "saved.csv").read_text().splitlines()
    ends = [f"80{TO}100", f"100{TO}250", f"250{TO}300"]
    assert header == ",".join(["time", *(f'"{buckets} ms, values /s"' for buckets in ends)])
    low, between, high = map(float, first.split(",")[1:])
    assert between == 0
    assert high / (low + high) == pytest.approx(0.9)
    with page.expect_download() as saved:
        enlarged.get_by_role("button", name="PNG").click()
    saved.value.save_as(tmp_path / "saved.png")
    assert (tmp_path / "saved.png").read_bytes().startswith(b"\x89PNG")
    enlarged.get_by_role("button", name="Copy link").click()
    expect(enlarged.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == address(page)
    assert "#chart=" in address(page)
