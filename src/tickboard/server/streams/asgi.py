"""Connections of a board that is mounted in an application: frames and events go through the ASGI ``send``.

An application's ``send`` and ``receive`` are foreign code: they may raise, hang or cancel, and their time limits,
cancel scopes and context variables belong to the task that calls them. So each ASGI call has two tasks in its context:
one sends, one receives. The hub only passes a frame on and wakes the first: whatever happens to one viewer, the tick
and the other viewers are not affected.

A connection holds at most two frames: the one being sent and the next. Further ones wait in the hub, which skips ticks.
`Calls` reports failed calls.

A server may accept any frame at once, and keep a copy of it for as long as the client reads nothing. So a large frame
counts as sent when the server has passed it on, as far as `tickboard.server.streams.uvicorn_call` can see. If much is
unsent when a connection ends, its transport is aborted directly, since the server would keep it.
"""

import asyncio
import errno
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from starlette.types import Message, Send
from starlette.websockets import WebSocketDisconnect

from tickboard.hub.frames import Frame
from tickboard.hub.hub import Hub
from tickboard.hub.outbox import OUTBOX_BYTES
from tickboard.hub.readers import AlertReader
from tickboard.hub.viewer import Viewer
from tickboard.problems import Quiet
from tickboard.server.streams.raw_socket import MAX_LINGERING_BYTES
from tickboard.server.streams.uvicorn_call import transport_beneath

LINGER_S = 2.0
"""How long a connection that ends has to send the rest before it is cut."""

LOOK_S = 0.05
"""How often to check whether a large frame has been passed on."""

SOURCE = "mounted connections"
"""The source of the reported problem."""

UNREACHABLE = frozenset({errno.ENOTCONN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN})
"""The numbers of `OSError` that mean a lost connection and have no class of their own."""


class Calls:
    """Reports ASGI calls of one board that failed in the application's ``send`` or ``receive``.

    Args:
        hub: shows the problem.

    Attributes:
        quiet: false while a problem is shown.
    """

    def __init__(self, hub: Hub) -> None:
        self.quiet = Quiet()
        self._hub = hub

    def failed(self, where: str, error: BaseException, now: float) -> None:
        """Report a failed call.

        Args:
            where: ``send`` or ``receive``.
            error: the exception that it raised.
            now: seconds by a clock that never steps.
        """
        self.quiet.failed(now)
        kind = type(error).__name__
        self._hub.problems.report(
            SOURCE,
            f"the application's {where} raised {kind}, and the connection was ended: check the middleware around the "
            "board",
            error=error,
            kind=(where, kind),
        )

    def worked(self, now: float) -> None:
        """Clear the problem if no call has failed for a while."""
        if self.quiet.is_over(now):
            self._hub.problems.clear(SOURCE)


class Mounted:
    """The outlet of a viewer or a reader. Its ASGI call creates it, then awaits `serve`.

    Args:
        send: ASGI's.
        calls: where failures are reported.

    Attributes:
        descriptor: -1; ASGI has none.
        copies: True.
    """

    descriptor = -1
    copies = True

    def __init__(self, send: Send, calls: Calls) -> None:
        self._send = send
        self._calls = calls
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._news: asyncio.Future[None] = self._loop.create_future()
        self._transport = transport_beneath()
        # The messages of each frame, and its size.
        self._due: deque[tuple[Iterable[Message], int]] = deque()
        # The bytes of large frames that are due, or may still be in the server.
        self._large_bytes = 0
        self._linger: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self._sending = self._busy = self._last_due = self._last_sent = False

    def rest(self, wire: bytes, written: int) -> bool:
        """Never called: there is no descriptor to write to."""
        raise NotImplementedError

    def unsent(self) -> int:
        """Return how many bytes wait in the server; 0 if unknown."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def idle_again(self) -> None:
        """Ask the hub for more: everything that was handed over has been sent."""
        raise NotImplementedError

    def timed_out(self) -> None:
        """Count a client for which the application's time limit expired."""
        raise NotImplementedError

    def cut(self) -> None:
        """End the call at once, whatever its ``send`` waits for."""
        if not self._over.done():
            self._over.set_result(None)

    async def serve(self, reading: Callable[[], Awaitable[None]]) -> None:
        """Send everything due until the client disconnects, or this side ends the connection.

        Args:
            reading: receives from the client; it returns when the client has disconnected.

        Raises:
            Exception: from the application's ``send`` or ``receive``, after it was reported.
        """
        # They run in the context of this call, with the application's context variables.
        tasks = [self._loop.create_task(self._send_all()), self._loop.create_task(self._read(reading))]
        try:
            await self._over
        finally:
            self.cut()
            if self._linger is not None:
                self._linger.cancel()
            for task in tasks:
                task.cancel()
            # Do not wait longer for a `send` or a `receive` that ignores its cancellation.
            await asyncio.wait(tasks, timeout=LINGER_S)
            self._abandon()
        if self._error is not None:
            raise self._error

    @property
    def _goes_on(self) -> bool:
        """Whether the connection may be reused after this call."""
        return False

    def _abandon(self) -> None:
        """Once the connection is over, make the server drop data that the client does not read."""
        if self._transport is None or self._goes_on or not self.unsent():
            return
        if self.unsent() > MAX_LINGERING_BYTES:
            self._transport.abort()
        else:
            self._loop.call_later(LINGER_S, self._transport.abort)

    def _hand_over(self, messages: Iterable[Message], size: int = 0) -> bool:
        """Queue the messages of a frame, of `size` bytes; return whether more may be handed over at once."""
        is_large = size > OUTBOX_BYTES
        self._large_bytes += size if is_large else 0
        self._busy = self._sending or bool(self._due) or is_large
        self._due.append((messages, size))
        if not self._news.done():
            self._news.set_result(None)
        return not self._busy

    def _end_with(self, message: Message) -> None:
        """Queue the last message, and end the call when it is sent, or soon anyway."""
        if not self._last_due:
            self._hand_over((message,))
            self._last_due = True
            self._linger = self._loop.call_later(LINGER_S, self.cut)

    async def _send_all(self) -> None:
        due, send, calls, over = self._due, self._send, self._calls, self._over
        try:
            # A `send` may swallow its cancellation.
            while not over.done():
                while due and not over.done():
                    self._sending = True
                    messages, size = due.popleft()
                    for message in messages:
                        await send(message)
                    if size > OUTBOX_BYTES:
                        await self._passed_on()
                        self._large_bytes -= size
                    self._sending = False
                    if not calls.quiet:
                        calls.worked(time.monotonic())
                if self._last_due:
                    self._last_sent = True
                    return
                if self._busy:
                    self._busy = False
                    self.idle_again()
                else:
                    await self._news
                self._news = self._loop.create_future()
        except BaseException as error:  # noqa: BLE001  # foreign code; `serve` raises it in the ASGI call
            if isinstance(error, TimeoutError):
                self.timed_out()
            self._failed("send", error)
        finally:
            self.cut()

    async def _passed_on(self) -> None:
        """Wait until the server has passed a large frame on to the system, as far as that can be seen."""
        await asyncio.sleep(0)
        while self.unsent() > OUTBOX_BYTES:
            await asyncio.sleep(LOOK_S)

    async def _read(self, reading: Callable[[], Awaitable[None]]) -> None:
        try:
            await reading()
        except BaseException as error:  # noqa: BLE001  # as above
            self._failed("receive", error)
        finally:
            self.cut()

    def _failed(self, where: str, error: BaseException) -> None:
        """Report an exception of ``send`` or ``receive``, unless it means that the connection is over."""
        if self._over.done() or is_disconnect(error):
            return
        self._calls.failed(where, error, time.monotonic())
        if isinstance(error, Exception):
            self._error = error


