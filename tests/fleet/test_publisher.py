"""A board that publishes on a real nats-server: what walls hear, whatever happens to NATS, the name and the board."""

import asyncio
import contextlib
import re
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from tests.fleet.nats_listener import listening
from tests.fleet.publishing import INTERVAL_MS, problem, serving, shop
from tests.fleet.walls import OverNats, wall
from tests.nats_servers import NatsServer, nats_server
from tests.serving import serve

from tickboard import Board
from tickboard.errors import InputError
from tickboard.fleet import nats_connection, publisher
from tickboard.fleet.caller import Caller
from tickboard.fleet.messages import Beat, Bye, Claim
from tickboard.loop.turns import made_in_turns
from tickboard.wire import About


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_connection, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(nats_connection, "LONGEST_PAUSE_S", 0.1)


async def test_what_a_board_publishes(server: NatsServer) -> None:
    board = shop(server.url)
    async with listening(server) as walls:
        async with serving(board):
            await walls.until(lambda: len(walls.ticks("web-1")) > 5 and walls.beats("web-1"))
            assert board.hub.viewers == board.hub.traffic.frames == 0
            assert not board.hub.problems
        await walls.until(lambda: walls.of("web-1.bye", Bye))
    about = walls.abouts("web-1")[0]
    assert (about.name, about.title, about.labels, about.interval_ms) == ("web-1", "Shop", {"env": "prod"}, INTERVAL_MS)
    assert [info.name for info in about.metrics] == ["orders"]
    assert about.series is not None
    assert [series.name for series in about.series.series] == ["orders"]
    # The description comes first, and its series are those of the ticks that follow.
    kinds = [where.removeprefix("web-1.") for where, _ in walls.heard]
    assert kinds[: kinds.index("overview")] == ["claim", "about"]
    assert kinds[-1] == "bye"
    ticks, everything = walls.ticks("web-1"), walls.ticks("web-1", "ticks")
    assert [tick.seq for tick in ticks] == list(range(1, len(ticks) + 1))
    assert not any(tick.missed for tick in ticks)
    assert list(ticks[3]) == ["orders"]
    assert dict(everything[3]) == {"orders": ticks[3]["orders"], "other": 7.0}
    beat = walls.beats("web-1")[0]
    assert (beat.id, beat.epoch, beat.interval_ms) == (about.id, ticks[0].epoch, INTERVAL_MS)
    assert 0 < beat.since < beat.time
    assert {walls.of("web-1.claim", Claim)[0].id, walls.of("web-1.bye", Bye)[0].id} == {about.id}


