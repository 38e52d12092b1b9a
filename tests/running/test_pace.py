"""Rounds run at the instants of their schedule, however the clock is set. Skipped rounds are not made up."""

import asyncio
import time
from datetime import UTC

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tickboard.running.pace import LONGEST_SLEEP_S, Pace, skipped, sleep_until_next
from tickboard.schedule import Schedule, parse

YEAR_S = 365 * 86_400.0
BEGAN = 1_700_000_000.0
SCHEDULES = ["10ms", "100ms", "250ms", "1s", "10s", "* * * * * *", "*/5 * * * *", "30 2 * * *", "0 0 29 2 *"]
STEPS = st.sampled_from(
    [sign * step for sign in (1, -1) for step in (0.3, 2.5, 60, 3_600, 86_400, YEAR_S, 30 * YEAR_S)]
)


class Clock:
    """A clock that advances by sleeping, and can be set."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.offset_s = BEGAN

    @property
    def now(self) -> float:
        return self.passed_s + self.offset_s


def wait(schedule: Schedule, last: float, clock: Clock, step_s: float = 0.0, after_s: float = 0.0) -> float:
    """Wait for a round. The clock is set once, `after_s` seconds after the wait has started."""
    pace, began = Pace(schedule, last), clock.passed_s
    while left_s := pace.left_s(clock.now):
        sleep_s = min(left_s, LONGEST_SLEEP_S)
        if step_s and clock.passed_s - began + sleep_s > after_s:
            sleep_s = max(0.0, after_s - (clock.passed_s - began))
            clock.offset_s, step_s = clock.offset_s + step_s, 0.0
        clock.passed_s += sleep_s
    return pace.instant(clock.now)


@given(st.sampled_from(SCHEDULES[:7]), STEPS, st.floats(0, 12))
@example("10ms", YEAR_S, 0.0)
@example("10s", -3_600.0, 5.0)
@settings(deadline=None)
def test_the_next_round_is_on_time_whatever_the_clock_is_set_to(when: str, step_s: float, after_s: float) -> None:
    schedule, clock = parse(when, UTC), Clock()
    last = clock.now
    longest_s = schedule.next(last) - last + LONGEST_SLEEP_S
    for _ in range(3):
        last = wait(schedule, last, clock, step_s, after_s)
        # The newest instant of the schedule, with no longer wait than without the step.
        assert last <= clock.now
        assert schedule.next(last) > clock.now
        assert schedule.next(last - 1e-6) == last
        step_s = 0.0
    longest_s = 3 * (schedule.next(last) - last) + after_s + LONGEST_SLEEP_S
    assert clock.passed_s <= longest_s


@pytest.mark.parametrize("when", SCHEDULES)
@pytest.mark.parametrize("gap_s", [0.0, 1.0, 3_600.0, YEAR_S, 40 * YEAR_S])
def test_the_newest_instant_is_found_without_visiting_all(when: str, gap_s: float) -> None:
    calls = 0

    class Counted:
        """The schedule, counting its calls."""

        def __getattr__(self, name: str) -> object:
            return getattr(schedule, name)

        def next(self, after: float) -> float:
            nonlocal calls
            calls += 1
            return schedule.next(after)

    schedule = parse(when, UTC)
    due = schedule.next(BEGAN)
    latest = type(schedule).latest(Counted(), due, due + gap_s)  # type: ignore[arg-type]
    assert latest <= due + gap_s < schedule.next(latest)
    assert latest == due or schedule.next(latest - 1e-6) == latest
    assert calls <= 32


def test_rounds_skipped_by_a_step_of_the_clock_do_not_count_as_missed() -> None:
    ticks = parse("100ms")
    assert skipped(ticks, 10.0, 10.1, 0.1, 0.1) == 0
    assert skipped(ticks, 10.0, 10.5, 0.52, 0.1) == 4
    assert skipped(ticks, 10.0, 10.0 + YEAR_S, 0.1, 0.1) <= 1
    assert skipped(ticks, 10.0, 9.0, 0.1, 0.1) == 0


@pytest.mark.parametrize("step_s", [-3_600.0, YEAR_S])
def test_setting_the_clock_does_not_leave_the_schedule_asleep(monkeypatch: pytest.MonkeyPatch, step_s: float) -> None:
    async def scenario() -> None:
        began = time.monotonic()
        offset = 0.0

        def clock() -> float:
            return 1_000_000.0 + offset + (time.monotonic() - began)

        monkeypatch.setattr(time, "time", clock)
        sleeping = asyncio.create_task(sleep_until_next(parse("200ms"), clock()))
        await asyncio.sleep(0.01)
        offset = step_s
        due = await asyncio.wait_for(sleeping, 5)
        assert due == pytest.approx(1_000_000 + step_s, abs=3)

    asyncio.run(scenario())
