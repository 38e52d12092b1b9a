"""Alerts on the page in a real browser: firing and resolved ones, and what a viewer can do about them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from tests.e2e.conftest import CHROMIUM, PATIENCE_MS, Watched, loaded
from tests.e2e.looks import CONTRAST, watch_shifts
from tests.serving import Server, serve, wait_for

BOARDS = Path(__file__).parent / "boards"

HIDE = """(hidden) => {
    const state = hidden ? "hidden" : "visible";
    Object.defineProperty(document, "visibilityState", { get: () => state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""

RECORD_CALLS = """
    window.notified = [];
    const Real = window.Notification;
    window.Notification = class extends Real {
        constructor(title, options) {
            super(title, options);
            window.notified.push([title, options.body]);
        }
    };
    window.tones = [];
    const Tone = window.OscillatorNode;
    window.OscillatorNode = class extends Tone {
        constructor(context, options) {
            super(context, options);
            window.tones.push([context.state, options.frequency]);
        }
    };
"""


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """The file with the values: a test writes it to make alerts fire."""
    file = tmp_path / "values"
    file.write_text("10")
    return file


@pytest.fixture
def switched(values: Path) -> Iterator[Server]:
    with serve("run", str(BOARDS / "switched.py"), "--interval", "100", env={"VALUES": str(values)}) as server:
        yield server


@pytest.fixture
def alerted(watched: Watched, switched: Server, values: Path) -> Page:
    """A page on which a critical alert and a warning fire."""
    page = watched.page
    page.goto(switched.url)
    expect(page.locator(".status.connected")).to_be_visible()
    expect(page.locator('.metric-card[data-metric="value"] .samples')).to_contain_text(re.compile(r"\(\d\d samples"))
    values.write_text("95")
    expect(page.locator('.alert[data-state="firing"]')).to_have_count(2)
    return page


SLOW = """
from tickboard import Board

board = Board("Slow", interval_ms=200)
queue = board.gauge("queue")
queue.set(1)
board.alert(queue > 0, "The queue is long", for_="2s")
"""


def critical(page: Page) -> Locator:
    return page.locator(".alert.alert-critical")


def boxes(page: Page) -> Any:
    """Return the position and size of each alert."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".alert")].map((it) => {
            const { x, y, width, height } = it.getBoundingClientRect();
            return [x, y, width, height];
        })"""
    )


def look(of: Locator, what: str) -> str:
    found: str = of.evaluate("(it, what) => getComputedStyle(it)[what]", what)
    return found


def test_firing_and_resolved_alerts_look_different(alerted: Page, values: Path) -> None:
    alert = critical(alerted)
    parts = [("", "backgroundImage"), (" .severity", "color"), (" .message", "color"), (" .severity-shape", "fill")]

    def looks() -> list[str]:
        return [look(alerted.locator(f".alert.alert-critical{part}"), what) for part, what in parts]

    firing = looks()
    values.write_text("10")
    # It keeps its place for a while.
    expect(alert.locator(".lasted")).to_have_text(re.compile(r"^resolved after \d+ s$"))
    expect(alert.locator(".severity")).to_have_text("CRITICAL")
    expect(alert).to_have_class(re.compile(r"\bresolved\b"))
    assert all(before != after for before, after in zip(firing, looks(), strict=True))


def test_a_firing_alert_shows_since_when_and_for_how_long_it_fires_and_its_value_now(
    alerted: Page, values: Path
) -> None:
    alert = critical(alerted)
    expect(alert.locator(".outcome")).to_have_text(
        re.compile(r"^since \d\d:\d\d:\d\d · What changed\? · \d+ s · peak 95 %$")
    )
    lasted = alert.locator(".lasted")
    before = lasted.inner_text()
    expect(lasted).not_to_have_text(before)
    expect(lasted).to_have_text(re.compile(r"^[1-9]\d* s$"))
    # A screen reader does not announce it.
    expect(lasted).to_have_attribute("aria-live", "off")
    expect(alert.locator(".alert-value")).to_have_text("95 %")
    values.write_text("93.5")
    expect(alert.locator(".alert-value")).to_have_text("93.5 %")
    expect(alert.locator(".outcome")).to_contain_text("peak 95 %")


def test_an_alert_is_shown_since_its_condition_became_true_not_since_it_fired(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "slow.py"
    file.write_text(SLOW)
    with serve("run", str(file)) as server:
        page.goto(server.url)
        time = page.locator(".firing-list time")
        expect(time).to_have_count(1)
        [alert] = server.json("/api/alerts")["alerts"]
        assert alert["started"] < alert["timestamp"]
        expect(time).to_have_attribute("datetime", alert["started"])


def test_the_health_line_says_what_fires_and_since_when(alerted: Page, values: Path) -> None:
    line = alerted.locator(".health-line")
    expect(line).to_contain_text("2 firing")
    expect(line).to_contain_text(re.compile(r"1 critical since \d\d:\d\d, 1 warning since \d\d:\d\d"))
    values.write_text("10")
    expect(line).to_contain_text("All quiet")
    expect(line).to_contain_text(re.compile(r"No active alerts for \d+ s"))
    # What counts up is not announced.
    expect(line.get_by_role("status").filter(has_text="No active")).to_have_text("No active alerts")


def test_the_values_around_an_alert_stay_after_the_window_has_moved_on(watched: Watched, values: Path) -> None:
    board = str(BOARDS / "switched.py")
    with serve("run", board, "--interval", "50", "--window", "20", env={"VALUES": str(values)}) as server:
        page = watched.page
        page.goto(server.url)
        expect(page.locator('.metric-card[data-metric="value"] .samples')).to_contain_text("(20 samples)")
        values.write_text("95")
        line = critical(page).locator(".spark-line")
        expect(line).to_have_attribute("d", re.compile(r"^M.*L"))
        expect(critical(page).locator(".spark-threshold")).to_be_attached()
        seq = server.json("/api/health")["seq"]
        server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 40)
        # More than the window has.
        expect(line).to_have_attribute("d", re.compile(r"^(?:[^L]*L){40}"))
        episode = critical(page).locator(".spark-episode")
        assert 0 < float(episode.get_attribute("x") or 0) < 132
        values.write_text("10")
        expect(critical(page)).to_have_attribute("data-state", "resolved")
        server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 200)
        # It is in the row of what is over too.
        row = page.locator(".recent-row.alert-critical")
        row.get_by_role("button", name="Value critical: 95.0%").first.click()
        expect(row.locator(".spark-line")).to_have_attribute("d", re.compile(r"^(?:[^L]*L){40}"))
        expect(row.locator(".lasted").last).to_have_text(re.compile(r"^resolved after \d+ s$"))
        assert watched.errors == []


def is_shaded(page: Page, x: float) -> bool:
    """Return whether a chart is tinted at a position from left (0) to right (1), above all lines.

    The first quarter has the thresholds' labels.
    """
    tinted: bool = page.evaluate(
        """(x) => {
            const canvas = document.querySelector('.chart[data-metric="value"] canvas');
            const scale = canvas.width / canvas.clientWidth;
            const [axis, right, top] = [40, 10, 14];
            const left = (axis + x * (canvas.clientWidth - axis - right)) * scale;
            return canvas.getContext("2d").getImageData(Math.round(left), Math.round(top * scale), 1, 1).data[3] > 0;
        }""",
        x,
    )
    return tinted


def eventually(page: Page, condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come true")


def test_the_episode_is_shaded_on_the_chart(watched: Watched, switched: Server, values: Path) -> None:
    page = watched.page
    page.goto(switched.url)
    expect(page.locator('.metric-card[data-metric="value"] .samples')).to_contain_text("(60 samples)")
    assert not is_shaded(page, 0.99)
    values.write_text("85")
    eventually(page, lambda: is_shaded(page, 0.99))
    assert not is_shaded(page, 0.3)
    values.write_text("10")
    eventually(page, lambda: not is_shaded(page, 0.99))
    # It moves with the window.
    eventually(page, lambda: any(is_shaded(page, x / 100) for x in range(30, 60)))


def feed(page: Page) -> Locator:
    return page.get_by_role("region", name="Alerts", exact=True)


FIRING = ".firing-list .alert"
OVER = ".recent-row"


def expect_both_firing(page: Page) -> None:
    """Check that all parts of a page show that a critical alert and a warning fire."""
    expect(page.locator(".health-says")).to_have_text("2 firing")
    expect(feed(page)).not_to_contain_text("No active alerts")
    expect(page.locator(".critical-badge")).to_have_text("1 Critical")
    expect(page.locator(".warning-badge")).to_have_text("1 Warning")
    expect(page).to_have_title("(1) Switched")
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("^data:"))
    expect(page.locator('.metric-card[data-metric="value"]')).to_have_attribute("data-severity", "critical")
    expect(page.locator('.alert[data-state="firing"]')).to_have_count(2)


def leave_their_places(page: Page) -> None:
    """Wait until what has ended is among the recent alerts."""
    page.mouse.move(5, 5)
    expect(page.locator(FIRING)).to_have_count(0)


def test_firing_alerts_stay_whatever_is_dismissed_and_cleared(watched: Watched, alerted: Page, other: Page) -> None:
    # Nothing is resolved yet, and firing alerts can't be cleared.
    expect(feed(alerted).get_by_role("button", name="Clear All")).to_have_count(0)
    feed(alerted).get_by_role("button", name="Dismiss: Value critical").click()
    folded = alerted.locator(".alert[data-folded]")
    for page in (alerted, other):
        expect(page.locator(".alert[data-folded]")).to_have_count(1)
        expect_both_firing(page)
    assert critical(alerted).bounding_box()["height"] < 40  # type: ignore[index]
    alerted.reload()
    expect(folded).to_contain_text("Value critical: 95.0%")
    expect_both_firing(alerted)
    folded.get_by_role("button").click()
    for page in (alerted, other):
        expect(page.locator(".alert[data-folded]")).to_have_count(0)
    feed(alerted).get_by_role("button", name="Dismiss: Value critical").click()
    feed(alerted).get_by_role("button", name="Undo").click()
    for page in (alerted, other):
        expect(page.locator(".alert[data-folded]")).to_have_count(0)
    expect_both_firing(alerted)
    assert watched.errors == []


def test_clear_all_removes_resolved_alerts_and_can_be_undone(alerted: Page, other: Page, values: Path) -> None:
    values.write_text("10")
    for page in (alerted, other):
        leave_their_places(page)
    expect(feed(alerted)).to_contain_text("Alerts (2)")
    values.write_text("95")
    expect_both_firing(alerted)
    expect(feed(alerted)).to_contain_text("Recent (2)")
    # Firing alerts are on top.
    states = alerted.locator(".alert").evaluate_all("(all) => all.map((it) => it.dataset.state)")
    assert states == ["firing", "firing", "resolved", "resolved"]
    feed(alerted).get_by_role("button", name="Clear All").click()
    for page in (alerted, other):
        expect(page.locator(".alert")).to_have_count(2)
        expect_both_firing(page)
        expect(feed(page)).not_to_contain_text("Recent")
    expect(feed(alerted).locator(".undo").get_by_role("status")).to_have_text("2 cleared")
    feed(alerted).get_by_role("button", name="Undo").click()
    for page in (alerted, other):
        expect(feed(page)).to_contain_text("Recent (2)")


def test_repeats_of_one_rule_are_one_row_that_is_dismissed_as_one(alerted: Page, values: Path) -> None:
    for _ in range(2):
        values.write_text("10")
        expect(alerted.locator('.alert[data-state="firing"]')).to_have_count(0)
        values.write_text("95")
        expect(alerted.locator('.alert[data-state="firing"]')).to_have_count(2)
    row = alerted.locator(".recent-row.alert-critical")
    expect(row).to_have_count(1)
    expect(row.locator(".repeated")).to_have_text("\u00d72")
    expect(row.locator(".lasted")).to_have_text(re.compile(r"^\d+(\u2013\d+)? s each$"))
    row.get_by_role("button", name="Value critical: 95.0%").first.click()
    expect(row.locator(".outcome")).to_have_count(2)
    row.get_by_role("button", name="Dismiss: Value critical: 95.0% and 1 before it").click()
    expect(row).to_have_count(0)
    expect(feed(alerted).locator(".undo").get_by_role("status")).to_have_text("2 dismissed")
    expect(alerted.locator(".recent-row.alert-warning")).to_have_count(1)


def test_the_block_keeps_its_height_and_an_ended_alert_its_place_while_it_is_read(alerted: Page, values: Path) -> None:
    critical(alerted).hover()
    before = boxes(alerted)
    height = feed(alerted).bounding_box()["height"]  # type: ignore[index]
    values.write_text("10")
    expect(alerted.locator(".alert.resolved")).to_have_count(2)
    alerted.wait_for_timeout(11_000)
    assert boxes(alerted) == before
    leave_their_places(alerted)
    # What is below does not jump at once.
    assert feed(alerted).bounding_box()["height"] >= height  # type: ignore[index]
    expect(alerted.locator(OVER)).to_have_count(2)


def test_while_all_is_quiet_the_block_is_a_line_and_opens_on_demand(page: Page, switched: Server, values: Path) -> None:
    values.write_text("95")
    switched.wait_for(lambda: len(switched.json("/api/alerts?state=active")["alerts"]) == 2)
    values.write_text("10")
    page.goto(switched.url)
    expect(page.locator(".health-says")).to_have_text("All quiet")
    expect(page.locator(OVER)).to_have_count(2)
    toggle = page.get_by_role("button", name="Recent 2")
    # After a minute, and not of a clock in the page: it would hear nothing for that minute, and connect anew.
    expect(toggle).to_have_attribute("aria-expanded", "false", timeout=60_000 + PATIENCE_MS)
    expect(page.locator(OVER)).to_have_count(0)
    wait_for(lambda: feed(page).bounding_box()["height"] < 50)  # type: ignore[index]
    toggle.click()
    expect(page.locator(OVER)).to_have_count(2)
    expect(feed(page)).to_contain_text("Alerts (2)")
    toggle.click()
    expect(page.locator(OVER)).to_have_count(0)


def test_the_sections_in_the_line_say_where_something_fires_and_go_there(page: Page) -> None:
    with serve("run", str(BOARDS / "sections.py")) as server:
        page.goto(server.url)
        sections = page.get_by_role("navigation", name="Sections")
        hot = "Memory and disks"
        expect(sections.get_by_role("link")).to_have_text(
            ["CPU", f"{hot}, 1 firing, warning", "Tickboard itself, 1 firing, critical"]
        )
        sections.get_by_role("link", name=hot).click()
        expect(page.locator(f'[data-section="{hot}"] h2 button').first).to_be_focused()


def test_a_warning_alone_changes_the_badge_the_title_and_the_icon(page: Page, switched: Server, values: Path) -> None:
    page.goto(switched.url)
    expect(feed(page)).to_contain_text("No active alerts")
    values.write_text("85")
    expect(page.locator(".warning-badge")).to_have_text("1 Warning")
    expect(page.locator(".critical-badge")).to_have_count(0)
    expect(page).to_have_title("(1 warning) Switched")
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("^data:.*%3E1%3C%2Ftext"))
    values.write_text("10")
    expect(page.locator(".warning-badge")).to_have_count(0)
    expect(page).to_have_title("Switched")


