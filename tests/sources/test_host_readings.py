import pytest

from tickboard.sources.host.readings import SLOW_S, Held, Readings


class Source:
    """Reads a number that goes up, or fails."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False

    def __call__(self, now: float) -> Readings:
        if self.fails:
            raise OSError("broken")
        self.count += 1
        return {("count", ""): self.count}


def test_a_held_reading_is_read_again_when_its_time_has_come_even_if_the_tick_is_early() -> None:
    source = Source()
    held = Held(source)
    for now, count in [(0, 1), (1, 1), (9, 1), (SLOW_S - 0.1, 2), (SLOW_S + 1, 2)]:
        assert held(now) == {("count", ""): count}


def test_a_held_reading_that_failed_is_tried_again_at_once() -> None:
    source = Source()
    held = Held(source)
    held(0)
    source.fails = True
    for now in (10, 11):
        with pytest.raises(OSError, match="broken"):
            held(now)
    source.fails = False
    assert held(12) == {("count", ""): 2}
