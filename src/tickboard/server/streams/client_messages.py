"""What a viewer may say over its WebSocket, and how it is answered; the same for every way it is connected."""

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
"""A longer message from a client ends its connection with 1009."""

_decode = msgspec.json.Decoder(ClientMessage).decode


def subprotocol(scope: Scope) -> str | None:
    """Return the subprotocol that a handshake is answered with."""
    offered = scope.get("subprotocols", ())
    return next((name for name in BINARY if name in offered), None)


def asked(scope: Scope) -> list[str]:
    """Return the selectors in the address of a handshake."""
    return QueryParams(scope["query_string"]).getlist("metrics")


def join(hub: Hub, outlet: ViewerConnection, scope: Scope, prepared: Selection | None = None) -> Viewer:
    """Attach a viewer as its handshake asks for: from a position, with a subscription, in an encoding.

    Args:
        hub: whose viewer it is to be.
        outlet: the last step to its connection.
        scope: of the handshake.
        prepared: what `Hub.prepare` returned for it.
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
    """Return the position written ``EPOCH:SEQ``, or None where it isn't one."""
    epoch, colon, seq = text.rpartition(":")
    # Twenty digits are more than any board will count; int() of a megabyte of them would take its time.
    return Position(epoch, int(seq)) if colon and seq.isascii() and seq.isdigit() and len(seq) < 20 else None


def answer(message: str | bytes, hub: Hub, viewer: Viewer, now: float) -> Iterator[None]:
    """Do what a client's message asks for, in steps; what can't be understood is ignored.

    Args:
        message: as the client sent it.
        hub: whose viewer it is.
        viewer: who said it.
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
            # What many ask for at the same time takes turns, also if it is refused.
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
