"""Calls: connections that a wall passes on to a host through NATS. This is one side of one call, host's or wall's.

The frames are described in docs/fleet-protocol.md. Each side numbers its frames, so that the other notices a lost one
and ends the call; sends no more than the other has room for; and says now and then that it is still there. A call ends
when either side says so, is silent, or is gone: a NATS server says at once that nobody receives a frame.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
from msgspec import Struct

from tickboard.output.text import one_line

OPEN, START, DATA, CREDIT, CLOSE, END, ALIVE = 1, 2, 3, 4, 5, 6, 7
"""The kinds of frames."""

MORE, TEXT = 1, 2
"""Flags of `DATA`: more of this message or body follows; it is a text message."""

HEADER = struct.Struct("<BBHI")
"""Kind, flags, 0, number. Little-endian, like everything here."""

_CREDIT = struct.Struct("<Q")
_CODE = struct.Struct("<H")

WINDOW = 2**18
"""The bytes of counted frames that may be on their way to one side of a call, or wait there."""

PIECE_BYTES = 2**15
"""The most bytes of content in one frame: ticks on the same connection do not wait long behind it."""

MAX_OPENING_BYTES = 2**16
"""The most bytes of a request without its body, and of the beginning of an answer."""

SHARE_BYTES = 2**20
"""How many bytes may wait for the NATS server before calls wait, so that there is always room for ticks."""

AGAIN_S = 0.05
"""Seconds until a call that waits for the NATS server tries again."""

ALIVE_S, SILENT_S = 5.0, 30.0
"""Each side says that it is there every 5 s, and is gone if it was not heard for 30 s."""

LOOK_S = 2.0
"""Seconds between two checks of all calls."""

MAX_CLOSE_BYTES = 123
"""The most bytes of a close frame's reason (RFC 6455, section 5.5)."""

MAX_REASON = 300
"""The most characters of why a call is over."""

_COUNTED = frozenset({OPEN, START, DATA})

_READ = _COUNTED | {CLOSE}


class CallOverError(Exception):
    """A call is over; the text says why, for people."""


class Opening(Struct, frozen=True, omit_defaults=True):
    """The content of `OPEN`: the request. Bytes of ASGI are texts in Latin-1.

    Attributes:
        path: decoded.
        method: of a request; empty: it is the handshake of a WebSocket.
        query: as it was sent.
        headers: names in lower case, and values.
        subprotocols: those that the client of a WebSocket offers.
        name: who asks, as the host records it; empty: unknown.
        wall: whether the wall asks for itself.
    """

    path: str
    method: str = ""
    query: str = ""
    headers: list[tuple[str, str]] = []
    subprotocols: list[str] = []
    name: str = ""
    wall: bool = False


class Starting(Struct, frozen=True, omit_defaults=True):
    """The content of `START`: the beginning of the answer.

    Attributes:
        status: 101: the WebSocket is accepted.
        headers: as in `Opening`.
        subprotocol: of an accepted WebSocket; None: none.
    """

    status: int
    headers: list[tuple[str, str]] = []
    subprotocol: str | None = None


class CallFrame(Struct, frozen=True):
    """A received frame; see `Side.take`."""

    kind: int
    flags: int
    content: bytes


