"""The HTTP connection under ``tickboard run``: uvicorn's, with limits before a request is looked at, and a way out.

What a client may send is bounded before it is parsed or kept: by `tickboard.server.uvicorn.framing` the head, and what
a chunked body has beside its content; here the requests that it sends ahead, and what comes after the last answer.
`tickboard.server.uvicorn.gate` has the deadlines. A request that breaks a rule is answered, with the connection's last
answer, and what still comes is thrown away for a moment, so that a client that is sending can read why.

A response without end needs nothing of HTTP any more once its head is sent. So the connection offers its transport, as
that for WebSockets does, with the scope's extension `DIRECT`; see `tickboard.server.uvicorn.websocket`. It is to be
taken when the response has started; None then means that the content must be sent as usual. A request has one function
more, to be called before the response starts:

- ``last()``: the response is the connection's last, and says ``Connection: close``. It returns whether the content has
  HTTP/1.1's chunked coding (RFC 9112, section 7.1), by which a client knows where each piece ends that it is sent; one
  of HTTP/1.0 gets the bytes of the content alone, and the end of the connection is theirs (section 6.3).
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
"""Of requests that wait for the answer to an earlier one; beyond it, no more is read."""

MAX_DISCARDED_BYTES = 2**26
"""What is read and thrown away after the last answer."""


class HttpConnection(HttpToolsProtocol):
    """uvicorn's connection, with limits, and the offer.

    Args:
        config: uvicorn's.
        server_state: uvicorn's.
        app_state: uvicorn's.
        gate: what it shares with the other connections of its server.

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
        """Begin to wait for the first request."""
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
            # uvicorn says so to the newest request alone, which may wait behind this one.
            self._active.disconnected = True
            self._active.message_event.set()
        super().connection_lost(exc)
        # They hold this connection, as it holds them.
        self._take_back()
        self._active = None
        self.cycle = None  # type: ignore[assignment]
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client; they are read when it is this connection's turn."""
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
            # The system copies a quarter of a megabyte at a time: for one connection in each turn.
            self.flow.pause_reading()
            self._queue(ahead=True)

    def _queue(self, *, ahead: bool = False) -> None:
        self._in_line = True
        self._client_clock.stop()
        self._gate.turnstile.arrive(self, ahead=ahead)

    def read_on(self, until: float) -> bool:
        """Read what waits, up to the end of one request; return whether one has begun.

        It is parsed piece by piece, so that no piece holds more than is allowed.

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
            # It came in one piece with the end of a body in chunks.
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
                # A WebSocket's client that did not wait for its answer.
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
        """Keep what was not read: until there is an answer, or until it is this connection's turn again."""
        self._hold(data)
        if not self._answers_first and not self._deaf:
            self._queue()

    def _hold(self, data: bytes) -> None:
        """Keep bytes in place of those that were kept; what all have sent ahead together is bounded."""
        self._gate.held += len(data) - len(self._held)
        self._held = data
        if data and self._answers_first and self._gate.held > MAX_HELD_BYTES:
            self._refuse(Refusal(503, "bodies", "too much is sent ahead: wait for answers"))

    def _parse(self, piece: bytes) -> None:
        """Have the parser take a piece, and refuse what it cannot read or what is too much."""
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
        """Take a part of the address."""
        super().on_url(url)
        self._framing.take_url(self.url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        name = name.lower()
        if not self._framing.take_header(name, value, len(self.headers)):
            return
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take a request's head, and offer the transport to the application."""
        parser = self.parser
        self.url = self._framing.end_head(
            parser.get_method(), self.url, parser.get_http_version(), upgrades=parser.should_upgrade()
        )
        before = self.cycle
        super().on_headers_complete()
        cycle = self.cycle
        # The head of a WebSocket's handshake makes no cycle.
        if cycle is before:
            return
        # It is this connection that ends, when the client has read what it was sent.
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
        # An answer that comes before the end of the body is the last: nobody reads a body that nobody wants.
        self._may_keep, cycle.keep_alive = cycle.keep_alive, False
        self._gate.move(self, self._gate.receiving)

    def on_body(self, body: bytes) -> None:
        """Take content."""
        self._framing.content += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
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
        """Whether nothing is read before an answer is sent; what is read until then is the body of its request."""
        return self._answering and not (self._framing.in_body and self._active is self.cycle)

    def on_response_complete(self) -> None:
        """Wait for the next request, or have it read if it was sent ahead."""
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
        """End the offer: it and the request hold each other, and would wait for the garbage collector."""
        if self._active is not None:
            offer = (self._active.scope.get("extensions") or {}).get(DIRECT) or {}
            offer |= {"last": _not_chunked, "take": _no_transport}

    def write(self, data: bytes) -> None:
        """Send a part of an answer. Its head is sent with the part after it, or at the next turn of the loop."""
        if not data or self.is_closing():
            return
        self._written += len(data)
        if self._is_head_next:
            self._is_head_next, self._head = False, data
            self.loop.call_soon(self._send_head)
        else:
            self.transport.writelines((self._head, data))
            self._head = b""

    def _send_head(self) -> None:
        head, self._head = self._head, b""
        self.transport.write(head)

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        return self._ended_at > 0 or self.transport.is_closing()

    def close(self) -> None:
        """End the connection after what was sent; where the client may be sending still, when it has read that.

        Closing the socket while something comes would reset the connection, and the answer would be lost.
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
        self.transport.write_eof()
        self.flow.resume_reading()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what cannot be taken, and end the connection.

        Where an earlier request is being answered, its answer is the last instead.
        """
        # The framing keeps the refusal, and its traceback would keep frames that hold this connection.
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
            pass  # what it has sent is not read yet
        elif self._framing.in_body:
            if self.flow.read_paused:
                self._since = min(now, self._since + waited)  # it is the server that does not read
            elif now - self._since > patience_s(self._framing.content) + 2 * LOOK_S:
                self._refuse(Refusal(408, "slow", "the body came too slowly"))
        elif self._framing.head_bytes:
            if now - self._since > HEAD_S:
                self._refuse(Refusal(408, "slow", f"the head did not come within {HEAD_S:.0f} s"))
        elif self._answered_one:
            if now - self._since > KEEP_ALIVE_S:
                self.transport.close()
        elif now - self._since > FIRST_S:
            # Browsers open connections to have them; an answer to no question would be shown.
            self._gate.count("silent", f"nothing came within {FIRST_S:.0f} s")
            self.transport.close()

    def _look_at_answer(self, now: float) -> None:
        """Cut a client that does not take its answer: all of it is in memory."""
        unsent = self.transport.get_write_buffer_size()
        taken = self._written - unsent
        if not unsent or not self._taken_at or taken - self._taken >= TAKE_BYTES:
            self._taken, self._taken_at = taken, now if unsent else 0.0
        elif now - self._taken_at > TAKE_S:
            self._gate.count("slow", f"the client took less than {TAKE_BYTES} bytes of an answer in {TAKE_S:.0f} s")
            self.transport.abort()

    def give_way(self) -> None:
        """End the connection at once, for a new one."""
        self._gate.release(self)
        self.connections.discard(self)
        self.transport.abort()

    # --- the ways out ---

    @property
    def _gone(self) -> bool:
        """Whether another protocol has the transport, or it has ended."""
        return self.parser is None

    def _upgrade(self) -> None:
        """Hand over to a WebSocket; a request for another protocol is answered as one without Upgrade."""
        if not self._should_upgrade():
            self.cycle.keep_alive = False
            self._deaf = True
        elif self._answering:
            self._refuse(Refusal(400, "malformed", "a handshake has to wait for the answer to the request before it"))
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
            # Something between the application and this connection holds the head back: the content goes that way, too.
            cycle.chunked_encoding = None
            return None
        self._send_head()
        # For uvicorn the response is over.
        cycle.response_complete = True
        cycle.transport = TakenTransport()
        self.server_state.total_requests += 1
        # Requests that came behind this one get no answer, and reading may have been paused for them.
        self.pipeline.clear()
        self._hold(b"")
        self.flow.resume_reading()
        self.connections.discard(self)
        self._gate.release(self)
        if self._address:
            offer["on_end"].append(partial(self._gate.leave, self._address))
        offer["handed_over"] = True
        # What holds this connection, which is ten times as large as what takes its place.
        del offer["last"], offer["take"]
        self.parser = None  # type: ignore[assignment]  # as uvicorn itself does at the end
        return self.transport


def _no_transport() -> None: ...


def _not_chunked() -> bool:
    return False


def _last(cycle: RequestResponseCycle) -> bool:
    cycle.keep_alive = False
    chunked = cycle.scope["http_version"] == "1.1"
    # uvicorn would send a client of HTTP/1.0 chunks, too; with None it adds the header, and chunks of its own.
    cycle.chunked_encoding = None if chunked else False
    return chunked
