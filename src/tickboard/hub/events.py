"""Events: the content of the alert stream as server-sent events (the WHATWG HTML standard)."""

from tickboard.alerting.log import AlertEvent, LogEvent
from tickboard.wire import AlertPosition, Heartbeat, encode, timestamp

RETRY_MS = 2_000
"""How long an alert client waits before it reconnects."""


def log_event(epoch: str, event: LogEvent) -> bytes:
    """Return an event of the log as a server-sent event, encoded once for all readers."""
    frame = event.frames.get("sse")
    if frame is None:
        name = b"" if event.kind == "firing" else b"event: %b\n" % event.kind.encode()
        data = encode(event.alert if isinstance(event, AlertEvent) else event.mark)
        frame = b"id: %b-%d\n%bdata: %b\n\n" % (epoch.encode(), event.number, name, data)
        event.frames["sse"] = frame
    return frame


def stream_start(epoch: str, number: int, *, whole: bool) -> bytes:
    """Return the start of an alert stream: the time to wait before reconnecting, and the position.

    Args:
        epoch: the log's epoch.
        number: the number of the newest event that the client then has.
        whole: whether it has been sent all firing alerts, so that any other alert it knows is over.
    """
    position = encode(AlertPosition(epoch, number, whole))
    return b"retry: %d\nid: %b-%d\nevent: position\ndata: %b\n\n" % (RETRY_MS, epoch.encode(), number, position)


def heartbeat(epoch: str, number: int, time: float) -> bytes:
    """Return a heartbeat as a server-sent event."""
    return b"id: %b-%d\ndata: %b\n\n" % (epoch.encode(), number, encode(Heartbeat(timestamp(time))))
