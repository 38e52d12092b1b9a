"""A connection that was taken over from uvicorn: bytes go straight to its socket.

It is the protocol of its transport from then on. What it sends and receives is for its subclasses: a viewer's frames,
a reader's events. It holds as little as it can, since there may be ten thousand.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

LINGER_S = 2.0
"""How long a connection that ends has for what is still to be sent; then it is cut."""

MAX_LINGERING_BYTES = 2**22
"""What a client may have to take before its close frame: it has two seconds for it."""

SEND_BUFFER_BYTES = 131_072
"""What the system may hold for one connection; left alone, Linux goes up to 4 MB, which is hours of stale ticks."""


class RawSocket(asyncio.Protocol):
    """The connection.

    Args:
        transport: it has no other protocol after `taken_over`.
        offer: the extension by which it was taken over; see `tickboard.server.uvicorn.websocket`.

    Attributes:
        descriptor: the socket's.
        copies: False; what waits in the transport is the frame itself.
    """

    copies = False

    __slots__ = ("_cut", "_offer", "_transport", "descriptor")

    def __init__(self, transport: asyncio.Transport, offer: dict[str, Any]) -> None:
        connected: socket.socket = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # a socket that has died is found out by the first write
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self.descriptor = connected.fileno()
        self._transport = transport
        self._offer = offer
        self._cut: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def taken_over(self) -> Iterator[None]:
        """Take the transport over; what has been written to it is sent first.

        What is done in the context has somebody look after the connection: where it fails, the connection is cut.
        """
        self._transport.set_protocol(self)
        self._offer["connections"].add(self)
        # A write that isn't taken whole is known at once, and nothing more is written until the rest is sent.
        self._transport.set_write_buffer_limits(0)
        try:
            yield
        except BaseException:
            self._transport.abort()
            raise

    def write(self, wire: bytes) -> bool:
        """Send bytes; return whether the system took them whole."""
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
        """Send what is left of them; return whether the system took it."""
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
        """Take the end of what the client sends; the transport closes when it has sent the rest, or soon anyway."""
        self._cut_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and tell whoever asked to be told."""
        if self._cut is not None:
            self._cut.cancel()
        self._offer["connections"].discard(self)
        self._offer["ended"] = True
        for call in self._offer["on_end"]:
            call()

    def _cut_later(self) -> None:
        if self._cut is None:
            self._cut = asyncio.get_running_loop().call_later(LINGER_S, self._transport.abort)
