"""A viewer's connection under ``tickboard run``, after its handshake: frames go straight to its socket.

It replaces uvicorn's connection on the same transport. It holds only what a viewer needs, so that ten thousand of them
are small, and has no task: messages from the client are handled as they arrive, and the hub writes to the client. The
sans-I/O core of websockets parses the frames (RFC 6455).
"""

import asyncio
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

from starlette.types import Scope
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import DATA_OPCODES, Close, Opcode
from websockets.frames import Frame as Received

from tickboard.hub.connections import end_failed
from tickboard.hub.frames import PING, Frame, close, pong
from tickboard.hub.hub import Hub
from tickboard.hub.viewer import Viewer
from tickboard.loop.turns import turns
from tickboard.metrics.selection import Selection
from tickboard.output.logs import log
from tickboard.server.streams.client_messages import MAX_MESSAGE_BYTES, answer, join
from tickboard.server.streams.raw_socket import MAX_LINGERING_BYTES, RawSocket

PING_EVERY_S = 20.0
"""A client that has sent nothing for this many seconds gets a ping."""

ANSWER_WITHIN_S = 20.0
"""A client that sends nothing for this many seconds after a ping is disconnected."""

BEAT_S = 0.5

PINGS_A_BEAT = 250
"""How many pings are sent in one beat: ten thousand viewers may have connected at the same time."""

FRAMES_AT_ONCE = 100
"""How many frames of one client are read in one step: about 1 ms. A client may send tens of thousands of pings at
once."""

MAX_FRAGMENTS = 1_024
"""The most fragments of one message: even empty ones take memory."""

NORMAL, PROTOCOL_ERROR, NOT_TEXT, TOO_BIG, SILENT, RESTART = 1000, 1002, 1007, 1009, 1011, 1012
"""Close codes (RFC 6455, section 7.4.1, and the IANA registry)."""


_OVER = object()


class SocketViewer(RawSocket):
    """The connection: the protocol of its transport, and the outlet of its viewer.

    Args:
        transport: its transport, after the handshake.
        hub: the hub that the viewer joins.
        pulse: pings the client.
        offer: the extension by which it was taken over; see `tickboard.server.uvicorn.websocket`.

    Attributes:
        heard: when the client last sent something.
        asked: when it got a ping since; 0 if it did not.
    """

    __slots__ = (
        "_buffer",
        "_cancel",
        "_closing",
        "_failed",
        "_fragments",
        "_held",
        "_hub",
        "_pulse",
        "_size",
        "_viewer",
        "asked",
        "heard",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        hub: Hub,
        pulse: "Pulse",
        offer: dict[str, Any],
    ) -> None:
        super().__init__(transport, offer)
        self.heard, self.asked = time.monotonic(), 0.0
        self._hub = hub
        self._pulse = pulse
        self._viewer: Viewer | None = None
        self._buffer = b""
        self._fragments: list[Received] | None = None
        self._size = 0
        self._held = self._closing = self._failed = False
        # Cancels the reading in turns.
        self._cancel: Callable[[], None] | None = None

    def begin(self, scope: Scope, prepared: Selection | None = None) -> Viewer:
        """Take over the transport, and join the hub as the handshake asks; return the viewer.

        Args:
            scope: the handshake's scope.
            prepared: the result of `Hub.prepare` for it.
        """
        with self.taken_over():
            viewer = self._viewer = join(self._hub, self, scope, prepared)
        self._pulse.add(self)
        return viewer

    # --- the outlet ---

    def send(self, frame: Frame) -> bool:
        """Send a frame; return whether the system accepted all of it."""
        return self.write(frame.wire)

    def close(self, code: int) -> None:
        """End the connection: send a close frame, and wait a moment for the client's.

        If very much is unsent, the client would not get the frame in time, and waiting costs memory: cut it at once.
        """
        if not self._closing:
            self._closing = True
            if self.unsent() > MAX_LINGERING_BYTES:
                self._transport.abort()
                return
            self._transport.write(close(code).wire)
            self._cut_later()

    # --- the transport's protocol ---

    def data_received(self, data: bytes) -> None:
        """Receive bytes from the client; those after a protocol error are discarded."""
        if self._failed:
            return
        self.heard, self.asked = time.monotonic(), 0.0
        self._buffer += data
        self._read_on()

    @property
    def _reading(self) -> bool:
        """Whether received data is being read, in turns."""
        return self._cancel is not None

    def _read_on(self) -> None:
        """Read the received data, unless that is in progress. Nothing more is received before all of it is read."""
        if self._reading or self._held or not self._buffer:
            return
        steps = self._read()
        # Usually it is one message of a few bytes.
        if next(steps, _OVER) is not _OVER:
            self._transport.pause_reading()
            self._cancel = turns().begin(steps, self._has_read)

    def _has_read(self, error: BaseException | None) -> None:
        self._cancel = None
        if error is not None:
            log.error("a viewer's message", exc_info=error)
            self._transport.abort()
        elif not self._transport.is_closing():
            self._read_on()
            if not self._reading and not self._held:
                self._transport.resume_reading()

    def _read(self) -> Iterator[None]:
        """Read the received messages, in steps, as long as the client reads the answers."""
        while not self._failed and not self._held:
            try:
                frames, self._buffer = frames_in(self._buffer, MAX_MESSAGE_BYTES, FRAMES_AT_ONCE)
            except PayloadTooBig:
                self._fail(TOO_BIG)
                return
            except ProtocolError:
                self._fail(PROTOCOL_ERROR)
                return
            for frame in frames:
                yield from self._received(frame)
            if len(frames) < FRAMES_AT_ONCE:
                return
            yield

    def resume_writing(self) -> None:
        """Send what waits for the viewer, now that the transport is empty."""
        if self._viewer is None or self._closing:
            return
        self._viewer.idle_again()
        if self._held and not self._viewer.full:
            self._held = False
            self._read_on()
            if not self._reading and not self._held:
                self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        if self._viewer is not None:
            self._hub.leave(self._viewer)
            self._viewer = None
        self._pulse.discard(self)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End at once, as uvicorn requests, with a close frame if none was sent."""
        if self._closing:
            self._transport.abort()
        elif self._viewer is not None:
            self._viewer.close(RESTART)

    # --- liveness ---

    def ask(self, now: float) -> None:
        """Ping the client, unless it reads nothing: the hub detects stalled viewers."""
        if self._viewer is not None and self._viewer.idle:
            self.asked = now
            self._viewer.answer(PING)

    def give_up(self) -> None:
        """End the connection of a client that does not answer."""
        if self._viewer is not None and not self._closing:
            self._hub.traffic.viewers_silent += 1
            self._viewer.close(SILENT)

    # --- what the client sends ---

    def _received(self, frame: Received) -> Iterator[None]:
        if self._failed:
            return
        if frame.opcode is Opcode.CLOSE:
            self._goodbye(bytes(frame.data))
        elif self._closing or self._viewer is None:
            return
        elif frame.opcode is Opcode.PING:
            self._viewer.answer(pong(bytes(frame.data)))
            self._hold_back(self._viewer)
        elif frame.opcode in DATA_OPCODES:
            yield from self._take(frame, self._viewer)

    def _take(self, frame: Received, viewer: Viewer) -> Iterator[None]:
        """Handle a message or a fragment of one, in steps."""
        if (frame.opcode is Opcode.CONT) == (self._fragments is None):
            self._fail(PROTOCOL_ERROR)
            return
        fragments = self._fragments or []
        fragments.append(frame)
        self._size = len(frame.data) + (self._size if len(fragments) > 1 else 0)
        if self._size > MAX_MESSAGE_BYTES or len(fragments) > MAX_FRAGMENTS:
            self._fail(TOO_BIG)
            return
        self._fragments = None if frame.fin else fragments
        if not frame.fin:
            return
        data = b"".join(one.data for one in fragments)
        try:
            message = data.decode() if fragments[0].opcode is Opcode.TEXT else data
        except UnicodeDecodeError:
            self._fail(NOT_TEXT)
            return
        yield from answer(message, self._hub, viewer, time.time())
        self._hold_back(viewer)

    def _hold_back(self, viewer: Viewer) -> None:
        """Stop reading from a client that does not read its answers: its system then makes it wait."""
        if viewer.full and not self._held:
            self._held = True
            self._transport.pause_reading()

    def _goodbye(self, content: bytes) -> None:
        """Handle the client's close frame, and answer it unless it is the answer to ours."""
        try:
            code = Close.parse(content).code if content else NORMAL
        except (ProtocolError, UnicodeDecodeError):
            self._fail(PROTOCOL_ERROR)
            return
        if not self._closing:
            self._closing = True
            self._retire()
            self._transport.write(close(code).wire)
        self._transport.close()
        self._cut_later()

    def _fail(self, code: int) -> None:
        """End the connection of a client that broke the protocol, so that it learns why.

        Closing the socket while the client still sends, as in the middle of a message that is too large, would reset
        the connection, and the close frame would be lost. So only the sending half is closed, further data is
        discarded, and the client has a moment to disconnect.
        """
        self._failed = True
        self._buffer, self._fragments = b"", None
        if not self._closing:
            self._closing = True
            self._retire()
            self._transport.write(close(code).wire)
        self._transport.write_eof()
        if self._held or self._reading:
            self._transport.resume_reading()
        self._cut_later()

    def _retire(self) -> None:
        if self._viewer is not None:
            self._hub.retire(self._viewer)


