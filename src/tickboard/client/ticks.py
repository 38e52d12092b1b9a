"""The ticks of a board that runs elsewhere, as an async iterator that survives a lost connection.

`Ticks` reads a connection through a `Decoder`, detects when it is lost, and reconnects. Nothing here knows boards in
this process.
"""

import asyncio
from collections.abc import Iterator, Mapping
from types import MappingProxyType, TracebackType
from typing import Self
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection

from tickboard.client import connection
from tickboard.client.decoder import Decoder, ProtocolError, Tick
from tickboard.errors import RefusedError
from tickboard.output.logs import log
from tickboard.output.secrets import public

TICKS_AT_ONCE = 100
"""How many ticks of a window are returned before others may run."""


class Ticks:
    """The ticks of a board, for one task: an async iterator, and an async context manager that closes its connection.

    `connect` makes it. It opens its connection when you ask for the first tick. You can leave a loop and begin another,
    which continues after the last tick. Dropping the last reference closes the connection.

    Args:
        address: the WebSocket's address, with the subscription.
        decoder: decodes the messages and keeps the position.
        headers: sent with the handshake.
    """

    def __init__(self, address: str, decoder: Decoder, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self._address = address
        self._headers = headers
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
        try:
            self._take(await self._receive())
        except connection.LOST as error:
            if not self._closed.is_set():
                await self._lose(error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection and end the iteration, even in another task. Calling it again does nothing."""
        self._closed.set()
        self._waiting = iter(())
        await self._disconnect()

    def __del__(self) -> None:
        # Leaving a loop by break or by an exception does not close the connection.
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

    async def _open(self) -> ClientConnection:
        position = self._decoder.position
        more = f"{'&' if '?' in self._address else '?'}changes=1"
        more += f"&since={quote(position, safe='')}" if position else ""
        socket = await connection.open_connection(self._address + more, self._headers)
        self._worked = True
        return socket

    async def _lose(self, error: Exception) -> None:
        """Close the connection and decide when to open the next one.

        Raises:
            RefusedError: no connection ever worked, and trying again would not help.
        """
        await self._disconnect(1002 if isinstance(error, ProtocolError) else 1000)
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
