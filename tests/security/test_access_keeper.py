"""The keeper follows the access file, whatever else fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from tests.security.access import Accounts

from tickboard.access.authority import NOTED_S, Authority
from tickboard.access.credentials import fingerprint
from tickboard.access.file import AccessError, AccessFile
from tickboard.access.records import Session
from tickboard.problems import Problems
from tickboard.server.access.keeper import Keeper


@asynccontextmanager
async def watching(keeper: Keeper) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(keeper.watch())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, RuntimeError):
            await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_what_is_revoked_ends_even_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, problems = Accounts(tmp_path / "access.json"), Problems()
    token, now = accounts.token("viewer"), time.time()
    accounts.file.change(lambda records: records.with_session(Session(fingerprint("s"), "x", now, now, "viewer")))
    file = AccessFile(tmp_path / "access.json")
    keeper = Keeper(file, Authority("host"), lambda: problems)

    def fail(_: object) -> None:
        raise AccessError("the disk is read-only")

    monkeypatch.setattr(file, "change", fail)
    # There is a use to record, which fails each time.
    assert keeper.authority.by_session("s", now + NOTED_S + 1) is not None
    async with watching(keeper):
        await until(lambda: any("read-only" in each.message for each in problems.shown(details=True)))
        accounts.file.change(lambda records: records.without_token(records.tokens[0].id))
        await until(lambda: keeper.authority.by_token(token, now) is None)


async def test_a_look_that_fails_in_another_way_is_not_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(AccessFile(tmp_path / "access.json"), Authority("host"), Problems)

    def fail() -> None:
        raise RuntimeError("not an error of the file")

    monkeypatch.setattr(keeper.file, "stamp", fail)
    async with watching(keeper) as task:
        await until(task.done)
        assert isinstance(task.exception(), RuntimeError)