async def test_nothing_follows_the_goodbye(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = nats_connection.NatsConnection.flush
    board = shop(server.url)
    async with listening(server) as walls:

        async def asked_meanwhile(connection: nats_connection.NatsConnection, timeout_s: float) -> bool:
            received = connection.counts.received
            await walls.ask()
            await walls.until(lambda: connection.counts.received > received)
            await asyncio.sleep(0.1)  # enough for the answer, if there is one
            return await flush(connection, timeout_s)

        async with serving(board):
            await walls.until(lambda: len(walls.ticks("web-1")) > 1 and walls.beats("web-1"))
            monkeypatch.setattr(nats_connection.NatsConnection, "flush", asked_meanwhile)
        await walls.until(lambda: walls.of("web-1.bye", Bye))
        await walls.client.flush()
        assert walls.heard[-1][0] == "web-1.bye"


async def test_a_wall_that_asks_is_told_and_many_that_ask_are_told_together(server: NatsServer) -> None:
    board = shop(server.url)
    async with listening(server) as walls, serving(board):
        await walls.until(lambda: walls.abouts("web-1"))
        for _ in range(50):
            await walls.ask()
        before = len(walls.beats("web-1"))
        await walls.until(lambda: len(walls.abouts("web-1")) > 1 and len(walls.beats("web-1")) > before + 1)
        assert len(walls.abouts("web-1")) <= 4
        # A wall that comes late gets the series of all ticks, too.
        async with listening(server) as late:
            await late.ask()
            await late.until(lambda: len(late.ticks("web-1", "ticks")) > 1)


async def test_the_description_follows_what_changes(server: NatsServer) -> None:
    board = Board(interval_ms=INTERVAL_MS)
    queue = board.gauge("queue", labels=("name",), overview=True)
    board.publish(server.url, name="web-1")
    async with listening(server) as walls, serving(board):
        about = (await walls.until(lambda: walls.abouts("web-1")))[0]
        assert about.series is not None
        assert about.series.series == []
        queue.labels(name="a").set(3)
        await walls.until(lambda: 'queue{name="a"}' in walls.ticks("web-1")[-1])
        about = await walls.until(
            lambda: next((each for each in walls.abouts("web-1") if each.series and each.series.series), None)
        )
        assert about.series is not None
        assert about.series.series[0].labels == {"name": "a"}
        assert not any(tick.missed for tick in walls.ticks("web-1"))


async def test_a_board_without_metrics_publishes_ticks_without_values(server: NatsServer) -> None:
    board = Board(interval_ms=INTERVAL_MS)
    board.publish(server.url, name="web-1")
    async with listening(server) as walls, serving(board):
        await walls.until(lambda: len(walls.ticks("web-1")) > 2)
        assert not walls.ticks("web-1")[-1]
        board.intake.source("push").gauge("pushed", "pushed")
        await walls.until(lambda: "pushed" in walls.ticks("web-1")[-1])


async def test_after_an_outage_it_resumes_with_the_ticks_that_were_missed(server: NatsServer) -> None:
    board = shop(server.url)
    async with listening(server) as walls, serving(board):
        await walls.until(lambda: len(walls.ticks("web-1")) > 5)
        for end in (server.kill, server.stop):
            end()
            made = board.hub.engine.seq
            await walls.until(lambda: "NATS" in board.hub.problems)
            assert problem(board, "NATS").endswith("until it can be reached, nothing is published")
            # Ticks go on.
            await walls.until(lambda made=made: board.hub.engine.seq > made + 5)  # type: ignore[misc]
            server.start()
            await walls.until(lambda: not board.hub.problems and walls.client.is_connected)
            newest = board.hub.engine.seq
            await walls.until(lambda newest=newest: walls.ticks("web-1")[-1].seq > newest)  # type: ignore[misc]
    ticks = walls.ticks("web-1")
    # The listener itself may have reconnected too late for some; the board sent them all in one message.
    assert ticks[-1].seq - ticks[0].seq + 1 == len(ticks) + sum(tick.missed for tick in ticks)


async def test_nats_that_is_lost_while_the_host_introduces_itself(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    described, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(steps: Generator[None, None, About]) -> About:
        about = await made_in_turns(steps)
        described.set()
        await goes_on.wait()
        return about

    monkeypatch.setattr(publisher, "made_in_turns", slow)
    board = shop(server.url)
    async with listening(server) as walls, serving(board):
        await described.wait()
        server.kill()
        await walls.until(lambda: "NATS" in board.hub.problems)
        goes_on.set()
        server.start()
        await walls.until(lambda: walls.beats("web-1"))
        # The listener may have come back after the lists of series were published.
        await walls.ask()
        await walls.until(lambda: len(walls.ticks("web-1", "ticks")) > 5 and walls.abouts("web-1"))


async def test_nats_that_is_not_there_at_the_start_holds_nothing_up(server: NatsServer) -> None:
    server.kill()
    board = shop(server.url)
    async with serving(board):
        async with asyncio.timeout(60):
            while not ("NATS" in board.hub.problems and board.hub.engine.seq > 5):
                await asyncio.sleep(0.01)
        server.start()
        async with listening(server) as walls:
            await walls.until(lambda: len(walls.ticks("web-1")) > 5)
        assert not board.hub.problems


async def test_a_server_that_hangs_does_not_keep_the_board_from_ending(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "BYE_S", 0.2)
    board = shop(server.url)
    async with listening(server) as walls:
        async with serving(board):
            await walls.until(lambda: walls.ticks("web-1"))
            server.freeze()
            seq = board.hub.engine.seq
            await walls.until(lambda: board.hub.engine.seq > seq + 10)
        server.thaw()


async def test_two_hosts_of_one_name(server: NatsServer) -> None:
    first, second = shop(server.url, title="First"), shop(server.url, title="Second")
    async with listening(server) as walls, contextlib.AsyncExitStack() as stack:
        ends = [await stack.enter_async_context(contextlib.AsyncExitStack()) for _ in range(2)]
        await ends[0].enter_async_context(serving(first))
        await walls.until(lambda: walls.beats("web-1"))
        await ends[1].enter_async_context(serving(second))
        await walls.until(lambda: problem(second, "NATS: name") and problem(first, "NATS: name"))
        assert ", process " in problem(first, "NATS: name")
        assert problem(first, "NATS: name").endswith("wants to publish as web-1 too: give one of them another --name")
        assert "publishes as web-1, so this one does not until that one is gone" in problem(second, "NATS: name")
        beats = len(walls.beats("web-1"))
        await walls.until(lambda: len(walls.beats("web-1")) > beats + 1)
        assert {about.title for about in walls.abouts("web-1")} == {"First"}
        assert len({tick.epoch for tick in walls.ticks("web-1")}) == 1
        await ends[0].aclose()
        await walls.until(lambda: walls.abouts("web-1")[-1].title == "Second")
        await walls.until(lambda: not second.hub.problems)
    titles = [about.title for about in walls.abouts("web-1")]
    assert titles == sorted(titles)


async def test_of_two_hosts_that_start_together_only_one_ever_publishes(server: NatsServer) -> None:
    names = [f"web-{number}" for number in range(6)]
    boards = [shop(server.url, name, title) for name in names for title in ("First", "Second")]
    async with listening(server) as walls, serving(*boards):
        # Each has seen that the other one is there, and where it is.
        await walls.until(lambda: all(", process " in problem(board, "NATS: name") for board in boards))
        await walls.until(lambda: all(len(walls.beats(name)) > 2 for name in names))
        for name in names:
            assert len({beat.id for beat in walls.of(f"{name}.beat", Beat)}) == 1, name
            assert len({about.title for about in walls.abouts(name)}) == 1, name


async def test_a_host_that_was_killed_is_succeeded_by_the_one_that_waits(server: NatsServer) -> None:
    board = shop(server.url)
    async with listening(server) as walls:
        with serve("--nats", server.url, "--name", "web-1") as other:
            await walls.until(lambda: walls.beats("web-1"))
            async with serving(board):
                await walls.until(lambda: problem(board, "NATS: name"))
                other.process.kill()
                await walls.until(lambda: walls.abouts("web-1")[-1].title == "Shop")
                await walls.until(lambda: not board.hub.problems)


async def test_nonsense_on_its_subjects_is_reported_and_ignored(server: NatsServer) -> None:
    board = shop(server.url)
    async with listening(server) as walls, serving(board):
        await walls.until(lambda: walls.beats("web-1"))
        for kind in ("beat", "claim", "bye"):
            await walls.client.publish(f"tickboard.host.web-1.{kind}", b"\xff nonsense")
        await walls.until(lambda: problem(board, "NATS: messages"))
        seq = board.hub.engine.seq
        await walls.until(lambda: walls.ticks("web-1")[-1].seq > seq)


async def test_ticks_that_are_too_large_are_reported_and_the_overview_goes_on() -> None:
    with nats_server("max_payload: 2000") as server:
        board = shop(server.url)
        many = board.gauge("many", labels=("number",))
        for number in range(300):
            many.labels(number=str(number)).set(number)
        async with listening(server) as walls, serving(board):
            await walls.until(lambda: len(walls.ticks("web-1")) > 3)
            assert "raise max_payload in the configuration" in problem(board, "NATS: large messages")
            assert not walls.ticks("web-1", "ticks")


async def test_an_outlet_that_fails_joins_again(server: NatsServer) -> None:
    board = shop(server.url)
    async with listening(server) as walls, serving(board):
        await walls.until(lambda: walls.ticks("web-1"))
        for viewer in list(board.hub._viewers):
            board.hub._do_for(viewer, lambda: 1 / 0)  # type: ignore[arg-type]
        seq = board.hub.engine.seq
        await walls.until(lambda: walls.ticks("web-1")[-1].seq > seq + 3)
        assert not any(tick.missed for tick in walls.ticks("web-1"))


async def test_a_reloaded_board_goes_on_under_the_same_name(server: NatsServer, tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    text = 'from tickboard import Board\nboard = Board("{}")\nboard.gauge("a").set({})\n'
    file.write_text(text.format("One", 1))
    async with listening(server) as walls:
        with serve("dev", str(file), "--nats", server.url, "--name", "web-1", "--interval", "50") as dev:
            await walls.until(lambda: len(walls.ticks("web-1")) > 3)
            file.write_text(text.format("Two", 2))
            await walls.until(lambda: walls.abouts("web-1")[-1].title == "Two" and walls.ticks("web-1")[-1]["a"] == 2)
            assert not walls.of("web-1.bye", Bye)
            assert len({beat.since for beat in walls.beats("web-1")}) == 1
            # Another name is another host.
            file.write_text(text.format("Two", 2) + 'board.publish(labels={"env": "test"})\n')
            await walls.until(lambda: walls.abouts("web-1")[-1].labels == {"env": "test"})
            assert len(walls.of("web-1.bye", Bye)) == 1
            file.write_text(text.format("Two", 2))
            await walls.until(lambda: walls.abouts("web-1")[-1].labels == {})
            assert dev.stop() == 0
        await walls.until(lambda: len(walls.of("web-1.bye", Bye)) == 3)


ALARM = str(Path(__file__).parents[1] / "boards" / "alarms.py")


def test_a_wall_reads_and_acts_through_nats(server: NatsServer) -> None:
    with (
        serve("run", ALARM, "--nats", server.url, "--name", "web-1", "--interval", "50") as host,
        wall(OverNats(server), Caller("operator", "anna")) as operator,
        wall(OverNats(server), Caller("viewer", "ben")) as viewer,
    ):
        host.wait_for(lambda: httpx.get(f"http://{viewer}/api/stats").status_code == 200)
        httpx.post(f"{host.url}api/metrics", json=[{"name": "load", "value": 5.0}]).raise_for_status()
        host.wait_for(lambda: httpx.get(f"http://{viewer}/api/alerts").json()["total"])
        [alert] = httpx.get(f"http://{viewer}/api/alerts").json()["alerts"]
        address = f"/api/alerts/{alert['id']}/ack"
        assert httpx.post(f"http://{viewer}{address}", json={}).status_code == 403
        assert httpx.post(f"http://{operator}{address}", json={}).status_code == 200
        [alert] = host.json("/api/alerts")["alerts"]
        assert alert["acknowledged"]["by"] == "anna"
        # What only people of the board may see is not shown to a wall.
        assert httpx.get(f"http://{operator}/api/health").json()["status"] == "ok"
        assert httpx.get(f"http://{operator}/api/audit").status_code in {403, 404}
        with httpx.stream("GET", f"http://{viewer}/events/alerts") as stream:
            assert stream.status_code == 200
            host.wait_for(lambda: host.json("/api/health")["nats"]["calls"] == 1)
        host.wait_for(lambda: host.json("/api/health")["nats"]["calls"] == 0)


async def test_only_the_process_that_has_the_name_answers(server: NatsServer) -> None:
    first, second = shop(server.url, title="First"), shop(server.url, title="Second")
    async with listening(server) as walls, serving(first):
        await walls.until(lambda: walls.beats("web-1"))
        async with serving(second):
            await walls.until(lambda: problem(second, "NATS: name"))
            with wall(OverNats(server)) as place:
                client = httpx.AsyncClient()
                titles = [(await client.get(f"http://{place}/api/board")).json()["title"] for _ in range(5)]
                await client.aclose()
    assert titles == ["First"] * 5


def test_the_connection_is_in_the_health_and_the_metrics(server: NatsServer) -> None:
    with serve("--nats", server.url, "--name", "web-1") as board:
        board.wait_for(lambda: board.json("/api/health")["nats"]["sent"] > 5)
        health = board.json("/api/health")
        assert (health["status"], health["nats"]["connected"], health["nats"]["connections"]) == ("ok", True, 1)
        metrics = httpx.get(f"{board.url}metrics").text
        assert "tickboard_nats_connected 1" in metrics
        assert re.search(r'tickboard_nats_messages_total\{result="sent"\} [1-9]', metrics)
        server.kill()
        board.wait_for(lambda: not board.json("/api/health")["nats"]["connected"])
        board.wait_for(lambda: board.json("/api/health")["status"] == "degraded")
    with serve() as board:
        assert board.json("/api/health")["nats"] is None
        assert "tickboard_nats" not in httpx.get(f"{board.url}metrics").text


def test_what_a_board_cannot_publish() -> None:
    board = Board()
    with pytest.raises(InputError, match=r"publish\(nats=…\): 'http://a' is not the URL of a NATS server"):
        board.publish("http://a")
    with pytest.raises(InputError, match=r"publish\(name=…\): host name 'a b'"):
        board.publish("nats://a", name="a b")
    board.publish(credentials="a.creds")
    with pytest.raises(InputError, match="is for NATS, but no server is named"):
        board.prepare()
    board.publish(name="web-1")
    board.prepare()
    assert board.host_options.host_name == "web-1"
    with pytest.raises(InputError, match="publish: the board is already prepared"):
        board.publish(name="web-2")
