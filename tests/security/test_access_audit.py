"""The audit of a server: logins, failures and changes, with names and addresses, for admins alone."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.security.access import Accounts
from tests.security.test_access_login import Board, log_in, secret_of
from tests.security.test_access_routes import BOARD
from tests.serving import serve


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    accounts = Accounts(tmp_path_factory.mktemp("access") / "access.json")
    accounts.person("Ann", "operator")
    with serve("run", BOARD, "--auth", "required", *accounts.flags) as server:
        yield Board(server, accounts, "/")


@pytest.fixture(scope="module")
def admin(board: Board) -> dict[str, str]:
    headers = board.accounts.headers("admin")
    board.server.wait_for(lambda: httpx.get(f"{board.url}api/audit", headers=headers).status_code == 200)
    return headers


def entries(board: Board, admin: dict[str, str], *what: str) -> list[dict[str, Any]]:
    with board.browser() as browser:
        found = browser.get("api/audit", headers=admin).json()["entries"]
    return [each for each in found if each["what"] in what]


def test_logins_failures_and_changes_are_recorded(board: Board, admin: dict[str, str]) -> None:
    link = board.link("ann")
    with board.browser() as browser:
        address = browser.headers["X-Forwarded-For"]
        for _ in range(2):
            log_in(browser, password="wrong")
        log_in(browser)
        browser.post("api/marks", json={"text": "x"})
        browser.post("api/marks", json={"text": ""})
        browser.get("own")
        for _ in range(2):
            browser.post("api/metrics", json={})
        browser.post("logout")
        browser.post("login", data={"once": secret_of(link)})
    found = [
        {name: each[name] for name in ("what", "who", "address", "detail", "count")}
        for each in entries(board, admin, "login", "logout", "login failed", "change", "refused")
        if each["address"] == address
    ]
    assert sorted(found, key=str) == sorted(
        [
            {"what": what, "who": "Ann", "address": address, "detail": detail, "count": count}
            for what, detail, count in (
                ("login failed", "by password", 2),
                ("login", "by password", 1),
                ("change", "POST /api/marks", 1),
                ("refused", "GET another path", 1),
                ("refused", "POST /api/metrics", 2),
                ("logout", "", 1),
            )
        ]
        + [{"what": "login", "who": "Ann", "address": address, "detail": "by link", "count": 1}],
        key=str,
    )


def test_a_change_by_a_route_of_the_owner_is_recorded(board: Board, admin: dict[str, str]) -> None:
    with board.browser() as browser:
        assert browser.post("own", headers=admin).status_code == 200
        address = browser.headers["X-Forwarded-For"]
    [entry] = [each for each in entries(board, admin, "change") if each["address"] == address]
    assert entry["detail"] == "POST /own"


def test_changes_by_commands_are_recorded(board: Board, admin: dict[str, str]) -> None:
    board.accounts.token("viewer", name="tv")
    board.accounts.person("Bob", "viewer")
    details = ("the token", "the user was added as viewer")

    def found() -> set[tuple[str, str]]:
        return {(each["who"], each["detail"]) for each in entries(board, admin, "users and tokens")}

    board.server.wait_for(lambda: {who for who, _ in found()} >= {"tv", "Bob"})
    assert all(any(detail.startswith(start) for start in details) for who, detail in found() if who in {"tv", "Bob"})


def test_a_token_that_is_not_valid_is_recorded_without_it(board: Board, admin: dict[str, str]) -> None:
    with board.browser() as browser:
        # Neither the token nor the path is recorded, so that made-up ones are not ever new entries.
        for path in ("api/board", "a", "b", "api/alerts/c/ack"):
            browser.get(path, headers={"Authorization": f"Bearer secret-of-mine {path}"})
        browser.get("api/board")
        address = browser.headers["X-Forwarded-For"]
    [entry] = [each for each in entries(board, admin, "token refused") if each["address"] == address]
    assert (entry["who"], entry["count"]) == ("a token that is not valid", 4)
    with board.browser() as browser:
        assert "secret-of-mine" not in browser.get("api/audit", headers=admin).text
    assert "secret-of-mine" not in board.server.output()


def test_names_that_are_made_up_are_one_failure(board: Board, admin: dict[str, str]) -> None:
    with board.browser() as browser:
        address = browser.headers["X-Forwarded-For"]
        for name in ("eve\x1b[31m\nx", "my password"):
            log_in(browser, name, "wrong password")
            # Links are not slowed down, so a name beside one would fill the log.
            browser.post("login", data={"once": "x", "name": name})
        log_in(browser, "ANN", "wrong password")
    found = [each for each in entries(board, admin, "login failed") if each["address"] == address]
    assert {(each["who"], each["detail"], each["count"]) for each in found} == {
        ("an unknown name", "by password", 2),
        ("a link that is not valid", "by link", 2),
        ("Ann", "by password", 1),
    }
    board.server.wait_for(lambda: f"from {address} failed, by password: Ann" in board.server.output())
    assert board.server.output().count(f"from {address} failed") == 3
    assert "my password" not in board.server.output()
    assert "wrong password" not in board.server.output()


def test_other_methods_are_refused(board: Board, admin: dict[str, str]) -> None:
    with board.browser() as browser:
        assert browser.post("api/audit", headers=admin).status_code == 405
