"""Alert functions are called with each alert, in order, whatever they do."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator

import pytest

from tickboard import Board, InputError
from tickboard.alerting.log import AlertLog
from tickboard.settings import Settings
from tickboard.wire import Alert


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


def flapping(board: Board) -> None:
    """Make an alert fire at every other tick."""
    load = board.gauge("load")

    @board.every()
    def swing() -> None:
        load.set(0 if load.value else 1)

    board.alert(load > 0.5, "{value:.0f}")


@pytest.mark.parametrize("is_async", [True, False])
def test_a_function_is_called_with_firing_and_resolved_alerts_in_order(is_async: bool) -> None:
    board = Board(interval_ms=20)
    flapping(board)
    alerts: list[Alert] = []
    threads: set[int] = set()

    def note(alert: Alert) -> None:
        alerts.append(alert)
        threads.add(threading.get_ident())

    async def note_later(alert: Alert) -> None:
        await asyncio.sleep(0)
        note(alert)

    board.on_alert(note_later if is_async else note)

    async def scenario() -> None:
        async with board.lifespan():
            board.mark("no alert")
            await until(lambda: len(alerts) >= 6)
            assert (threading.get_ident() in threads) == is_async
            assert len(threads) == 1

    asyncio.run(scenario())
    assert [bool(alert.resolved) for alert in alerts[:6]] == [False, True] * 3
    assert [first.id for first in alerts[0:6:2]] == [second.id for second in alerts[1:6:2]]
    assert {alert.message for alert in alerts} == {"1"}


def test_a_function_that_raises_is_reported_and_called_with_the_next_alert() -> None:
    board = Board(interval_ms=20)
    flapping(board)
    failed: list[str] = []
    well: list[str] = []

    @board.on_alert
    def fail(alert: Alert) -> None:
        failed.append(alert.id)
        raise SystemExit(3)

    board.on_alert(lambda alert: well.append(alert.id))

    async def scenario() -> None:
        async with board.lifespan():
            await until(lambda: len(failed) >= 3 and len(well) >= 3)
            [problem] = board.hub.problems.values()
            assert problem.source.endswith("fail")
            assert "SystemExit" in problem.message

    asyncio.run(scenario())


def test_a_hanging_function_is_reported_while_others_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.running.sampling.HANGING_INSTANTS", 0)
    monkeypatch.setattr("tickboard.running.alert_calls.HANGING_S", 0.05)
    monkeypatch.setattr("tickboard.running.alert_calls.WATCH_S", 0.02)
    monkeypatch.setattr("tickboard.running.alert_calls.LOG_EVENTS", 2)
    board = Board(interval_ms=20)
    flapping(board)
    over = threading.Event()
    well: list[str] = []

    @board.on_alert
    def hang(alert: Alert) -> None:
        over.wait(60)

    board.on_alert(lambda alert: well.append(alert.id))

    async def scenario() -> None:
        async with board.lifespan():
            await until(lambda: len(well) >= 8)
            await until(lambda: len(board.hub.problems) == 2)
            messages = sorted(problem.message for problem in board.hub.problems.values())
            assert re.fullmatch(r"it has been running for more than \d+ s", messages[0])
            assert messages[1] == "more than 2 alerts are waiting for it: the oldest are dropped"
            over.set()
            await until(lambda: not board.hub.problems)

    asyncio.run(scenario())


def test_alerts_from_before_a_restart_are_not_repeated() -> None:
    board = Board(interval_ms=20)
    flapping(board)
    ids: list[str] = []
    board.on_alert(lambda alert: ids.append(alert.id))

    async def scenario() -> None:
        async with board.lifespan():
            await until(lambda: len(ids) >= 2)
            await board.stop()
            seen = set(ids)
            ids.clear()
            await board.start()
            await until(lambda: len(ids) >= 2)
            assert not seen & set(ids[1:])

    asyncio.run(scenario())


def fire(log: AlertLog, *ids: str) -> None:
    for id in ids:
        log.append("firing", Alert(id, "m", "warning", ""), 1_000.0)


@pytest.mark.parametrize("is_async", [True, False])
def test_waiting_alerts_are_delivered_when_the_board_stops(is_async: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.running.alert_calls.FINISH_S", 60.0)
    board = Board(interval_ms=20)
    ids: list[str] = []

    async def note_later(alert: Alert) -> None:
        await asyncio.sleep(0.01)
        ids.append(alert.id)

    board.on_alert(note_later if is_async else lambda alert: ids.append(alert.id))

    async def scenario() -> None:
        async with board.lifespan():
            log = board.hub.engine.alerts.log
            fire(log, "a", "b", "c")
            board.hub.announce(log.events())

    asyncio.run(scenario())
    assert ids == ["a", "b", "c"]


def test_alerts_not_delivered_when_the_board_stops_are_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tickboard.running.alert_calls.FINISH_S", 0.05)
    board = Board(interval_ms=20)
    began, over = threading.Event(), threading.Event()

    @board.on_alert
    def hang(alert: Alert) -> None:
        began.set()
        over.wait(60)

    board.on_alert(print)

    async def scenario() -> None:
        async with board.lifespan():
            log = board.hub.engine.alerts.log
            fire(log, "a", "b", "c")
            board.hub.announce(log.events())
            await until(began.is_set)

    asyncio.run(scenario())
    over.set()
    [line] = [record.getMessage() for record in caplog.records if "not delivered" in record.getMessage()]
    assert re.search(r"not delivered: 2 to alert function \S*hang\b", line)


def test_a_replacement_board_continues_with_the_waiting_alerts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tickboard.running.alert_calls.FINISH_S", 0.05)
    settings = Settings(interval_ms=20)
    before, after = Board(), Board()
    began, over = threading.Event(), threading.Event()
    ids: dict[str, list[str]] = {"old": [], "kept": [], "new": []}

    def note(board: Board, name: str, key: str) -> None:
        def function(alert: Alert) -> None:
            # A replacement board resolves the alerts that none of its rules fires.
            if not alert.resolved:
                ids[key].append(alert.id)
            if key == "old":
                began.set()
                over.wait(60)

        function.__qualname__ = name
        board.on_alert(function)

    note(before, "kept", "old")
    note(after, "kept", "kept")
    note(after, "new", "new")

    async def scenario() -> None:
        before.prepare(settings)
        await before.start()
        log = before.hub.engine.alerts.log
        fire(log, "called", "waits")
        before.hub.announce(log.events())
        await until(began.is_set)
        after.prepare(settings, replaces=before)
        fire(log, "told meanwhile")
        await before.stop()
        fire(log, "told between")
        await after.start()
        fire(log, "told after")
        after.hub.announce(log.events())
        await until(lambda: "told after" in ids["kept"] and ids["new"])
        assert "not delivered" not in caplog.text
        over.set()
        await after.close()

    asyncio.run(scenario())
    assert ids == {
        "old": ["called"],
        "kept": ["waits", "told meanwhile", "told between", "told after"],
        "new": ["told after"],
    }


def test_waiting_alerts_are_delivered_when_the_calls_are_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.loop.supervisor.AGAIN_S", 0.01)
    board = Board(interval_ms=20)
    ids: list[str] = []

    @board.on_alert
    async def cancel_the_caller(alert: Alert) -> None:
        ids.append(alert.id)
        if alert.id == "a":
            [caller] = [task for task in asyncio.all_tasks() if "cancel_the_caller" in task.get_name()]
            caller.cancel()
            await asyncio.sleep(60)

    async def scenario() -> None:
        async with board.lifespan():
            log = board.hub.engine.alerts.log
            fire(log, "a", "b")
            board.hub.announce(log.events())
            await until(lambda: len(ids) == 2)

    asyncio.run(scenario())
    assert ids == ["a", "b"]


def generator_function(alert: Alert) -> Iterator[Alert]:
    yield alert


class GeneratorCallable:
    def __call__(self, alert: Alert) -> Iterator[Alert]:
        yield alert


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (None, "alert function None: None cannot be called: give a function"),
        (5, "alert function 5: 5 cannot be called: give a function"),
        (
            generator_function,
            "alert function generator_function: it is a generator, so calling it runs nothing: handle",
        ),
        (GeneratorCallable(), "runs nothing: handle the alert without yield"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused(function: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Board().on_alert(function)  # type: ignore[type-var]
