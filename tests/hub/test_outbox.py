"""An outbox is bounded. Its ticks may be dropped, its answers are kept."""

from tickboard.hub.frames import Frame
from tickboard.hub.outbox import OUTBOX_BYTES, Outbox


def frame(size: int) -> Frame:
    return Frame.text(b"x" * size)


def test_frames_are_taken_in_the_order_they_were_put() -> None:
    outbox, tick, answer = Outbox(), frame(10), frame(5)
    outbox.put(tick, 7)
    outbox.put(answer)
    assert outbox.size == 15
    assert [outbox.take(), outbox.take(), outbox.take()] == [(7, tick), (0, answer), None]
    assert outbox.size == 0


def test_the_first_frame_always_has_room_and_later_ones_only_within_the_bound() -> None:
    outbox = Outbox()
    assert outbox.has_room(frame(OUTBOX_BYTES * 2))
    outbox.put(frame(OUTBOX_BYTES - 10), 1)
    assert outbox.has_room(frame(10))
    assert not outbox.has_room(frame(11))
    assert not outbox.full
    outbox.put(frame(11))
    assert outbox.full


def test_drop_ticks_keeps_answers() -> None:
    outbox, answer = Outbox(), frame(3)
    assert outbox.drop_ticks() == 0
    outbox.put(frame(10), 1)
    outbox.put(answer)
    outbox.put(frame(10), 2)
    assert outbox.drop_ticks() == 2
    assert (outbox.size, outbox.take()) == (3, (0, answer))
    outbox.put(answer)
    outbox.clear()
    assert (outbox.size, outbox.take()) == (0, None)
