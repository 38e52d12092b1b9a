"""A wall has each alert event of each host once, whatever happens to the host, to the wall and to what lies between."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.fleet.alert_hosts import AlertHost, AlertWall, BoardLink, running_host, running_wall, until

from tickboard.alerting import log as alertlog
from tickboard.alerting.log import FORGOTTEN, LOST, HostPosition
from tickboard.fleet import alerts as reading
from tickboard.fleet.event_stream import MAX_EVENT_BYTES, MAX_SKIPPED_BYTES
from tickboard.wire import Mark


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "FIRST_RETRY_S", 0.02)


@pytest.fixture
async def host() -> AsyncIterator[AlertHost]:
    async with running_host() as made:
        yield made


@pytest.fixture
async def wall() -> AsyncIterator[AlertWall]:
    async with running_wall() as made:
        yield made


def follow(wall: AlertWall, host: AlertHost, name: str = "web-1", **labels: str) -> None:
    wall.alerts.follow(name, host.link, labels)


# --- one stream ---


async def test_an_alert_of_a_host_is_on_the_wall_from_beginning_to_end(host: AlertHost, wall: AlertWall) -> None:
    follow(wall, host, env="prod")
    id = await host.fire(0)
    await until(lambda: wall.said() == ["firing 0"])
    alert = wall.firing()[f"web-1:{id}"]
    assert (alert.host, alert.message, alert.rule) == ("web-1", "core 0 is hot", "hot")
    assert list(alert.labels.items()) == [("host", "web-1"), ("env", "prod"), ("core", "0")]
    host.acknowledge(id, "on it")
    await until(lambda: wall.said()[1:] == ["changed 0"])
    seen = wall.firing()[f"web-1:{id}"].acknowledged
    assert seen is not None
    assert seen.note == "on it"
    await host.resolve(0)
    await until(lambda: wall.said()[2:] == ["resolved 0"])
    assert wall.firing() == {}


async def test_what_fires_already_is_taken_over_without_the_past(host: AlertHost, wall: AlertWall) -> None:
    for core in range(3):
        await host.fire(core)
    await host.resolve(1)
    follow(wall, host)
    await until(lambda: wall.said() == ["firing 0", "firing 2"])
    assert "/api/alerts" not in host.link.asked


async def test_two_hosts_with_equal_rules_are_told_apart(host: AlertHost, wall: AlertWall) -> None:
    async with running_host() as other:
        follow(wall, host, "web-1")
        follow(wall, other, "web-2")
        await host.fire(0)
        await other.fire(0)
        await until(lambda: len(wall.firing()) == 2)
        await host.resolve(0)
        await until(lambda: [alert.host for alert in wall.firing().values()] == ["web-2"])


async def test_a_stream_resumes_where_it_was_cut(host: AlertHost, wall: AlertWall) -> None:
    follow(wall, host)
    await host.fire(0)
    await until(lambda: wall.said() == ["firing 0"])
    host.link.cut()
    await host.fire(1)
    await host.resolve(0)
    await host.fire(2)
    assert wall.said() == ["firing 0"]
    assert list(wall.firing()) != []
    host.link.app = host.board
    await until(lambda: wall.said() == ["firing 0", "firing 1", "resolved 0", "firing 2"])
    assert wall.log.followed["web-1"].number == host.log.published
    assert "/api/alerts" not in host.link.asked


async def test_marks_of_a_host_have_its_name(host: AlertHost, wall: AlertWall) -> None:
    follow(wall, host)
    await until(lambda: wall.log.followed)
    host.board.mark("deployed 1.4")
    await until(lambda: len(wall.log.marks) == 1)
    [event] = wall.log.marks.events()
    assert event.mark.text == "web-1: deployed 1.4"
    assert event.mark.id.startswith("web-1:")


async def test_alerts_of_a_host_with_another_clock_have_the_times_of_the_wall(host: AlertHost, wall: AlertWall) -> None:
    wall.alerts.follow("web-1", host.link, {}, shift_ms=3_600_000)
    id = await host.fire(0)
    await until(wall.firing)
    [theirs] = [event.alert for event in host.log.firing()]
    assert wall.firing()[f"web-1:{id}"].timestamp > theirs.timestamp
    assert wall.log.followed["web-1"].time == theirs.timestamp


# --- when a stream cannot resume ---


async def test_what_ended_unseen_is_looked_up_in_the_past_of_the_host(
    tmp_path: Path, wall: AlertWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_ALERTS", 2)
    async with running_host(tmp_path / "host.sqlite") as host:
        follow(wall, host)
        await host.fire(0)
        await until(lambda: wall.said() == ["firing 0"])
        host.link.cut()
        with monkeypatch.context() as small:
            small.setattr(alertlog, "LOG_EVENTS", 4)
            for core in range(1, 6):
                await host.fire(core)
                await host.resolve(core)
            await host.resolve(0)
            await host.fire(9)
        host.link.app = host.board
        await until(lambda: wall.said()[-1] == "firing 9")
        host.link.cut()
    ended = [f"{kind} {core}" for core in range(1, 6) for kind in ("firing", "resolved")]
    assert wall.said() == ["firing 0", "resolved 0", *ended, "firing 9"]
    assert host.link.asked.count("/api/alerts") == 3


async def test_a_host_that_lost_its_log_does_not_leave_its_alerts_firing(wall: AlertWall) -> None:
    link = BoardLink()
    async with running_host() as host:
        link.app = host.board
        wall.alerts.follow("web-1", link, {})
        await host.fire(0)
        await until(lambda: wall.said() == ["firing 0"])
        link.cut()
    async with running_host() as again:
        await again.fire(1)
        link.app = again.board
        await until(lambda: wall.said() == ["firing 0", "firing 1", "resolved 0"])
        link.cut()
    assert wall.events()[-1].alert.ended == LOST
    assert [alert.labels["core"] for alert in wall.firing().values()] == ["1"]


async def test_a_host_that_restarts_with_its_log_resumes(tmp_path: Path, wall: AlertWall) -> None:
    link = BoardLink()
    async with running_host(tmp_path / "host.sqlite") as host:
        link.app = host.board
        wall.alerts.follow("web-1", link, {})
        await host.fire(0)
        await until(lambda: wall.said() == ["firing 0"])
        link.cut()
        await host.fire(1)
    async with running_host(tmp_path / "host.sqlite") as again:
        link.app = again.board
        await again.fire(0)
        await again.resolve(0)
        await until(lambda: wall.said() == ["firing 0", "firing 1", "resolved 0"])
        link.cut()


# --- the wall's own life ---


async def test_a_wall_that_restarts_resumes_and_doubles_nothing(tmp_path: Path, host: AlertHost) -> None:
    state = tmp_path / "wall.sqlite"
    async with running_wall(state) as wall:
        follow(wall, host)
        await host.fire(0)
        await host.fire(1)
        await until(lambda: wall.said() == ["firing 0", "firing 1"])
    await host.resolve(0)
    await host.fire(2)
    async with running_wall(state) as wall:
        assert wall.said() == ["firing 0", "firing 1"]
        wall.board.tick()
        follow(wall, host)
        await until(lambda: wall.said() == ["firing 0", "firing 1", "resolved 0", "firing 2"])
        await host.resolve(2)
        await until(lambda: wall.said()[4:] == ["resolved 2"])
    async with running_wall(state) as wall:
        assert [alert.labels["core"] for alert in wall.firing().values()] == ["1"]


async def test_a_wall_that_is_killed_at_any_time_has_each_event_once(tmp_path: Path, host: AlertHost) -> None:
    state = tmp_path / "0" / "wall.sqlite"
    async with running_wall(state) as wall:
        # A wall that knows nothing of the host takes over what fires then, and not what was before.
        follow(wall, host)
        await host.fire(0)
        await until(lambda: wall.said() == ["firing 0"])
    for turn in range(1, 8):
        async with running_wall(state) as wall:
            follow(wall, host)
            await host.fire(turn)
            for _ in range(turn % 4):
                await asyncio.sleep(0)
            # What is on the disk now is what a kill would leave.
            copy = tmp_path / str(turn) / "wall.sqlite"
            shutil.copytree(state.parent, copy.parent)
            if turn % 2:
                await host.resolve(turn)
        state = copy
    async with running_wall(state) as wall:
        follow(wall, host)
        await until(lambda: wall.log.followed["web-1"].number == host.log.published)
        await until(lambda: wall.log.published == wall.log.number)
        said = wall.said()
    assert sorted(said) == sorted([f"firing {n}" for n in range(8)] + [f"resolved {n}" for n in range(1, 8, 2)])


async def test_a_forgotten_host_has_no_firing_alerts(tmp_path: Path, host: AlertHost) -> None:
    state = tmp_path / "wall.sqlite"
    async with running_wall(state) as wall:
        follow(wall, host)
        await host.fire(0)
        await until(lambda: wall.said() == ["firing 0"])
        await wall.alerts.forget("web-1")
        await until(lambda: wall.said() == ["firing 0", "resolved 0"])
        assert wall.events()[-1].alert.ended == FORGOTTEN
        assert host.link.open == 0
        await wall.alerts.forget("no such host")
    async with running_wall(state) as wall:
        assert (wall.log.followed, wall.firing()) == ({}, {})


async def test_a_host_that_comes_back_after_it_was_forgotten_has_its_alerts_again(
    host: AlertHost, wall: AlertWall
) -> None:
    follow(wall, host)
    await host.fire(0)
    await until(lambda: wall.said() == ["firing 0"])
    await wall.alerts.forget("web-1")
    follow(wall, host)
    await until(lambda: wall.said() == ["firing 0", "resolved 0", "firing 0"])
    await host.resolve(0)
    await until(lambda: wall.said()[3:] == ["resolved 0"])


async def test_hosts_that_are_followed_no_more_have_no_firing_alerts(tmp_path: Path, host: AlertHost) -> None:
    state = tmp_path / "wall.sqlite"
    async with running_host() as other:
        async with running_wall(state) as wall:
            follow(wall, host, "web-1")
            follow(wall, other, "web-2")
            await host.fire(0)
            await other.fire(1)
            await until(lambda: len(wall.firing()) == 2)
        async with running_wall(state) as wall:
            wall.alerts.keep_only({"web-2"})
            await until(lambda: [alert.host for alert in wall.firing().values()] == ["web-2"])
    async with running_wall(state) as wall:
        # As a board that follows nobody.
        await wall.board.start()
        await until(lambda: wall.firing() == {})
        assert wall.log.followed == {}


async def test_a_host_that_is_away_keeps_its_alerts_firing(host: AlertHost, wall: AlertWall) -> None:
    follow(wall, host)
    await host.fire(0)
    await until(lambda: wall.said() == ["firing 0"])
    host.link.cut()
    asked = len(host.link.asked)
    await until(lambda: len(host.link.asked) > asked + 2)
    assert wall.said() == ["firing 0"]
    assert wall.problems == {}


# --- signs of life, and other links ---


async def test_a_host_that_is_heard_from_is_asked_at_once(
    host: AlertHost, wall: AlertWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.link.app = None
    follow(wall, host)
    await until(lambda: host.link.asked)
    monkeypatch.setattr(reading, "LAST_RETRY_S", 1e6)
    monkeypatch.setattr(reading, "random", Longest())
    wall.alerts._readers["web-1"]._failures = 10
    host.link.app = host.board
    await host.fire(0)
    await asyncio.sleep(0.1)
    wall.alerts.heard("web-1", -1)
    await until(lambda: wall.said() == ["firing 0"])
    wall.alerts.heard("nobody", 1)


class Longest:
    """Picks the highest number."""

    @staticmethod
    def uniform(low: float, high: float) -> float:
        return high


async def test_signs_of_life_do_not_have_a_host_asked_again_that_refuses(wall: AlertWall) -> None:
    link = BoardLink(answers(status=403))
    wall.alerts.follow("web-1", link, {})
    await until(lambda: wall.problems)
    reader = wall.alerts._readers["web-1"]
    wall.alerts.heard("web-1", -1)
    assert reader._back.is_set()
    await until(lambda: not reader._back.is_set())
    wall.alerts.heard("web-1", 7)
    assert not reader._back.is_set()


async def test_a_stream_that_misses_newer_events_is_opened_again(
    host: AlertHost, wall: AlertWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BEHIND_S", 0.0)
    host.link.app = deaf(host.board)
    follow(wall, host)
    await until(lambda: wall.log.followed)
    await host.fire(0)
    wall.alerts.heard("web-1", host.log.published)
    host.link.app = host.board
    await until(lambda: wall.said() == ["firing 0"])


def deaf(app: ASGIApp) -> ASGIApp:
    """Return an application whose streams say nothing after their beginning."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        sent = 0

        async def send_first(message: dict[str, object]) -> None:
            nonlocal sent
            sent += 1
            if sent <= 2:
                await send(message)

        await app(scope, receive, send_first)  # type: ignore[arg-type]

    return serve


