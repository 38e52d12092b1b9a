"""A board that follows hosts is replaced by another one."""

import numpy as np
import pytest
from tests.fleet.following import FakeLink

from tickboard import Board
from tickboard.fleet.fleet import Fleet
from tickboard.metrics.intake import Intake
from tickboard.running import running_board
from tickboard.wire import About


def wall() -> Board:
    board = Board("Wall", max_series_per_source=2)
    board.follow("http://127.0.0.1:1")
    return board


def fleet_of(board: Board) -> Fleet | None:
    return board._require_live().fleet


def intake_of(fleet: Fleet) -> Intake:
    return fleet.follower._intake


def test_a_board_that_cannot_be_replaced_keeps_its_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    board, broken, fixed = wall(), wall(), wall()
    board.prepare()
    fleet = fleet_of(board)
    assert fleet is not None

    def fails(*_: object) -> None:
        raise RuntimeError("a route of the dashboard file")

    with monkeypatch.context() as failing:
        failing.setattr(running_board, "create_app", fails)
        with pytest.raises(RuntimeError, match="a route of the dashboard file"):
            broken.prepare(replaces=board)
    assert fleet_of(board) is fleet
    assert intake_of(fleet) is board.intake
    live = board._require_live()
    live.report("sampler", "still watched")
    assert [problem.source for problem in live.hub.problems.values()] == ["sampler"]

    fixed.prepare(replaces=board)
    assert fleet_of(fixed) is fleet
    assert fleet_of(board) is None
    assert intake_of(fleet) is fixed.intake


def test_a_board_inherits_more_series_of_hosts_than_other_sources_may_have() -> None:
    board, other = wall(), wall()
    board.prepare()
    fleet = fleet_of(board)
    assert fleet is not None
    for name in ("a", "b", "c"):
        fleet.follower.introduced(FakeLink(), About(name, name, "1.0", 1, "Title", 1000))
    columns = [host.up for host in fleet.hosts.values()]
    board.intake.sources["hosts"].set(np.array(columns), np.array([1.0, 1.0, 1.0]))
    board.tick(1_000_000.0)

    other.prepare(replaces=board)
    newest = other._require_live().engine.window.last(1).rows[0]
    assert [newest[host.up] for host in fleet.hosts.values()] == [1.0, 1.0, 1.0]