class MountedViewer(Mounted):
    """A viewer's outlet.

    Args:
        send: ASGI's.
        calls: where failures are reported.
        hub: the hub that the viewer joins.

    Attributes:
        viewer: gets the frames; set by the endpoint.
    """

    def __init__(self, send: Send, calls: Calls, hub: Hub) -> None:
        super().__init__(send, calls)
        self.viewer: Viewer | None = None
        self._hub = hub

    def send(self, frame: Frame) -> bool:
        """Queue a frame; return whether another may follow at once."""
        return self._hand_over([_websocket_message(message) for message in frame.messages], frame.size)

    def close(self, code: int) -> None:
        """Close the WebSocket after everything due; at once if that is too much to wait for."""
        if max(self.unsent(), self._large_bytes) > MAX_LINGERING_BYTES:
            self.cut()
            return
        self._end_with({"type": "websocket.close", "code": code})

    def idle_again(self) -> None:
        """Have the hub send the frames that wait for the viewer."""
        if self.viewer is not None:
            self.viewer.idle_again()

    def timed_out(self) -> None:
        """Count a stalled viewer."""
        self._hub.traffic.viewers_stalled += 1


class MountedStream(Mounted):
    """A stream of alerts.

    Args:
        send: ASGI's.
        calls: where failures are reported.
        hub: the hub whose alerts they are.

    Attributes:
        reader: its reader; set by the endpoint.
        chunked: False; the server encodes the response.
    """

    chunked = False

    def __init__(self, send: Send, calls: Calls, hub: Hub) -> None:
        super().__init__(send, calls)
        self.reader: AlertReader | None = None
        self._hub = hub

    @property
    def _goes_on(self) -> bool:
        """Whether the response is complete, so that another may follow on its connection."""
        return self._last_sent

    def write(self, wire: bytes) -> bool:
        """Queue a chunk; return whether another may follow at once."""
        return self._hand_over([{"type": "http.response.body", "body": wire, "more_body": True}])

    def end(self) -> None:
        """End the response after everything due."""
        self._end_with({"type": "http.response.body", "body": b"", "more_body": False})

    def idle_again(self) -> None:
        """Resume the reader."""
        if self.reader is not None:
            self.reader.idle_again()

    def timed_out(self) -> None:
        """Count a stalled reader."""
        self._hub.traffic.subscribers_stalled += 1


def is_disconnect(error: BaseException) -> bool:
    """Return whether an error from ``send`` or ``receive`` means that the client has disconnected.

    Servers raise their own `OSError` (ASGI 2.4), Starlette its `WebSocketDisconnect`. An `OSError` with another number,
    such as a full disk, is a failure of the code in between.
    """
    if isinstance(error, ConnectionError | TimeoutError | WebSocketDisconnect):
        return True
    return isinstance(error, OSError) and (error.errno is None or error.errno in UNREACHABLE)


def _websocket_message(message: str | bytes) -> Message:
    return {"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message}
