"""Logins that wait: failures delay them, a bounded number waits, and a right password is never refused for that."""

import asyncio
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.types import Message, Scope
from tests.security.access import PASSWORD, Accounts

from tickboard.access.authority import Authority
from tickboard.access.slowdown import FREE
from tickboard.problems import Problems
from tickboard.server.access.keeper import Keeper
from tickboard.server.access.login import LoginPages
from tickboard.server.access.login_queue import LoginQueue


@pytest.fixture
def pages(tmp_path: Path) -> LoginPages:
    accounts = Accounts(tmp_path / "access.json")
    accounts.person("Ann", "viewer")
    problems = Problems()
    return LoginPages(Keeper(accounts.file, Authority("host"), lambda: problems), "cookie")


async def post(pages: LoginPages, password: str, address: str = "192.0.2.1", name: str = "Ann") -> int:
    """Log in, and return the status."""
    start, _ = await answer(pages, password, address, name)
    return int(start["status"])


async def answer(pages: LoginPages, password: str, address: str = "192.0.2.1", name: str = "Ann") -> list[Message]:
    """Log in, and return the messages of the answer."""
    body = urlencode({"name": name, "password": password}).encode()
    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    scope: Scope = {"type": "http", "method": "POST", "path": "/login", "headers": headers, "scheme": "http"}
    scope.update(query_string=b"", client=(address, 5))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        sent.append(message)

    await pages(scope, receive, send, None)
    return sent


async def delays(pages: LoginPages, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the list to which each wait is added from now on, instead of being waited for."""
    waits: list[float] = []
    real = asyncio.sleep

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)
        await real(0)

    monkeypatch.setattr("tickboard.server.access.login.asyncio.sleep", sleep)
    return waits


async def test_failures_delay_the_next_login_which_works(pages: LoginPages, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = await delays(pages, monkeypatch)
    for _ in range(FREE):
        assert await post(pages, "wrong") == 401
    assert waits == []
    assert await post(pages, "wrong") == 401
    assert waits == [0.5]
    # Whoever has failed, and however often, the right password is accepted, from there and from elsewhere.
    assert await post(pages, PASSWORD, "198.51.100.7") == 303
    assert await post(pages, PASSWORD) == 303
    assert waits == [0.5, 1.0, 1.0]


async def test_a_bounded_number_waits_for_each_account_and_address(pages: LoginPages) -> None:
    pages._queue = LoginQueue(at_once=1, most=100, most_of_each=1)
    statuses = await asyncio.gather(*(post(pages, "wrong") for _ in range(4)), post(pages, PASSWORD, "198.51.100.7"))
    assert statuses == [401, 401, 503, 503, 303]
    assert len(pages._queue) == 0


async def test_a_login_that_is_refused_is_answered_with_the_page(pages: LoginPages) -> None:
    pages._queue = LoginQueue(at_once=1, most=100, most_of_each=0)
    start, body = await answer(pages, PASSWORD)
    assert start["status"] == 503
    assert {(b"content-type", b"text/html; charset=utf-8"), (b"retry-after", b"5")} <= set(start["headers"])
    assert b"Too many logins wait: try again in a few seconds." in body["body"]
    assert b'action="./login"' in body["body"]


async def test_logins_that_are_sent_together_wait_like_those_one_after_the_other(
    pages: LoginPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = await delays(pages, monkeypatch)
    pages._queue = LoginQueue(at_once=1, most=100, most_of_each=100)
    assert await asyncio.gather(*(post(pages, "wrong") for _ in range(6))) == [401] * 6
    # After three failures the fourth waits, and each after it for longer.
    assert len(waits) >= 3
    assert max(waits) >= 0.5


async def test_a_bounded_number_waits_in_all(pages: LoginPages) -> None:
    pages._queue = LoginQueue(at_once=1, most=1, most_of_each=1)
    statuses = await asyncio.gather(*(post(pages, "wrong", f"192.0.2.{each}") for each in range(4)))
    assert sorted(statuses) == [401, 401, 503, 503]
    assert len(pages._queue) == 0


async def test_a_login_that_is_cancelled_does_not_wait_any_more(pages: LoginPages) -> None:
    task = asyncio.create_task(post(pages, "wrong"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(pages._queue) == 0


async def test_the_loop_goes_on_while_passwords_are_compared(pages: LoginPages) -> None:
    logins = [asyncio.create_task(post(pages, "wrong", f"192.0.2.{each}")) for each in range(6)]
    turns = 0
    while not all(each.done() for each in logins):
        await asyncio.sleep(0)
        turns += 1
    # Each comparison takes some 30 ms of a thread.
    assert turns > 20
