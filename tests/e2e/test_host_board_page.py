"""The board of a host, opened through a wall over HTTP in a real browser: live, at another time, and acted upon."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Watched, loaded
from tests.e2e.test_login_page import is_live, log_in
from tests.security.access import Accounts
from tests.serving import Server, serve

BOARD = Path(__file__).parents[1] / "boards" / "boiling.py"
PREFIX = "/team/wall"


class World:
    """A host where people log in, and a wall below a prefix that may act on it."""

    def __init__(self, host: Server, wall: Server) -> None:
        self.host = host
        self.wall = wall
        self.url = f"http://127.0.0.1:{wall.port}{PREFIX}/"
        self.board = f"{self.url}hosts/kettle/"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("hosts")
    accounts, users = Accounts(folder / "host.json"), Accounts(folder / "wall.json")
    users.person("Ann", "operator")
    users.person("Tom", "viewer")
    kept = ("--history", str(folder / "host.history"), "--state", str(folder / "host.state"))
    with serve("run", str(BOARD), "--name", "kettle", "--auth", "required", *kept, *accounts.flags) as host:
        tokens = folder / "tokens"
        tokens.write_text(f"{host.url} {accounts.token('operator', name='wall')}\n")
        tokens.chmod(0o600)
        flags = ("--token-file", str(tokens), "--auth", "required", "--root-path", PREFIX, *users.flags)
        with serve("follow", host.url, *flags) as wall:
            wall.wait_for(lambda: "kettle" in names(users, wall))
            yield World(host, wall)


def names(users: Accounts, wall: Server) -> str:
    answer = httpx.get(f"http://127.0.0.1:{wall.port}{PREFIX}/api/hosts", headers=users.headers("viewer"))
    return answer.text if answer.status_code == 200 else ""


def test_an_operator_opens_the_board_of_a_host_and_acknowledges_there(world: World, watched: Watched) -> None:
    page = watched.page
    page.goto(world.board)
    expect(page).to_have_url(re.compile(r"/team/wall/login\?next=hosts"))
    log_in(page, "Ann")
    expect(page).to_have_url(world.board)
    is_live(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Kettle")
    expect(page.get_by_role("region", name="Steam")).to_contain_text("update this wall")
    updated = page.locator(".status .time")
    before = updated.inner_text()
    expect(updated).not_to_have_text(before)
    expect(page.locator(".alert").first).to_contain_text("It boils")
    page.get_by_role("button", name=re.compile("^Acknowledge")).first.click()
    expect(page.get_by_role("button", name=re.compile("^Acknowledged")).first).to_be_visible()
    expect(page.locator(".alert").first).to_contain_text("Ann via wall")
    assert watched.hosts == {f"127.0.0.1:{world.wall.port}"}
    assert watched.errors == []


def test_a_host_shows_another_time_through_the_wall(world: World, watched: Watched) -> None:
    page = watched.page
    enter(page, world, "Ann")
    loaded(page)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Back by half a range").click()
    expect(page).to_have_url(re.compile(r"/hosts/kettle/\?.*from=.*to="))
    expect(page.get_by_role("article").first).to_contain_text(re.compile(r"avg 4\d\.\d"))
    expect(page.locator(".state")).not_to_have_text("Live")
    page.reload()
    expect(page.get_by_role("article").first).to_contain_text(re.compile(r"avg 4\d\.\d"))
    assert watched.errors == []


def test_a_viewer_may_look_and_no_more(world: World, watched: Watched) -> None:
    page = watched.page
    enter(page, world, "Tom")
    expect(page.locator(".alert").first).to_contain_text("It boils")
    loaded(page)
    expect(page.get_by_role("button", name=re.compile("^Acknowledge"))).to_have_count(0)


def enter(page: Page, world: World, name: str) -> None:
    page.goto(f"{world.board}?")
    log_in(page, name)
    is_live(page)
