"""The page for everyone: no finding of axe in any colours at any width, and nothing cut or broken at 320 px."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "everything.py")
AXE = Path(__file__).parents[2] / "client" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (320, 390, 768, 1440, 2560)

FINDINGS = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => [id, ...nodes.slice(0, 3).map(({ html, any }) =>
        `${html.slice(0, 160)} ${any.map(({ message }) => message).join("; ").slice(0, 160)}`)]);
}"""

BROKEN = """() => {
    const broken = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text !== null; text = texts.nextNode()) {
        const of = text.parentElement;
        if (!of.checkVisibility({ visibilityProperty: true }) || of.closest("code, pre")) continue;
        // What is for screen readers alone has no width.
        if (of.getBoundingClientRect().width <= 1) continue;
        for (const { 0: word, index } of text.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
            const range = document.createRange();
            range.setStart(text, index);
            range.setEnd(text, index + word.length);
            const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
            if (lines.size > 1) broken.push(word);
        }
    }
    return broken;
}"""

TARGETS = """() => [...document.querySelectorAll("button, a[href], input, summary, [role=tab]")]
    // A link in a person's text is as high as its line.
    .filter((it) => it.checkVisibility({ visibilityProperty: true }) && !it.closest(".visually-hidden, .text"))
    .map((it) => [it.getBoundingClientRect(), it.outerHTML.slice(0, 100)])
    .filter(([{ width, height }]) => width > 1 && Math.min(width, height) < %d)
    .map(([{ width, height }, html]) => `${Math.round(width)} x ${Math.round(height)} ${html}`)"""


MISSED = """() => [...document.querySelectorAll("button, a[href], input, summary, [role=tab]")]
    .filter((it) => it.checkVisibility({ visibilityProperty: true }))
    .filter((it) => !it.closest(".visually-hidden, .skip-link, .text"))
    .map((it) => it.closest("label") ?? it)
    .filter((it) => {
        it.scrollIntoView({ block: "center", behavior: "instant" });
        const { left, right, top, bottom } = it.getBoundingClientRect();
        const [x, y] = [(left + right) / 2, (top + bottom) / 2];
        return [[x, y - 21], [x, y + 21], [x - 21, y], [x + 21, y]].some((point) => {
            const hit = document.elementFromPoint(...point);
            return hit === null || !it.contains(hit);
        });
    })
    .map((it) => it.outerHTML.slice(0, 120))"""
"""The targets that a finger misses which is up to 21 px from their middle."""


@pytest.fixture
def values(tmp_path: Path) -> Path:
    file = tmp_path / "values"
    file.write_text("low")
    return file


@pytest.fixture
def everything(values: Path) -> Iterator[Server]:
    with serve("run", BOARD, env={"VALUES": str(values)}) as server:
        yield server


def coloured(page: Page, colours: str) -> None:
    page.emulate_media(
        color_scheme="dark" if colours == "dark" else "light", forced_colors="active" if colours == "forced" else "none"
    )


def quiet(page: Page, server: Server) -> None:
    page.goto(server.url)
    expect(page.locator(".health-says")).to_have_text("All quiet")
    expect(page.locator(".chart canvas").first).to_be_visible()


def firing(page: Page, server: Server, values: Path) -> None:
    """Show a page on which two rules fire, with their group open."""
    values.write_text("high")
    page.goto(server.url)
    expect(page.locator(".health-says")).to_have_text("3 firing")
    page.locator(".group-toggle").click()
    expect(page.locator(".members .alert")).to_have_count(2)
    # On a phone the charts begin below what fires, and are drawn when one scrolls there.
    page.locator(".chart").first.scroll_into_view_if_needed()
    expect(page.locator(".chart canvas").first).to_be_visible()


def findings(page: Page, widths: tuple[int, ...] = WIDTHS) -> Any:
    found = {}
    page.evaluate(AXE.read_text())
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        page.mouse.move(5, 5)
        page.wait_for_timeout(300)
        if problems := page.evaluate(FINDINGS):
            found[width] = problems
    return found


@pytest.mark.parametrize("colours", ["light", "dark", "forced"])
def test_axe_finds_nothing_on_a_quiet_page(page: Page, everything: Server, colours: str) -> None:
    coloured(page, colours)
    quiet(page, everything)
    assert findings(page) == {}


