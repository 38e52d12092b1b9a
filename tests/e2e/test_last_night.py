"""What happened last night? The incident is found on the strip, opened, explained, and linked to a colleague in another
time zone; the same on a phone, and by keyboard alone."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from tests.e2e.conftest import PATIENCE_MS
from tests.e2e.night import flags
from tests.serving import Server, serve

ROOT = Path(__file__).parents[2]

HOUR_S = 3600

KEPT_S = 14 * HOUR_S
INCIDENT_S = 7 * HOUR_S
"""How long ago the record begins, and the incident."""

CAUSES = [
    *("Errors checkout", "Cache hits prices", "Database queries"),
    *("Latency p95 checkout", "Database connections orders"),
]


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a board that has run through the night."""
    folder = tmp_path_factory.mktemp("night")
    now = time.time()
    environment = {"INCIDENT": str(now - INCIDENT_S), "INTERVAL_MS": "5000"}
    subprocess.run(
        [sys.executable, "-m", "tests.e2e.night", str(folder), str(now - KEPT_S)],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
    )
    with serve(*flags(folder), env=environment) as server:
        deployed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - INCIDENT_S - 120))
        mark = {"text": "deploy checkout 4.12.0", "by": "ci", "timestamp": deployed}
        httpx.post(f"{server.url}api/marks", json=mark).raise_for_status()
        yield server


def visitor(browser: Browser, zone: str, *, phone: bool = False) -> Page:
    """Return a page of a person in a time zone."""
    context: BrowserContext = browser.new_context(
        viewport={"width": 390, "height": 844} if phone else {"width": 1440, "height": 900},
        timezone_id=zone,
        has_touch=phone,
        is_mobile=phone,
    )
    context.set_default_timeout(PATIENCE_MS)
    return context.new_page()


def opened(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect(page.locator(".strip-outline:not(.shown) .strip-averages")).to_have_attribute("d", re.compile("^M"))
    expect(page.locator(".health-says")).to_have_text("All quiet")


def place(page: Page, ago_s: float) -> tuple[float, float]:
    """Return where a time is on the strip."""
    box = page.locator(".strip").bounding_box()
    assert box is not None
    return box["x"] + box["width"] * (1 - ago_s / KEPT_S), box["y"] + box["height"] / 2


def rows(page: Page) -> Locator:
    return page.locator("li.change:not(.coming)")


def explained(page: Page) -> None:
    """Expect that what changed is listed, the causes first."""
    names = rows(page).locator(".change-name")
    expect(names.first).to_be_visible()
    found = names.all_inner_texts()
    assert set(CAUSES) <= set(found)
    assert set(found[:4]) <= set(CAUSES)
    # By chance, one in a hundred of the others.
    assert len(found) < 15


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something with this in its name has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.innerText ?? ''")
        if name in focused:
            return
    pytest.fail(f"{name} cannot be reached by Tab")


def test_the_incident_is_found_on_the_strip_explained_and_linked_to_another_time_zone(
    browser: Browser, night: Server
) -> None:
    page = visitor(browser, "Europe/Berlin")
    opened(page, night)
    # The mark, just before.
    page.mouse.move(*place(page, INCIDENT_S + 120))
    expect(page.locator(".strip-tip")).to_contain_text("deploy checkout 4.12.0")
    # From an hour before to the middle of it.
    page.mouse.move(*place(page, INCIDENT_S + HOUR_S))
    page.mouse.down()
    page.mouse.move(*place(page, INCIDENT_S - HOUR_S / 2), steps=5)
    page.mouse.up()
    expect(page.locator(".health-says")).to_have_text("2 were firing")
    expect(page.locator(".firing-list .message").first).to_have_text(re.compile(r"Latency of checkout: \d{3} ms"))
    page.get_by_role("button", name=re.compile("^What changed. Latency of checkout")).click()
    explained(page)
    rows(page).filter(has_text="Database connections").get_by_role(
        "button", name=re.compile("^Go to its chart")
    ).click()
    expect(page.locator('.chart[data-metric="db_connections"]')).to_be_in_viewport()

    colleague = visitor(browser, "America/Los_Angeles")
    colleague.goto(page.url)
    explained(colleague)
    assert rows(colleague).all_inner_texts() == rows(page).all_inner_texts()
    # Both ranges are on the page, with the alerts that fired and the mark.
    recent = colleague.locator(".recent-words")
    expect(recent.filter(has_text="Latency of checkout")).to_be_visible()
    expect(recent.filter(has_text="deploy checkout 4.12.0")).to_be_visible()
    texts = [each.locator(".changes-ranges .after").inner_text() for each in (page, colleague)]
    hours = [[int(hour) for hour in re.findall(r"(\d\d):\d\d", text)] for text in texts]
    assert {(here - there) % 24 for here, there in zip(*hours, strict=True)} == {9}
    page.context.close()
    colleague.context.close()


def test_the_same_on_a_phone(browser: Browser, night: Server) -> None:
    page = visitor(browser, "Europe/Berlin", phone=True)
    page.goto(night.url)
    expect(page.locator(".strip-outline:not(.shown) .strip-averages")).to_have_attribute("d", re.compile("^M"))
    page.touchscreen.tap(*place(page, INCIDENT_S - HOUR_S / 3))
    expect(page.locator(".health-says")).to_have_text("2 were firing")
    page.get_by_role("button", name=re.compile("^What changed. Latency of checkout")).tap()
    expect(page.get_by_role("dialog", name="What changed?")).to_be_visible()
    explained(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    rows(page).filter(has_text="Database connections").get_by_role("button").tap()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator('.chart[data-metric="db_connections"]')).to_be_in_viewport()
    page.context.close()


def test_the_same_by_keyboard_alone(browser: Browser, night: Server) -> None:
    page = visitor(browser, "Europe/Berlin")
    opened(page, night)
    tab_to(page, "Range: Last")
    page.keyboard.press("Enter")
    tab_to(page, "Latency of checkout")
    page.keyboard.press("Enter")
    expect(page.locator(".status .state")).to_have_text("Standing still")
    tab_to(page, "Details: Latency of checkout")
    page.keyboard.press("Enter")
    tab_to(page, "What changed? Latency of checkout")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What changed?")).to_be_focused()
    explained(page)
    tab_to(page, "Go to its chart: Database connections")
    page.keyboard.press("Enter")
    expect(page.locator('.chart[data-metric="db_connections"]')).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.locator(".changes")).to_have_count(0)
    page.keyboard.press("l")
    expect(page.locator(".status .state")).to_have_text("Live")
    page.context.close()
