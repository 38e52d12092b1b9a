"""A viewer that is sent only changes ends up with the same board and series as one that is sent everything."""

import json
from collections.abc import Callable, Generator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hub.watching import Bench
from tests.outlets import Inbox, Writes

from tickboard import Board, wire
from tickboard.client.decoder import Decoder
from tickboard.engine import Engine
from tickboard.hub import encodings
from tickboard.hub.changes import _places, board_changes, series_changes
from tickboard.hub.encodings import Encoding, whole
from tickboard.hub.hub import Hub
from tickboard.metrics.registry import Registry
from tickboard.metrics.selection import Selection
from tickboard.settings import Settings
from tickboard.wire import encode

BINARY, BINARY_CHANGES = encodings.BINARY["tickboard.v2"], encodings.BINARY_CHANGES["tickboard.v2"]
NAMES = st.sampled_from([f"{group}_{name}" for group in ("web", "db", "x") for name in "abcd"])
MOVES = st.lists(st.tuples(st.sampled_from(["add", "leave", "tick", "join", "subscribe"]), NAMES), max_size=60)


def changed(before: Sequence[Any], change: dict[str, Any]) -> list[Any]:
    """Apply a change to a list, as docs/protocol.md describes."""
    after = [one for place, one in enumerate(before) if place not in change.get("removed", [])]
    for place, one in zip(change.get("at", []), change.get("added", []), strict=True):
        after.insert(place, one)
    return after


def changed_panels(before: list[Any], change: dict[str, Any]) -> list[Any]:
    after = changed(before, change)
    for place, row in zip(change.get("rows_at", []), change.get("rows", []), strict=True):
        after[place] = after[place] | {"panels": changed_panels(after[place]["panels"], row)}
    return after


class Viewer:
    """A viewer that knows the board and the series from its messages alone."""

    def __init__(self, inbox: Inbox, fetch: Callable[[], Any] = dict) -> None:
        self.inbox = inbox
        self.board = fetch()
        self._fetch = fetch
        self.receiver = Decoder(history=True)
        self.receiver.connected()
        self.types: list[str] = []
        self.size = 0
        self.series: list[str] = []

    def read(self) -> None:
        for message in self.inbox.take():
            text = isinstance(message, dict)
            for tick in self.receiver.receive(json.dumps(message) if text else message):
                self.series = [one.key for one in tick.series]
            if text:
                self.size += len(json.dumps(message))
                self.take(message)

    def take(self, message: dict[str, Any]) -> None:
        self.types.append(message["type"])
        if message["type"] == "board":
            self.board = message["board"]
        elif message["type"] == "metrics_changed" and self.board.get("revision", 0) == message["before"]:
            metrics = [one for one in self.board["metrics"] if one["name"] not in message.get("removed", [])]
            panels = changed_panels(self.board["panels"], message.get("panels", {}))
            self.board = self.board | {
                "metrics": metrics + message.get("added", []),
                "panels": panels,
                "revision": message["revision"],
            }
        elif message["type"] == "metrics_changed" and self.board["revision"] < message["revision"]:
            # The viewer fetched its board between the two.
            self.board = self._fetch()


class Served:
    """A board whose metrics come and go, and its hub."""

    def __init__(self) -> None:
        self.board = Board(window_size=5, forget="1s")
        self.board.gauge("own")
        self.board.gauge("labelled", labels=("host",))
        self.board.prepare(Settings(window_size=5))
        self.bench = Bench()
        self.bench.hub = self.hub = self.board.hub
        self.engine = self.hub.engine
        self.hub._write_all = self.bench.writes
        self.source = self.board.intake.source("test")
        self.time = 1_000.0
        self.present: dict[str, None] = {}

    def join(self, encoding: Encoding) -> Viewer:
        return Viewer(self.bench.join(encoding=encoding), self.describe)

    def describe(self) -> Any:
        return {"revision": 0} | json.loads(msgspec.json.encode(self.board.describe()))

    def tick(self, seconds: float = 1.0) -> None:
        for name in self.present:
            labelled = name.startswith("x")
            column = (
                self.source.gauge(name, "labelled", [("host", name)]) if labelled else self.source.gauge(name, name)
            )
            self.source.set([column], [1.0])
        self.time += seconds
        for _ in self.hub.publish(self.engine.tick(self.time, seconds)):
            pass

    def forget(self) -> None:
        self.engine.check(self.time)


@given(MOVES)
def test_changes_add_up_to_the_same_board_as_full_messages(moves: list[tuple[str, str]]) -> None:
    served = Served()
    viewers = [served.join(BINARY), served.join(BINARY_CHANGES)]
    for move, name in moves:
        if move == "add":
            served.present[name] = None
        elif move == "leave":
            served.present.pop(name, None)
        elif move == "join":
            # This one joins between a change and its tick.
            served.source.gauge(name, name)
            viewers.append(served.join(BINARY_CHANGES))
        elif move == "subscribe":
            one = viewers[-1]
            assert one.inbox.viewer is not None
            described = served.hub.subscribe(one.inbox.viewer, ["web_*", "own"] if name > "web" else [])
            if described is not None:
                one.inbox.viewer.answer(described)
        else:
            served.forget()
            served.tick(2.5)
            for viewer in viewers:
                viewer.read()
    served.present["web_end"] = None
    served.tick()
    served.tick()
    for viewer in viewers:
        viewer.read()
        assert viewer.board == served.describe()
        assert viewer.inbox.viewer is not None
        group = viewer.inbox.viewer.audience
        assert group is not None
        assert viewer.series == [one.key for one in group.selection.series]
    assert not {"series_changed", "metrics_changed"} & set(viewers[0].types)


