"""Events are read as the WHATWG HTML standard says, wherever the chunks of a stream end."""

import pytest

from tickboard.errors import InputError
from tickboard.fleet.event_stream import MAX_EVENT_BYTES, EventStream, ServerSentEvent

STREAM = (
    b": a comment\nretry: 2000\nid: e-1\nevent: position\ndata: {}\n\n"
    b"id:e-2\r\ndata: first\r\ndata:  second\r\n\r\n"
    b"id: e-3\nevent: without data\n\n"
    b"data\n\n"
    b"data: not complete\n"
)
EVENTS = [
    ServerSentEvent("e-1", "position", b"{}"),
    ServerSentEvent("e-2", "", b"first\n second"),
    ServerSentEvent("e-3", "", b""),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_events_are_the_same_however_the_stream_is_cut(size: int) -> None:
    events = EventStream()
    found = [event for at in range(0, len(STREAM), size) for event in events.feed(STREAM[at : at + size])]
    assert found == EVENTS


def feed_all(events: EventStream, chunk: bytes) -> None:
    for _ in range(MAX_EVENT_BYTES // 1_000 + 1):
        list(events.feed(chunk))


@pytest.mark.parametrize("chunk", [b"x" * 1_000, b"data: " + b"x" * 1_000 + b"\n"])
def test_an_event_without_end_is_refused(chunk: bytes) -> None:
    events = EventStream()
    with pytest.raises(InputError, match=f"more than {MAX_EVENT_BYTES} bytes"):
        feed_all(events, chunk)
    # An event may follow many others.
    events = EventStream()
    for _ in range(200):
        assert len(list(events.feed(chunk.rstrip() + b"\ndata: x\n\n"))) == 1
