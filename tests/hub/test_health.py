"""A board's health is ok, degraded or failing, with the reasons."""

from tickboard.hub.health import Vitals, health
from tickboard.wire import HealthReason, Problem

PROBLEM = Problem("sampler x", "ValueError: boom", "2026-11-29T11:00:00.000Z", ["x"], "board.py", 3, "Traceback")
REASON = HealthReason("sampler x", "ValueError: boom", "2026-11-29T11:00:00.000Z")


def test_a_board_without_problems_is_ok() -> None:
    assert health(Vitals(), [], 0.0) == ("ok", [])


def test_a_problem_degrades_health_and_is_listed_without_its_details() -> None:
    assert health(Vitals(), [PROBLEM], 0.0) == ("degraded", [REASON])


def test_health_is_failing_after_three_seconds_and_three_intervals_without_a_tick() -> None:
    assert health(Vitals(0, 3.0, 0.01), [], 0.0)[0] == "ok"
    assert health(Vitals(0, 29.9, 10.0), [], 0.0)[0] == "ok"
    assert health(Vitals(0, 30.1, 10.0), [], 0.0)[0] == "failing"
    silent = HealthReason("ticks", "no tick has been published for 4 s", "1970-01-01T00:00:06.000Z")
    assert health(Vitals(0, 4.0, 0.01), [PROBLEM], 10.0) == ("failing", [silent, REASON])
