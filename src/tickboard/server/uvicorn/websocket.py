"""The WebSocket connection under ``tickboard run``: uvicorn's sans-I/O one, which can be taken over.

It does the handshake with the ASGI application, and offers the application to take the transport over, as
`tickboard.server.uvicorn.http` does for other requests: the scope's extension `DIRECT` has

- ``take()``: returns the transport, from which this connection then gets and to which it sends nothing more; None when
  the client has said something already, which only this connection knows.
- ``connections``: uvicorn's set of the connections that it ends when it ends; what takes over belongs in it.
- ``on_end``: functions to call when the connection has ended; others may add theirs.
- ``handed_over``: whether it was taken.
- ``ended``: whether it was taken and has ended.

Of what isn't taken over, it mends how a connection ends and what one client can cost: a close code that arrives, no
buffer that a client can grow, no connection that is never given up, and nothing in the log that is the client's fault.
"""

import sys
from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections.abc import Callable, Sequence
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import StatusLike

from tickboard.server.requests.response_headers import ALONE

DIRECT = "tickboard.direct"
"""The extension's name."""

LINGER_S = 2.0
"""How long a connection that ends has for what is still to be sent; then it is cut."""


class HandshakeError(Exception):
    """A handshake that is none.

    Args:
        status: of the answer.
        message: what is wrong.
        headers: of the answer.
    """

    def __init__(self, status: int, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class Handshake(ServerProtocol):
    """websockets' reading of a handshake, which leaves it to others to answer what is none."""

    def reject(self, status: StatusLike, text: str) -> Response:
        """Return a response that refuses a handshake.

        Raises:
            HandshakeError: it is the handshake itself that is wrong.
        """
        error = self.handshake_exc
        if error is not None:
            raise HandshakeError(int(status), f"this is no handshake of a WebSocket: {error}")
        response = super().reject(status, text)
        response.headers.update([(name.decode(), value.decode()) for name, value in ALONE])
        return response


class Connection(WebSocketsSansIOProtocol):
    """uvicorn's connection, with the ends of its life put right. Each method says what uvicorn 0.54 does instead."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = Handshake(max_size=config.ws_max_size, logger=self.logger)
        self._failed = self._unanswered = False
        self._cut: TimerHandle | None = None
        self._offer: dict[str, Any] = {}
        self._on_end: list[Callable[[], None]] = []

    def on_end(self, function: Callable[[], None]) -> None:
        """Have a function called when the connection has ended, also after it was taken over."""
        self._on_end.append(function)

    def handle_connect(self, event: Request) -> None:
        """Take a handshake, and offer the transport to the application.

        websockets answers a version that it does not know with 400; RFC 6455, section 4.4, asks for 426 and the one
        that is known.

        Raises:
            HandshakeError: it is none.
        """
        if (versions := event.headers.get_all("Sec-WebSocket-Version")) and versions != ["13"]:
            message = "this server speaks version 13 of the WebSocket protocol"
            raise HandshakeError(426, message, [(b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")])
        super().handle_connect(event)
        # A descriptor can be written to only where nothing is between it and the wire.
        if self.scheme == "ws" and sys.platform != "win32":
            self._offer = {"take": self._take, "connections": self.connections, "on_end": self._on_end}
            self._offer |= {"handed_over": False, "ended": False}
            extensions: dict[str, Any] | None = self.scope["extensions"]
            assert extensions is not None
            extensions[DIRECT] = self._offer

    def _take(self) -> Transport | None:
        transport = self.transport
        if not self.handshake_complete or not self.queue.empty() or self.conn.reader.buffer or transport.is_closing():
            return None
        self.stop_keepalive()
        self.connections.discard(self)
        self._offer["handed_over"] = True
        # The offer lives as long as the viewer does, and this connection is ten times as large as that.
        del self._offer["take"]
        # uvicorn closes this connection's transport when the application returns.
        self.transport = TakenTransport()
        return transport

    async def send(self, message: ASGISendEvent) -> None:
        """Take one ASGI message; none where the client broke the protocol before its handshake was answered.

        uvicorn answers a refusal with a status as it should, and then logs an error because the handshake was never
        completed: one line for every scanner that tries a path.
        """
        if self._unanswered:
            return
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client; those after a violation of the protocol are thrown away.

        Raises:
            HandshakeError: they are no handshake.
        """
        if self._failed:
            return
        try:
            super().data_received(data)
        except HandshakeError:
            self.connections.discard(self)
            raise

    def handle_parser_exception(self) -> None:
        """End a connection whose client broke the protocol, so that it learns why.

        uvicorn closes the socket at once. Where the client is still sending, as in the middle of too large a message,
        that resets the connection, and the close frame is lost. So this end is closed for writing alone, what
        still comes is thrown away, and the client has a moment to hang up.
        """
        self._failed = True
        self.stop_keepalive()
        closing = self.conn.close_sent
        if closing is None:  # the handshake cannot be read, or something else came before its answer
            self._unanswered = True
            self.handshake_complete = True
            self.transport.close()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": closing.code, "reason": closing.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.write_eof()
        self.transport.resume_reading()
        # uvicorn closes the socket when the application returns, unless this timer runs.
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def send_receive_event_to_app(self) -> None:
        """Hand a whole message to the application, or end the connection with 1007 when its text is none.

        uvicorn logs a traceback for it.
        """
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.conn.fail(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_cont(self, event: Frame) -> None:
        """Take a further fragment. uvicorn keeps empty ones too, without end: they count for nothing in a size."""
        if event.data or event.fin:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping frame, unless the client reads nothing: uvicorn would keep an answer for each."""
        pong = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(pong))

    def keepalive_timeout(self) -> None:
        """Give up a client that doesn't answer; uvicorn waits for ever for it to take what is still to be sent."""
        super().keepalive_timeout()
        self._cut_later()

    def handle_close(self, event: Frame) -> None:
        """Take a close frame, and wait no longer than a moment for a client that doesn't read the answer."""
        super().handle_close(event)
        self._cut_later()

    def eof_received(self) -> None:
        """Take the end of what the client sends, and wait no longer than a moment for it to take the rest."""
        self._cut_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None
        for function in self._on_end:
            function()
        super().connection_lost(exc)

    def _cut_later(self) -> None:
        if self._cut is None and not self.disconnected:
            self._cut = self.loop.call_later(LINGER_S, self.transport.abort)


class TakenTransport(Transport):
    """In place of a transport that was taken over."""

    def close(self) -> None:
        """Do nothing."""