def test_a_disconnected_page_does_not_claim_that_nothing_fires(page: Page, values: Path) -> None:
    with serve("run", str(BOARDS / "switched.py"), env={"VALUES": str(values)}) as server:
        page.goto(server.url)
        expect(feed(page)).to_contain_text("No active alerts")
        expect(page.locator('.metric-card[data-metric="value"] .now-value')).to_have_text(re.compile(r"\d"))
        loaded(page)
    expect(feed(page)).to_contain_text("Not known")
    expect(feed(page)).to_contain_text(re.compile(r"No alerts at \d\d:\d\d; current status unknown"))
    expect(feed(page)).not_to_contain_text("No active alerts")


def open_filter(page: Page) -> None:
    page.get_by_role("button", name="Severities that are listed").click()


def test_hidden_severities_are_counted_and_remembered(alerted: Page, values: Path) -> None:
    values.write_text("10")
    leave_their_places(alerted)
    values.write_text("95")
    expect_both_firing(alerted)
    open_filter(alerted)
    alerted.get_by_role("checkbox", name="warning 1 firing, 1 over").focus()
    alerted.keyboard.press("Space")
    alerted.keyboard.press("Escape")
    expect(alerted.locator(FIRING)).to_have_count(1)
    expect(alerted.locator(".health-says")).to_have_text("2 firing")
    expect(feed(alerted)).to_contain_text("1 of hidden severities")
    expect(alerted.locator(".warning-badge")).to_have_text("1 Warning")
    alerted.reload()
    expect(alerted.locator(".firing-list .alert-critical")).to_have_count(1)
    expect(alerted.locator(".alert-warning")).to_have_count(0)
    open_filter(alerted)
    alerted.get_by_role("checkbox", name="critical 1 firing, 1 over").click()
    alerted.keyboard.press("Escape")
    expect(alerted.locator(".alert")).to_have_count(0)
    expect(feed(alerted)).to_contain_text("2 of hidden severities")
    expect(feed(alerted)).not_to_contain_text("No active alerts")
    feed(alerted).get_by_role("button", name="Show").first.click()
    expect_both_firing(alerted)


