"""How a person finds something on a page: search, outline, shortcuts, folding, pins and the back button."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.e2e.test_everyone_page import AXE, FINDINGS
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "sections.py")


@pytest.fixture(scope="module")
def board() -> Iterator[Server]:
    with serve("run", BOARD) as server:
        yield server


@pytest.fixture
def shown(page: Page, board: Server) -> Page:
    """The page with its first values."""
    page.goto(board.url)
    expect(page.locator('.metric-card[data-metric="cpu"] .now')).to_contain_text("42")
    return page


def field(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search metrics, labels, alerts")


def section(page: Page, title: str) -> Locator:
    return page.get_by_role("button", name=title, exact=True)


def focused(page: Page) -> str:
    """Return the text of the element that has the focus."""
    text: str = page.evaluate("document.activeElement.innerText ?? ''")
    return text


def test_the_search_finds_alerts_metrics_labels_table_rows_and_sections(shown: Page) -> None:
    shown.keyboard.press("/")
    expect(field(shown)).to_be_focused()
    # Without a question: what fires, the worst first, and where one can go.
    options = shown.get_by_role("option")
    expect(options.first).to_contain_text("Too many ticks")
    expect(shown.get_by_role("listbox").get_by_role("group")).to_have_count(2)
    field(shown).fill("swap")
    groups = shown.get_by_role("listbox").get_by_role("group")
    names = groups.evaluate_all("(all) => all.map((it) => it.getAttribute('aria-label'))")
    assert names == ["Firing", "Metrics", "Rows", "Sections"]
    expect(groups.nth(1).get_by_role("option")).to_contain_text(["Swap in use1.0 GiB"])
    expect(groups.nth(2).get_by_role("option")).to_contain_text(["kswapd0 root"])
    expect(shown.locator(".results mark").first).to_have_text("Swap")
    field(shown).fill("sdc")
    expect(options).to_have_text([re.compile(r"device=sdc.*Disk busy.*40\.0 %")])
    field(shown).fill("nowhere")
    expect(options).to_have_count(0)
    expect(shown.get_by_text("No results for “nowhere”")).to_be_visible()


def test_the_search_is_used_by_keyboard_and_goes_to_a_row_of_a_table(shown: Page) -> None:
    section(shown, "CPU").click()
    expect(shown.locator(".table-panel")).to_have_count(0)
    shown.keyboard.press("/")
    field(shown).fill("worker-1")
    options = shown.get_by_role("option")
    chosen = shown.locator('[role="option"][aria-selected="true"]')
    expect(chosen).to_contain_text("worker-1")
    first = field(shown).get_attribute("aria-activedescendant")
    assert first == chosen.get_attribute("id")
    shown.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    shown.keyboard.press("ArrowDown")
    shown.keyboard.press("Enter")
    # The section is unfolded, the table filtered, and the page stays where it was led.
    expect(shown.get_by_role("dialog")).to_have_count(0)
    expect(section(shown, "CPU")).to_have_attribute("aria-expanded", "true")
    table = shown.locator(".table-panel")
    expect(table).to_be_in_viewport()
    expect(table.locator("tbody th").first).to_have_text(re.compile("worker-1"))
    expect(table.get_by_label("Filter")).to_have_value("worker-1")
    expect(table).to_have_class(re.compile("stands-out"))


def test_the_search_leads_to_a_metric_in_a_folded_section(shown: Page) -> None:
    shown.set_viewport_size({"width": 1280, "height": 400})
    shown.keyboard.press("/")
    field(shown).fill("own_ticks")
    # What fires comes first, and leads to its chart.
    expect(shown.get_by_role("option")).to_contain_text(["Too many ticks", "Ticks7"])
    shown.keyboard.press("ArrowDown")
    shown.keyboard.press("Enter")
    card = shown.locator('.metric-card[data-metric="own_ticks"]')
    expect(card).to_be_in_viewport()
    expect(card.locator(".now")).to_contain_text("7")
    assert focused(shown) == "Ticks"
    # The history is as before: back leaves the page that was opened first.
    assert shown.evaluate("location.hash + (history.state === null)") == "true"


def test_the_search_leads_to_the_chart_of_what_fires(shown: Page) -> None:
    shown.keyboard.press("/")
    field(shown).fill("own_ticks")
    shown.keyboard.press("Enter")
    chart = shown.locator('.chart[data-metric="own_ticks"]')
    expect(chart).to_be_focused()
    expect(chart).to_be_in_viewport()
    expect(chart).to_have_class(re.compile("stands-out"))


def test_the_outline_shows_sections_with_their_state_and_goes_there(shown: Page) -> None:
    shown.keyboard.press("o")
    outline = shown.get_by_role("dialog", name="Outline")
    expect(outline.locator("li")).to_have_text(["CPU", "Memory and disks1 firing", "Busy", "Tickboard itself1 firing"])
    expect(outline.locator("li .severity-critical")).to_have_count(1)
    outline.get_by_role("button", name="Tickboard itself").click()
    expect(outline).to_have_count(0)
    expect(section(shown, "Tickboard itself")).to_have_attribute("aria-expanded", "true")
    expect(section(shown, "Tickboard itself")).to_be_focused()
    shown.keyboard.press("o")
    outline.get_by_role("button", name="Fold all").click()
    shown.keyboard.press("Escape")
    expect(shown.locator(".chart, .table-panel")).to_have_count(0)


def test_a_section_begins_as_the_board_says_and_stays_as_the_viewer_left_it(shown: Page) -> None:
    itself, cpu = section(shown, "Tickboard itself"), section(shown, "CPU")
    expect(itself).to_have_attribute("aria-expanded", "false")
    expect(shown.locator('[data-metric="own_ticks"]')).to_have_count(0)
    expect(shown.get_by_text("1 GiB of swap")).to_be_visible()
    # What fires in a folded section is still seen.
    expect(shown.locator('[data-section="Tickboard itself"] > h2 .severity-critical')).to_be_visible()
    itself.click()
    cpu.focus()
    shown.keyboard.press("Enter")
    shown.reload()
    expect(itself).to_have_attribute("aria-expanded", "true")
    expect(shown.locator('.chart[data-metric="own_ticks"]')).to_be_attached()
    expect(cpu).to_have_attribute("aria-expanded", "false")


def test_the_back_button_closes_what_was_opened(shown: Page) -> None:
    for key, name in (("/", "Search"), ("o", "Outline"), ("?", "Keyboard shortcuts")):
        shown.keyboard.press(key)
        dialog = shown.get_by_role("dialog", name=name)
        expect(dialog).to_be_visible()
        shown.go_back()
        expect(dialog).to_have_count(0)
    expect(shown.get_by_role("heading", level=1)).to_have_text("Sections")


def test_a_dialog_keeps_the_focus_and_gives_it_back(shown: Page) -> None:
    button = section(shown, "CPU")
    button.focus()
    shown.keyboard.press("o")
    expect(shown.get_by_role("dialog")).to_be_visible()
    for _ in range(12):
        shown.keyboard.press("Tab")
        # Between the last and the first the browser's own controls have their turn.
        assert shown.evaluate("document.activeElement.matches('body, dialog *')")
    shown.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_shortcuts_pause_change_the_theme_and_go_to_what_fires(shown: Page) -> None:
    shown.emulate_media(color_scheme="light")
    shown.keyboard.press(" ")
    expect(shown.locator(".status")).to_contain_text("Standing still")
    shown.keyboard.press(" ")
    expect(shown.locator(".status")).to_contain_text("Live")
    shown.keyboard.press("t")
    expect(shown.locator("html")).to_have_attribute("data-theme", "dark")
    shown.keyboard.press("t")
    expect(shown.locator("html")).to_have_attribute("data-theme", "light")
    for metric in ("own_ticks", "swap", "own_ticks"):
        shown.keyboard.press("n")
        panel = shown.locator(f'[data-metric="{metric}"].stands-out')
        expect(panel).to_be_in_viewport()
        assert panel.evaluate("(it) => it.contains(document.activeElement)")


def test_a_chart_is_enlarged_by_its_key_and_its_link(shown: Page, board: Server) -> None:
    shown.locator('.chart[data-metric="disk_busy"]').scroll_into_view_if_needed()
    shown.locator('.chart[data-metric="disk_busy"] [role="img"]').focus()
    shown.keyboard.press("e")
    expect(shown).to_have_url(re.compile("#chart=disk_busy$"))
    expect(shown.locator(".enlarged")).to_be_focused()
    shown.keyboard.press("e")
    expect(shown).not_to_have_url(re.compile("#chart"))


def test_a_second_press_of_the_key_is_not_lost_while_the_chart_is_being_enlarged(shown: Page) -> None:
    chart = shown.locator('.chart[data-metric="disk_busy"] [role="img"]')
    chart.scroll_into_view_if_needed()
    # As fast as no one can press: before the enlarged chart is there.
    press = """() => {
        for (let i = 0; i < 2; i++) {
            const press = new KeyboardEvent("keydown", { key: "e", bubbles: true, cancelable: true });
            document.activeElement.dispatchEvent(press);
        }
    }"""
    for _ in range(2):
        chart.focus()
        shown.evaluate(press)
        expect(shown).not_to_have_url(re.compile("#chart"))
        expect(shown.locator(".enlarged")).to_have_count(0)
        expect(chart).to_be_visible()


def test_what_fires_is_gone_to_from_an_enlarged_chart(shown: Page) -> None:
    enlarged = shown.locator(".enlarged")
    for metric in ("own_ticks", "swap"):
        shown.locator('.metric-card[data-metric="cpu"] .card-title').click()
        expect(enlarged).to_be_focused()
        shown.keyboard.press("n")
        expect(shown.locator(f'[data-metric="{metric}"]:focus-within')).to_be_in_viewport()
        expect(enlarged).to_have_count(0)
        expect(shown).not_to_have_url(re.compile("#chart"))
    shown.locator('.metric-card[data-metric="cpu"] .card-title').click()
    shown.locator("header [class$=-badge]").first.click()
    expect(shown).to_have_url(re.compile("#alerts$"))
    expect(shown.locator("#alerts")).to_be_in_viewport()
    expect(enlarged).to_have_count(0)


def test_escape_closes_one_thing_at_a_time(shown: Page) -> None:
    shown.locator('.metric-card[data-metric="cpu"] .card-title').click()
    shown.get_by_role("button", name="Theme and density").click()
    expect(shown.locator(".popover:popover-open")).to_be_visible()
    shown.keyboard.press("Escape")
    expect(shown.locator(".popover:popover-open")).to_have_count(0)
    expect(shown.locator(".enlarged")).to_be_visible()
    shown.keyboard.press("Escape")
    expect(shown.locator(".enlarged")).to_have_count(0)


def test_a_link_to_a_chart_that_is_not_there_shows_the_board(shown: Page, board: Server) -> None:
    shown.goto(f"{board.url}#chart=nothing")
    expect(shown).to_have_url(board.url)
    expect(shown.locator('.metric-card[data-metric="cpu"]')).to_be_visible()


def test_a_part_that_cannot_be_loaded_says_so_and_the_rest_goes_on(page: Page, board: Server) -> None:
    page.route(re.compile(r"/later[^/]*\.js"), lambda route: route.abort())
    page.goto(board.url)
    expect(page.locator(".place .not-loaded")).to_contain_text("This part could not be loaded: reload the page")
    expect(page.locator('.metric-card[data-metric="cpu"] .now')).to_contain_text("42")
    expect(page.locator(".chart canvas").first).to_be_visible()
    page.unroute_all()
    page.locator(".place .not-loaded").get_by_role("button", name="Reload").click()
    expect(page.locator(".table-panel tbody tr").first).to_be_visible()


def test_what_lies_over_charts_says_once_beside_them_that_it_cannot_be_loaded(page: Page) -> None:
    with serve("run", BOARD) as server:
        page.route(re.compile(r"/later[^/]*\.js"), lambda route: route.abort())
        # A mark is shown on all charts.
        assert page.request.post(f"{server.url}api/marks", data={"text": "Deployed"}).ok
        page.goto(server.url)
        said = page.locator("main > .not-loaded")
        expect(said).to_contain_text("This part could not be loaded: reload the page")
        charts = page.locator(".chart")
        charts.last.scroll_into_view_if_needed()
        expect(charts.last.locator("canvas")).to_be_visible()
        expect(charts).to_have_count(3)
        expect(said).to_have_count(1)
        expect(charts.locator(".not-loaded")).to_have_count(0)
        page.unroute_all()
        said.get_by_role("button", name="Reload").click()
        expect(said).to_have_count(0)
        # On a slow machine the first one is no longer in the window.
        assert page.request.post(f"{server.url}api/marks", data={"text": "Deployed again"}).ok
        expect(charts.first.locator(".time-overlay")).to_be_visible()


def test_shortcuts_do_not_fire_while_typing_or_with_a_modifier(shown: Page) -> None:
    shown.get_by_label("Filter").first.fill("")
    shown.keyboard.type("/o?t n")
    expect(shown.get_by_label("Filter").first).to_have_value("/o?t n")
    shown.locator("body").evaluate("(it) => document.activeElement.blur()")
    for keys in ("Control+o", "Alt+o", "Meta+o"):
        shown.keyboard.press(keys)
    expect(shown.get_by_role("dialog")).to_have_count(0)
    # On a button the space bar presses it.
    section(shown, "CPU").focus()
    shown.keyboard.press(" ")
    expect(section(shown, "CPU")).to_have_attribute("aria-expanded", "false")
    expect(shown.locator(".status")).to_contain_text("Live")


def test_all_shortcuts_are_listed_and_can_be_switched_off(shown: Page) -> None:
    shown.keyboard.press("?")
    dialog = shown.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog.locator("dt")).to_contain_text(["/", "Space", "e", "n", "o", "t", "?", "Esc"])
    dialog.get_by_label("Use single keys as shortcuts").uncheck()
    shown.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    shown.reload()
    expect(shown.locator(".status.connected")).to_be_visible()
    for key in ("/", "o", "?"):
        shown.keyboard.press(key)
    expect(shown.get_by_role("dialog")).to_have_count(0)
    shown.get_by_role("button", name="Keyboard shortcuts").click()
    dialog.get_by_label("Use single keys as shortcuts").check()
    shown.keyboard.press("Escape")
    shown.keyboard.press("o")
    expect(shown.get_by_role("dialog", name="Outline")).to_be_visible()


def test_a_panel_can_be_pinned_to_the_top_and_is_still_there_after_a_reload(shown: Page) -> None:
    table = shown.locator('[data-section="CPU"] .table-panel')
    menu = table.get_by_role("button", name="More: Process CPU")
    menu.focus()
    shown.keyboard.press("Enter")
    expect(shown.get_by_role("button", name="Pin to the top")).to_be_focused()
    shown.keyboard.press("Escape")
    expect(menu).to_be_focused()
    menu.click()
    shown.get_by_role("button", name="Pin to the top").click()
    pinned = shown.get_by_role("region", name="Pinned", exact=True)
    expect(pinned.locator(".table-panel tbody th").first).to_have_text("worker-29")
    # It stays where it was too, also when that is folded.
    expect(table).to_be_attached()
    section(shown, "CPU").click()
    shown.reload()
    expect(pinned.locator(".table-panel tbody th").first).to_have_text("worker-29")
    pinned.get_by_role("button", name="More: Process CPU").click()
    shown.get_by_role("button", name="Unpin from the top").click()
    expect(pinned).to_have_count(0)


def test_the_first_tab_stop_skips_to_the_panels(shown: Page) -> None:
    shown.keyboard.press("Tab")
    link = shown.get_by_role("link", name="Skip to the panels")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    shown.keyboard.press("Enter")
    shown.keyboard.press("Tab")
    assert focused(shown) == "CPU Usage"


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_what_is_open_fits_every_screen(shown: Page, width: int) -> None:
    shown.set_viewport_size({"width": width, "height": 700})
    for key in ("/", "o", "?"):
        shown.keyboard.press(key)
        dialog = shown.get_by_role("dialog")
        expect(dialog).to_be_visible()
        box = dialog.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= 700
        assert dialog.evaluate("(it) => it.scrollWidth <= it.clientWidth")
        small = dialog.locator("button, [role=option], label").evaluate_all(
            "(all) => all.filter((it) => it.offsetHeight < 24 || it.offsetWidth < 24).map((it) => it.outerHTML)"
        )
        assert small == []
        shown.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_what_is_open(shown: Page, scheme: str) -> None:
    shown.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    shown.evaluate(AXE.read_text())
    for key in ("/", "o", "?"):
        shown.keyboard.press(key)
        expect(shown.get_by_role("dialog")).to_be_visible()
        if key == "/":
            field(shown).fill("wor")
            expect(shown.get_by_role("option").first).to_be_visible()
        assert shown.evaluate(FINDINGS) == []
        shown.keyboard.press("Escape")
        expect(shown.get_by_role("dialog")).to_have_count(0)
    # The menu of a panel, and one that is pinned.
    more = shown.locator(".table-panel").get_by_role("button", name="More: Process CPU")
    more.click()
    assert shown.evaluate(FINDINGS) == []
    shown.get_by_role("button", name="Pin to the top").click()
    expect(shown.get_by_role("region", name="Pinned", exact=True)).to_be_visible()
    assert shown.evaluate(FINDINGS) == []
