"""The HTTP connection under ``tickboard run``: uvicorn's, with limits before requests, and a transport to take over.

A client's data is limited before it is parsed or stored: `tickboard.server.uvicorn.framing` limits the head and the
overhead of a chunked body; this module limits pipelined requests, and data after the last answer.
`tickboard.server.uvicorn.gate` has the deadlines. A request that breaks a rule gets the connection's last answer, and
further data is discarded for a moment, so that a client that is still sending can read it.

An endless response does not need HTTP any more once its head is sent. So the connection offers its transport, as that
for WebSockets does, with the scope's extension `DIRECT`; see `tickboard.server.uvicorn.websocket`. Take it when the
response has started; None then means that the content must be sent as usual. One more function must be called before
the response starts:

- ``last()``: makes the response the connection's last, with ``Connection: close``. It returns whether the content has
  HTTP/1.1's chunked coding (RFC 9112, section 7.1), which shows a client where each piece ends. A client of HTTP/1.0
  gets only the bytes of the content, which end with the connection (section 6.3).
"""

import sys
import time
from asyncio import AbstractEventLoop, BaseTransport, Transport
from functools import partial
from typing import Any, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from tickboard.hub.traffic import Reason
from tickboard.server.requests.bodies import patience_s
from tickboard.server.requests.client_clock import CLOCK, ClientClock
from tickboard.server.uvicorn.framing import Framing
from tickboard.server.uvicorn.gate import (
    FIRST_S,
    HEAD_S,
    KEEP_ALIVE_S,
    LOOK_S,
    MAX_HELD_BYTES,
    TAKE_BYTES,
    TAKE_S,
    Gate,
    Group,
    Refusal,
)
from tickboard.server.uvicorn.turnstile import Share
from tickboard.server.uvicorn.websocket import DIRECT, LINGER_S, Connection, HandshakeError, TakenTransport

AHEAD_BYTES = 65_536
"""The most bytes of requests that wait for the answer to an earlier one; beyond it, reading stops."""

MAX_DISCARDED_BYTES = 2**26
"""The most bytes that are read and discarded after the last answer."""