@pytest.mark.parametrize("colours", ["light", "dark", "forced"])
def test_axe_finds_nothing_on_a_firing_page_with_a_group_and_a_menu_open(
    page: Page, everything: Server, values: Path, colours: str
) -> None:
    coloured(page, colours)
    firing(page, everything, values)
    assert findings(page) == {}
    page.get_by_role("button", name="Theme and density").click()
    expect(page.get_by_role("dialog", name="Theme and density")).to_be_visible()
    assert findings(page) == {}
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Silence: CPU usage high").click()
    expect(page.get_by_label("Reason")).to_be_visible()
    assert findings(page) == {}


@pytest.mark.parametrize("colours", ["light", "dark", "forced"])
def test_axe_finds_nothing_at_a_past_time_with_a_chosen_range_and_in_what_is_enlarged(
    page: Page, everything: Server, values: Path, colours: str
) -> None:
    coloured(page, colours)
    firing(page, everything, values)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".status .state")).to_have_text("Standing still")
    timeline = page.locator(".states")
    timeline.scroll_into_view_if_needed()
    timeline.get_by_role("img").focus()
    for key in ("End", "ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    expect(timeline.locator(".brush-pill")).to_be_visible()
    assert findings(page) == {}
    page.keyboard.press("Escape")
    heatmap = page.locator(".heatmap")
    expect(heatmap.locator("canvas").first).to_be_visible()
    for panel, table in ((timeline, "Services"), (heatmap, "Request duration")):
        page.get_by_role("button", name=f"More: {table}").click()
        page.get_by_role("button", name="Show as table").click()
        expect(panel.locator("tbody tr").first).to_be_visible()
    assert findings(page, (390, 1440)) == {}
    for chart in ("took.buckets", "pod_cpu"):
        page.goto(f"{everything.url}#chart={chart}")
        expect(page.locator(".enlarged canvas").first).to_be_visible()
        expect(page.locator(".enlarged tbody tr").first).to_be_visible()
        assert findings(page, (390, 1440)) == {}


@pytest.mark.parametrize("colours", ["light", "dark", "forced"])
def test_axe_finds_nothing_on_a_wall_with_panels(page: Page, everything: Server, values: Path, colours: str) -> None:
    coloured(page, colours)
    values.write_text("high")
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"{everything.url}?kiosk")
    expect(page.locator(".kiosk-firing")).to_have_count(2)
    page.locator(".heatmap").scroll_into_view_if_needed()
    expect(page.locator(".heatmap canvas").first).to_be_visible()
    page.evaluate(AXE.read_text())
    assert page.evaluate(FINDINGS) == []


def test_nothing_is_cut_or_broken_at_320_px(page: Page, everything: Server, values: Path) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    quiet(page, everything)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate(BROKEN) == []
    firing(page, everything, values)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert page.evaluate(BROKEN) == []


def test_targets_are_large_enough(context: BrowserContext, everything: Server, values: Path) -> None:
    page = context.new_page()
    firing(page, everything, values)
    assert page.evaluate(TARGETS % 24) == []


@pytest.mark.parametrize(("width", "height"), [(390, 844), (820, 1180)], ids=["phone", "tablet"])
def test_targets_are_larger_for_a_finger(
    context: BrowserContext, everything: Server, values: Path, width: int, height: int
) -> None:
    browser = context.browser
    assert browser
    touched = browser.new_context(viewport={"width": width, "height": height}, has_touch=True, is_mobile=True)
    try:
        page = touched.new_page()
        firing(page, everything, values)
        # Some that are over, and the same again.
        values.write_text("low")
        expect(page.locator(".health-says")).to_have_text("All quiet")
        firing(page, everything, values)
        assert page.evaluate("matchMedia('(pointer: coarse)').matches")
        for part in (".metric-card", ".live-table", ".alert-actions", ".recent-line", ".chart"):
            expect(page.locator(part).first).to_be_visible()
        assert page.evaluate(MISSED) == []
    finally:
        touched.close()


def test_nothing_is_animated_for_who_wants_less_motion(page: Page, everything: Server, values: Path) -> None:
    page.emulate_media(reduced_motion="reduce")
    firing(page, everything, values)
    moving = page.evaluate("document.getAnimations().map((it) => it.effect.target.outerHTML.slice(0, 80))")
    assert moving == []
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