def test_adding_ten_series_to_ten_thousand_metrics_sends_only_those_ten() -> None:
    served = Served()
    for number in range(10_000):
        served.present[f"web_{number:05}"] = None
    served.tick()
    served.present["early"] = None
    served.tick()
    old, new = served.join(BINARY), served.join(BINARY_CHANGES)
    for viewer in (old, new):
        viewer.read()
        viewer.size = 0
    for round in range(3):
        for number in range(10):
            served.present[f"web_new_{round}_{number}"] = None
        served.tick()
    old.read()
    new.read()
    assert old.size > 3_000_000
    assert new.size < 20_000
    assert new.types[-6:] == ["metrics_changed", "series_changed"] * 3
    assert new.board == served.describe()
    assert new.series == old.series


def test_a_reordered_list_has_no_difference() -> None:
    assert _places("abc", "acb") is None
    assert _places("abc", "axc") == ([1], [1])
    assert _places("", "ab") == ([], [0, 1])


def test_series_in_another_order_are_sent_whole() -> None:
    registry = Registry()
    for name in "ab":
        registry.gauge(name)
    a, b = registry.series
    infos = Selection(registry).infos
    assert series_changes([a, b], [b, a], (1, 2), "e", infos) is None
    added = wire.SeriesChanged(2, 1, "e", [], [1], [wire.SeriesInfo("b", "", {})])
    assert encode(series_changes([a], [a, b], (1, 2), "e", infos)) == encode(added)


A, B, C = (wire.MetricInfo(name, name.upper(), "", "gauge") for name in "abc")
CARD_A, CARD_B, CARD_C = (wire.Card(name, name.upper()) for name in "abc")


def described(metrics: Sequence[wire.MetricInfo], panels: Sequence[wire.Panel]) -> wire.BoardInfo:
    return wire.BoardInfo("B", "e", 1000, 20, "0", list(metrics), list(panels))


@pytest.mark.parametrize(
    ("metrics", "panels"),
    [
        ([B, A], [CARD_A, wire.Row([CARD_A, CARD_B])]),
        ([C, A, B], [CARD_A, wire.Row([CARD_A, CARD_B])]),
        ([A, B], [wire.Row([CARD_A, CARD_B]), CARD_A]),
        ([A, B], [CARD_A, wire.Row([CARD_B, CARD_A])]),
    ],
    ids=["metrics in another order", "a metric before others", "panels in another order", "a row in another order"],
)
def test_a_reordered_board_is_sent_whole(metrics: list[wire.MetricInfo], panels: list[wire.Panel]) -> None:
    before = described([A, B], [CARD_A, wire.Row([CARD_A, CARD_B])])
    assert whole(board_changes(before, described(metrics, panels))) is None


def test_added_metrics_and_panels_are_sent_as_a_change() -> None:
    before = described([A, B], [CARD_A, wire.Row([CARD_A, CARD_B])])
    after = described([A, B, C], [CARD_C, CARD_A, wire.Row([CARD_A, CARD_C, CARD_B])])
    row = wire.PanelsChanged(at=[1], added=[CARD_C])
    panels = wire.PanelsChanged(at=[0], added=[CARD_C], rows_at=[2], rows=[row])
    assert whole(board_changes(before, after)) == wire.MetricsChanged("e", 0, 0, [], [C], panels)


def test_a_row_with_another_note_replaces_the_one_before() -> None:
    before = described([A], [CARD_A, wire.Row([CARD_A], "Alpha")])
    row = wire.Row([CARD_A], "Alpha", "one metric", folded=True)
    panels = wire.PanelsChanged(removed=[1], at=[1], added=[row])
    assert whole(board_changes(before, described([A], [CARD_A, row]))) == wire.MetricsChanged("e", 0, 0, [], [], panels)


@pytest.mark.parametrize("change", [{"title": "Other"}, {"epoch": "f"}, {"rules": [wire.RuleInfo("c", "m", "info")]}])
def test_a_change_of_the_title_epoch_or_rules_sends_the_whole_board(change: dict[str, Any]) -> None:
    bench = Bench()
    described = wire.BoardInfo("B", "e", 1000, 20, "0", [], [])

    def describe() -> Generator[None, None, wire.BoardInfo]:
        yield from ()
        return described

    hub = Hub(Engine(Registry(), [], 5, "e", lambda: "id"), describe, bench.writes)
    bench.hub = hub
    viewer = Viewer(bench.join(encoding=BINARY_CHANGES))
    for number in range(3):
        hub.engine.registry.gauge(f"g{number}")
        if number == 2:
            described = msgspec.structs.replace(described, **change)
        for _ in hub.publish(hub.engine.tick(float(number), 1.0)):
            pass
    viewer.read()
    # The first message is the base for the changes that follow.
    assert [one for one in viewer.types if "series" not in one] == ["board", "metrics_changed", "board"]


def test_the_first_change_of_a_board_is_sent_as_a_change() -> None:
    registry = Registry()
    registry.gauge("a").set(1)
    engine = Engine(registry, [], 20, "e", lambda: "id")

    def describe() -> Generator[None, None, wire.BoardInfo]:
        yield from ()
        metrics = list(registry.metrics.values())
        return wire.BoardInfo("B", engine.epoch, 1000, 20, "0", metrics, [], revision=registry.metrics_revision)

    writes = Writes()
    hub = Hub(engine, describe, writes)
    inbox = Inbox(writes)
    inbox.viewer = hub.join(inbox, None, (), BINARY_CHANGES)
    for second in range(3):
        if second == 2:
            registry.gauge("b").set(1)
        for _ in hub.publish(engine.tick(float(second), 1.0)):
            pass
    types = [message["type"] for message in inbox.messages() if isinstance(message, dict)]
    assert types == ["series", "metrics_changed", "series_changed"]