class Carrier(Protocol):
    """What carries frames: `tickboard.fleet.nats_connection.NatsConnection`."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        ...

    @property
    def max_payload(self) -> int:
        """The most bytes that the server takes in one message."""
        ...

    @property
    def waiting_bytes(self) -> int:
        """The bytes that wait for the server."""
        ...

    def publish(self, subject: str, content: bytes, reply: str = "") -> bool:
        """Send a message soon; False: it is dropped."""
        ...


class CallsReceived(Protocol):
    """A subscription; see `tickboard.fleet.nats_connection.Subscription`."""

    def cancel(self) -> None:
        """Receive nothing more."""
        ...


class Subscribable(Carrier, Protocol):
    """What calls need of a connection; see `tickboard.fleet.nats_connection.NatsConnection`.

    Attributes:
        address: of the server, for people.
    """

    address: str

    def subscribe(self, subject: str, receive: Callable[[str, bytes, str], None]) -> CallsReceived:
        """Receive the messages of a subject."""
        ...

    def watch(self, watcher: Callable[[bool], None]) -> None:
        """Call a function when the connection begins or ends."""
        ...

    def watch_refusals(self, watcher: Callable[[str], bool]) -> None:
        """Call a function with the subject, in lower case, of each message that the server does not permit.

        It returns whether nobody has to fix that.
        """
        ...


class Side:
    """One side of a call.

    Args:
        carrier: sends frames.
        subject: where to.
        reply: where the other side's frames arrive: a NATS server says there that nobody has received a frame.
        now: seconds by the loop's clock.

    Attributes:
        over: set when the call is over.
        why: why it is over, for people; empty while it is not.
    """

    def __init__(self, carrier: Carrier, subject: str, reply: str, now: float) -> None:
        self.over = asyncio.Event()
        self.why = ""
        self._carrier = carrier
        self._subject = subject
        self._reply = reply
        self._number = self._heard_number = 0
        self._alive_at = self._heard_at = now
        # Bytes of counted frames: sent, and as many as may be; received, processed, and as many as may be received.
        self._sent = self._received = self._processed = 0
        self._may_send = self._may_receive = WINDOW
        self._in_hand = 0
        self._received_frames: deque[CallFrame] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False

    # --- sending ---

    async def put(self, kind: int, content: bytes, flags: int = 0) -> None:
        """Send a message, in pieces, as soon as the other side has room for it.

        Args:
            kind: `OPEN`, `START` or `DATA`.
            content: of any size for `DATA`.
            flags: of the last piece; all others have `MORE` as well.

        Raises:
            CallOverError: the call is over.
        """
        view, at = memoryview(content), 0
        most = min(PIECE_BYTES if kind == DATA else MAX_OPENING_BYTES, self._carrier.max_payload - HEADER.size)
        if kind != DATA and len(content) > most:
            raise CallOverError(f"its head has {len(content)} bytes, and may have {most}")
        while True:
            piece = bytes(view[at : at + most])
            at += len(piece)
            await self._send_counted(kind, flags | (MORE if at < len(view) else 0), piece)
            if at >= len(view):
                return

    async def _send_counted(self, kind: int, flags: int, piece: bytes) -> None:
        size = HEADER.size + len(piece)
        while not self.over.is_set():
            if self._sent + size > self._may_send:
                self._room.clear()
                await self._room.wait()
            elif self._carrier.waiting_bytes < SHARE_BYTES and self.put_now(kind, piece, flags):
                self._sent += size
                return
            else:
                await asyncio.sleep(AGAIN_S)
        raise CallOverError(self.why)

    def put_now(self, kind: int, content: bytes = b"", flags: int = 0) -> bool:
        """Send one frame, whatever room there is; return False if it is dropped."""
        frame = HEADER.pack(kind, flags, 0, self._number + 1) + content
        if not self._carrier.publish(self._subject, frame, self._reply):
            return False
        self._number += 1
        return True

    def close_websocket(self, code: int, reason: str) -> None:
        """Tell the other side that the WebSocket was closed."""
        if not self.over.is_set():
            self.put_now(CLOSE, _CODE.pack(code) + reason.encode(errors="replace")[:MAX_CLOSE_BYTES])

    def end(self, why: str) -> None:
        """End the call, and tell the other side why, for people."""
        if not self.over.is_set():
            self.put_now(END, why.encode(errors="replace")[:1_000])
            self.lost(why)

    def lost(self, why: str) -> None:
        """End the call without telling the other side. What was received before can still be read."""
        if not self.over.is_set():
            self.why = why
            self.over.set()
            self._news.set()
            self._room.set()

    # --- receiving ---

    def take(self, frame: bytes, now: float) -> None:
        """Take a message that has arrived; anything that the protocol does not allow ends the call."""
        if self.over.is_set():
            return
        if not frame:
            self.lost("nobody is there")
        elif (broken := self._take(frame, now)) is not None:
            self.end(broken)

    def _take(self, frame: bytes, now: float) -> str | None:
        """Take a frame; return what is wrong with it."""
        if len(frame) < HEADER.size:
            return "a frame is too short"
        kind, flags, _, number = HEADER.unpack_from(frame)
        content = frame[HEADER.size :]
        if kind == END:
            # Its number does not matter: a host that does not know a call cannot know the number either.
            self.lost(one_line(content.decode(errors="replace"), MAX_REASON) or "the other side has ended it")
            return None
        if number != self._heard_number + 1:
            return "a frame was lost"
        self._heard_number, self._heard_at = number, now
        if kind == CREDIT:
            if len(content) != _CREDIT.size:
                return "a credit is too short"
            self._may_send = min(_CREDIT.unpack(content)[0], self._sent + WINDOW)
            self._room.set()
        elif kind in _READ:
            self._received += len(frame) if kind in _COUNTED else 0
            if self._closed or self._received > self._may_receive:
                return "more was sent than may be"
            self._closed = kind == CLOSE
            self._received_frames.append(CallFrame(kind, flags, content))
            self._news.set()
        return None

    async def next(self) -> CallFrame:
        """Wait for the next frame of `OPEN`, `START`, `DATA` or `CLOSE`, and return it.

        Asking for the next one says that the last one was processed: the other side may send more.

        Raises:
            CallOverError: the call is over, and all that was received before was returned.
        """
        self._processed, self._in_hand = self._processed + self._in_hand, 0
        self._grant()
        while not self._received_frames:
            if self.over.is_set():
                raise CallOverError(self.why)
            self._news.clear()
            await self._news.wait()
        frame = self._received_frames.popleft()
        self._in_hand = HEADER.size + len(frame.content) if frame.kind in _COUNTED else 0
        return frame

    def _grant(self) -> None:
        """Give the other side credit, once half of the window is free."""
        most = self._processed + WINDOW
        if most - self._may_receive < WINDOW // 2 or self.over.is_set():
            return
        if self.put_now(CREDIT, _CREDIT.pack(most)):
            self._may_receive = most

    # --- time ---

    def look(self, now: float) -> None:
        """Say that this side is there, and check that the other one is."""
        if self.over.is_set():
            return
        if now - self._heard_at > SILENT_S:
            self.end(f"nothing was heard for {SILENT_S:g} s")
            return
        # If there was no room for it before.
        self._grant()
        if now - self._alive_at > ALIVE_S and self.put_now(ALIVE):
            self._alive_at = now


async def look_after(sides: Callable[[], Iterable[Side]]) -> None:
    """Check calls until cancelled.

    Args:
        sides: returns those that are open.
    """
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(LOOK_S)
        for side in list(sides()):
            side.look(loop.time())


def code_in(close: CallFrame) -> tuple[int, str]:
    """Return the code and the reason in a frame of `CLOSE`; 1005 if it has none."""
    if len(close.content) < _CODE.size:
        return 1005, ""
    (code,) = _CODE.unpack_from(close.content)
    return code, close.content[_CODE.size : _CODE.size + MAX_CLOSE_BYTES].decode(errors="ignore")


def texts(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return headers of ASGI as they are sent."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def raw(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Return headers that were sent, as ASGI has them; one that is not Latin-1 is left out."""
    found: list[tuple[bytes, bytes]] = []
    for name, value in headers:
        try:
            found.append((name.encode("latin-1"), value.encode("latin-1")))
        except UnicodeEncodeError:
            continue
    return found


decode_opening = msgspec.json.Decoder(Opening).decode
decode_starting = msgspec.json.Decoder(Starting).decode
