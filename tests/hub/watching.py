"""A hub whose ticks the test makes, and viewers that fail as the test wants."""

from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import count
from typing import Any

import pytest
from tests.outlets import Inbox, Writes, seqs

from tickboard.alerting.rules import Rule
from tickboard.engine import Engine
from tickboard.hub.connections import Position
from tickboard.hub.encodings import BINARY, JSON, Encoding
from tickboard.hub.frames import Frame
from tickboard.hub.hub import VIEWERS, Hub
from tickboard.hub.viewer import Viewer
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry
from tickboard.problems import QUIET_S
from tickboard.wire import BoardInfo

NOTHING = 0
"""Room in a connection that accepts no bytes."""


class Bench:
    """A hub whose ticks the test makes."""

    def __init__(self, window_size: int = 20, epoch: str = "e") -> None:
        self.registry = Registry()
        self.value: Gauge = self.registry.gauge("value")
        self.other: Gauge = self.registry.gauge("other")
        ids = (f"id{number}" for number in count(1))
        rules = [Rule("value", self.value > 1000, "m", "info")]
        self.engine = Engine(self.registry, rules, window_size, epoch, lambda: next(ids))
        self.writes = Writes()
        self.hub = Hub(self.engine, self.describe, self.writes)

    def describe(self) -> Generator[None, None, BoardInfo]:
        yield from ()
        return BoardInfo("B", self.engine.epoch, 1000, 20, "0", [], [])

    def begin_tick(self) -> Iterator[None]:
        self.value.set(self.engine.seq + 1)
        self.other.set(0)
        return self.hub.publish(self.engine.tick(float(self.engine.seq), 1.0))

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            for _ in self.begin_tick():
                pass

    def amend(self) -> None:
        if amended := self.engine.amend():
            for _ in self.hub.amend(amended):
                pass

    def join(
        self,
        since: Position | None = None,
        *,
        direct: bool = True,
        room: int = 1 << 40,
        selectors: Iterable[str] = (),
        encoding: Encoding = JSON,
    ) -> Inbox:
        inbox = Inbox(self.writes if direct else None, room)
        inbox.viewer = self.hub.join(inbox, since, selectors, encoding)
        return inbox


def disconnect(inbox: Inbox) -> None:
    assert inbox.viewer is not None
    inbox.viewer._hub.leave(inbox.viewer)


def answer_frame(text: bytes = b'{"type":"pong"}') -> Frame:
    return Frame.text(text)


either_way = pytest.mark.parametrize("direct", [True, False], ids=["by descriptor", "by send"])
V2 = BINARY["tickboard.v2"]

any_encoding = pytest.mark.parametrize("encoding", [JSON, *BINARY.values()], ids=["JSON", *BINARY])


class Work:
    """The long work of a hub, which the test steps."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Iterator[None], Callable[[BaseException | None], None]]] = []

    def begin(self, steps: Iterator[None], settle: Callable[[BaseException | None], None]) -> None:
        self.waiting.append((steps, settle))

    def step(self, number: int) -> None:
        """Do one step of one waiting job."""
        if not self.waiting:
            return
        steps, settle = self.waiting[number % len(self.waiting)]
        raised: Exception | None = None
        try:
            next(steps)
        except Exception as error:  # noqa: BLE001  # `settle` is called with it
            raised = None if isinstance(error, StopIteration) else error
        else:
            return
        self.waiting.remove((steps, settle))
        settle(raised)


def check_layouts(messages: list[Any], encoding: Encoding) -> None:
    """Check that every binary message has the last described layout and as many values."""
    layout, series, width = None, 0, 8 if encoding is V2 else 4
    for message in messages:
        if isinstance(message, dict) and message["type"] == "series":
            layout, series = message["layout"], len(message["series"])
        elif isinstance(message, bytes):
            ticks = 1 if message[0] == 2 else int.from_bytes(message[16:20], "little")
            times = 0 if message[0] == 2 else 8 * ticks
            assert int.from_bytes(message[4:8], "little") == layout
            assert len(message) == 24 + times + width * ticks * series


def slow_viewer(inbox: Inbox) -> Viewer:
    assert inbox.viewer is not None
    return inbox.viewer


def send_late(bench: Bench, name: str, value: float, time: float) -> None:
    source = bench.engine.intake.source("test")
    source.set([source.gauge(name, name)], [value], [time])


def finish(work: Work) -> None:
    while work.waiting:
        work.step(0)


class BrokenError(Exception):
    """An exception that nothing expects."""


def break_methods(inbox: Inbox, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make methods of a connection raise."""

    def broken(*_: object) -> None:
        raise BrokenError

    for name in names:
        monkeypatch.setattr(inbox, name, broken)


def check_that_one_was_disconnected(bench: Bench, broken: Inbox, *others: Inbox) -> None:
    """Check that all viewers but one go on, and that the problem is cleared after a while."""
    assert broken.was_cut
    assert bench.hub.problems[VIEWERS].message == "sending to a viewer failed, and it was disconnected: BrokenError"
    for inbox in others:
        assert not inbox.was_cut
        assert seqs(inbox.messages()) == list(range(1, bench.engine.seq + 1))
    bench.tick()
    for now in (0.0, QUIET_S - 1):
        bench.hub.check(now)
        assert VIEWERS in bench.hub.problems
    bench.hub.check(QUIET_S)
    assert not bench.hub.problems
    assert not broken.raw or not seqs(broken.messages())
