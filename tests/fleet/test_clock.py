"""Times of a host are shifted by whole intervals where its clock differs, and by nothing where it does not."""

import pytest

from tickboard.fleet.clock import COMPARED_S, DELAYED, FIRST_S, GROW_S, IN_TIME, LONGEST_MS, WAIT_MS, HostClock, wait_ms


def compare(clock: HostClock, *behind_s: float, start: float = 0.0, every_s: float = 1.0) -> HostClock:
    """Make comparisons one after another."""
    for number, each in enumerate(behind_s):
        clock.compare(each, start + number * every_s)
    return clock


def compared(*behind_s: float, interval_ms: int = 1000, every_s: float = 1.0) -> HostClock:
    return compare(HostClock(interval_ms), *behind_s, every_s=every_s)


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
    clock = compared(*[behind_s] * 3)
    assert (clock.shift_ms, clock.ahead_s, clock.is_known) == (shift_ms, ahead_s, True)


def test_a_clock_that_agrees_is_known_with_the_first_message() -> None:
    assert compared(0.02).is_known
    assert not compared(-4.2).is_known
    assert compared(-4.2, -4.2, -4.2).is_known


def test_the_least_of_the_first_messages_counts_however_old_they_are() -> None:
    # The host is 20 s ahead, and all that it has sent in 13 s comes at once.
    clock = compare(HostClock(1000), *range(-7, -20, -1), every_s=0.005)
    assert not clock.is_known
    compare(clock, -20.0, -19.99, start=1.0)
    assert (clock.is_known, clock.shift_ms) == (True, -20_000)


def test_a_first_message_that_was_under_way_for_long_proves_nothing() -> None:
    clock = compared(3.0)
    assert not clock.is_known
    compare(clock, 0.01, start=1.0)
    assert (clock.is_known, clock.shift_ms) == (True, 0)
    late = compared(3.0, 3.1, 3.0)
    assert (late.is_known, late.shift_ms) == (True, 3000)
    assert FIRST_S == 2.0


def test_a_clock_that_is_really_behind_is_believed_after_a_while() -> None:
    clock = compare(compared(0.0), *[2.05] * 10, start=1.0)
    assert clock.shift_ms == 0
    compare(clock, *[2.05] * 2, start=11.0)
    assert clock.shift_ms == 2000
    assert COMPARED_S == 10.0


def test_a_burst_of_old_messages_does_not_change_the_shift() -> None:
    clock = compared(*[0.01] * 8)
    # All that was sent in 20 s comes at once.
    compare(clock, *range(20, 0, -1), start=28.0, every_s=0.005)
    assert clock.shift_ms == 0
    compare(clock, 0.01, 0.01, start=29.0)
    assert (clock.shift_ms, clock.is_known) == (0, True)
    assert GROW_S > 1


def test_a_difference_near_a_limit_does_not_make_the_shift_alternate() -> None:
    for alternating in ((0.07, 0.09), (0.12, 0.08), (0.11, 0.1)):
        clock = compared(*[alternating[0]] * 3)
        shifts = set()
        for number, behind_s in enumerate(alternating * 3):
            compare(clock, *[behind_s] * 12, start=3.0 + 12 * number)
            shifts.add(clock.shift_ms)
        assert len(shifts) == 1


def test_the_shift_shrinks_at_once() -> None:
    assert compared(0.3, 0.3, 0.3, 0.05).shift_ms == 0
    assert compared(0.3, 0.3, 0.3, 0.07).shift_ms == 1000


def test_a_clock_in_doubt_keeps_its_shift_until_it_is_compared_again() -> None:
    clock = compared(*[-4.2] * 3)
    clock.doubt()
    assert (clock.is_known, clock.shift_ms, clock.ahead_s) == (False, -4000, 0.0)
    compare(clock, 0.0, 0.0, 0.0)
    assert (clock.is_known, clock.shift_ms) == (True, 0)


def test_the_shift_of_an_earlier_run_is_right_until_it_is_compared() -> None:
    clock = HostClock(1000, 5000)
    compare(clock, 4.2)
    assert (clock.is_known, clock.shift_ms) == (True, 5000)


