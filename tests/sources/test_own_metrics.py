"""Tickboard's own counters as ordinary metrics."""

import asyncio
import json
from collections.abc import Callable

import pytest
from tests.outlets import Inbox
from tests.serving import serve_app, wait_for
from websockets.sync.client import connect

from tickboard import Board
from tickboard.server.uvicorn.websocket import Connection
from tickboard.settings import Settings
from tickboard.sources.own_metrics import CHARTS, OwnMetrics

NAMES = [name for _, names in CHARTS for name in names]


def test_counts_become_rates_from_the_first_sample_on() -> None:
    board = Board()
    board.prepare(Settings())
    board.hub.traffic.sent(1_000, 10)
    source = OwnMetrics(board.registry, lambda: board.hub)
    asyncio.run(source.sample())
    board.registry.collect(1.0)
    board.hub.join(Inbox())
    board.hub.traffic.sent(3, 100)
    board.hub.traffic.delivered(0.25)
    board.hub.traffic.viewers_stalled += 1
    board.hub.traffic.viewers_silent += 1
    asyncio.run(source.sample())
    row = board.registry.collect(2.0)
    values = {series.key: row[series.column] for series in board.registry.series}
    assert values["tickboard.viewers"] == 1
    assert values["tickboard.subscribers"] == 0
    assert values["tickboard.frames"] == pytest.approx((3 + 1) / 2)
    assert values["tickboard.bytes"] > 150
    assert values["tickboard.dropped"] == 1
    assert values["tickboard.skipped"] == values["tickboard.refused"] == 0
    assert values["tickboard.delivery"] == 250


@pytest.mark.parametrize("arrange", [lambda board: None, lambda board: board.card("a")])
def test_a_board_shows_its_own_metrics_in_a_section_at_the_end(arrange: Callable[[Board], object]) -> None:
    board = Board()
    board.gauge("a")
    arrange(board)
    before = board.describe().panels
    board.monitor_self()
    board.monitor_self()
    panels = board.describe().panels
    assert panels[:-1] == before
    described = json.dumps([str(panel) for panel in panels[-1:]])
    assert all(name in described for name in NAMES)


def test_a_viewer_sees_itself_counted() -> None:
    board = Board(interval_ms=20)
    board.monitor_self()
    with serve_app(board, Connection) as port, connect(f"ws://127.0.0.1:{port}/ws/metrics") as viewer:
        seen: dict[str, float] = {}

        def watched() -> bool:
            message = json.loads(viewer.recv(10))
            seen.update({metric["name"]: metric["value"] for metric in message["data"]})
            return seen.get("tickboard.viewers") == 1 and seen.get("tickboard.frames", 0) > 1

        wait_for(watched)
        assert seen["tickboard.delivery"] > 0
