"""Holes are joined where they touch, filled from their ends, and bounded in number."""

import random

from tickboard.fleet.holes import MAX_HOLES, Holes


def test_a_hole_has_something_between_its_ends() -> None:
    assert list(Holes([(5, 6), (5, 5), (7, 5)])) == []
    assert list(Holes([(5, 7)])) == [(5, 7)]


def test_holes_that_overlap_become_one_and_others_keep_the_tick_between_them() -> None:
    assert list(Holes([(30, 40), (10, 20), (20, 25), (38, 50)])) == [(10, 20), (20, 25), (30, 50)]


def test_the_newest_part_is_filled_first() -> None:
    holes = Holes([(0, 5_000), (9_000, 9_500)])
    assert holes.newest(1_000) == (9_000, 9_500)
    holes.fill(9_000, 9_500)
    assert holes.newest(1_000) == (4_000, 5_000)
    holes.fill(4_000, 5_000)
    # What was asked for has neither of its ends.
    assert list(holes) == [(0, 4_001)]


def test_filling_agrees_with_sets_of_milliseconds() -> None:
    chance = random.Random(7)
    for _ in range(300):
        holes, missing = Holes(), set[int]()
        for _ in range(chance.randint(1, 12)):
            start, end = sorted(chance.sample(range(60), 2))
            between = set(range(start + 1, end))
            if chance.random() < 0.6:
                holes.add(start, end)
                missing |= between
            else:
                holes.fill(start, end)
                missing -= between
            covered = [each for first, last in holes for each in range(first + 1, last)]
            assert covered == sorted(missing)
            assert all(last - first > 1 for first, last in holes)


def test_too_many_holes_become_one_where_they_are_closest() -> None:
    holes = Holes([(100 * place, 100 * place + 50) for place in range(MAX_HOLES)])
    holes.add(100 * MAX_HOLES - 45, 100 * MAX_HOLES)
    assert len(holes) == MAX_HOLES
    assert list(holes)[-1] == (100 * (MAX_HOLES - 1), 100 * MAX_HOLES)


def test_what_is_too_old_is_forgotten() -> None:
    holes = Holes([(0, 10), (20, 40)])
    assert holes.span == (0, 40)
    assert holes.forget_before(30)
    assert list(holes) == [(30, 40)]
    assert not holes.forget_before(30)
    assert holes.forget_before(40)
    assert holes.span is None
    assert holes.newest(5) is None
