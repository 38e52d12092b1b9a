"""The keeper: a server follows its access file, whatever the disk does."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from tickboard.access.authority import Authority
from tickboard.access.credentials import fingerprint
from tickboard.access.file import AccessError, AccessFile, Stamp
from tickboard.access.records import Person, Records, Token
from tickboard.errors import BusyError
from tickboard.problems import Problems
from tickboard.server.access import keeper as module
from tickboard.server.access.access_gate import AccessGate
from tickboard.server.access.keeper import SOURCE, Keeper

ANN = Person("ann", "viewer")


class FakeFile(AccessFile):
    """A file in memory, whose disk may fail or hang."""

    def __init__(self) -> None:
        super().__init__(Path("access.json"))
        self.records, self.stamps = Records(), 0
        self.error: AccessError | None = None
        self.open = threading.Event()
        self.open.set()

    def stamp(self) -> Stamp:
        self._touch()
        return (self.stamps,)

    def read(self) -> Records:
        self._touch()
        return self.records

    def change(self, change: Callable[[Records], Records]) -> Records:
        self._touch()
        self.records, self.stamps = change(self.records), self.stamps + 1
        return self.records

    def _touch(self) -> None:
        assert self.open.wait(20)
        if self.error is not None:
            raise self.error


class Kept:
    def __init__(self) -> None:
        self.file, self.problems = FakeFile(), Problems()
        self.keeper = Keeper(self.file, Authority("host"), lambda: self.problems)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    return Kept()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def watched(kept: Kept) -> AsyncIterator[Kept]:
    watching = asyncio.create_task(kept.keeper.watch())
    yield kept
    watching.cancel()
    kept.file.open.set()
    await asyncio.wait([watching])
    if kept.keeper._looking is not None:
        await asyncio.wait([kept.keeper._looking])


async def test_requests_are_answered_by_a_change_once_it_returns(kept: Kept) -> None:
    records = await kept.keeper.change(lambda before: before.with_person(ANN))
    assert kept.keeper.authority.records is records
    assert [each.detail for each in kept.keeper.audit.entries()] == ["the user was added as viewer"]


async def test_a_change_by_another_process_is_noticed(watched: Kept) -> None:
    watched.file.change(lambda records: records.with_person(ANN))
    await until(lambda: watched.keeper.authority.records.people == (ANN,))


async def test_a_stream_ends_when_its_token_is_gone(watched: Kept) -> None:
    token = Token("tv", "viewer", fingerprint("t"), 0.0)
    await watched.keeper.change(lambda records: records.with_token(token))
    identity = watched.keeper.authority.by_token("t", 1.0)
    assert identity is not None
    ended = asyncio.Event()
    watched.keeper.streams.add(identity, ended.set)
    watched.file.change(lambda records: records.without_token("tv"))
    async with asyncio.timeout(20):
        await ended.wait()


async def test_a_file_that_fails_is_a_problem_until_it_works(watched: Kept) -> None:
    watched.file.change(lambda records: records.with_person(ANN))
    await until(lambda: watched.keeper.authority.records.people)
    watched.file.error = AccessError("broken")
    await until(lambda: SOURCE in watched.problems)
    assert watched.keeper.authority.records.people == (ANN,)
    with pytest.raises(AccessError, match="broken"):
        await watched.keeper.change(lambda records: records)
    watched.file.error = None
    await until(lambda: SOURCE not in watched.problems)


async def test_a_disk_that_hangs_refuses_a_change_and_streams_still_end(
    watched: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHANGE_S", 0.05)
    monkeypatch.setattr(module, "SILENT_S", 0.05)
    loop = asyncio.get_running_loop()
    token = Token("tv", "viewer", fingerprint("t"), 0.0, expires=2.0)
    await watched.keeper.change(lambda records: records.with_token(token))
    identity = watched.keeper.authority.by_token("t", 1.0)
    assert identity is not None
    watched.file.open.clear()
    with pytest.raises(BusyError, match="its disk does not answer"):
        await watched.keeper.change(lambda records: records)
    ended = asyncio.Event()
    watched.keeper.streams.add(identity, lambda: loop.call_soon(ended.set))
    async with asyncio.timeout(20):
        await ended.wait()
    await until(lambda: SOURCE in watched.problems)
    assert "its disk does not answer" in watched.problems[SOURCE].message
    watched.file.open.set()
    await until(lambda: SOURCE not in watched.problems)


async def test_a_disk_that_hangs_takes_no_threads_from_others(watched: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHANGE_S", 0.05)
    watched.file.open.clear()
    # More than the threads of asyncio's own pool.
    changes = [watched.keeper.change(lambda records: records.with_person(ANN)) for _ in range(40)]
    refused = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(each) for each in refused] == [BusyError] * 40
    async with asyncio.timeout(10):
        assert await asyncio.to_thread(lambda: 1) == 1


async def test_a_change_that_was_refused_while_it_waited_is_not_made(
    watched: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.file.open.clear()
    under_way = asyncio.create_task(watched.keeper.change(lambda records: records))
    await asyncio.sleep(0)
    monkeypatch.setattr(module, "CHANGE_S", 0.05)
    with pytest.raises(BusyError):
        await watched.keeper.change(lambda records: records.with_person(ANN))
    watched.file.open.set()
    await under_way
    await watched.keeper.change(lambda records: records)
    assert not watched.file.records.people


async def test_a_file_that_is_not_needed_at_once_is_read_when_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    file, problems = FakeFile(), Problems()
    file.change(lambda records: records.with_person(ANN))
    file.error = AccessError("broken")
    keeper = Keeper(file, Authority("host"), lambda: problems, at_once=False)
    watching = asyncio.create_task(keeper.watch())
    await asyncio.sleep(0)
    assert keeper._looking is None
    assert not problems
    file.error = None
    await keeper.ready()
    assert keeper.authority.records.people == (ANN,)
    watching.cancel()
    await asyncio.wait([watching])


def test_a_file_that_cannot_be_used_at_the_start_raises() -> None:
    file = FakeFile()
    file.error = AccessError("broken")
    with pytest.raises(AccessError, match="broken"):
        Keeper(file, Authority("host"), Problems)


async def test_the_file_is_watched_until_the_server_hears_of_the_end() -> None:
    """A server ends its loop then, and what still runs is cancelled."""
    problems = Problems()
    is_watched: dict[str, bool] = {}

    async def app(_: Scope, receive: Receive, send: Send) -> None:
        for each in ("startup", "shutdown"):
            await send({"type": f"lifespan.{each}.complete"})
            await receive()

    async def receive() -> Message:
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        is_watched[message["type"]] = any(task.get_name() == "access" for task in asyncio.all_tasks())

    keeper = Keeper(FakeFile(), Authority("host"), lambda: problems)
    await AccessGate(app, keeper, lambda: problems)({"type": "lifespan"}, receive, send)
    assert is_watched == {"lifespan.startup.complete": True, "lifespan.shutdown.complete": False}
