"""Alerts and marks at another time: what fired then, how it went on, and what happened around it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.e2e.conftest import PATIENCE_MS, Watched, address
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "switched.py")

BOTH = ["Value critical: 95.0%", "Value high: 95.0%"]


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """The file with the values: a test writes it to make alerts fire."""
    file = tmp_path / "values"
    file.write_text("10")
    return file


@pytest.fixture
def server(tmp_path: Path, values: Path) -> Iterator[Server]:
    kept = ["--history", str(tmp_path / "ticks.sqlite"), "--state", str(tmp_path / "alerts.sqlite")]
    with serve("run", BOARD, "--interval", "100", *kept, env={"VALUES": str(values)}) as server:
        yield server


def fire(server: Server, values: Path) -> None:
    values.write_text("95")
    server.wait_for(lambda: len(active(server)) == 2)


def resolve(server: Server, values: Path) -> None:
    values.write_text("10")
    server.wait_for(lambda: not active(server))


def active(server: Server) -> list[object]:
    found: list[object] = server.json("/api/alerts?state=active")["alerts"]
    return found


def stand_still(page: Page) -> None:
    page.keyboard.press(" ")
    expect(page.locator(".status .state")).to_have_text("Standing still")


def said(page: Page) -> dict[str, list[str]]:
    """What the page says about the alerts of its time, but for what has become of them since."""
    parts = {part: page.locator(f".firing-list .{part}") for part in ("message", "alert-value", "lasted", "peak")}
    parts["badges"] = page.locator(".badges a")
    found = {name: part.all_inner_texts() for name, part in parts.items()}
    return found | {"card": [page.locator(".metric-card").get_attribute("data-severity") or ""]}


def other_page(browser: Browser, url: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(url)
    return page


def test_alerts_of_a_past_time_are_as_they_were_in_another_browser_too(
    watched: Watched, server: Server, values: Path, browser: Browser
) -> None:
    page = watched.page
    page.goto(server.url)
    expect(page.locator(".status.connected")).to_be_visible()
    fire(server, values)
    expect(page.locator(".firing-list .alert")).to_have_count(2)
    expect(page.locator(".firing-list .peak")).to_have_count(2)
    stand_still(page)
    expect(page.locator(".health-says")).to_have_text("2 were firing")
    expect(page.locator(".firing-list .message")).to_have_text(BOTH)
    expect(page.locator(".firing-list .outcome").first).to_contain_text("still firing now")
    then = said(page)
    assert then["badges"] == ["1 Critical", "1 Warning"]
    assert then["alert-value"] == ["95.0 %", "95.0 %"]
    assert then["card"] == ["critical"]
    resolve(server, values)
    gone_on = page.locator(".gone-on")
    expect(gone_on).to_have_count(2)
    expect(gone_on.first).to_contain_text(re.compile(r"resolved \d\d:\d\d:\d\d"))
    assert said(page) == then
    # By now they are in the journal and in the history only.
    page.wait_for_timeout(7_000)
    other = other_page(browser, address(page))
    expect(other.locator(".gone-on")).to_have_count(2)
    expect(other.locator(".firing-list .alert-value").first).to_have_text("95.0 %")
    expect(other.locator(".firing-list .peak")).to_have_count(2)
    expect(other.locator(".metric-card[data-metric]")).to_have_attribute("data-severity", "critical")
    expect(other.locator(".firing-list .spark-line")).to_have_count(2)
    assert said(other) == then
    # Nothing fires now.
    expect(other).to_have_title("Switched")
    other.get_by_role("button", name="Go to its end: Value critical").click()
    expect(other.locator(".health-says")).to_have_text("All quiet")
    expect(other.locator(".health-more").first).to_contain_text(re.compile(r"No active alerts at \d\d:\d\d:\d\d for "))
    expect(other.locator(".recent h3")).to_have_text("Around this time")
    expect(other.locator(".recent-row")).to_have_count(2)
    other.context.close()
    assert watched.errors == []


def test_what_is_news_stays_live_while_the_page_stands_still(page: Page, server: Server, values: Path) -> None:
    page.goto(server.url)
    expect(page.locator(".health-says")).to_have_text("All quiet")
    stand_still(page)
    expect(page.locator(".no-alerts")).to_have_text("No active alerts")
    expect(page.locator(".health-more").first).to_contain_text(re.compile(r"at \d\d:\d\d:\d\d"))
    fire(server, values)
    expect(page).to_have_title("(1) Switched")
    expect(page.locator(".critical-news")).to_have_text("Value critical: 95.0%")
    expect(page.locator(".health-says")).to_have_text("All quiet")
    expect(page.locator(".badges a")).to_have_count(0)
    page.get_by_role("button", name="2 fire now").click()
    expect(page.locator(".health-says")).to_have_text("2 firing")
    expect(page.locator(".status .state")).to_have_text("Live")


def test_an_alert_of_a_past_time_that_still_fires_can_be_acknowledged(page: Page, server: Server, values: Path) -> None:
    page.goto(server.url)
    fire(server, values)
    expect(page.locator(".firing-list .alert")).to_have_count(2)
    stand_still(page)
    expect(page.locator(".firing-list .alert")).to_have_count(2)
    # Nothing is dismissed or folded there.
    expect(page.locator(".firing-list .dismiss")).to_have_count(0)
    page.get_by_role("button", name="Acknowledge: Value critical").click()
    expect(page.get_by_role("button", name="Acknowledged: Value critical")).to_be_visible()
    server.wait_for(lambda: "acknowledged" in str(active(server)))
    # At that time nobody had.
    expect(page.locator(".firing-list .outcome").first).not_to_contain_text("acknowledged")
    # The space bar would press the button.
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(" ")
    expect(page.locator(".firing-list .outcome").first).to_contain_text("acknowledged")


def test_a_click_on_an_alert_goes_to_its_chart_at_its_time(page: Page, server: Server, values: Path) -> None:
    page.goto(server.url)
    chart = page.locator('.chart[data-metric="value"]')
    fire(server, values)
    page.locator(".firing-list .alert-critical .alert-link").click()
    # It has just begun, so the page goes on live.
    expect(chart).to_have_class(re.compile("stands-out"))
    expect(page.locator(".status .state")).to_have_text("Live")
    resolve(server, values)
    # Under the pointer it would keep its place.
    page.mouse.move(5, 5)
    page.wait_for_timeout(7_000)
    row = page.locator(".recent-row.alert-critical")
    expect(row).to_be_visible()
    row.locator(".recent-go").click()
    expect(page.locator(".status .state")).to_have_text("Standing still")
    expect(chart).to_have_class(re.compile("stands-out"))
    # Its end is in the range: it is over there.
    expect(page.locator(".health-says")).to_have_text("All quiet")
    assert re.search(r"\?from=\S+Z&to=\S+Z$", address(page))
    row.get_by_role("button", name="Details").click()
    expect(row.locator(".repeats .outcome")).to_contain_text("resolved after")


def test_a_mark_is_made_seen_by_everyone_at_once_and_leads_to_its_time(
    watched: Watched, server: Server, browser: Browser
) -> None:
    page = watched.page
    page.goto(server.url)
    expect(page.locator(".health-says")).to_have_text("All quiet")
    other = other_page(browser, server.url)
    expect(other.locator(".health-says")).to_have_text("All quiet")
    page.keyboard.press("m")
    expect(page.get_by_label("What happened")).to_be_focused()
    page.get_by_label("What happened").fill("deployed 1.4")
    when = page.get_by_label("When")
    now = when.input_value()
    when.fill("1999-01-01T00:00:00")
    page.get_by_role("button", name="Mark", exact=True).click()
    expect(page.locator(".mark-error")).to_contain_text("longer ago than the")
    when.fill(now)
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_have_count(0)
    for each in (page, other):
        each.get_by_role("button", name="Recent 1").click()
        expect(each.locator(".mark-row")).to_contain_text("deployed 1.4")
    other.context.close()
    page.wait_for_timeout(7_000)
    page.locator(".mark-row .recent-go").click()
    expect(page.locator(".status .state")).to_have_text("Standing still")
    expect(page.locator(".mark-row")).to_contain_text("deployed 1.4")
    # The refusal is an error of the browser's console, too.
    assert all("422" in error for error in watched.errors)


def test_the_page_says_that_alerts_are_loaded_and_shows_none_of_now_meanwhile(
    page: Page, server: Server, values: Path
) -> None:
    page.goto(server.url)
    expect(page.locator(".health-says")).to_have_text("All quiet")
    stand_still(page)
    fire(server, values)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/alerts?*from=*", hold)
    page.reload()
    expect(page.locator(".health-line")).to_contain_text("Loading alerts…")
    expect(page.locator(".health-says")).to_have_text("Not known")
    expect(page).to_have_title("(1) Switched")
    expect(page.locator(".firing-list")).to_have_count(0)
    for route in held:
        route.continue_()
    expect(page.locator(".health-says")).to_have_text("All quiet")
    expect(page.locator(".health-line")).not_to_contain_text("Loading")
