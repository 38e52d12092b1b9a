"""Connections where a board is mounted in somebody's application: frames and events go through the ASGI ``send``.

An application's ``send`` and ``receive`` are foreign code: they raise, they hang, they cancel, and what they do (time
limits, cancel scopes, context variables) belongs to the task that calls them. So each ASGI call has two tasks in its
context: one sends what is due to the client, one receives. The hub only hands a frame over and wakes the first:
whatever happens to one viewer, the tick and the other viewers go on.

At most two frames are with a connection: the one that is being sent and the next. What more there is waits in the hub,
which skips ticks. How many calls have failed, and why, is reported by `Calls`.

A server may take any frame at once, and keep a copy of it for as long as the client reads nothing. So a large frame
counts as sent when the server has passed it on, as far as `tickboard.server.streams.uvicorn_call` can see; and a
connection that ends with much unsent is cut beneath the server, which would keep it.
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
"""How long a connection that ends has for what is still to be sent; then it is cut."""

LOOK_S = 0.05
"""How often it is looked whether a large frame has been passed on."""

SOURCE = "mounted connections"
"""Of the problem that is reported."""

UNREACHABLE = frozenset({errno.ENOTCONN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN})
"""Of an `OSError`: what it says of a connection that has no class of its own."""


class Calls:
    """Reports the ASGI calls of one board that have failed in the application's ``send`` or ``receive``.

    Args:
        hub: shows the problem.

    Attributes:
        quiet: false while a problem is shown.
    """

    def __init__(self, hub: Hub) -> None:
        self.quiet = Quiet()
        self._hub = hub

    def failed(self, where: str, error: BaseException, now: float) -> None:
        """Report a call that has failed.

        Args:
            where: ``send`` or ``receive``.
            error: what it raised.
            now: seconds by a clock that doesn't step.
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
        """Clear the problem when no call has failed for a while."""
        if self.quiet.is_over(now):
            self._hub.problems.clear(SOURCE)


class Mounted:
    """The last step of a viewer or a reader. Made in its ASGI call, which then awaits `serve`.

    Args:
        send: ASGI's.
        calls: where a failure is reported.

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
        # Messages of one frame, and its size.
        self._due: deque[tuple[Iterable[Message], int]] = deque()
        # Of large frames that are due, or that the server may still have.
        self._large_bytes = 0
        self._linger: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self._sending = self._busy = self._last_due = self._last_sent = False

    def rest(self, wire: bytes, written: int) -> bool:
        """Never asked for: there is no descriptor to write to."""
        raise NotImplementedError

    def unsent(self) -> int:
        """Return how many bytes wait in the server; 0 where that is not known."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def idle_again(self) -> None:
        """Ask the hub for what waits there: all that was handed over has been sent."""
        raise NotImplementedError

    def timed_out(self) -> None:
        """Count a client that the application has lost patience with."""
        raise NotImplementedError

    def cut(self) -> None:
        """Leave the connection at once, whatever its ``send`` waits for."""
        if not self._over.done():
            self._over.set_result(None)

    async def serve(self, reading: Callable[[], Awaitable[None]]) -> None:
        """Send what is due until the client has gone, or this side has ended the connection.

        Args:
            reading: receives from the client; it returns when the client has gone.

        Raises:
            Exception: as the application's ``send`` or ``receive`` raised it; it has been reported.
        """
        # In the context of this call, and so with whatever the application has put into it.
        tasks = [self._loop.create_task(self._send_all()), self._loop.create_task(self._read(reading))]
        try:
            await self._over
        finally:
            self.cut()
            if self._linger is not None:
                self._linger.cancel()
            for task in tasks:
                task.cancel()
            # Nobody waits longer for a `send` or a `receive` that does not give up.
            await asyncio.wait(tasks, timeout=LINGER_S)
            self._abandon()
        if self._error is not None:
            raise self._error

    @property
    def _goes_on(self) -> bool:
        """Whether the connection may be used for something else when this call is over."""
        return False

    def _abandon(self) -> None:
        """Have the server keep nothing for a client that does not read it, once the connection is over."""
        if self._transport is None or self._goes_on or not self.unsent():
            return
        if self.unsent() > MAX_LINGERING_BYTES:
            self._transport.abort()
        else:
            self._loop.call_later(LINGER_S, self._transport.abort)

    def _hand_over(self, messages: Iterable[Message], size: int = 0) -> bool:
        """Have messages of so many bytes sent; return whether more may be handed over at once."""
        is_large = size > OUTBOX_BYTES
        self._large_bytes += size if is_large else 0
        self._busy = self._sending or bool(self._due) or is_large
        self._due.append((messages, size))
        if not self._news.done():
            self._news.set_result(None)
        return not self._busy

    def _end_with(self, message: Message) -> None:
        """Have the last message sent after what is due, and leave the connection then, or soon anyway."""
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
        except BaseException as error:  # noqa: BLE001  # foreign code; `serve` raises it where it belongs
            if isinstance(error, TimeoutError):
                self.timed_out()
            self._failed("send", error)
        finally:
            self.cut()

    async def _passed_on(self) -> None:
        """Wait until the server has passed a large frame on to the system, as far as it can be seen."""
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
        """Report what ``send`` or ``receive`` raised, unless it says that the connection is over."""
        if self._over.done() or is_disconnect(error):
            return
        self._calls.failed(where, error, time.monotonic())
        if isinstance(error, Exception):
            self._error = error


