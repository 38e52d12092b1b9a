"""Which messages with ticks a wall believes, with the time as an argument."""

import struct
from math import nan

import pytest

from tickboard.client.decoder import Tick, newest_in
from tickboard.fleet.messages import Beat
from tickboard.fleet.tick_check import TickCheck


def message(seq: int, time_s: float, kind: int = 2) -> bytes:
    return struct.pack("<BBHIQd", kind, 0, 0, 1, seq, time_s * 1000)


def window(first: int, *times_s: float) -> bytes:
    times = [time * 1000 for time in times_s]
    return struct.pack(f"<BBHIQII{len(times)}d", 1, 0, 0, 1, first, len(times), 0, *times)


def beat(seq: int, epoch: str = "e") -> Beat:
    return Beat("i", 5.0, 0.0, epoch, seq, 1000, 0)


@pytest.fixture
def check() -> TickCheck:
    """A host whose newest tick is its tenth, made at 100 s."""
    check = TickCheck()
    assert not check.doubts(message(99, 1), "e"), "the first one is believed"
    check.took(Tick("e", 10, 100.0, (), b""))
    return check


@pytest.mark.parametrize(
    ("content", "doubted"),
    [
        (message(11, 101), False),
        (message(11, 300), False),
        (message(20, 110), False),
        (message(12, 100.2), False),
        (message(1_000, 101), True),
        (message(3, 101), True),
        (message(11, 66), True),
        (message(10, 66), True),
        (message(9, 140), True),
        (window(11, 65, 66), True),
        (message(8, 98, kind=3), False),
        (message(900, 99, kind=3), True),
        (window(5, *range(95, 107)), False),
        (window(500, 100, 101), True),
        (window(500), False),
        (message(1_000, nan), False),
        (b"", False),
        (b"\x02short", False),
        (b"\x01short", False),
        (window(500, 100, 101)[:-9], False),
        (b"\x09" + bytes(40), False),
    ],
)
def test_a_seq_cannot_get_ahead_of_the_time(check: TickCheck, content: bytes, doubted: bool) -> None:
    assert check.doubts(content, "e") == doubted
    assert not check.doubts(content, "f"), "another run of the board counts anew"


def test_a_beat_confirms_ticks(check: TickCheck) -> None:
    assert not check.beat(beat(999), 0.0)
    assert not check.doubts(message(1_000, 101), "e")
    assert check.doubts(message(1_010, 101), "e")
    assert check.doubts(message(3, 101), "e")
    assert not check.beat(beat(999, "f"), 1.0)
    assert check.doubts(message(1_000, 101), "e")


def test_beats_that_stay_behind_mean_that_the_newest_tick_was_anothers(check: TickCheck) -> None:
    assert [check.beat(beat(seq), now) for now, seq in enumerate((5, 9, 5, 6))] == [False] * 4
    assert check.beat(beat(7), 4.0)
    assert not check.doubts(message(8, 101), "e")
    assert not check.beat(beat(8), 5.0)


def test_the_newest_tick_in_a_message() -> None:
    assert newest_in(message(7, 3)) == (7, 3_000.0)
    assert newest_in(window(7, 3, 4)) == (8, 4_000.0)
