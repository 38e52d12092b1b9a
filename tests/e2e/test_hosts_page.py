"""The page of a wall: all its hosts in a table, their alerts in cells, and a thousand of them on a screen."""

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from tests.e2e.conftest import Watched
from tests.e2e.looks import CONTRAST, watch_shifts
from tests.e2e.test_everyone_page import AXE, FINDINGS
from tests.fleet.real_walls import running
from tests.serving import Server, serve

BOARD = str(Path(__file__).parent / "boards" / "hosts.py")
NO_VALUE = "\N{EN DASH}"
GONE = re.compile(r"^gone \d\d:\d\d:\d\d$")


@contextmanager
def a_wall(count: int, state: Path | None = None, firing: int = 1) -> Iterator[Server]:
    """Serve a wall of hosts. Those that `state` names are gone."""
    env = {"HOSTS": str(count), "FIRING": str(firing)} | ({} if state is None else {"STATE": str(state)})
    with serve("run", BOARD, env=env) as server:
        yield server


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("wall") / "gone"
    path.write_text("")
    return path


@pytest.fixture(scope="module")
def fifty(state: Path) -> Iterator[Server]:
    """Yield a wall of 50 hosts, two of which are in trouble."""
    with a_wall(50, state) as server:
        yield server


@pytest.fixture(autouse=True)
def all_there(state: Path) -> None:
    state.write_text("")


def test_the_table_has_each_host_the_worst_first_and_groups_say_what_is_in_them(
    watched: Watched, fifty: Server
) -> None:
    page = watched.page
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(fifty.url)
    rows = page.locator("tr.host")
    # "prod" has 31 hosts, more than a group shows at once: what fires, and eight others.
    expect(page.locator("tr.host-group")).to_contain_text(["prod", "staging", "edge"])
    expect(rows).to_have_count(2 + 8 + 12 + 7)
    # Under the pointer, rows keep their order.
    expect(rows.nth(0)).to_have_attribute("data-host", "web-03")
    more = page.get_by_role("button", name="21 more in prod, all calm")
    more.click()
    expect(rows).to_have_count(50)
    expect(more).to_have_count(0)
    expect(rows.nth(0)).to_have_attribute("data-host", "web-03")
    expect(rows.nth(0)).to_have_attribute("data-wrong", "critical")
    expect(rows.nth(1)).to_have_attribute("data-wrong", "warning")
    # One value of each row is bold: that of the alert, else the one nearest to its own limit.
    assert rows.locator(".worst").count() == 50
    expect(rows.nth(0).locator(".worst")).to_contain_text("96.1")
    expect(rows.nth(1).locator(".worst")).to_contain_text(re.compile(r"9\d\.\d"))
    expect(page.locator(".hosts-table thead")).to_contain_text("host, worst first")
    expect(page.locator(".hosts-table thead")).to_contain_text("% of the fullest")
    group = page.locator("tr.host-group").first
    expect(group).to_contain_text("31")
    expect(group.locator(".host-value small")).to_have_text(["avg", "avg", "max", "sum", "max"])
    expect(group.locator(".severity-shape")).to_have_count(2)
    expect(page.locator(".host-note").filter(has_text="clock +4.2 s")).to_have_count(1)
    expect(page.locator(".host-note").filter(has_text=re.compile("filling .+"))).to_have_count(1)
    expect(page.locator(".host-note").filter(has_text="restarted")).to_have_count(1)
    height = rows.nth(3).bounding_box()
    assert height is not None
    assert 21 <= height["height"] <= 24
    # Those that share a name are told apart by the group: a click goes to the host's own board.
    expect(rows.nth(0).get_by_role("link")).to_have_attribute("href", "hosts/web-03/")
    rows.nth(0).locator("td").nth(3).click(force=True)
    expect(page).to_have_url(re.compile(r"/hosts/web-03/$"))
    assert [error for error in watched.errors if "404" not in error] == []


def test_the_first_rows_of_a_wall_are_in_sight_on_a_laptop(page: Page, fifty: Server) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{fifty.url}?group=none")
    expect(page.locator("tr.host")).to_have_count(32)
    out = "(all) => all.filter((it) => it.getBoundingClientRect().bottom <= innerHeight).length"
    assert page.locator("tr.host").evaluate_all(out) >= 20
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440


