"""Events are read as the WHATWG HTML standard says, wherever the chunks of a stream end."""

import pytest

from tickboard.errors import InputError
from tickboard.fleet import event_stream as module
from tickboard.fleet.event_stream import EventStream, ServerSentEvent
from tickboard.metrics.cleaning import MAX_LABEL_VALUE, MAX_LABELS, MAX_NAME
from tickboard.wire import Alert, Silence, encode

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


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize(
    "data", [b"data: %b" % (b"x" * 100), b"data: x\ndata: x\r\n" * 10, b"data: x\n: %b" % (b"x" * 100)]
)
def test_an_event_that_is_too_long_is_skipped_and_the_next_ones_are_read(
    data: bytes, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_EVENT_BYTES", 50)
    stream = b"id: e-1\nevent: resolved\n%b\n\r\nid: e-2\ndata: %b\n\n" % (data, b"y" * 37)
    events = EventStream()
    found = [event for at in range(0, len(stream), size) for event in events.feed(stream[at : at + size])]
    assert found == [ServerSentEvent("e-1", "resolved", None), ServerSentEvent("e-2", "", b"y" * 37)]


def test_of_an_event_that_is_too_long_the_name_and_id_may_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_EVENT_BYTES", 50)
    stream = b"data: %b\nevent: resolved\nid: e-1\n\n" % (b"x" * 100)
    assert list(EventStream().feed(stream)) == [ServerSentEvent("e-1", "resolved", None)]


@pytest.mark.parametrize("chunk", [b"x" * 1_000, b"data: " + b"x" * 1_000 + b"\n"])
def test_an_event_without_end_is_refused(chunk: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SKIPPED_BYTES", 10**6)
    events = EventStream()
    with pytest.raises(InputError, match="more than 1000000 bytes"):
        list(events.feed(chunk * 1_001))
    # An event may follow many others.
    events = EventStream()
    for _ in range(2_000):
        assert len(list(events.feed(chunk.rstrip() + b"\ndata: x\n\n"))) == 1


def test_the_largest_alert_in_ascii_is_read() -> None:
    labels = {f"{number:0{MAX_NAME}}": "x" * MAX_LABEL_VALUE for number in range(MAX_LABELS)}
    time, text = "2026-01-31T12:00:00.000Z", "x" * 1_000
    silence = Silence("x" * MAX_NAME, time, text, time, labels, text)
    alert = Alert("a" * 50, "x" * MAX_LABEL_VALUE * MAX_LABELS, "info", time, "m" * MAX_NAME, labels, silenced=silence)
    [event] = EventStream().feed(b"id: e-1\ndata: %b\n\n" % encode(alert))
    assert event.data == encode(alert)