def test_the_shift_so_far_is_assumed_of_a_host_that_does_not_say_its_time() -> None:
    silent = compared()
    assert not silent.is_known
    silent.assume()
    assert (silent.is_known, silent.shift_ms) == (True, 0)


def test_only_a_lower_shift_that_a_host_has_said_is_assumed_if_it_says_no_more() -> None:
    for behind_s, shift_ms in ((-4.2, -4000), (4.2, 0)):
        clock = compared(behind_s)
        clock.assume()
        assert (clock.is_known, clock.shift_ms) == (True, shift_ms)


def test_what_the_clock_of_a_host_shows_is_known_once_it_is_compared() -> None:
    clock = HostClock(1000, 5000)
    # No time of the host is later than this.
    assert clock.shown_ms(100.0) == 96_000
    compare(clock, 4.2, 4.3)
    clock.delay_ms = 1000
    assert clock.shown_ms(100.0) == 95_800


def test_short_intervals_have_narrower_limits() -> None:
    assert compared(0.04, 0.04, interval_ms=100, every_s=1.0).shift_ms == 0
    assert compared(0.06, 0.06, 0.06, interval_ms=100).shift_ms == 100


def test_the_wall_waits_for_as_long_as_a_clock_may_be_behind() -> None:
    assert (wait_ms(1000), wait_ms(100)) == (WAIT_MS, 50)
    assert compared(*[0.12] * 3).shift_ms == 1000


def receive(clock: HostClock, number: int, after_ms: float, *, start: float, every_s: float = 1.0) -> int:
    """Take ticks that come some time after the wall's first tick for them; return how often the shift changed."""
    return sum(
        clock.receive(later_ms := after_ms - clock.delay_ms, start + at * every_s, late=later_ms > WAIT_MS)
        for at in range(number)
    )


def test_ticks_that_come_late_for_a_while_are_delayed_until_they_are_in_time() -> None:
    clock = compared(0.0)
    assert receive(clock, DELAYED, 1_300, start=0.0) == 0
    assert receive(clock, 1, 1_300, start=DELAYED) == 1
    assert (clock.delay_ms, clock.shift_ms, clock.ahead_s) == (1000, 1000, 0.0)
    assert receive(clock, 20, 1_300, start=10.0) == 1
    assert clock.shift_ms == 2000
    # Where the clock itself is found to be behind, both count.
    compare(clock, *[3.02] * 20, start=50.0)
    assert clock.shift_ms == 5000
    clock.doubt()
    assert clock.shift_ms == 5000


def test_a_short_delay_does_not_count_and_one_that_is_over_ends_after_a_long_time() -> None:
    clock = compared(0.0)
    assert receive(clock, DELAYED, 300, start=0.0) == 0
    assert receive(clock, 1, 20, start=DELAYED) == 0
    assert receive(clock, DELAYED, 300, start=10.0) == 0
    assert receive(clock, 1, 20, start=20.0) == 0
    assert receive(clock, 50, 300, start=21.0, every_s=0.05) == 0
    assert receive(clock, 10, 300, start=30.0) == 1
    assert receive(clock, IN_TIME - 1, 20, start=50.0) == 0
    assert receive(clock, 1, 80, start=49.0 + IN_TIME) == 0
    assert receive(clock, IN_TIME, 20, start=200.0) == 1
    assert clock.delay_ms == 0
    assert receive(clock, 2 * IN_TIME, 20, start=400.0) == 0


def test_a_delay_has_a_limit_and_what_is_older_is_no_delay() -> None:
    clock = compared(0.0)
    assert receive(clock, 100, LONGEST_MS + 1, start=0.0) == 0
    assert receive(clock, 300, LONGEST_MS - 1, start=200.0) == 5
    assert clock.delay_ms == LONGEST_MS
    slow = compared(0.0, interval_ms=60_000)
    assert receive(slow, 10, 300, start=0.0, every_s=60.0) == 1
    assert (slow.delay_ms, receive(slow, 100, 4_000 + 60_000, start=1_000.0, every_s=60.0)) == (60_000, 0)