def test_typed_text_stays_when_the_alert_is_resolved(alerted: Page, values: Path) -> None:
    alerted.get_by_role("button", name="Silence: Value critical: 95.0%").click()
    reason = alerted.get_by_label("Reason")
    expect(reason).to_be_focused()
    alerted.keyboard.type("a long rea")
    values.write_text("10")
    expect(critical(alerted)).to_have_attribute("data-state", "resolved")
    # As long as it is written, also after the time that an ended alert stays in its place.
    alerted.wait_for_timeout(11_000)
    expect(reason).to_be_focused()
    alerted.keyboard.type("son")
    expect(reason).to_have_value("a long reason")
    alerted.keyboard.press("Enter")
    expect(alerted.get_by_label("Reason")).to_have_count(0)


def test_the_focus_stays_when_the_alert_is_resolved(alerted: Page, values: Path) -> None:
    silence = alerted.get_by_role("button", name="Silence: Value critical: 95.0%")
    alerted.get_by_role("button", name="Acknowledge: Value critical: 95.0%").focus()
    alerted.keyboard.press("Tab")
    values.write_text("10")
    expect(critical(alerted)).to_have_attribute("data-state", "resolved")
    alerted.wait_for_timeout(11_000)
    expect(silence).to_be_focused()


def test_the_focus_goes_to_what_takes_the_place_of_a_pressed_button(alerted: Page, values: Path) -> None:
    critical(alerted).get_by_role("button", name="Dismiss: ").press("Enter")
    unfold = critical(alerted).locator(".unfold")
    expect(unfold).to_be_focused()
    unfold.press("Enter")
    expect(critical(alerted).get_by_role("button", name="Dismiss: ")).to_be_focused()
    alerted.evaluate("document.activeElement.blur()")
    values.write_text("10")
    leave_their_places(alerted)
    rows, undo = alerted.locator(".recent-row"), feed(alerted).get_by_role("button", name="Undo")
    expect(rows).to_have_count(2)
    rows.first.locator(".dismiss").press("Enter")
    expect(rows).to_have_count(1)
    expect(rows.first.locator(".dismiss")).to_be_focused()
    rows.first.locator(".dismiss").press("Enter")
    expect(undo).to_be_focused()
    undo.press("Enter")
    expect(alerted.get_by_role("log", name="Alerts")).to_be_focused()
    feed(alerted).get_by_role("button", name="Clear All").press("Enter")
    expect(undo).to_be_focused()


