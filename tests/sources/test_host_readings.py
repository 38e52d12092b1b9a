import pytest

from tickboard.sources.host.readings import SLOW_S, Held, Readings


class Source:
    """A reader that returns an increasing count, or fails."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False

    def __call__(self, now: float) -> Readings:
        if self.fails:
            raise OSError("broken")
        self.count += 1
        return {("count", ""): self.count}


def test_a_cached_reading_is_refreshed_on_time_even_if_the_tick_is_early() -> None:
    source = Source()
    held = Held(source)
    for now, count in [(0, 1), (1, 1), (9, 1), (SLOW_S - 0.1, 2), (SLOW_S + 1, 2)]:
        assert held(now) == {("count", ""): count}


def test_a_cached_reading_that_failed_is_retried_at_once() -> None:
    source = Source()
    held = Held(source)
    held(0)
    source.fails = True
    for now in (10, 11):
        with pytest.raises(OSError, match="broken"):
            held(now)
    source.fails = False
    assert held(12) == {("count", ""): 2}
