"""What a viewer may say over its WebSocket, and how it is answered; the same for every way it is connected."""

import msgspec
from starlette.datastructures import QueryParams
from starlette.types import Scope

from tickboard.frames import BINARY, JSON, Encoding, Frame, encode, timestamp
from tickboard.hub.connections import Outlet, Position
from tickboard.hub.hub import Hub, Viewer
from tickboard.selectors import too_many
from tickboard.types import ClientMessage, Ping, Pong, Subscribe, Subscribed

SUBPROTOCOL = "tickboard.v1"
"""The binary one; see docs/protocol.md."""

MAX_MESSAGE_BYTES = 65_536
"""A longer message from a client ends its connection with 1009."""

_decode = msgspec.json.Decoder(ClientMessage).decode


def subprotocol(scope: Scope) -> str | None:
    """Return the subprotocol that a handshake is answered with."""
    return SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None


def join(hub: Hub, outlet: Outlet, scope: Scope) -> Viewer:
    """Attach a viewer as its handshake asks for: from a position, with a subscription, in an encoding."""
    query = QueryParams(scope["query_string"])
    selectors = query.getlist("metrics")
    encoding: Encoding = BINARY if subprotocol(scope) else JSON
    since = parse_position(query.get("since", ""))
    return hub.join(outlet, since, [] if too_many(selectors) else selectors, encoding)


def parse_position(text: str) -> Position | None:
    """Return the position written ``EPOCH:SEQ``, or None where it isn't one."""
    epoch, colon, seq = text.rpartition(":")
    # Twenty digits are more than any board will count; int() of a megabyte of them would take its time.
    return Position(epoch, int(seq)) if colon and seq.isascii() and seq.isdigit() and len(seq) < 20 else None


def answer(message: str | bytes, hub: Hub, viewer: Viewer, now: float) -> None:
    """Do what a client's message asks for; what can't be understood is ignored.

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
            selectors = metrics or []
            if too_many(selectors):
                return
            described = hub.subscribe(viewer, selectors)
            subscribed = Frame.text(encode(Subscribed(selectors)))
            viewer.answer(subscribed if described is None else described.after(subscribed))