def test_the_title_and_icon_show_the_number_of_critical_alerts(alerted: Page, values: Path) -> None:
    icon = alerted.locator("link[rel=icon]")
    expect(alerted).to_have_title("(1) Switched")
    expect(icon).to_have_attribute("href", re.compile(r"^data:image/svg\+xml,.*%3E1%3C%2Ftext"))
    values.write_text("10")
    expect(alerted).to_have_title("Switched")
    expect(icon).to_have_attribute("href", re.compile(r"icon-.*\.svg$"))


def test_a_critical_alert_is_announced_while_a_chart_is_enlarged(page: Page, switched: Server, values: Path) -> None:
    page.goto(f"{switched.url}#chart=value")
    expect(page.locator(".enlarged")).to_be_visible()
    values.write_text("95")
    expect(page.locator(".critical-badge")).to_be_visible()
    expect(feed(page)).to_be_hidden()
    expect(page.get_by_role("alert").filter(has_text="Value critical: 95.0%")).to_have_count(1)


def test_the_icon_of_the_tab_can_be_drawn(alerted: Page) -> None:
    width = alerted.evaluate(
        """() => new Promise((resolve, reject) => {
            const image = new Image();
            image.onload = () => resolve(image.naturalWidth);
            image.onerror = reject;
            image.src = document.querySelector("link[rel=icon]").href;
        })"""
    )
    assert width == 32


