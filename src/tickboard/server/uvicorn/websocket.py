"""The WebSocket connection under ``tickboard run``: uvicorn's sans-I/O one, which can be taken over.

It does the handshake with the ASGI application, and lets the application take over the transport, as
`tickboard.server.uvicorn.http` does for other requests. The scope's extension `DIRECT` has

- ``take()``: returns the transport, which this connection does not use any more; None if the client has already sent
  something, which only this connection has.
- ``connections``: uvicorn's set of the connections to end at shutdown; add the new owner to it.
- ``on_end``: functions to call when the connection has ended; others may be added.
- ``handed_over``: whether it was taken over.
- ``ended``: whether it was taken over and has ended.

For other connections, it improves how they end and what one client can cost: close codes arrive, no client can grow a
buffer or keep a dead connection, and a client's faults are not logged.
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
"""How long a connection that ends has to send the rest before it is cut."""


class HandshakeError(Exception):
    """A handshake is invalid.

    Args:
        status: the HTTP status of the answer.
        message: what is wrong.
        headers: headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


class Handshake(ServerProtocol):
    """The handshake of websockets, which raises instead of answering an invalid one."""

    def reject(self, status: StatusLike, text: str) -> Response:
        """Return a response that refuses a handshake.

        Raises:
            HandshakeError: the handshake itself is invalid.
        """
        error = self.handshake_exc
        if error is not None:
            raise HandshakeError(int(status), f"this is not a WebSocket handshake: {error}")
        response = super().reject(status, text)
        response.headers.update([(name.decode(), value.decode()) for name, value in ALONE])
        return response


class Connection(WebSocketsSansIOProtocol):
    """uvicorn's connection, with corrections of how it ends. Each method says what uvicorn 0.54 does instead."""

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
        """Call a function when the connection has ended, even after it was taken over."""
        self._on_end.append(function)

    def handle_connect(self, event: Request) -> None:
        """Handle a handshake, and offer the transport to the application.

        websockets answers an unknown version with 400; RFC 6455, section 4.4, asks for 426 and the known version.

        Raises:
            HandshakeError: it is invalid.
        """
        if (versions := event.headers.get_all("Sec-WebSocket-Version")) and versions != ["13"]:
            message = "this server speaks version 13 of the WebSocket protocol"
            raise HandshakeError(426, message, [(b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")])
        super().handle_connect(event)
        # Writing to the descriptor is possible only if there is no TLS layer in between.
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
        # The offer lives as long as the viewer, and this connection is ten times as large as a viewer.
        del self._offer["take"]
        # uvicorn closes this connection's transport when the application returns.
        self.transport = TakenTransport()
        return transport

    async def send(self, message: ASGISendEvent) -> None:
        """Send one ASGI message; none if the client broke the protocol before its handshake was answered.

        uvicorn answers a refusal with its status, and then logs an error because the handshake was never completed: one
        line for every scanner that tries a path.
        """
        if self._unanswered:
            return
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    def data_received(self, data: bytes) -> None:
        """Receive bytes from the client; those after a protocol error are discarded.

        Raises:
            HandshakeError: they are not a valid handshake.
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

        uvicorn closes the socket at once. If the client is still sending, for example a message that is too large, that
        resets the connection, and the close frame is lost. So only the sending half is closed, further data is
        discarded, and the client has a moment to disconnect.
        """
        self._failed = True
        self.stop_keepalive()
        closing = self.conn.close_sent
        if closing is None:  # the handshake is malformed, or more data came before its answer
            self._unanswered = True
            self.handshake_complete = True
            self.transport.close()
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": closing.code, "reason": closing.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.transport.can_write_eof():  # not under TLS
            self.transport.write_eof()
        self.transport.resume_reading()
        # uvicorn closes the socket when the application returns, unless this timer runs.
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def send_receive_event_to_app(self) -> None:
        """Pass a whole message to the application, or end the connection with 1007 if its text is not UTF-8.

        uvicorn logs a traceback instead.
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
        """Receive a further fragment. uvicorn keeps any number of empty ones, which no size limit counts."""
        if event.data or event.fin:
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Answer a ping frame, unless the client reads nothing: uvicorn would keep an answer for each."""
        pong = self.conn.data_to_send()
        if self.writable.is_set():
            self.transport.write(b"".join(pong))

    def keepalive_timeout(self) -> None:
        """Disconnect a client that does not answer. uvicorn waits forever for it to read the remaining data."""
        super().keepalive_timeout()
        self._cut_later()

    def handle_close(self, event: Frame) -> None:
        """Handle a close frame, and wait only a moment for a client that does not read the answer."""
        super().handle_close(event)
        self._cut_later()

    def eof_received(self) -> None:
        """Handle the end of the client's data, and wait only a moment for it to read the rest."""
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
    """Replaces a transport that was taken over."""

    def close(self) -> None:
        """Do nothing."""
