"""What the permissions of a real nats-server allow: hosts for themselves alone, and walls for their roles."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.fleet.listening import until
from tests.fleet.walls import Host, answers, ended, identify
from tests.nats_servers import NatsServer, nats_server

from tickboard.fleet import calls_wall
from tickboard.fleet.asking import HostAnswer, fetch
from tickboard.fleet.caller import Caller
from tickboard.fleet.calls_host import HostCalls
from tickboard.fleet.calls_wall import WallCalls
from tickboard.fleet.nats_connection import NatsConnection
from tickboard.fleet.nats_link import NatsLink
from tickboard.fleet.nats_options import NatsOptions, read_servers
from tickboard.problems import Problems

PERMISSIONS = """
authorization {
  users: [
    {user: web-1, password: secret, permissions: {
      publish: "tickboard.host.web-1.>", subscribe: ["tickboard.hosts", "tickboard.host.web-1.>"]}}
    {user: web-2, password: secret, permissions: {
      publish: "tickboard.host.web-2.>", subscribe: ["tickboard.hosts", "tickboard.host.web-2.>"]}}
    {user: wall, password: secret, permissions: {
      publish: ["tickboard.hosts", "tickboard.host.*.ask.>"], subscribe: "tickboard.host.>"}}
    {user: display, password: secret, permissions: {
      publish: ["tickboard.hosts", "tickboard.host.*.ask.viewer.>"], subscribe: "tickboard.host.>"}}
  ]
}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with nats_server(PERMISSIONS) as server:
        yield server


@contextlib.asynccontextmanager
async def connected(server: NatsServer, user: str) -> AsyncIterator[tuple[NatsConnection, Problems]]:
    servers = read_servers(server.url.replace("nats://", f"nats://{user}:secret@"), {})
    problems = Problems()
    connection = NatsConnection(NatsOptions(servers), "test", problems, "nothing is passed on")
    task = asyncio.ensure_future(connection.run())
    try:
        await until(lambda: connection.connected)
        yield connection, problems
    finally:
        await ended([task])


@contextlib.asynccontextmanager
async def serving(server: NatsServer, user: str, name: str, host: Host) -> AsyncIterator[Problems]:
    async with connected(server, user) as (connection, problems):
        task = asyncio.ensure_future(HostCalls(connection, name, host, identify).run())
        await asyncio.sleep(0)
        assert await connection.flush(10)
        yield problems
        await ended([task])


@contextlib.asynccontextmanager
async def asking(server: NatsServer, user: str) -> AsyncIterator[tuple[NatsLink, Problems]]:
    async with connected(server, user) as (connection, problems):
        calls = WallCalls(connection)
        task = asyncio.ensure_future(calls.run())
        await asyncio.sleep(0)
        assert await connection.flush(10)
        yield NatsLink("web-1", "nats", calls), problems
        await ended([task])


async def mark(link: NatsLink) -> HostAnswer:
    return await fetch(link, "POST", "/api/marks", body=b"{}", caller=Caller("operator", "anna"))


async def test_a_wall_may_read_and_change_and_a_display_may_only_read(server: NatsServer) -> None:
    host = Host(answers(b"{}"))
    async with (
        serving(server, "web-1", "web-1", host) as of_host,
        asking(server, "wall") as (wall, of_wall),
        asking(server, "display") as (display, of_display),
    ):
        assert (await fetch(wall, "GET", "/api/board")).status == 200
        assert (await mark(wall)).status == 200
        assert (await fetch(display, "GET", "/api/board")).status == 200
        reached = len(host.scopes)
        # Even if its wall lets somebody be an operator.
        refusal = await mark(display)
        assert (refusal.status, b"the NATS server does not permit it" in refusal.body) == (403, True)
        assert len(host.scopes) == reached
    assert not of_display, "it is meant to look, and no more"
    assert not of_host
    assert not of_wall


async def test_a_host_receives_and_answers_no_calls_of_another(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_wall, "HEAD_S", 0.5)
    host = Host(answers(b"stolen"))
    async with serving(server, "web-2", "web-1", host) as problems, asking(server, "wall") as (wall, _):
        await until(lambda: "NATS: permissions" in problems)
        answer = await fetch(wall, "GET", "/api/board")
        assert (answer.status, b"nobody is there" in answer.body) == (502, True)
    assert host.scopes == []