def test_an_alert_keeps_its_place_and_size_when_it_is_resolved(watched: Watched, alerted: Page, values: Path) -> None:
    expect(critical(alerted).locator(".lasted")).to_have_text(re.compile("^[1-9]"))
    before = boxes(alerted)
    watch_shifts(alerted, ".metric-card, .chart, .row-head, .row h2")
    values.write_text("10")
    expect(alerted.locator(".alert.resolved")).to_have_count(2)
    assert boxes(alerted) == before
    assert alerted.evaluate("window.shifts.filter((it) => !/health-/.test(it))") == []
    assert watched.errors == []


def test_an_alert_of_a_previous_run_does_not_fire_forever(page: Page, values: Path) -> None:
    board = str(BOARDS / "switched.py")
    values.write_text("95")
    with serve("run", board, "--interval", "100", env={"VALUES": str(values)}) as first:
        page.goto(first.url)
        expect(page.locator(".critical-badge")).to_contain_text("1 Critical")
    values.write_text("10")
    with serve("run", board, "--interval", "100", env={"VALUES": str(values)}, port=first.port):
        expect(page.locator(".status.connected")).to_be_visible()
        expect(page.locator(".critical-badge")).to_have_count(0)
        expect(critical(page)).to_have_attribute("data-state", re.compile("lost|resolved"))


def test_an_alert_continues_through_a_restart(page: Page, values: Path) -> None:
    board, state = str(BOARDS / "switched.py"), str(values.with_name("state.sqlite"))
    env = {"VALUES": str(values), "TICKBOARD_STATE": state}
    values.write_text("95")
    with serve("run", board, "--interval", "100", env=env) as first:
        page.goto(first.url)
        expect(page.locator('.alert[data-state="firing"]')).to_have_count(2)
        id = critical(page).get_attribute("data-alert")
    expect(page.locator(".status.disconnected")).to_be_visible()
    with serve("run", board, "--interval", "100", env=env, port=first.port):
        expect(page.locator(".status.connected")).to_be_visible()
        values.write_text("10")
        expect(page.locator('.alert[data-state="resolved"]')).to_have_count(2)
        expect(page.locator(".alert")).to_have_count(2)
        expect(critical(page)).to_have_attribute("data-alert", id or "none")


def test_a_second_tab_shows_the_same_alerts_as_the_first(context: BrowserContext, alerted: Page, values: Path) -> None:
    values.write_text("10")
    expect(alerted.locator(".alert.resolved")).to_have_count(2)
    values.write_text("95")
    expect(alerted.locator(".alert")).to_have_count(4)
    second = context.new_page()
    second.goto(alerted.url)
    expect(second.locator(".alert")).to_have_count(4)
    expect(second.locator('.alert[data-state="firing"]')).to_have_count(2)
    values.write_text("10")
    leave_their_places(second)
    expect(second.locator(".recent-row .repeated")).to_have_text(["\u00d72", "\u00d72"])


