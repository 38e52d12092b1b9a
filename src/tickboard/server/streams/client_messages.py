"""Messages from viewers over their WebSocket, and the answers to them, however they are connected."""

from collections.abc import Iterator
from functools import partial

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Scope

from tickboard.hub.connections import Position, ViewerConnection
from tickboard.hub.encodings import BINARY, BINARY_CHANGES, JSON, Encoding
from tickboard.hub.frames import Frame
from tickboard.hub.hub import Hub
from tickboard.hub.viewer import Viewer
from tickboard.metrics.selection import Selection
from tickboard.metrics.selectors import why_refused
from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.detail_access import sees_details
from tickboard.wire import ClientMessage, Ping, Pong, Refused, Subscribe, Subscribed, encode, timestamp

MAX_MESSAGE_BYTES = 65_536
"""The longest message from a client; a longer one ends its connection with 1009."""

_decode = msgspec.json.Decoder(ClientMessage).decode


def subprotocol(scope: Scope) -> str | None:
    """Return the subprotocol to accept in a handshake."""
    offered = scope.get("subprotocols", ())
    return next((name for name in BINARY if name in offered), None)


def asked(scope: Scope) -> list[str]:
    """Return the selectors in the URL of a handshake."""
    return QueryParams(scope["query_string"]).getlist("metrics")


def join(hub: Hub, outlet: ViewerConnection, scope: Scope, prepared: Selection | None = None) -> Viewer:
    """Attach a viewer with the position, the subscription and the encoding that its handshake asks for.

    Args:
        hub: the hub to join.
        outlet: the last step to its connection.
        scope: the handshake's scope.
        prepared: the result of `Hub.prepare` for it.
    """
    query = QueryParams(scope["query_string"])
    since = parse_position(query.get("since", ""))
    return hub.join(
        outlet,
        since,
        query.getlist("metrics"),
        encoding_of(scope),
        details=sees_details(scope),
        owner=address_of(scope),
        prepared=prepared,
    )


def encoding_of(scope: Scope) -> Encoding:
    """Return the encoding that a handshake asks for."""
    spoken = subprotocol(scope)
    if spoken is None:
        return JSON
    return (BINARY_CHANGES if QueryParams(scope["query_string"]).get("changes") == "1" else BINARY)[spoken]


def parse_position(text: str) -> Position | None:
    """Parse a position written as ``EPOCH:SEQ``; return None if it isn't one."""
    epoch, colon, seq = text.rpartition(":")
    # No board will count to twenty digits, and int() of a megabyte of them would take long.
    return Position(epoch, int(seq)) if colon and seq.isascii() and seq.isdigit() and len(seq) < 20 else None


def answer(message: str | bytes, hub: Hub, viewer: Viewer, now: float) -> Iterator[None]:
    """Handle a client's message, in steps. Anything unknown is ignored.

    Args:
        message: the message as received.
        hub: the viewer's hub.
        viewer: the sender.
        now: POSIX seconds.
    """
    try:
        request = _decode(message)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return
    match request:
        case Ping():
            viewer.answer(Frame.text(encode(Pong(timestamp(now)))))
        case Subscribe(metrics):
            # Many requests at the same time take turns, including those that are refused.
            yield
            selectors = [metrics] if isinstance(metrics, str) else metrics or []
            encoding = viewer.encoding or JSON
            judge = partial(hub.audiences.refusal, viewer.owner, details=viewer.details, leaving=viewer)
            if why := why_refused(selectors) or judge(None, selectors, encoding):
                viewer.answer(Frame.text(encode(Refused(why))))
                return
            prepared = yield from hub.audiences.prepare(selectors, encoding)
            if why := judge(prepared, selectors, encoding):
                viewer.answer(Frame.text(encode(Refused(why))))
                return
            described = hub.subscribe(viewer, selectors, prepared)
            subscribed = Frame.text(encode(Subscribed(selectors)))
            viewer.answer(subscribed if described is None else described.after(subscribed))