class MountedViewer(Mounted):
    """A viewer's outlet.

    Args:
        send: ASGI's.
        calls: where a failure is reported.
        hub: whom the viewer joins.

    Attributes:
        viewer: who gets the frames; set by the endpoint.
    """

    def __init__(self, send: Send, calls: Calls, hub: Hub) -> None:
        super().__init__(send, calls)
        self.viewer: Viewer | None = None
        self._hub = hub

    def send(self, frame: Frame) -> bool:
        """Have a frame sent; return whether another may follow at once."""
        return self._hand_over([_websocket_message(message) for message in frame.messages], frame.size)

    def close(self, code: int) -> None:
        """Close the WebSocket after what is due; at once where that is too much to wait for."""
        if max(self.unsent(), self._large_bytes) > MAX_LINGERING_BYTES:
            self.cut()
            return
        self._end_with({"type": "websocket.close", "code": code})

    def idle_again(self) -> None:
        """Send the viewer what waits for it."""
        if self.viewer is not None:
            self.viewer.idle_again()

    def timed_out(self) -> None:
        """Count a stalled viewer."""
        self._hub.traffic.viewers_stalled += 1


class MountedStream(Mounted):
    """A stream of alerts.

    Args:
        send: ASGI's.
        calls: where a failure is reported.
        hub: whose alerts they are.

    Attributes:
        reader: who reads it; set by the endpoint.
        chunked: False; the coding of a response is the server's.
    """

    chunked = False

    def __init__(self, send: Send, calls: Calls, hub: Hub) -> None:
        super().__init__(send, calls)
        self.reader: AlertReader | None = None
        self._hub = hub

    @property
    def _goes_on(self) -> bool:
        """Whether the response is whole: another may follow on its connection."""
        return self._last_sent

    def write(self, wire: bytes) -> bool:
        """Have a chunk sent; return whether another may follow at once."""
        return self._hand_over([{"type": "http.response.body", "body": wire, "more_body": True}])

    def end(self) -> None:
        """End the response after what is due."""
        self._end_with({"type": "http.response.body", "body": b"", "more_body": False})

    def idle_again(self) -> None:
        """Give the reader what is new to it."""
        if self.reader is not None:
            self.reader.idle_again()

    def timed_out(self) -> None:
        """Count a stalled reader."""
        self._hub.traffic.subscribers_stalled += 1


def is_disconnect(error: BaseException) -> bool:
    """Return whether an application's ``send`` or ``receive`` says by an error that the client has gone.

    Servers raise an `OSError` of their own (ASGI 2.4), Starlette its `WebSocketDisconnect`. One with another number, as
    that of a full disk, is a fault of whatever stands between.
    """
    if isinstance(error, ConnectionError | TimeoutError | WebSocketDisconnect):
        return True
    return isinstance(error, OSError) and (error.errno is None or error.errno in UNREACHABLE)


def _websocket_message(message: str | bytes) -> Message:
    return {"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message}
