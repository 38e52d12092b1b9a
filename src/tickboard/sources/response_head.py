"""The head of an HTTP response, read in small pieces and up to a limit.

A server may send ``100 Continue`` again and again, or endless headers. The HTTP parser reads everything that has
arrived in one go: 75 ms for 64 KB. httpcore passes its stream to trace functions, which allows limiting it here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from tickboard.errors import PayloadError

MAX_HEAD_BYTES, HEAD_PIECE_BYTES = 65_536, 4_096
"""The most bytes of the head of a response, and how many of them are read before others may run."""


class ResponseHead:
    """Limits the heads of the responses to one client. Pass `trace` to each request, and call `begin` before it."""

    def __init__(self) -> None:
        self._size = 0
        self._is_over = False

    def begin(self) -> None:
        """Expect the head of another response."""
        self._size, self._is_over = 0, False

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Handle an event of httpcore.

        Raises:
            PayloadError: from the read of a head that is too large.
        """
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            stream = info["return_value"]
            stream.read = partial(self._read, stream.read)
        elif event == "http11.receive_response_headers.complete":
            self._is_over = True

    async def _read(self, read: Callable[..., Awaitable[bytes]], max_bytes: int, **more: float | None) -> bytes:
        if self._is_over:
            return await read(max_bytes, **more)
        data = await read(min(max_bytes, HEAD_PIECE_BYTES), **more)
        self._size += len(data)
        if self._size > MAX_HEAD_BYTES + HEAD_PIECE_BYTES:
            raise PayloadError(f"the head of its answer has more than {MAX_HEAD_BYTES} bytes", 413)
        await asyncio.sleep(0)
        return data
