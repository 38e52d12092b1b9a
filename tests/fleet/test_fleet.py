"""All that a wall has to follow hosts, from its start to its end."""

import time
from pathlib import Path
from typing import Any, cast

import numpy as np
from tests.fleet.following import Wall
from tests.fleet.listening import until
from tests.servers import free_port

from tickboard import Board
from tickboard.fleet.fleet import Fleet
from tickboard.fleet.follow_options import FollowOptions
from tickboard.fleet.host import AGAIN_MS
from tickboard.fleet.nats_options import NatsOptions, read_servers
from tickboard.fleet.roster import HostPlace, KnownHost, Roster, beside_journal
from tickboard.history.options import HistoryOptions
from tickboard.running.recorder import NO_SERIES, TickRecorder
from tickboard.settings import Settings
from tickboard.wire import About


async def test_the_problems_of_a_fleet_end_with_it() -> None:
    wall, unused = Wall(), cast("Any", None)
    problems = wall.problems
    nats = NatsOptions(read_servers(f"nats://127.0.0.1:{free_port()}", {}))
    fleet = Fleet(FollowOptions(), wall.intake, problems, 1000, lambda: wall.engine.alerts, unused, nats)
    problems.report("NATS", "the publisher cannot reach it")
    for _ in range(2):
        fleet.start()
        await until(lambda: "following: NATS" in problems)
        await fleet.stop()
        assert list(problems) == ["NATS"]


async def test_a_wall_with_an_older_history_misses_what_hosts_have_made_since(tmp_path: Path) -> None:
    wall, now = Wall(), round(time.time())
    recorder = TickRecorder(
        HistoryOptions(str(tmp_path / "history.sqlite")), tmp_path / "history.sqlite", wall.problems
    )
    recorder.history.begin("e", 1000, 10)
    recorder.history.append(1, now - 60, NO_SERIES, np.empty(0))
    await recorder.close()
    place = HostPlace("live", now - 90, now, now * 1000, 0, [], "http://127.0.0.1:9", "http")
    Roster(beside_journal(tmp_path / "wall.sqlite")).save([KnownHost(About("a", "", "", 1, "", 1000), place)], [])

    board = Board(history=tmp_path / "history.sqlite", state=tmp_path / "wall.sqlite")
    board.follow("http://127.0.0.1:9")
    board.prepare(Settings())
    running = board._require_live()
    assert running.fleet is not None
    assert running.fleet.hosts["a"].ticked_ms == (now - 60) * 1000 - AGAIN_MS
    await running.close()
