"""The schedule of a stress run depends on its seed alone, and can be carried out."""

from itertools import pairwise

from tests.fleet.schedule import HOST_KINDS, NATS_KINDS, WALL_KINDS, Schedule, make

HOSTS, WALLS = [f"host-{number}" for number in range(20)], ["wall-1", "wall-2", "wall-3"]


def plan(seed: int) -> Schedule:
    return make(seed, 600, HOSTS, WALLS, ["nats"])


def test_a_seed_has_one_schedule_and_another_seed_has_another() -> None:
    assert plan(1) == plan(1)
    assert str(plan(1)) == str(plan(1))
    assert plan(1) != plan(2)


def test_every_fault_ends_and_a_computer_has_one_at_a_time() -> None:
    for seed in range(20):
        made = plan(seed)
        assert made.ends_s <= 600 + 2
        for name in [*HOSTS, *WALLS, "nats"]:
            faults = [fault for fault in made.faults if fault.target == name]
            assert all(fault.lasts_s >= 1 for fault in faults)
            assert all(after.at_s > before.until_s for before, after in pairwise(faults))


def test_in_some_runs_everything_happens_for_minutes_too() -> None:
    faults = [fault for seed in range(20) for fault in plan(seed).faults]
    assert {fault.kind for fault in faults if fault.target in HOSTS} == set(HOST_KINDS)
    assert {fault.kind for fault in faults if fault.target in WALLS} == set(WALL_KINDS)
    assert {fault.kind for fault in faults if fault.target == "nats"} == set(NATS_KINDS)
    assert any(fault.lasts_s > 120 for fault in faults if fault.target == "nats")
    assert {len(plan(seed).clocks) for seed in range(20)} == {6}