def test_what_is_filtered_sorted_and_grouped_by_is_in_the_link(page: Page, fifty: Server) -> None:
    page.goto(fifty.url)
    rows = page.locator("tr.host")
    box = page.get_by_label("Filter hosts")
    box.fill("env=staging db")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("s-db-01")
    page.get_by_role("button", name=re.compile("^Sort hosts")).click()
    page.get_by_role("button", name="By name").click()
    page.get_by_role("button", name=re.compile("^Group hosts")).click()
    page.get_by_role("button", name="No groups").click()
    expect(page.locator("tr.host-group")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"\?filter=env%3Dstaging\+db&sort=name&group=none$"))
    page.reload()
    expect(rows).to_have_count(1)
    expect(box).to_have_value("env=staging db")
    box.press("Escape")
    expect(rows.nth(0)).to_have_attribute("data-host", "ams-01")
    box.fill("nothing like it")
    expect(page.get_by_text("No host matches")).to_be_visible()
    box.fill("")
    # A column's head sorts by it; the table says so.
    page.get_by_role("columnheader", name="CPU").get_by_role("button").click()
    expect(page.get_by_role("columnheader", name="CPU")).to_have_attribute("aria-sort", "descending")
    expect(rows.nth(0)).to_have_attribute("data-host", "web-02")
    page.get_by_role("button", name=re.compile("^Firing 2$")).click()
    expect(rows).to_have_count(2)


def test_a_host_that_is_gone_never_looks_live_and_comes_back(page: Page, fifty: Server, state: Path) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(fifty.url)
    row = page.locator('tr.host[data-host="s-db-01"]')
    expect(row).to_have_attribute("data-state", "live")
    expect(page.locator(".gone-badge")).to_have_count(0)
    state.write_text("s-db-01\n")
    expect(row).to_have_attribute("data-wrong", "gone")
    expect(row.locator(".host-up")).to_have_text(GONE)
    expect(row.locator(".host-number")).to_have_text([NO_VALUE] * 5)
    expect(row.locator(".host-bar span, .worst, .dot")).to_have_count(0)
    expect(page.locator(".gone-badge")).to_have_text("1 Gone")
    cell = page.locator(".host-cells .gone")
    expect(cell).to_contain_text(
        re.compile(r"GONE\s*s-db-01.*No word for .*since \d\d:\d\d:\d\d · no goodbye", re.DOTALL)
    )
    expect(cell.get_by_role("link")).to_have_attribute("href", re.compile(r"^hosts/s-db-01/\?from=.*&to="))
    expect(page.locator(".health-says")).to_have_text("2 firing, 1 gone")
    expect(page.locator(".health-more").first).to_contain_text("on 3 of 50 hosts · 49 live, seen within 3 s")
    # The first of its group but for what fires.
    expect(page.locator("tr.host-group", has_text="staging")).to_contain_text("11 of 12 live")
    page.get_by_role("button", name=re.compile("^Gone 1$")).click()
    expect(page.locator("tr.host")).to_have_count(1)
    state.write_text("")
    expect(page.locator(".gone-badge, .host-cells .gone")).to_have_count(0)
    page.get_by_role("button", name=re.compile("^All 50$")).click()
    expect(row).to_have_attribute("data-state", "live")


def test_alerts_are_cells_that_name_their_host_and_act_on_it(page: Page, fifty: Server) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(fifty.url)
    cells = page.locator(".host-cells .alert")
    expect(cells).to_contain_text([re.compile("CRITICAL.*web-03", re.DOTALL), re.compile("WARNING.*web-02", re.DOTALL)])
    expect(cells.first.locator(".alert-host")).to_have_attribute("href", "hosts/web-03/")
    boxes = [cell.bounding_box() for cell in cells.all()]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["height"] <= 72
    cells.nth(1).get_by_role("button", name="Acknowledge").click()
    expect(cells.nth(1)).to_contain_text("acknowledged")
    groups = page.get_by_role("navigation", name="Groups of hosts").get_by_role("link")
    expect(groups).to_have_text([re.compile("prod, critical"), "staging", "edge"])
    page.set_viewport_size({"width": 800, "height": 900})
    page.wait_for_function(
        "() => new Set([...document.querySelectorAll('.host-cells .alert')].map((it) => it.offsetTop)).size === 2"
    )