def frames_in(data: bytes, max_size: int, most: int) -> tuple[list[Received], bytes]:
    """Return the complete WebSocket frames at the beginning of a client's data, at most `most`, and the rest.

    Raises:
        PayloadTooBig: a frame has more than `max_size` bytes of content.
        ProtocolError: it is not a valid frame of a client.
    """
    position = start = 0

    def read_exact(size: int) -> Generator[None, None, bytes]:
        nonlocal position
        if len(data) - position < size:
            yield
        position += size
        return data[position - size : position]

    frames: list[Received] = []
    while start < len(data) and len(frames) < most:
        try:
            next(Received.parse(read_exact, mask=True, max_size=max_size))
        except StopIteration as whole:
            frames.append(whole.value)
            start = position
        else:
            break
    return frames, data[start:]


class Pulse:
    """Pings clients that have sent nothing for a while, and disconnects those that don't answer."""

    def __init__(self) -> None:
        self._connections: set[SocketViewer] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: SocketViewer) -> None:
        """Watch a connection."""
        self._connections.add(connection)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def discard(self, connection: SocketViewer) -> None:
        """Forget a connection that has ended."""
        self._connections.discard(connection)

    def _beat(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(BEAT_S, self._beat) if self._connections else None
        self.beat(time.monotonic())

    def beat(self, now: float) -> None:
        """Ping silent connections, and close those that did not answer, at `now`, seconds of the monotonic clock.

        A connection that raises is logged and cut; the others are not affected.
        """
        pings = PINGS_A_BEAT
        for connection in list(self._connections):
            try:
                if connection.asked:
                    if now - connection.asked > ANSWER_WITHIN_S:
                        connection.give_up()
                elif now - connection.heard > PING_EVERY_S and pings:
                    pings -= 1
                    connection.ask(now)
            except Exception as error:  # noqa: BLE001  # it is logged
                self.discard(connection)
                end_failed("a viewer's connection", error, connection.cut)
