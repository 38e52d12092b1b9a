"""Connections where a board is mounted in somebody's application: frames and events go through the ASGI ``send``.

Most sends end without waiting for anything, so each is run by hand up to its first wait, and only one that has to wait
becomes a task. The hub sees outlets and streams like any others.
"""

import asyncio
import contextlib
import types
from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any

from starlette.types import Send

from tickboard.frames import Frame
from tickboard.hub.hub import Viewer
from tickboard.hub.readers import Reader


class Mounted:
    """The last step of a viewer or a reader.

    Args:
        send: ASGI's.
        reading: the task that receives; it is cancelled when the connection is ended by this side.

    Attributes:
        descriptor: -1; ASGI has none.
    """

    descriptor = -1

    def __init__(self, send: Send, reading: "asyncio.Task[Any]") -> None:
        self._send = send
        self._reading = reading
        self._sending: asyncio.Task[None] | None = None

    def rest(self, wire: bytes, written: int) -> bool:
        """Never asked for: there is no descriptor to write to."""
        raise NotImplementedError

    def unsent(self) -> int:
        """Return 0: ASGI doesn't tell."""
        return 0

    def abandon(self) -> None:
        """Give up a send that waits: the connection has ended."""
        if self._sending is not None:
            self._sending.cancel()

    def sent(self) -> None:
        """Go on: a send that had to wait has ended."""
        raise NotImplementedError

    def _run(self, sending: Coroutine[Any, Any, None]) -> bool:
        """Send; return whether it is sent."""
        try:
            awaited = sending.send(None)
        except StopIteration:
            return True
        except Exception:  # noqa: BLE001  # each server has its own for a client that has gone; the reading side is told
            return False
        self._sending = asyncio.get_running_loop().create_task(self._wait(sending, awaited))
        return False

    async def _wait(self, sending: Coroutine[Any, Any, None], awaited: Any) -> None:
        with contextlib.suppress(Exception):
            await _go_on(sending, awaited)
            self._sending = None
            self.sent()


class MountedViewer(Mounted):
    """A viewer's outlet.

    Attributes:
        viewer: to be told when a send has ended; set by the endpoint.
        cut: whether the reading was ended by `close`.
    """

    def __init__(self, send: Send, reading: "asyncio.Task[Any]") -> None:
        super().__init__(send, reading)
        self.viewer: Viewer | None = None
        self.cut = False

    def send(self, frame: Frame) -> bool:
        """Send a frame; return whether it is sent."""
        return self._run(self._send_all(frame))

    def sent(self) -> None:
        """Let the viewer have what waits for it."""
        if self.viewer is not None:
            self.viewer.idle_again()

    def close(self, code: int) -> None:
        """Close the WebSocket; where a send waits already, no other can be sent, and the connection is left."""
        if self._sending is None:
            self._run(self._send_close(code))
        else:
            self.abandon()
            self.cut = True
            self._reading.cancel()

    async def _send_all(self, frame: Frame) -> None:
        for message in frame.messages:
            kind = "text" if isinstance(message, str) else "bytes"
            await self._send({"type": "websocket.send", kind: message})

    async def _send_close(self, code: int) -> None:
        await self._send({"type": "websocket.close", "code": code})


class MountedStream(Mounted):
    """A stream of alerts.

    Attributes:
        reader: to be told when a send has ended; set by the endpoint.
        ended: whether the reading was ended by this side.
    """

    def __init__(self, send: Send, reading: "asyncio.Task[Any]") -> None:
        super().__init__(send, reading)
        self.reader: Reader | None = None
        self.ended = False

    def write(self, wire: bytes) -> bool:
        """Send a chunk; return whether it is sent."""
        return self._run(self._send_body(wire, more=True))

    def sent(self) -> None:
        """Let the reader read on."""
        if self.reader is not None:
            self.reader.idle_again()

    def end(self) -> None:
        """End the response; where a send waits already, the connection is left."""
        if self._sending is None:
            self._run(self._send_body(b"", more=False))
        self.cut()

    def cut(self) -> None:
        """Leave the connection."""
        self.ended = True
        self._reading.cancel()

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


@types.coroutine
def _go_on(begun: Coroutine[Any, Any, None], awaited: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that was run by hand up to where it awaits something."""
    while True:
        try:
            value = yield awaited
        except BaseException as error:  # noqa: BLE001  # as a cancellation; it is for the coroutine to handle
            resume = partial(begun.throw, error)
        else:
            resume = partial(begun.send, value)
        try:
            awaited = resume()
        except StopIteration:
            return
