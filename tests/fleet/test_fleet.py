"""All that a wall has to follow hosts, from its start to its end."""

from typing import Any, cast

from tests.fleet.following import Wall
from tests.fleet.listening import until
from tests.servers import free_port

from tickboard.fleet.fleet import Fleet
from tickboard.fleet.follow_options import FollowOptions
from tickboard.fleet.nats_options import NatsOptions, read_servers


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
