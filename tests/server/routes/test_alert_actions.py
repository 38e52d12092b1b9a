"""Alerts are acknowledged and silenced where they arose: on the board, on its hosts, or on several of them at once."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.fleet.alert_hosts import AlertHost, AlertWall, BoardLink, running_host, running_wall, until

from tickboard.errors import AlertError, InputError, RateError
from tickboard.fleet.caller import CALLER, Caller
from tickboard.server.routes.alert_actions import ActionOutcome, AlertActions
from tickboard.wire import AcknowledgeAlert, Alert, SilenceAlert

OPERATOR = Caller("operator", "Ann")


class World:
    """A wall that follows two hosts, of which each has two alerts, and has one of its own."""

    def __init__(self, wall: AlertWall, hosts: dict[str, AlertHost]) -> None:
        self.wall = wall
        self.hosts = hosts
        self.links: dict[str, BoardLink | None] = {name: host.link for name, host in hosts.items()}
        self.permitted = 0
        self.actions = AlertActions(lambda: wall.log, wall.announcer, self)

    def link(self, name: str) -> BoardLink | None:
        return self.links[name]

    def permit(self) -> None:
        self.permitted += 1

    async def act(self, *ids: str, asked: AcknowledgeAlert | SilenceAlert | None = None) -> ActionOutcome:
        return await self.actions.act(ids, asked or AcknowledgeAlert("on it", "Ann"), OPERATOR, self.permit)

    def ids(self, host: str) -> list[str]:
        return [id for id, alert in self.wall.firing().items() if alert.host == host]

    def acknowledged(self) -> set[str]:
        return {id for id, alert in self.wall.firing().items() if alert.acknowledged is not None}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running_host() as one, running_host() as two, running_wall() as wall:
        load = wall.board.gauge("load")
        wall.board.alert(load > 4, "busy", name="busy")
        load.set(9)
        wall.board.tick()
        made = World(wall, {"web-1": one, "web-2": two})
        for name, host in made.hosts.items():
            wall.alerts.follow(name, host.link, {"env": "prod"})
            await host.fire(0)
            await host.fire(1)
        await until(lambda: len(wall.firing()) == 5)
        yield made


async def test_an_alert_is_acknowledged_on_its_host_and_comes_back_by_its_stream(world: World) -> None:
    [id, _] = world.ids("web-1")
    changed = await world.act(id)
    [alert] = changed.alerts.values()
    assert (alert.id, alert.host, list(alert.labels)) == (id, "web-1", ["host", "env", "core"])
    assert alert.acknowledged is not None
    assert (alert.acknowledged.note, alert.acknowledged.by) == ("on it", "Ann")
    await until(lambda: world.acknowledged() == {id})
    assert world.hosts["web-1"].log.find([id.removeprefix("web-1:")])[id.removeprefix("web-1:")].acknowledged
    assert world.permitted == 1
    silenced = await world.act(id, asked=SilenceAlert("1h", "known", scope="rule"))
    assert silenced.alerts[id].silenced is not None
    await until(lambda: len([1 for alert in world.wall.firing().values() if alert.silenced]) == 2)
    assert world.wall.board.hub.engine.alerts.silences() == []


async def test_a_group_may_mix_hosts_and_the_boards_own(world: World) -> None:
    everything = list(world.wall.firing())
    changed = await world.act(*everything, "web-2:nothing", "nothing", everything[0])
    assert list(changed.alerts) == everything
    assert {id: error.status for id, error in changed.refused.items()} == {"web-2:nothing": 409, "nothing": 404}
    assert "web-2: there is no alert 'nothing'" in str(changed.refused["web-2:nothing"])
    assert (world.permitted, changed.kept) == (1, True)
    await until(lambda: world.acknowledged() == set(everything))


async def test_what_a_host_refuses_has_its_name(world: World) -> None:
    [id, _] = world.ids("web-1")
    await world.hosts["web-1"].resolve(0)
    with pytest.raises(AlertError, match=r"web-1: alert .* was resolved at .*: it needs no acknowledgement") as error:
        await world.act(id)
    assert error.value.status == 409
    with pytest.raises(AlertError, match="web-1: there is no alert 'old'") as error:
        await world.act("web-1:old")
    assert error.value.status == 404
    with pytest.raises(AlertError, match="there is no alert 'nothing'"):
        await world.act("nothing")
    changed = await world.act("nothing", *world.ids("web-2"))
    assert list(changed.refused) == ["nothing"]
    assert len(changed.alerts) == 2


async def test_a_host_that_is_away_refuses_its_own_alerts_only(world: World) -> None:
    everything = list(world.wall.firing())
    world.links["web-1"] = None
    world.hosts["web-2"].link.cut()
    changed = await world.act(*everything)
    assert [alert.host for alert in changed.alerts.values()] == [""]
    assert {error.status for error in changed.refused.values()} == {502}
    assert "web-1 cannot be reached now" in str(changed.refused[everything[1]])
    with pytest.raises(AlertError, match="web-2 has not done it, or has not said so"):
        await world.act(world.ids("web-2")[0])
    # Of a host that is no longer followed.
    actions = AlertActions(lambda: world.wall.log, world.wall.announcer, None)
    with pytest.raises(AlertError, match="web-1 cannot be reached now"):
        await actions.act([everything[1]], AcknowledgeAlert(), OPERATOR, world.permit)


async def test_nothing_is_asked_of_a_host_that_is_not_permitted_or_invalid(world: World) -> None:
    asked = len(world.hosts["web-1"].link.asked)

    def never() -> None:
        raise RateError("too many", 1)

    with pytest.raises(RateError):
        await world.actions.act(world.ids("web-1"), AcknowledgeAlert(), OPERATOR, never)
    for silence, why in (
        (SilenceAlert(), "a silence has either"),
        (SilenceAlert("1h"), "reason is empty"),
        (SilenceAlert("31d", "x"), "longest silence"),
    ):
        with pytest.raises(InputError, match=why):
            await world.act(*world.ids("web-1"), asked=silence)
    assert len(world.hosts["web-1"].link.asked) == asked


def answers(status: int, body: bytes) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope[CALLER] == OPERATOR
        assert json.loads((await receive())["body"])["note"] == "on it"
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return serve


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (403, b'{"error":"you are a viewer"}', "web-1: you are a viewer"),
        (429, b'{"error":"too many changes"}', "web-1: too many changes"),
        (200, b"nonsense", "web-1 has not done it, or has not said so: JSON is malformed"),
        (500, b"nonsense", "web-1 has not done it, or has not said so: JSON is malformed"),
        (200, b"x" * (2**22 + 1), r"web-1 has not done it, or has not said so: .*is longer than"),
    ],
)
async def test_an_answer_that_is_no_change_is_an_error(world: World, status: int, body: bytes, why: str) -> None:
    world.links["web-1"] = BoardLink(answers(status, body))
    with pytest.raises(AlertError, match=why):
        await world.act(world.ids("web-1")[0])


async def test_a_change_that_its_host_cannot_store_says_so(world: World) -> None:
    alert = Alert("old", "m", "info", "2026-01-31T12:00:00.000Z", labels={"core": "0"})
    world.links["web-1"] = BoardLink(
        answers(
            202,
            json.dumps(
                {"id": alert.id, "message": "m", "severity": "info", "timestamp": alert.timestamp, "kept": False}
            ).encode(),
        )
    )
    changed = await world.act("web-1:old")
    assert not changed.kept
    assert changed.alerts["web-1:old"].labels == {"host": "web-1"}


async def test_many_hosts_are_asked_at_the_same_time(world: World) -> None:
    both = asyncio.Barrier(2)

    def waiting(app: ASGIApp) -> ASGIApp:
        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            await both.wait()
            await app(scope, receive, send)

        return serve

    for name, host in world.hosts.items():
        world.links[name] = BoardLink(waiting(host.board))
    changed = await world.act(*world.ids("web-1"), *world.ids("web-2"))
    assert len(changed.alerts) == 4
