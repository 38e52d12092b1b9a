"""The Python client: the ticks of a board that runs elsewhere, as an async iterator that survives a lost connection.

`Ticks` reads a connection through a `Decoder`, detects when it is lost, and reconnects. `Tick` itself is in
`tickboard.client.decoder`. Nothing here knows boards in this process.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from tickboard.client.decoder import Decoder, ProtocolError, Tick
from tickboard.errors import InputError, TickboardError
from tickboard.metrics.selectors import MAX_GLOBS
from tickboard.output.logs import log
from tickboard.output.secrets import public, redacted, remember_url

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

MAX_ADDRESS_BYTES = 7_900
"""The longest address with its subscription: servers accept a first line of 8,192 bytes, and a position is added."""

TICKS_AT_ONCE = 100
"""How many ticks of a window are returned before others may run."""


class RefusedError(TickboardError):
    """The server refused the first handshake or the question, cannot be reached, or is not a board."""

    status = 502


# --- the connection ---


def connect(url: str, *, metrics: Iterable[str] = (), since: str | None = None, history: bool = False) -> "Ticks":
    """Watch a board: iterate over what this returns with ``async for``.

    Iteration begins with the newest tick and never ends by itself. A lost connection is opened again, and the ticks
    made meanwhile come first, if the board still has them. `Tick.missed` and `Tick.fresh` say when it does not.

    Args:
        url: the board's address in a browser, ``http://host:3000`` or ``https://host/live``; or that of its WebSocket,
            ``wss://host/live/ws/metrics``.
        metrics: only these, by name, glob or label: ``["cpu_usage", "disk_*"]``. None: all.
        since: the `Tick.position` of the last tick that you processed, to continue after it.
        history: begin with the board's whole window, oldest tick first. Ignored if `since` is given.

    Raises:
        InputError: an argument cannot be used.
    """
    return Ticks(websocket_url(url, metrics), Decoder(since or "", history=history))


class Ticks:
    """The ticks of a board, for one task: an async iterator, and an async context manager that closes its connection.

    `connect` makes it. It connects when you ask for the first tick. You can leave a loop and begin another, which
    continues after the last tick taken. Dropping the last reference closes the connection.

    Args:
        address: the WebSocket's address, with the subscription.
        decoder: decodes the messages, and has the position.
    """

    def __init__(self, address: str, decoder: Decoder) -> None:
        self._address = address
        self._decoder = decoder
        self._waiting: Iterator[Tick] = iter(())
        self._socket: ClientConnection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = asyncio.Event()
        self._worked = False
        self._complained = False
        self._attempts = self._at_once = 0
        self._not_before = 0.0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Tick:
        """Wait for the next tick and return it.

        Cancelling it, as a timeout does, loses nothing.

        Raises:
            StopAsyncIteration: it was closed.
            RefusedError: no connection ever worked, and none will: the address is wrong, or the server refuses it.
        """
        while not self._closed.is_set():
            if self._at_once >= TICKS_AT_ONCE:
                self._at_once = 0
                await asyncio.sleep(0)
                continue
            for tick in self._waiting:
                self._at_once += 1
                return tick
            self._at_once = 0
            await self._refill()
        raise StopAsyncIteration

    async def _refill(self) -> None:
        """Wait for the next message, or close a connection that was lost."""
        # Imported here, so that a program that has not connected yet does not load websockets.
        from tickboard.client.connection import LOST

        try:
            self._take(await self._receive())
        except LOST as error:
            if not self._closed.is_set():
                await self._lose(error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection and end the iteration, also in another task. Calling it again does nothing."""
        self._closed.set()
        self._waiting = iter(())
        await self._disconnect()

    def __del__(self) -> None:
        # Leaving a loop by break or by an exception closes nothing by itself.
        socket, loop = getattr(self, "_socket", None), getattr(self, "_loop", None)
        if socket is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(socket.transport.close)

    def _take(self, message: str | bytes) -> None:
        self._waiting = self._decoder.receive(message)
        if isinstance(message, bytes):
            self._attempts = 0
            if self._complained:
                log.info("watching %s again", public(self._address))
                self._complained = False

    async def _receive(self) -> str | bytes:
        if self._socket is None:
            await self._pause()
            socket = await self._open()
            if self._closed.is_set():
                await socket.close()
                raise StopAsyncIteration
            self._socket, self._loop = socket, asyncio.get_running_loop()
            self._decoder.connected()
        return await self._socket.recv()

    async def _pause(self) -> None:
        """Wait until it is time to connect, or until closed."""
        try:
            async with asyncio.timeout_at(self._not_before):
                await self._closed.wait()
        except TimeoutError:
            return
        raise StopAsyncIteration

    async def _open(self) -> "ClientConnection":
        from tickboard.client.connection import open_connection

        position = self._decoder.position
        more = f"{'&' if '?' in self._address else '?'}changes=1"
        more += f"&since={quote(position, safe='')}" if position else ""
        socket = await open_connection(self._address + more)
        self._worked = True
        return socket

    async def _lose(self, error: Exception) -> None:
        """Close the connection and decide when to open the next one.

        Raises:
            RefusedError: no connection ever worked, and trying again would not help.
        """
        await self._disconnect(1002 if isinstance(error, ProtocolError) else 1000)
        from tickboard.client import connection

        if not self._worked and not connection.may_pass(error):
            raise RefusedError(connection.explain_failure(self._address, error)) from error
        pause_s = connection.pause_after(error, self._attempts)
        self._attempts += 1
        self._not_before = asyncio.get_running_loop().time() + pause_s
        if not self._complained:
            log.warning("cannot watch %s: %s; trying again", public(self._address), connection.reason(error))
            self._complained = True

    async def _disconnect(self, code: int = 1000) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close(code)