async def test_a_host_that_moves_is_read_where_it_is_now(host: AlertHost, wall: AlertWall) -> None:
    follow(wall, host)
    await host.fire(0)
    await until(lambda: wall.said() == ["firing 0"])
    elsewhere = BoardLink(host.board)
    wall.alerts.follow("web-1", elsewhere, {})
    wall.alerts.follow("web-1", elsewhere, {"env": "prod"})
    wall.alerts.heard("web-1", 10**6)
    await until(lambda: elsewhere.open == 1 and host.link.open == 0)
    await host.fire(1)
    await until(lambda: wall.said() == ["firing 0", "firing 1"])
    assert wall.events()[-1].alert.labels["env"] == "prod"


# --- hosts that answer something else ---


def answers(*chunks: bytes, status: int = 200, then: Callable[[], object] = lambda: None) -> ASGIApp:
    """Return an application that answers every request with this, and then does not end."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        then()
        while (await receive())["type"] != "http.disconnect":
            pass

    return serve


def event(number: int, name: str, data: object) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return f"id: e-{number}\nevent: {name}\ndata: {text}\n\n".encode()


def position(number: int = 0, *, whole: bool = True) -> bytes:
    return event(number, "position", {"type": "position", "epoch": "e", "number": number, "whole": whole})


def sent(id: str, **more: object) -> dict[str, object]:
    times = {"timestamp": "2026-01-31T12:00:00.000Z"}
    return {"id": id, "message": "m", "severity": "info", "labels": {"core": id}, **times, **more}


SILENCE = {"rule": "r", "until": "2026-01-31T13:00:00.000Z", "reason": "x", "timestamp": "2026-01-31T12:00:00.000Z"}


@pytest.mark.parametrize(
    ("app", "why"),
    [
        (answers(status=403), "it answers 403 when asked for its alerts"),
        (
            answers(*[b"x" * 2**20] * (MAX_SKIPPED_BYTES // 2**20 + 1)),
            "its alert stream cannot be read: an event has more than",
        ),
        (answers(event(1, "position", "x")), "its alert stream cannot be read: "),
        (answers(position(), b"id: x\nevent: changed\ndata: {}\n\n"), "the id 'x' is not a position"),
        (answers(position(), b"id: %b-1\ndata: {}\n\n" % (b"e" * 300)), "is not a position"),
        (answers(position(), event(1, "", sent("a" * 300))), "an event cannot be read, and is left out: the id 'aaa"),
        (answers(event(1, "", {"id": 3}), position(1)), "an alert cannot be read, and is left out"),
        (answers(position(), event(1, "", sent("a", severity="fatal"))), "an event cannot be read, and is left out"),
        (answers(position(), event(1, "", sent("a", timestamp="noon"))), "an event cannot be read, and is left out"),
        (answers(event(1, "", sent("a", timestamp="noon")), position(1)), "an alert cannot be read, and is left out"),
        (answers(position(), event(1, "mark", {"id": "m"})), "an event cannot be read, and is left out"),
    ],
)
async def test_a_host_that_answers_something_else_is_reported(wall: AlertWall, app: ASGIApp, why: str) -> None:
    wall.alerts.follow("web-1", BoardLink(app), {})
    await until(lambda: wall.problems)
    assert why in wall.problems["alerts of web-1"].message
    assert wall.events() == []
    await wall.alerts.stop()
    assert wall.problems == {}


async def test_an_event_that_cannot_be_read_does_not_stop_the_others(
    wall: AlertWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickboard.problems.QUIET_S", 0.0)
    app = answers(position(), event(1, "", "nonsense"), event(2, "", sent("0")), event(3, "later", {"new": 1}))
    wall.alerts.follow("web-1", BoardLink(app), {})
    await until(lambda: wall.log.followed.get("web-1", HostPosition("", 0)).number == 3)
    assert wall.said() == ["firing 0"]
    assert wall.log.followed["web-1"].epoch == "e"
    assert wall.problems == {}


async def test_an_event_that_is_too_long_does_not_stop_the_others(wall: AlertWall) -> None:
    long = sent("long", message="x" * MAX_EVENT_BYTES)
    link = BoardLink(answers(event(1, "", long), event(1, "", sent("0")), position(1), event(2, "", long)))
    wall.alerts.follow("web-1", link, {})
    await until(lambda: wall.log.followed.get("web-1", HostPosition("", 0)).number == 2)
    why = f"an event cannot be read, and is left out: it has more than {MAX_EVENT_BYTES} bytes"
    assert wall.problems["alerts of web-1"].message == why
    # What follows it is read, whether the stream was cut or not.
    link.cut()
    link.app = answers(position(2, whole=False), event(3, "", sent("1")))
    await until(lambda: wall.said() == ["firing 0", "firing 1"])


async def test_an_alert_with_very_large_labels_is_on_the_wall_from_beginning_to_end(wall: AlertWall) -> None:
    large = {**sent("0"), "labels": {"core": "0", **{f"label{number}": "x" * 1_024 for number in range(60)}}}
    over = {**large, "resolved": "2026-01-31T12:00:01.000Z", "silenced": {**SILENCE, "labels": large["labels"]}}
    app = answers(position(), event(1, "", large), event(2, "resolved", over))
    wall.alerts.follow("web-1", BoardLink(app), {})
    await until(lambda: wall.said() == ["firing 0", "resolved 0"])
    assert wall.problems == {}


@pytest.mark.parametrize("status", [502, 504])
async def test_a_host_that_is_not_there_is_no_problem_of_its_alerts(wall: AlertWall, status: int) -> None:
    link = BoardLink(answers(status=status))
    wall.alerts.follow("web-1", link, {})
    await until(lambda: len(link.asked) > 2)
    assert wall.problems == {}


async def test_a_host_with_too_many_calls_says_so(wall: AlertWall) -> None:
    link = BoardLink(answers(status=503))
    wall.alerts.follow("web-1", link, {})
    await until(lambda: wall.problems)
    [problem] = wall.problems.values()
    assert problem.message == "it answers 503 when asked for its alerts: it has too many calls, and is asked again"


async def test_a_stream_that_begins_too_late_or_falls_silent_is_opened_again(
    wall: AlertWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "OPEN_S", 0.05)
    monkeypatch.setattr(reading, "SILENT_S", 0.05)
    begins_never, silent = BoardLink(answers(b": nothing\n")), BoardLink(answers(position()))
    wall.alerts.follow("web-1", begins_never, {})
    wall.alerts.follow("web-2", silent, {})
    await until(lambda: len(begins_never.asked) > 2 and len(silent.asked) > 2)
    assert wall.problems == {}


async def test_hosts_that_do_not_answer_keep_no_other_waiting(
    host: AlertHost, wall: AlertWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "OPENING_S", 0.01)
    links = [BoardLink(answers(b": nothing\n")) for _ in range(100)]
    for number, link in enumerate(links):
        wall.alerts.follow(f"silent-{number}", link, {})
    await host.fire(0)
    follow(wall, host)
    await until(lambda: wall.said() == ["firing 0"])


async def test_a_stream_that_ends_before_it_has_begun_is_opened_again(wall: AlertWall) -> None:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    link = BoardLink(serve)
    wall.alerts.follow("web-1", link, {})
    await until(lambda: len(link.asked) > 2)


async def test_a_host_may_have_so_many_firing_alerts(wall: AlertWall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_FIRING", 3)
    monkeypatch.setattr("tickboard.problems.QUIET_S", 0.0)
    alerts = [event(number, "", sent(str(number))) for number in range(1, 6)]
    over = event(6, "resolved", sent("1", resolved="2026-01-31T12:00:01.000Z"))
    waiting, told = asyncio.Event(), BoardLink()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for chunk in (*alerts, position(5)):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await waiting.wait()
        await send({"type": "http.response.body", "body": over, "more_body": True})
        await receive()

    told.app = serve
    wall.alerts.follow("web-1", told, {})
    await until(lambda: wall.log.followed)
    assert wall.said() == ["firing 1", "firing 2", "firing 3"]
    assert "more than 3 alerts fire at once" in wall.problems["alerts of web-1"].message
    waiting.set()
    await until(lambda: wall.said()[3:] == ["resolved 1"])
    await until(lambda: wall.problems == {})


@pytest.mark.parametrize(("name", "most"), [("MAX_FIRING", 2), ("MAX_FIRING_BYTES", 200)])
async def test_of_a_host_on_which_nearly_everything_fires_the_first_alerts_are_taken(
    wall: AlertWall, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    alerts = [event(number, "", sent(str(number))) for number in range(50)]
    link = BoardLink(answers(alerts[49], alerts[48], position(50)))
    wall.alerts.follow("web-1", link, {})
    await until(lambda: wall.said() == ["firing 49", "firing 48"])
    monkeypatch.setattr(reading, name, most)
    link.cut()
    over = event(52, "resolved", sent("48", resolved="2026-01-31T12:00:01.000Z"))
    begins = answers(*alerts[:49], position(51), over)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/events/alerts":
            await begins(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"alerts":[],"total":0}'})

    link.app = serve
    # What fired before is not ended by alerts for which there is no room.
    await until(lambda: wall.said()[-1] == "resolved 48")
    assert "resolved 49" in wall.said()
    assert "more than" in wall.problems["alerts of web-1"].message
    assert len(wall.said()) < 10


async def test_a_past_that_cannot_be_looked_up_is_given_up_after_some_attempts(
    host: AlertHost, wall: AlertWall
) -> None:
    follow(wall, host)
    await host.fire(0)
    await until(lambda: wall.said() == ["firing 0"])
    looked = 0

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal looked
        looked += scope["path"] == "/api/alerts"
        status = 500 if scope["path"] == "/api/alerts" else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": position(7), "more_body": status == 200})
        if status == 200:
            await receive()
            await receive()

    host.link.cut()
    host.link.app = serve
    await until(lambda: wall.said() == ["firing 0", "resolved 0"])
    assert looked == reading.LOOK_UPS
    assert wall.events()[-1].alert.ended == LOST
    assert "what became of earlier alerts is not known" in wall.problems["alerts of web-1"].message


async def test_of_a_past_that_is_very_long_the_newest_alerts_are_taken(
    tmp_path: Path, wall: AlertWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_ALERTS", 2)
    monkeypatch.setattr(reading, "MAX_PAGES", 1)
    async with running_host(tmp_path / "host.sqlite") as host:
        follow(wall, host)
        await host.fire(0)
        await until(lambda: wall.said() == ["firing 0"])
        host.link.cut()
        wall.log.followed["web-1"] = HostPosition("another", 1, wall.log.followed["web-1"].time)
        for core in range(1, 5):
            await host.fire(core)
            await host.resolve(core)
        host.link.app = host.board
        await until(lambda: wall.said()[-1] == "resolved 4")
        host.link.cut()
    assert wall.said() == ["firing 0", "firing 3", "resolved 3", "firing 4", "resolved 4"]
    assert "more than 2 alerts ended unseen" in wall.problems["alerts of web-1"].message


async def test_alerts_without_a_position_are_looked_up_from_the_first_that_has_ended(
    host: AlertHost, wall: AlertWall
) -> None:
    follow(wall, host)
    await host.fire(0)
    await until(lambda: wall.said() == ["firing 0"])
    host.link.cut()
    # As after a journal of an earlier version, which has no positions.
    wall.log.followed.clear()
    await host.resolve(0)
    host.link.app = host.board
    await until(lambda: wall.said() == ["firing 0", "resolved 0"])
    assert wall.events()[-1].alert.ended == ""


async def test_a_mark_that_is_read_again_is_there_once(wall: AlertWall) -> None:
    mark = {"id": "m", "text": "deployed", "timestamp": "2026-01-31T12:00:00.000Z", "by": "ci"}
    app = answers(position(), event(1, "mark", mark), event(2, "mark", mark))
    wall.alerts.follow("web-1", BoardLink(app), {})
    await until(lambda: wall.log.followed.get("web-1", HostPosition("", 0)).number == 2)
    assert [event.mark for event in wall.log.marks.events()] == [
        Mark("web-1:m", "web-1: deployed", "2026-01-31T12:00:00.000Z", "ci")
    ]