class HttpConnection(HttpToolsProtocol):
    """uvicorn's connection, with limits, and the offer.

    Args:
        config: uvicorn's.
        server_state: uvicorn's.
        app_state: uvicorn's.
        gate: shared with the other connections of its server.

    Attributes:
        group: see `tickboard.server.uvicorn.gate.Gated`.
        shares: see `tickboard.server.uvicorn.turnstile.Passing`.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
        *,
        gate: Gate,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.group: Group | None = None
        self._gate = gate
        self._address = ""
        self._since = self._looked = self._ended_at = self._taken_at = 0.0
        self._framing = Framing()
        self._may_keep = self._deaf = self._answered_one = False
        self._active: RequestResponseCycle | None = None
        self._held = b""
        self._in_line = False
        self._client_clock = ClientClock()
        self.shares: tuple[Share, ...] = ()
        self._written = self._taken = self._discarded = 0
        self._is_head_next, self._head = False, b""

    # --- the transport's protocol ---

    def connection_made(self, transport: BaseTransport) -> None:
        """Start waiting for the first request."""
        super().connection_made(cast("Transport", transport))
        self._since = self._looked = time.monotonic()
        try:
            self._address = self._gate.enter(self, self.client)
        except Refusal as refusal:
            self._refuse(refusal)
        self.shares = self._gate.shares(self._address)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._gate.release(self)
        self._gate.leave(self._address)
        self._hold(b"")
        if self._active is not None:
            # uvicorn only tells the newest request, which may wait behind this one.
            self._active.disconnected = True
            self._active.message_event.set()
        super().connection_lost(exc)
        # They refer to this connection, as it refers to them.
        self._take_back()
        self._active = None
        self.cycle = None  # type: ignore[assignment]
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        """Receive bytes from the client; they are read when it is this connection's turn."""
        if self._deaf:
            self._discard(len(data))
            return
        waits = self._in_line or self._answers_first
        self._hold(self._held + data)
        if not waits:
            self._queue()
        elif len(self._held) >= AHEAD_BYTES:
            self.flow.pause_reading()

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > MAX_DISCARDED_BYTES:
            self.transport.abort()
        elif not self._in_line:
            # Each read copies a quarter of a megabyte: do it for one connection in each turn.
            self.flow.pause_reading()
            self._queue(ahead=True)

    def _queue(self, *, ahead: bool = False) -> None:
        self._in_line = True
        self._client_clock.stop()
        self._gate.turnstile.arrive(self, ahead=ahead)

    def read_on(self, until: float) -> bool:
        """Read waiting data, up to the end of one request; return whether a request has started.

        It is parsed piece by piece, so that no piece contains more than is allowed.

        Args:
            until: when to stop, by the monotonic clock; at least one piece is read.
        """
        self._in_line = False
        self._since += self._client_clock.resume()
        before, data, at = self._active, self._held, 0
        self._hold(b"")
        if self._gone or self.transport.is_closing():
            return False
        if self.pipeline:
            # It arrived in one piece with the end of a chunked body.
            self._start_asgi_task(*self.pipeline.pop())
        if self._deaf:
            self.flow.resume_reading()
            return True
        while at < len(data) and not self._answers_first:
            if not self._framing.in_body and not self._framing.head_bytes:
                self._since = time.monotonic()
            end = self._framing.end_of_piece(data, at)
            self._parse(data if end - at == len(data) else data[at:end])
            at = end
            if self._deaf:
                return self._active is not before
            if self._gone:
                # The client of a WebSocket did not wait for the answer to its handshake.
                if rest := data[at:]:
                    cast("Connection", self.transport.get_protocol()).data_received(rest)
                return True
            if time.monotonic() >= until:
                break
        if at < len(data):
            self._read_later(data[at:])
        elif not self._framing.in_body or len(self.cycle.body) <= HIGH_WATER_LIMIT:
            self.flow.resume_reading()
        return self._active is not before

    def _read_later(self, data: bytes) -> None:
        """Keep unread data until there is an answer, or until it is this connection's turn again."""
        self._hold(data)
        if not self._answers_first and not self._deaf:
            self._queue()

    def _hold(self, data: bytes) -> None:
        """Keep bytes instead of those kept so far. The total that all connections have sent ahead is limited."""
        self._gate.held += len(data) - len(self._held)
        self._held = data
        if data and self._answers_first and self._gate.held > MAX_HELD_BYTES:
            self._refuse(Refusal(503, "bodies", "too many requests are sent ahead: wait for answers"))

    def _parse(self, piece: bytes) -> None:
        """Parse a piece, and refuse it if it is malformed or too large."""
        for share in self.shares:
            share.charge(len(piece))
        try:
            self._framing.begin_piece(len(piece))
            self.parser.feed_data(piece)
            self._framing.end_piece(len(piece))
        except Refusal as refusal:
            self._refuse(refusal)
        except httptools.HttpParserUpgrade:
            self._upgrade()
        except httptools.HttpParserError as error:
            self._refuse(self._framing.refusal(piece, error))

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._framing.begin_message()

    def on_url(self, url: bytes) -> None:
        """Receive a part of the URL."""
        super().on_url(url)
        self._framing.take_url(self.url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a header."""
        name = name.lower()
        if not self._framing.take_header(name, value, len(self.headers)):
            return
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Receive the end of a head, and offer the transport to the application."""
        parser = self.parser
        self.url = self._framing.end_head(
            parser.get_method(), self.url, parser.get_http_version(), upgrades=parser.should_upgrade()
        )
        before = self.cycle
        super().on_headers_complete()
        cycle = self.cycle
        # A WebSocket's handshake has no cycle.
        if cycle is before:
            return
        # So that `close` is this connection's, which waits until the client has read its data.
        cycle.transport = self  # type: ignore[assignment]
        if self._framing.has_body:
            self._begin_body(cycle)
        else:
            self._gate.move(self, None)
        # See `Connection.handle_connect`.
        if self.scheme == "http" and sys.platform != "win32":
            offer: dict[str, Any] = {"connections": self.connections, "on_end": [], "handed_over": False}
            offer |= {"ended": False, "last": partial(_last, cycle), "take": partial(self._take, cycle, offer)}
            extensions: dict[str, Any] = {DIRECT: offer}
            self.scope["extensions"] = extensions

    def _begin_body(self, cycle: RequestResponseCycle) -> None:
        self._framing.begin_body()
        self._since = time.monotonic()
        cast("dict[str, Any]", cycle.scope)[CLOCK] = self._client_clock
        # An answer before the end of the body is the last: the rest of the body is not read.
        self._may_keep, cycle.keep_alive = cycle.keep_alive, False
        self._gate.move(self, self._gate.receiving)

    def on_body(self, body: bytes) -> None:
        """Receive content."""
        self._framing.content += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Receive the end of a request."""
        super().on_message_complete()
        if self._framing.in_body:
            if not self.cycle.response_started:
                self.cycle.keep_alive = self._may_keep
            self._gate.move(self, None)
        self._framing.end_message()

    # --- answers ---

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._active = cycle
        self._is_head_next = True
        super()._start_asgi_task(cycle, app)

    @property
    def _answering(self) -> bool:
        return self._active is not None and not self._active.response_complete

    @property
    def _answers_first(self) -> bool:
        """Whether reading waits until an answer is sent; until then, only the body of its request is read."""
        return self._answering and not (self._framing.in_body and self._active is self.cycle)

    def on_response_complete(self) -> None:
        """Wait for the next request, or queue it for reading if it was sent ahead."""
        self._send_head()  # without content; the transport may be closed in this turn of the loop
        self._take_back()
        self.server_state.total_requests += 1
        if (self._deaf and not self.pipeline) or self.transport.is_closing():
            return
        self._answered_one = True
        if not self.pipeline:
            self._since = time.monotonic()
            self._gate.move(self, self._gate.waiting)
        if self.pipeline or self._held:
            self._queue(ahead=True)
        else:
            self.flow.resume_reading()

    def _take_back(self) -> None:
        """End the offer: it and the request refer to each other, and only the garbage collector would free them."""
        if self._active is not None:
            offer = (self._active.scope.get("extensions") or {}).get(DIRECT) or {}
            offer |= {"last": _not_chunked, "take": _no_transport}

    def write(self, data: bytes) -> None:
        """Send a part of an answer. Its head is sent with the part after it, or at the next turn of the loop."""
        if not data or self.is_closing():
            return
        self._written += len(data)
        if self._is_head_next and self._active is not None and self._active.response_started:  # not `100 Continue`
            self._is_head_next, self._head = False, data
            self.loop.call_soon(self._send_head)
        else:
            if len(data) > HIGH_WATER_LIMIT:
                self._send_head()  # a copy would cost more than a packet
            self._send_head(data)

    def _send_head(self, content: bytes = b"") -> None:
        # `writelines` never pauses writing in CPython 3.12.0 to 3.12.8 (CVE-2024-12254).
        data, self._head = self._head + content, b""
        if data:
            self.transport.write(data)

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        return self._ended_at > 0 or self.transport.is_closing()

    def close(self) -> None:
        """End the connection once its data is sent; if the client may still be sending, once it has read that.

        Closing the socket while data arrives would reset the connection, and the answer would be lost.
        """
        if self.is_closing():
            return
        self._send_head()
        if self._framing.is_idle and not self._deaf and not self._held:
            self.transport.close()
            return
        self._deaf = True
        self._hold(b"")
        self._ended_at = time.monotonic()
        self._gate.move(self, self._gate.ended)
        if self.transport.can_write_eof():  # not under TLS: there, the deadline alone ends it
            self.transport.write_eof()
        self.flow.resume_reading()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, and end the connection.

        If an earlier request is being answered, that answer is the last one instead.
        """
        # The framing keeps the refusal, and its traceback would keep frames that refer to this connection.
        refusal.__traceback__ = None
        self._gate.count(refusal.reason, refusal.message)
        self._deaf = True
        self._hold(b"")
        active = self._active
        if active is not None and not active.response_complete:
            self.pipeline.clear()
            if self._answers_first or active.response_started:
                active.keep_alive = False
                return
            active.disconnected = True
            active.message_event.set()
        self.write(refusal.response(self.server_state.default_headers))
        self.close()

    # --- the gate ---

    def look(self, now: float) -> None:
        """End the connection if it is past a deadline at `now`."""
        waited, self._looked = now - self._looked, now
        self._look_at_answer(now)
        if self._ended_at:
            if self.transport.get_write_buffer_size():
                self._ended_at = now
            elif now - self._ended_at > LINGER_S:
                self.transport.abort()
        elif self._deaf or self.transport.is_closing():
            pass
        elif self._answers_first:
            self._since = now
        elif self._in_line:
            pass  # its data is not read yet
        elif self._framing.in_body:
            if self.flow.read_paused:
                self._since = min(now, self._since + waited)  # the server itself does not read
            elif now - self._since > patience_s(self._framing.content) + 2 * LOOK_S:
                self._refuse(Refusal(408, "slow", "the body arrived too slowly"))
        elif self._framing.head_bytes:
            if now - self._since > HEAD_S:
                self._refuse(Refusal(408, "slow", f"the head did not arrive within {HEAD_S:.0f} s"))
        elif self._answered_one:
            if now - self._since > KEEP_ALIVE_S:
                self.transport.close()
        elif now - self._since > FIRST_S:
            # Browsers open spare connections, and would show an answer that they did not ask for.
            self._gate.count("silent", f"nothing arrived within {FIRST_S:.0f} s")
            self.transport.close()

    def _look_at_answer(self, now: float) -> None:
        """Cut a client that does not read its answer, which is in memory."""
        unsent = self.transport.get_write_buffer_size()
        taken = self._written - unsent
        if not unsent or not self._taken_at or taken - self._taken >= TAKE_BYTES:
            self._taken, self._taken_at = taken, now if unsent else 0.0
        elif now - self._taken_at > TAKE_S:
            self._gate.count("slow", f"the client read less than {TAKE_BYTES} bytes of an answer in {TAKE_S:.0f} s")
            self.transport.abort()

    def give_way(self) -> None:
        """End the connection at once, to make room for a new one."""
        self._gate.release(self)
        self.connections.discard(self)
        self.transport.abort()

    # --- handing over ---

    @property
    def _gone(self) -> bool:
        """Whether another protocol has the transport, or the connection has ended."""
        return self.parser is None

    def _upgrade(self) -> None:
        """Hand over to a WebSocket; a request for another protocol is answered without the upgrade."""
        if not self._should_upgrade():
            self.cycle.keep_alive = False
            self._deaf = True
        elif self._answering:
            self._refuse(Refusal(400, "malformed", "a handshake must wait for the answer to the previous request"))
        else:
            try:
                self.handle_websocket_upgrade()
            except HandshakeError as error:
                self.connections.add(self)
                reason: Reason = "too_large" if error.status in {414, 431} else "malformed"
                self._refuse(Refusal(error.status, reason, error.message, error.headers))
                return
            self._gate.release(self)
            protocol = self.transport.get_protocol()
            self.parser = None  # type: ignore[assignment]  # as uvicorn itself does at the end
            if isinstance(protocol, Connection) and self._address:
                protocol.on_end(partial(self._gate.leave, self._address))
            else:
                self._gate.leave(self._address)

    def _take(self, cycle: RequestResponseCycle, offer: dict[str, Any]) -> Transport | None:
        if not cycle.response_started or self.is_closing():
            # A middleware holds the head back: send the content through it, too.
            cycle.chunked_encoding = None
            return None
        self._send_head()
        # To uvicorn, the response is complete.
        cycle.response_complete = True
        cycle.transport = TakenTransport()
        self.server_state.total_requests += 1
        # Requests after this one get no answer, and reading may have been paused for them.
        self.pipeline.clear()
        self._hold(b"")
        self.flow.resume_reading()
        self.connections.discard(self)
        self._gate.release(self)
        if self._address:
            offer["on_end"].append(partial(self._gate.leave, self._address))
        offer["handed_over"] = True
        # They refer to this connection, which is ten times as large as its replacement.
        del offer["last"], offer["take"]
        self.parser = None  # type: ignore[assignment]  # as uvicorn itself does at the end
        return self.transport


def _no_transport() -> None: ...


def _not_chunked() -> bool:
    return False


def _last(cycle: RequestResponseCycle) -> bool:
    cycle.keep_alive = False
    chunked = cycle.scope["http_version"] == "1.1"
    # With None, uvicorn adds the header and its own chunks, even for a client of HTTP/1.0.
    cycle.chunked_encoding = None if chunked else False
    return chunked