# --- addresses ---


def websocket_url(url: str, metrics: Iterable[str] = ()) -> str:
    """Return the address of a board's WebSocket, with a subscription.

    Raises:
        InputError: it is not a board's address, or `metrics` is not a list of selectors.
    """
    if not isinstance(url, str):
        raise _bad_url(url, "it is no text")
    remember_url(url)
    try:
        parts = urlsplit(url.strip())
        scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
        if scheme is None or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", url.strip()):
            raise _bad_url(url, "it has no host" if scheme else "its scheme is not http, https, ws or wss")
        own = {"since", "metrics"} & {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        if own:
            raise _bad_url(url, f"what it asks for is said by the argument {min(own)}, not in the address")
        path = parts.path.rstrip("/")
        path = path if path.endswith("/ws/metrics") else f"{path}/ws/metrics"
        asked = urlencode([("metrics", one) for one in _selectors(metrics)])
        address = urlunsplit((scheme, parts.netloc, path, "&".join(filter(None, (parts.query, asked))), ""))
        if parts.username is not None and parts.password is None:
            raise _bad_url(url, "it has a user without a password")
        # Both raise ValueError if they are invalid.
        parts.hostname.encode("idna"), parts.port
        if len(address.encode()) > MAX_ADDRESS_BYTES:
            raise InputError(
                f"url and metrics make an address of {len(address)} characters, of "
                f"{MAX_ADDRESS_BYTES} that servers accept: use a glob that matches more"
            )
    except InputError:
        raise
    except ValueError as error:
        raise _bad_url(url, str(error)) from error
    return address


def _bad_url(url: object, why: str) -> InputError:
    shown = public(url) if isinstance(url, str) else url
    return InputError(
        f"url {shown!r} cannot be used: {redacted(why)}; write it as http://127.0.0.1:3000 or https://host/live"
    )


def _selectors(metrics: Iterable[str]) -> list[str]:
    chosen = [] if isinstance(metrics, str) else list(metrics)
    if isinstance(metrics, str) or not all(isinstance(one, str) for one in chosen):
        raise InputError(f'metrics {metrics!r} is no list of texts: write metrics=["cpu_usage", "disk_*"]')
    globs = sum(1 for one in chosen if re.search(r"[*?\[]", one))
    if globs > MAX_GLOBS:
        raise InputError(f"metrics has {globs} globs: ask for {MAX_GLOBS} at most, or one that matches more")
    return chosen
