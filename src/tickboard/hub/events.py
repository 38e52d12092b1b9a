"""Events: what the alert stream sends, as server-sent events (the WHATWG HTML standard)."""

from tickboard.alerting.log import AlertEvent
from tickboard.wire import AlertPosition, Heartbeat, encode, timestamp

RETRY_MS = 2_000
"""How long an alert client waits before it comes back."""


def alert_event(epoch: str, event: AlertEvent) -> bytes:
    """Return an alert event as a server-sent event, encoded once however many read it."""
    frame = event.frames.get("sse")
    if frame is None:
        name = b"" if event.kind == "firing" else b"event: %b\n" % event.kind.encode()
        frame = b"id: %b-%d\n%bdata: %b\n\n" % (epoch.encode(), event.number, name, encode(event.alert))
        event.frames["sse"] = frame
    return frame


def stream_start(epoch: str, number: int, *, whole: bool) -> bytes:
    """Return what opens an alert stream: how long to wait before coming back, and the position that it starts from.

    Args:
        epoch: of the log.
        number: of the newest event that the client has then.
        whole: whether it was told of all that fires now, and what else it knows is over.
    """
    position = encode(AlertPosition(epoch, number, whole))
    return b"retry: %d\nid: %b-%d\nevent: position\ndata: %b\n\n" % (RETRY_MS, epoch.encode(), number, position)


def heartbeat(epoch: str, number: int, time: float) -> bytes:
    """Return a heartbeat as a server-sent event."""
    return b"id: %b-%d\ndata: %b\n\n" % (epoch.encode(), number, encode(Heartbeat(timestamp(time))))