@pytest.fixture
def incident(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """Ten thousand series, none of which is in breach."""
    file = tmp_path / "values"
    file.write_text("50 50")
    with serve("run", str(BOARDS / "incident.py"), env={"VALUES": str(file)}) as server:
        yield server, file


def test_ten_thousand_alerts_that_fire_in_one_tick_are_grouped(watched: Watched, incident: tuple[Server, Path]) -> None:
    page, (server, file) = watched.page, incident
    page.goto(server.url)
    expect(page.locator(".no-alerts")).to_have_text("No active alerts")
    file.write_text("99 95")
    expect(page.locator(".health-says")).to_have_text("10,003 firing")
    expect(page.locator(".alert")).to_have_count(4)
    expect(page).to_have_title("(10001) Incident")
    name = re.compile(r"^Disk over 90 %: 10,000 mounts, worst \S*disk9999 at 99\.5 %$")
    toggle = page.get_by_role("button", name=name)
    expect(toggle).to_have_attribute("aria-expanded", "false")
    toggle.focus()
    page.keyboard.press("Enter")
    members = page.locator(".alert-group .alert")
    expect(members).to_have_count(50)
    expect(members.first.locator(".message")).to_have_text("/disk9999 is full: 99.5%")
    expect(page.locator(".alert-group .alerts-more")).to_have_text("50 of 10,000, the worst")
    page.keyboard.press("Enter")
    expect(members).to_have_count(0)
    # The page still responds.
    page.get_by_role("button", name="Theme and density").click()
    page.get_by_role("button", name="Theme: dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("Escape")
    file.write_text("50 50")
    expect(page.locator(".alert-group .lasted")).to_have_text(re.compile("^resolved after"))
    leave_their_places(page)
    expect(page.locator(".recent-row .repeated")).to_have_text("\u00d710,000")
    expect(feed(page)).to_contain_text("Alerts (10,003)")
    page.get_by_role("button", name="Clear All").click()
    expect(page.locator(".no-alerts")).to_have_text("No active alerts")
    expect(page.locator(".alert")).to_have_count(0)
    page.reload()
    expect(page.locator(".status.connected")).to_be_visible()
    expect(page.locator(".no-alerts")).to_have_text("No active alerts")
    assert watched.errors == []


def test_a_group_is_acknowledged_and_silenced_as_one(watched: Watched, tmp_path: Path) -> None:
    page, file = watched.page, tmp_path / "values"
    file.write_text("99 50")
    with serve("run", str(BOARDS / "incident.py"), env={"VALUES": str(file), "COUNT": "3"}) as server:
        page.goto(server.url)
        group = page.locator(".alert-group")
        group.get_by_role("button", name=re.compile("^Acknowledge 3: Disk over 90 %: 3 mounts")).click()
        expect(group.locator(".outcome-note")).to_have_text("all acknowledged")
        assert all("acknowledged" in alert for alert in server.json("/api/alerts")["alerts"])
        silence = group.get_by_role("button", name=re.compile("^Silence: "))
        group.locator(".group-toggle").click()
        # The worst of them alone: the group as a whole is not silenced, and its button silences those that are left.
        worst = silence.nth(1)
        worst.click()
        page.get_by_label("Reason").fill("only this one")
        page.keyboard.press("Enter")
        expect(worst).to_have_attribute("aria-pressed", "true")
        expect(silence.first).to_have_attribute("aria-pressed", "false")
        silence.first.click()
        page.get_by_label("Reason").fill("a planned test")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Reason")).to_have_count(0)
        expect(silence.first).to_have_attribute("aria-pressed", "true")
        reasons = sorted(silence["reason"] for silence in server.json("/api/silences"))
        assert reasons == ["a planned test", "a planned test", "only this one"]
    assert watched.errors == []


@pytest.fixture
def allowed(browser: Browser) -> Iterator[BrowserContext]:
    """A browser whose viewer allows notifications."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["notifications"])
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(RECORD_CALLS)
    yield context
    context.close()


def test_the_bell_notifies_of_alerts_only_while_the_page_is_hidden(
    allowed: BrowserContext, switched: Server, values: Path
) -> None:
    page = allowed.new_page()
    page.goto(switched.url)
    expect(page.locator(".status.connected")).to_be_visible()
    bell = page.get_by_role("button", name="Notify of alerts")
    expect(bell).to_have_attribute("aria-pressed", "false")
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    # A visible alert needs no notification.
    values.write_text("95")
    expect(page.locator(".alert")).to_have_count(2)
    values.write_text("10")
    expect(page.locator(".alert.resolved")).to_have_count(2)
    page.evaluate(HIDE, True)
    values.write_text("95")
    expect(page.locator(".alert")).to_have_count(4)
    page.wait_for_function("() => window.notified.length > 0")
    assert page.evaluate("window.notified") == [
        ["Switched: 1 critical, 1 warning", "Value critical: 95.0%\nValue high: 95.0%"]
    ]
    assert page.evaluate("window.tones") == [["running", 880], ["running", 659], ["running", 880]]
    page.reload()
    expect(bell).to_have_attribute("aria-pressed", "true")


def test_the_bell_is_off_by_default(allowed: BrowserContext, switched: Server, values: Path) -> None:
    page = allowed.new_page()
    page.goto(switched.url)
    expect(page.locator(".status.connected")).to_be_visible()
    page.evaluate(HIDE, True)
    values.write_text("95")
    expect(page.locator(".alert")).to_have_count(2)
    page.wait_for_timeout(1_500)
    assert page.evaluate("[window.notified, window.tones]") == [[], []]


@pytest.mark.parametrize("browser", [pytest.param(CHROMIUM, id="whole")], indirect=True)
def test_only_one_of_several_tabs_notifies(allowed: BrowserContext, switched: Server, values: Path) -> None:
    pages = [allowed.new_page() for _ in range(3)]
    for page in pages:
        page.goto(switched.url)
        expect(page.locator(".status.connected")).to_be_visible()
    pages[0].get_by_role("button", name="Notify of alerts").click()
    for page in pages:
        expect(page.get_by_role("button", name="Notify of alerts")).to_have_attribute("aria-pressed", "true")
        page.evaluate(HIDE, True)
    values.write_text("95")
    for page in pages:
        expect(page.locator(".alert")).to_have_count(2)

    def calls() -> int:
        return sum(page.evaluate("window.notified.length") for page in pages)

    eventually(pages[0], lambda: calls() > 0)
    pages[0].wait_for_timeout(1_000)
    assert calls() == 1


def test_without_permission_the_page_says_that_it_only_plays_a_sound(page: Page, switched: Server) -> None:
    page.add_init_script("Notification.requestPermission = async () => 'denied'")
    page.goto(switched.url)
    page.get_by_role("button", name="Notify of alerts").click()
    expect(page.locator(".bell-note")).to_have_text("The browser blocks notifications: sound only")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_alerts_are_readable_on_every_screen(alerted: Page, values: Path, width: int, scheme: str) -> None:
    alerted.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    alerted.set_viewport_size({"width": width, "height": 844})
    assert alerted.evaluate("document.documentElement.scrollWidth") <= width

    def check(parts: list[str], of: str) -> None:
        for part in parts:
            for found in alerted.locator(f"{of} {part}").all():
                assert found.evaluate(CONTRAST) >= 4.5, (of, part)

    entry = [".severity", ".message", ".outcome", ".alert-value", ".alert-value small", ".button"]
    check(entry, f'{FIRING}[data-state="firing"]')
    critical(alerted).get_by_role("button", name=re.compile("^Silence")).click()
    check([".durations span", "legend", ".button"], ".silence")
    assert alerted.evaluate("document.documentElement.scrollWidth") <= width
    alerted.get_by_role("button", name="Cancel").click()
    values.write_text("10")
    expect(alerted.locator(".alert.resolved")).to_have_count(2)
    check(entry, f"{FIRING}.resolved")
    leave_their_places(alerted)
    check([".message", ".lasted", "time"], OVER)
    check(["h3", ".recent-note", ".button"], ".alert-header")


def test_the_silence_form_is_opened_and_cancelled_by_keyboard(watched: Watched, alerted: Page) -> None:
    silence = alerted.get_by_role("button", name="Silence: Value critical: 95.0%")
    silence.focus()
    alerted.keyboard.press("Enter")
    reason = alerted.get_by_role("dialog").get_by_label("Reason")
    expect(reason).to_be_focused()
    alerted.keyboard.type("will be mended")
    # The alert keeps changing, and the typed text stays.
    lasted = critical(alerted).locator(".lasted")
    expect(lasted).not_to_have_text(lasted.inner_text())
    expect(reason).to_have_value("will be mended")
    alerted.keyboard.press("Escape")
    expect(alerted.locator("form")).to_have_count(0)
    expect(silence).to_be_focused()
    assert watched.errors == []


def test_everything_in_the_feed_has_a_name(alerted: Page) -> None:
    critical(alerted).get_by_role("button", name=re.compile("^Silence")).click()
    unnamed = alerted.evaluate(
        """() => [...document.querySelectorAll(".alert-feed button, .alert-feed input, header button")]
            .filter((it) => !(it.getAttribute("aria-label") || it.textContent.trim() || it.labels?.[0]?.textContent))
            .map((it) => it.outerHTML)"""
    )
    assert unnamed == []
    expect(alerted.get_by_role("log", name="Alerts")).to_be_visible()


def test_a_reloaded_page_shows_resolved_alerts(alerted: Page, values: Path) -> None:
    values.write_text("10")
    expect(alerted.locator(".alert.resolved")).to_have_count(2)
    alerted.reload()
    expect(alerted.locator(".recent-row")).to_have_count(2)
    expect(alerted.locator(".recent-row.alert-critical .lasted")).to_have_text(re.compile(r"^\d+ s$"))


@pytest.fixture
def other(context: BrowserContext, alerted: Page) -> Page:
    """A second tab that shows both alerts."""
    page = context.new_page()
    page.goto(alerted.url)
    expect(page.locator('.alert[data-state="firing"]')).to_have_count(2)
    return page


def test_an_acknowledgement_is_shown_in_every_tab(watched: Watched, alerted: Page, other: Page, values: Path) -> None:
    watch_shifts(alerted, ".metric-card, .chart, .row-head, .row h2")
    before = boxes(alerted)
    button = critical(alerted).get_by_role("button", name=re.compile("^Acknowledge"))
    button.click()
    for page in (alerted, other):
        expect(critical(page).locator(".outcome-note")).to_have_text("acknowledged")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(button).to_be_focused()
    # It still fires, and is the only acknowledged one.
    expect(critical(alerted)).to_have_attribute("data-state", "firing")
    expect(alerted.locator(".outcome-note")).to_have_count(1)
    expect(alerted.locator(".critical-badge")).to_contain_text("1 Critical")
    assert boxes(alerted) == before
    assert alerted.evaluate("window.shifts.filter((it) => !/health-/.test(it))") == []
    values.write_text("10")
    expect(critical(alerted).locator(".lasted")).to_have_text(re.compile("^resolved after"))
    assert watched.errors == []


def test_an_alert_is_silenced_with_a_duration_and_a_reason(watched: Watched, alerted: Page, other: Page) -> None:
    silence = alerted.get_by_role("button", name="Silence: Value critical: 95.0%")
    silence.click()
    form = alerted.locator("form")
    form.get_by_role("button", name="Silence").click()
    # Without a reason it is not sent.
    expect(form.get_by_label("Reason")).to_be_focused()
    form.get_by_text("30 min").click()
    form.get_by_label("Reason").fill("a planned load test")
    alerted.keyboard.press("Enter")
    expect(form).to_have_count(0)
    expect(silence).to_be_focused()
    for page in (alerted, other):
        note = critical(page).locator(".outcome-note")
        expect(note).to_have_text(re.compile(r"^silenced until (\w+ \d+, )?\d\d:\d\d: a planned load test$"))
    other.get_by_role("button", name="Silence: Value critical: 95.0%").click()
    expect(other.locator(".silenced-why")).to_contain_text("a planned load test")
    other.get_by_role("button", name="End silence").click()
    for page in (alerted, other):
        expect(critical(page).locator(".outcome-note")).to_have_count(0)
    assert watched.errors == []


def test_an_alert_is_silenced_until_it_is_over(alerted: Page, values: Path) -> None:
    alerted.get_by_role("button", name="Silence: Value critical: 95.0%").click()
    form = alerted.locator("form")
    # A metric without labels has no other series.
    expect(form.get_by_text("This rule everywhere")).to_have_count(0)
    form.get_by_text("Until it is over").click()
    form.get_by_label("Reason").fill("known")
    form.get_by_role("button", name="Silence until it is over").click()
    expect(critical(alerted).locator(".outcome-note")).to_have_text("silenced until it is over: known")
    values.write_text("10")
    expect(critical(alerted)).to_have_attribute("data-state", "resolved")
    values.write_text("95")
    expect(alerted.get_by_role("button", name=re.compile("^Silence: Value critical"))).to_have_attribute(
        "aria-pressed", "false"
    )


def test_a_rule_is_silenced_everywhere_and_on_all_its_series_again(watched: Watched, tmp_path: Path) -> None:
    page, file = watched.page, tmp_path / "values"
    file.write_text("99 50")
    with serve("run", str(BOARDS / "incident.py"), env={"VALUES": str(file), "COUNT": "3"}) as server:
        page.goto(server.url)
        group = page.locator(".alert-group")
        group.locator(".group-toggle").click()
        member = group.locator(".member").first
        member.get_by_role("button", name=re.compile("^Silence: ")).click()
        page.get_by_text("This rule everywhere").click()
        page.get_by_label("Reason").fill("new disks")
        page.keyboard.press("Enter")
        whole = group.get_by_role("button", name=re.compile("^Silence: Disk over")).first
        expect(whole).to_have_attribute("aria-pressed", "true")
        [silence] = server.json("/api/silences")
        assert (silence["scope"], silence["reason"]) == ("rule", "new disks")
        expect(member.locator(".outcome-note")).to_have_text(
            re.compile(r"^silenced on all series until (\w+ \d+, )?\d\d:\d\d: new disks$")
        )
        whole.click()
        page.get_by_role("button", name="End silence").click()
        expect(whole).to_have_attribute("aria-pressed", "false")
        assert server.json("/api/silences") == []
    assert watched.errors == []


def test_a_failed_request_is_reported_beside_the_alert(context: BrowserContext, alerted: Page) -> None:
    context.set_offline(True)
    alerted.get_by_role("button", name="Acknowledge: Value critical: 95.0%").click()
    expect(critical(alerted).get_by_role("alert")).to_have_text(
        "The server can't be reached. Try again when the page is live."
    )
    context.set_offline(False)
    alerted.get_by_role("button", name="Acknowledge: Value critical: 95.0%").click()
    expect(critical(alerted).get_by_role("alert")).to_have_count(0)
    expect(critical(alerted).locator(".outcome-note")).to_have_text("acknowledged")