def test_equal_rules_on_many_hosts_are_one_cell(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    with serve("run", BOARD, env={"HOSTS": "50", "HOT": "6"}) as server:
        page.goto(server.url)
        cells = page.locator(".host-cells .alerts > .alert")
        expect(cells).to_have_count(2)
        expect(cells.nth(1)).to_contain_text(re.compile(r"WARNING.*6 hosts.*worst \S+ at 9\d\.\d %", re.DOTALL))
        expect(page.locator(".health-says")).to_have_text("7 firing")
        cells.nth(1).locator(".group-toggle").click()
        expect(page.locator(".members .alert")).to_have_count(6)
        cells.nth(1).get_by_role("button", name="Acknowledge 6").click()
        expect(cells.nth(1)).to_contain_text("all acknowledged")
        page.set_viewport_size({"width": 1920, "height": 1080})
        page.goto(f"{server.url}?kiosk")
        group = page.locator(".wall-item").filter(has_text="WARNING")
        expect(group.locator(".wall-host")).to_have_text("6 web hosts")
        expect(group.locator(".wall-who")).to_have_text(re.compile(r"\d\d:\d\d$"))


def test_one_chart_shows_all_hosts_and_the_eight_highest_in_colour(page: Page, fifty: Server) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(fifty.url)
    chart = page.locator(".hosts-chart .chart")
    chart.scroll_into_view_if_needed()
    expect(chart.locator("canvas").first).to_be_visible()
    expect(chart).to_contain_text("CPU of all hosts")
    names = chart.locator(".ranked-table tbody .name")
    expect(names).to_have_count(8)
    # By the host alone, since its own labels say nothing more.
    expect(names.first).to_have_text("web-02")
    page.locator(".hosts-chart").get_by_role("button", name="Load").click()
    expect(chart).to_contain_text("Load of all hosts")
    expect(page.locator(".hosts-recent")).to_contain_text("Recent (0)")


def test_another_time_shows_the_hosts_as_they_were(page: Page, fifty: Server, state: Path) -> None:
    page.goto(fifty.url)
    row = page.locator('tr.host[data-host="s-db-01"]')
    expect(row).to_have_attribute("data-state", "live")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".status")).to_contain_text("Standing still")
    state.write_text("s-db-01\n")
    fifty.wait_for(lambda: any(host["state"] == "gone" for host in fifty.json("/api/hosts")["hosts"]))
    expect(row).to_have_attribute("data-state", "live")
    expect(page.locator(".gone-badge")).to_have_count(0)
    expect(page.locator(".health-more").first).not_to_contain_text("seen within")
    expect(row.get_by_role("link")).to_have_attribute("href", re.compile(r"^hosts/s-db-01/\?from=.*&to="))
    page.get_by_role("button", name="Live", exact=True).click()
    expect(row).to_have_attribute("data-state", "gone")
    expect(page.locator(".gone-badge")).to_have_text("1 Gone")


def test_the_keyboard_reaches_every_host_and_what_folds(page: Page, fifty: Server) -> None:
    page.goto(fifty.url)
    # The limits of the columns have come.
    expect(page.locator("tr.host .host-up").first).to_have_text(re.compile(r"\d d$"))
    page.get_by_role("columnheader", name="Load").get_by_role("button").focus()
    page.keyboard.press("Tab")
    group = page.get_by_role("button", name="prod", exact=True)
    expect(group).to_be_focused()
    page.keyboard.press("Enter")
    expect(group).to_have_attribute("aria-expanded", "false")
    expect(page.locator("tr.host")).to_have_count(12 + 7)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator('tr.host[data-host="web-03"] a')).to_be_focused()
    outline = "getComputedStyle(document.activeElement.closest('tr')).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/hosts/web-03/"))


