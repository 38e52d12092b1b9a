"""A connection that was taken over from uvicorn: bytes go straight to its socket.

It becomes the protocol of its transport. Its subclasses decide what to send and receive: a viewer's frames, a reader's
events. It holds as little as possible, since there may be ten thousand.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

LINGER_S = 2.0
"""How long a connection that ends has to send the rest before it is cut."""

MAX_LINGERING_BYTES = 2**22
"""The most bytes that may be unsent before a close frame: the client has two seconds to read them."""

SEND_BUFFER_BYTES = 131_072
"""The size of the system's send buffer for one connection. By default, Linux allows 4 MB: hours of stale ticks."""


class RawSocket(asyncio.Protocol):
    """The connection.

    Args:
        transport: its transport; `taken_over` makes this its protocol.
        offer: the extension by which it was taken over; see `tickboard.server.uvicorn.websocket`.

    Attributes:
        descriptor: the socket's.
        copies: False; the transport queues the frame itself.
    """

    copies = False

    __slots__ = ("_cut", "_offer", "_transport", "descriptor")

    def __init__(self, transport: asyncio.Transport, offer: dict[str, Any]) -> None:
        connected: socket.socket = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # the first write finds a dead socket
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self.descriptor = connected.fileno()
        self._transport = transport
        self._offer = offer
        self._cut: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def taken_over(self) -> Iterator[None]:
        """Take over the transport; data written to it before is sent first.

        Within the context, register the connection with its new owner. If that fails, the connection is cut.
        """
        self._transport.set_protocol(self)
        self._offer["connections"].add(self)
        # An incomplete write is noticed at once, and nothing more is written until the rest is sent.
        self._transport.set_write_buffer_limits(0)
        try:
            yield
        except BaseException:
            self._transport.abort()
            raise

    def write(self, wire: bytes) -> bool:
        """Send bytes; return whether the system accepted all of them."""
        if self._transport.get_write_buffer_size():
            return self.rest(wire, 0)
        try:
            written = os.write(self.descriptor, wire)
        except BlockingIOError:
            written = 0
        except OSError:
            written = -1
        return self.rest(wire, written)

    def rest(self, wire: bytes, written: int) -> bool:
        """Send the rest of a write; return whether the system accepted it."""
        if written == len(wire):
            return True
        if written < 0:
            self._transport.abort()
            return False
        self._transport.write(memoryview(wire)[written:])
        return not self._transport.get_write_buffer_size()

    def unsent(self) -> int:
        """Return how many bytes wait in the transport."""
        return self._transport.get_write_buffer_size()

    def cut(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def eof_received(self) -> None:
        """Handle the end of the client's data: the transport closes when it has sent the rest, or soon anyway."""
        self._cut_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and call its end callbacks."""
        if self._cut is not None:
            self._cut.cancel()
        self._offer["connections"].discard(self)
        self._offer["ended"] = True
        for call in self._offer["on_end"]:
            call()

    def _cut_later(self) -> None:
        if self._cut is None:
            self._cut = asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)
