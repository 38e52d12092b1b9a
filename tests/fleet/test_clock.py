"""Times of a host are shifted by whole intervals where its clock differs, and by nothing where it does not."""

import pytest

from tickboard.fleet.clock import COMPARED, HostClock


def clock(*behind_s: float, interval_ms: int = 1000) -> HostClock:
    made = HostClock(interval_ms)
    for each in behind_s:
        made.compare(each)
    return made


@pytest.mark.parametrize(
    ("behind_s", "shift_ms", "ahead_s"),
    [
        (0.0, 0, 0.0),
        (0.09, 0, 0.0),
        # Its ticks would always come too late for the wall's tick of the same time.
        (0.3, 1000, 0.0),
        (-0.3, 0, 0.0),
        (-0.85, 0, 0.0),
        (-0.95, -1000, 0.0),
        (-4.2, -4000, 4.2),
        (4.2, 5000, -4.2),
        (3600.0, 3_600_000, -3600.0),
    ],
)
def test_the_shift_makes_a_tick_belong_to_the_first_one_at_or_after_it(
    behind_s: float, shift_ms: int, ahead_s: float
) -> None:
    compared = clock(behind_s)
    assert (compared.shift_ms, compared.ahead_s, compared.is_known) == (shift_ms, ahead_s, True)


def test_a_message_that_was_under_way_for_long_does_not_change_the_shift() -> None:
    assert clock(0.01, 3.0, 5.0).shift_ms == 0
    assert clock(3.0, 0.01).shift_ms == 0


def test_a_clock_that_is_really_behind_is_believed_after_some_comparisons() -> None:
    assert clock(0.0, *[2.05] * (COMPARED - 1)).shift_ms == 0
    assert clock(0.0, *[2.05] * COMPARED).shift_ms == 2000


def test_a_difference_near_a_limit_does_not_make_the_shift_alternate() -> None:
    for alternating in ((0.09, 0.14), (0.12, 0.08), (0.11, 0.1)):
        compared = clock(alternating[0])
        shift_ms = compared.shift_ms
        for _ in range(3):
            for behind_s in alternating:
                for _ in range(COMPARED):
                    compared.compare(behind_s)
                    assert compared.shift_ms == shift_ms


def test_the_shift_shrinks_again() -> None:
    assert clock(0.3, 0.05).shift_ms == 0
    assert clock(0.3, 0.07).shift_ms == 1000


def test_a_clock_in_doubt_keeps_its_shift_until_it_is_compared_again() -> None:
    compared = clock(-4.2)
    compared.doubt()
    assert (compared.is_known, compared.shift_ms, compared.ahead_s) == (False, -4000, 0.0)
    compared.compare(0.0)
    assert (compared.is_known, compared.shift_ms) == (True, 0)


def test_the_shift_so_far_is_assumed_of_a_host_that_does_not_say_its_time() -> None:
    silent = clock()
    assert not silent.is_known
    silent.assume()
    assert (silent.is_known, silent.shift_ms) == (True, 0)


def test_short_intervals_have_narrower_limits() -> None:
    assert clock(0.06, interval_ms=100).shift_ms == 100
    assert clock(0.04, interval_ms=100).shift_ms == 0