def test_few_hosts_have_high_rows_and_all_is_quiet(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    with a_wall(3, firing=0) as server:
        page.goto(server.url)
        rows = page.locator("tr.host")
        expect(rows).to_have_count(3)
        expect(page.locator(".health-says")).to_have_text("All quiet")
        expect(page.locator(".health-more").first).to_contain_text("3 hosts · 3 live")
        box = rows.first.bounding_box()
        assert box is not None
        assert 39 <= box["height"] <= 42
        page.goto(f"{server.url}?kiosk")
        expect(page.locator(".wall-cell-name")).to_have_count(3)
        expect(page.locator(".wall-band")).to_have_count(0)


def test_a_thousand_hosts_cost_few_rows_and_nothing_moves_by_itself(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    gone = tmp_path / "gone"
    gone.write_text("web-018\nsin-13\nsin-14\nsin-15\nsin-16\n")
    with a_wall(1000, gone) as server:
        page.goto(server.url)
        rows = page.locator("tr.host")
        expect(rows).to_have_count(3 + 8 + 8 + 4 + 8)
        expect(page.locator(".host-cells .gone").filter(has_text="4 hosts")).to_contain_text("sin-13 and 3 others")
        page.get_by_role("button", name="609 more in prod, all calm").click()
        expect(rows).to_have_count(131)
        watch_shifts(page, "tr.host, .host-cells, header")
        page.wait_for_timeout(2_000)
        assert page.evaluate("window.shifts") == []
        page.get_by_label("Filter hosts").fill("sin-1")
        expect(rows).to_have_count(10)

        page.set_viewport_size({"width": 2560, "height": 1440})
        page.goto(f"{server.url}?kiosk")
        cells = page.locator(".wall-cell")
        expect(cells).to_have_count(1000)
        expect(page.locator(".wall-tally")).to_have_text("995 of 1,000 live")
        expect(page.locator('[data-cells="number"]')).to_have_count(1)
        out = "(all) => all.filter((it) => it.getBoundingClientRect().bottom > innerHeight).length"
        assert cells.evaluate_all(out) == 0
        assert page.evaluate("document.documentElement.scrollHeight") <= 1440
        scrolls = "(all) => all.filter((it) => it.scrollHeight > it.clientHeight).length"
        assert page.locator(".wall-group").evaluate_all(scrolls) == 0
        expect(page.locator('.wall-cell[data-wrong="critical"]')).to_have_text("web-003, Disk 96 %, critical96")
        expect(page.locator('.wall-cell[data-state="gone"] b')).to_have_text(["gone"] * 5)
        expect(page.locator(".wall-item")).to_contain_text(
            [
                re.compile("CRITICAL.*web-003.*not acknowledged", re.DOTALL),
                re.compile("WARNING.*web-002", re.DOTALL),
                re.compile("GONE.*4 of 24 in sin", re.DOTALL),
                re.compile("GONE.*web-018", re.DOTALL),
            ]
        )
        expect(page.get_by_role("button")).to_have_count(0)
        places = "(all) => all.map((it) => `${it.dataset.host} ${it.offsetLeft} ${it.offsetTop}`)"
        before = cells.evaluate_all(places)
        gone.write_text("fra-01\n")
        expect(page.locator('.wall-cell[data-host="fra-01"]')).to_have_attribute("data-state", "gone")
        expect(page.locator('.wall-cell[data-state="gone"]')).to_have_count(1)
        assert cells.evaluate_all(places) == before


def test_a_phone_lists_hosts_in_two_lines(page: Page, fifty: Server, state: Path) -> None:
    state.write_text("web-05\n")
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(fifty.url)
        rows = page.locator(".phone-host")
        # The first ten of each group.
        expect(rows).to_have_count(10 + 10 + 7)
        expect(rows.nth(0)).to_contain_text(
            re.compile(r"web-03.*96\.1.*% disk.*CPU \d+ · mem \d+ · load 0\.\d", re.DOTALL)
        )
        expect(rows.nth(2)).to_contain_text(re.compile(r"web-05.*gone.*gone \d\d:\d\d:\d\d", re.DOTALL))
        expect(page.get_by_role("button", name="21 more in prod, all calm")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        heights = rows.evaluate_all("(all) => all.map((it) => it.offsetHeight)")
        assert all(50 <= height <= 56 for height in heights)
        buttons = page.locator(".host-cells .alert-actions button")
        assert all(height >= 44 for height in buttons.evaluate_all("(all) => all.map((it) => it.offsetHeight)"))
        values = page.locator(".host-cells .alert-value")
        expect(values.first).to_contain_text("96.1 %")
        # On one line.
        assert all(height <= 24 for height in values.evaluate_all("(all) => all.map((it) => it.offsetHeight)"))
        expect(page.locator(".host-cells .spark").first).to_be_hidden()
        alerts, table = page.locator("#alerts").bounding_box(), page.locator(".hosts").bounding_box()
        assert alerts is not None
        assert table is not None
        assert alerts["y"] < table["y"]


@pytest.mark.parametrize("look", ["light", "dark", "forced", "phone"])
def test_axe_finds_nothing_on_a_wall_of_hosts(page: Page, fifty: Server, state: Path, look: str) -> None:
    state.write_text("web-05\n")
    page.emulate_media(
        color_scheme="dark" if look == "dark" else "light", forced_colors="active" if look == "forced" else "none"
    )
    page.set_viewport_size({"width": 390 if look == "phone" else 1440, "height": 900})
    page.goto(fifty.url)
    expect(page.locator(".host-cells .gone")).to_have_count(1)
    page.evaluate(AXE.read_text())
    assert page.evaluate(FINDINGS) == []
    faint = page.locator("tr.host[data-state=gone] a, .phone-host[data-wrong=gone] a").first
    if look != "forced":
        assert faint.evaluate(CONTRAST) >= 4.5


@pytest.mark.parametrize("look", ["light", "dark", "forced"])
def test_axe_finds_nothing_on_a_screen_of_hosts(page: Page, fifty: Server, state: Path, look: str) -> None:
    state.write_text("web-05\n")
    page.emulate_media(
        color_scheme="dark" if look == "dark" else "light", forced_colors="active" if look == "forced" else "none"
    )
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"{fifty.url}?kiosk")
    expect(page.locator('.wall-cell[data-state="gone"]')).to_have_count(1)
    page.evaluate(AXE.read_text())
    assert page.evaluate(FINDINGS) == []


def test_details_that_cannot_be_loaded_are_told_and_the_hosts_are_shown_all_the_same(
    watched: Watched, fifty: Server
) -> None:
    page = watched.page

    def refuse(route: Route) -> None:
        route.fulfill(status=503, body="no")

    page.route("**/api/hosts*", refuse)
    page.goto(fifty.url)
    expect(page.locator(".hosts-foot")).to_contain_text("Details of the hosts could not be loaded: 503")
    expect(page.locator("tr.host").first).to_have_attribute("data-host", "web-03")
    page.goto(f"{fifty.url}?kiosk")
    expect(page.locator(".wall-cell")).to_have_count(50)


def test_a_real_wall_shows_its_hosts_and_a_click_opens_a_host_s_own_board(page: Page, tmp_path: Path) -> None:
    with running(tmp_path, "a", "b") as walls:
        for name in ("a", "b"):
            walls.wait_for_ticks(name, 1)
        page.goto(walls.wall.url)
        rows = page.locator("tr.host")
        expect(rows).to_have_count(2)
        expect(rows.locator("a")).to_have_text(["a", "b"])
        expect(page.locator(".hosts-table thead")).to_contain_text(re.compile("value.*disk", re.DOTALL))
        # A longer range comes from the history, with every column and who was there.
        page.goto(f"{walls.wall.url}?range=15m")
        for name in ("a", "b"):
            row = page.locator(f'tr.host[data-host="{name}"]')
            expect(row).to_have_attribute("data-state", "live")
            expect(row.locator(".host-number")).to_have_text([re.compile(r"\d")] * 2)
            expect(row.locator(".host-line path").first).to_have_attribute("d", re.compile("M.*L"))
        walls.hosts["b"].end(signal.SIGKILL)
        expect(page.locator('tr.host[data-host="b"]')).to_have_attribute("data-wrong", "gone")
        page.locator('tr.host[data-host="a"] a').click()
        expect(page.get_by_role("heading", name="Board of a")).to_be_visible()
        expect(page.locator(".status")).to_contain_text("Live")
        page.get_by_role("link", name="Back to the wall").click()
        expect(rows).to_have_count(2)


HOST = """
from tickboard import Board

board = Board("Board of NAME", interval_ms=200)
board.publish(name="NAME", labels={"env": "prod"})
queue = board.gauge("queue", "Queue", overview=True)
board.alert(queue > 10, "queue of {value:.0f} jobs", severity="warning", name="long_queue")

@board.every()
def sample():
    queue.set(42)
"""


def test_alerts_of_hosts_name_them_and_are_acknowledged_where_they_arose(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    with ExitStack() as stack:
        hosts: list[Server] = []
        for name in ("web-1", "web-2"):
            file = tmp_path / f"{name}.py"
            file.write_text(HOST.replace("NAME", name))
            hosts.append(stack.enter_context(serve("run", str(file))))
        urls = [host.url.rstrip("/") for host in hosts]
        wall = stack.enter_context(serve("follow", *urls, "--interval", "200"))
        page.goto(wall.url)
        cell = page.locator(".host-cells .alerts > .alert")
        expect(cell).to_have_count(1)
        expect(cell).to_contain_text("2 hosts")
        # A column has the limit of the hosts' own rules.
        expect(page.locator("tr.host[data-wrong=warning] td.worst")).to_have_text(["42.0", "42.0"])
        cell.locator(".group-toggle").click()
        members = page.locator(".members .alert")
        expect(members).to_contain_text(["queue of 42 jobs", "queue of 42 jobs"])
        expect(members.filter(has_text="web-2: queue of 42 jobs")).to_have_count(1)
        members.filter(has_text="web-2").get_by_role("button", name="Acknowledge").click()
        expect(members.filter(has_text="web-2")).to_contain_text("acknowledged")
        acknowledged = [
            ["acknowledged" in alert for alert in host.json("/api/alerts?from=-1h")["alerts"]] for host in hosts
        ]
        assert acknowledged == [[False], [True]]


MARKUP = """<img src=x onerror=alert(1)>"'</script><script>alert(2)</script>\N{FAMILY}\u0301"""

SAYS = f"""
from tickboard import Board

board = Board({MARKUP!r})
value = board.gauge("value", {MARKUP!r}, unit={MARKUP[:64]!r}, labels=("place",), overview=True)
value.labels(place={MARKUP!r} + "\u202e").set(99)
for number in range(3):
    board.gauge(f"other{{number}}", unit={"u" * 64!r}, overview=True).set(5)
board.alert(value > 5, {MARKUP!r} + " {{place}} " + "x" * 10_000, severity="critical")
board.publish(name="web-1", labels={{"env": {MARKUP!r}, "role": {MARKUP!r}}})
"""


def test_what_a_host_says_is_text_that_neither_hides_its_name_nor_widens_the_page(
    watched: Watched, tmp_path: Path
) -> None:
    file = tmp_path / "says.py"
    file.write_text(SAYS)
    page = watched.page
    page.add_init_script("window.alert = (text) => console.error(text)")
    with serve("run", str(file)) as one, serve("run", str(file)) as two, serve("follow", one.url, two.url) as wall:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(wall.url)
        expect(page.locator(".host-note")).to_contain_text("another host has its name: give one of them another name")
        expect(page.locator("tr.host .host-value").first).to_contain_text("99")
        name = page.locator("tr.host").get_by_role("link", name="web-1")
        assert name.evaluate("(it) => it.scrollWidth <= it.clientWidth")
        for path, shown in (("", ".alert-list, .hosts"), ("?kiosk", ".wall-item"), ("hosts/web-1/", "main")):
            page.goto(f"{wall.url}{path}")
            expect(page.locator(shown).filter(has_text="<img src=x").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= 1440, path
            assert page.locator("img").count() == 0, path
    assert [error for error in watched.errors if "WebSocket" not in error] == []
