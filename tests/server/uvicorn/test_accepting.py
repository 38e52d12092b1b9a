"""Connections without a free place wait until there is one; the problem about it is reported and cleared."""

import asyncio
import contextlib
import errno
import gc
import os
import socket
from pathlib import Path

import pytest
from tests.raw import GUARD_S
from tests.security.test_tls import trusting, write

from tickboard.problems import Problems
from tickboard.server.uvicorn import accepting
from tickboard.server.uvicorn.accepting import SOURCE, Acceptor
from tickboard.server.uvicorn.gate import Gate
from tickboard.server.uvicorn.tls import Tls


class Greeting(asyncio.Protocol):
    """A protocol that says hello and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


class Refusing:
    """A socket whose `accept` fails with a given error until a test clears it."""

    def __init__(self, listening: socket.socket, error: OSError) -> None:
        self.asked = 0
        self.error: OSError | None = error
        self.fileno = listening.fileno
        self.setblocking = listening.setblocking
        self._listening = listening

    def accept(self) -> tuple[socket.socket, object]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self._listening.accept()


async def until(problems: Problems, *, there: bool) -> None:
    async with asyncio.timeout(GUARD_S):
        while (SOURCE in problems) != there:
            await asyncio.sleep(0.01)


async def read_all(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(GUARD_S):
            return await reader.read()
    finally:
        writer.close()


@pytest.fixture(autouse=True)
def short_quiet_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "QUIET_S", 0.2)
    monkeypatch.setattr("tickboard.problems.QUIET_S", 0.1)


def test_connections_wait_while_all_places_are_in_use() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            problems, connections = Problems(), {object()}
            acceptor = Acceptor(listening, Greeting, connections, Gate(places=1), problems)
            acceptor.start()
            assert acceptor.is_serving()
            hearing = asyncio.create_task(read_all(listening.getsockname()[1]))
            await until(problems, there=True)
            assert "all 1 that may be open are in use: raise the limit on open files" in problems[SOURCE].message
            assert not hearing.done()
            connections.clear()
            assert await hearing == b"hello"
            await until(problems, there=False)
            acceptor.close()
            assert not acceptor.is_serving()

    asyncio.run(scenario())


def test_connections_without_a_handshake_give_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepting, "HEAD_S", 10 * GUARD_S)

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            where, problems = listening.getsockname(), Problems()
            acceptor = Acceptor(listening, Greeting, set(), Gate(places=2), problems, Tls(*write(tmp_path)))
            acceptor.start()
            with contextlib.ExitStack() as stack:
                silent = [stack.enter_context(socket.create_connection(where)) for _ in range(2)]
                async with asyncio.timeout(GUARD_S):
                    while len(acceptor._arriving) < 2:
                        await asyncio.sleep(0.01)
                    reader, writer = await asyncio.open_connection(*where, ssl=trusting(), server_hostname="localhost")
                    assert await reader.read() == b"hello"
                    writer.close()
                assert await asyncio.to_thread(silent[0].recv, 1) == b""
            acceptor.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EPERM, errno.ENETDOWN])
def test_after_any_accept_error_it_waits_before_retrying(number: int) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            problems, refusing = Problems(), Refusing(listening, OSError(number, os.strerror(number)))
            acceptor = Acceptor(refusing, Greeting, set(), Gate(), problems)  # type: ignore[arg-type]
            acceptor.start()
            hearing = asyncio.create_task(read_all(listening.getsockname()[1]))
            await until(problems, there=True)
            turns = 0
            while refusing.asked < 3:
                turns += 1
                await asyncio.sleep(0)
            # The loop turns thousands of times between two attempts.
            assert turns > 100
            assert problems.failures[SOURCE] <= 3
            refusing.error = None
            assert await hearing == b"hello"
            await until(problems, there=False)
            acceptor.close()

    asyncio.run(scenario())


def test_a_connection_aborted_before_it_is_accepted_is_not_a_problem() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            problems, refusing = Problems(), Refusing(listening, ConnectionAbortedError())
            acceptor = Acceptor(refusing, Greeting, set(), Gate(), problems)  # type: ignore[arg-type]
            acceptor.start()
            hearing = asyncio.create_task(read_all(listening.getsockname()[1]))
            async with asyncio.timeout(GUARD_S):
                while not refusing.asked:
                    await asyncio.sleep(0)
            refusing.error = None
            assert await hearing == b"hello"
            assert not problems
            acceptor.close()

    asyncio.run(scenario())


def raises() -> asyncio.Protocol:
    raise RuntimeError("no protocol")


def test_a_connection_that_cannot_be_served_is_closed_and_reported() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            problems, failing = Problems(), [raises]
            acceptor = Acceptor(listening, lambda: failing.pop()() if failing else Greeting(), set(), Gate(), problems)
            acceptor.start()
            port = listening.getsockname()[1]
            # Otherwise it would stay open until the garbage collector runs.
            gc.disable()
            try:
                assert await read_all(port) == b""
            finally:
                gc.enable()
            assert "new connections cannot be served: RuntimeError: no protocol" in problems[SOURCE].message
            assert await read_all(port) == b"hello"
            await until(problems, there=False)
            acceptor.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_a_connection_whose_beginning_is_cancelled_is_closed(turns: int) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            problems = Problems()
            acceptor = Acceptor(listening, Greeting, set(), Gate(), problems)
            acceptor.start()
            before = asyncio.all_tasks()
            with socket.create_connection(listening.getsockname()) as client:
                async with asyncio.timeout(GUARD_S):
                    while not (beginning := asyncio.all_tasks() - before):
                        await asyncio.sleep(0)
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    for task in beginning:
                        task.cancel()
                    client.setblocking(False)
                    while (await asyncio.get_running_loop().sock_recv(client, 100)) == b"hello":
                        pass
            assert not problems
            acceptor.close()

    asyncio.run(scenario())
