"""The Python client: the ticks of a board that runs elsewhere, as an async iterator that survives a lost connection.

`Ticks` is the connection around the `Receiver` of `tickboard.receiver`: it opens it, notices when it is lost, and comes
back. Nothing here knows of boards in this process.
"""

import asyncio
import logging
import random
import re
import ssl
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
)
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tickboard.errors import InputError, TickboardError
from tickboard.receiver import ProtocolError, Receiver, Tick
from tickboard.selectors import MAX_GLOBS

SUBPROTOCOL = Subprotocol("tickboard.v1")

MAX_MESSAGE_BYTES = 2**28
"""The longest message that is taken, 256 MiB: it bounds what a server that goes wrong can make this process hold.

The longest that a board sends is a window. That of 60 ticks has 48 MB with 200,000 series, as many as a board can have;
one of a million ticks, as many as a window can have, fits with 64 series, and who wants more asks for fewer at a time.
"""

MAX_ADDRESS_BYTES = 7_900
"""Of an address with its subscription: servers take a first line of 8,192, and a position comes to it."""

CLOSE_TIMEOUT_S = 2.0
"""The longest that leaving waits for the server's goodbye."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 10.0
"""Between two attempts to connect."""

LONGEST_RETRY_AFTER_S = 300.0
"""What a server that is full may ask for; more is taken for this."""

_logger = logging.getLogger("tickboard")


class RefusedError(TickboardError):
    """What is at the address will not be watched: it refused the first handshake, or is no board."""

    status = 502


# --- the connection ---


def connect(url: str, *, metrics: Iterable[str] = (), since: str | None = None, history: bool = False) -> "Ticks":
    """Watch a board: iterate over what this returns with ``async for``.

    Iteration begins with the newest tick there is and goes on for ever: a connection that is lost is opened again, and
    the ticks that were made meanwhile come first, where the board still has them. `Tick.missed` and `Tick.fresh` say
    where it has not.

    Args:
        url: the board's address as it is opened in a browser, ``http://host:3000`` or ``https://host/live``; or that
            of its WebSocket, ``wss://host/live/ws/metrics``.
        metrics: only these, by name, glob or label, ``["cpu_usage", "disk.*"]``; none: all.
        since: the `Tick.position` of the last tick that was dealt with, to go on after it.
        history: begin with the whole window that the board has, oldest first; means nothing beside `since`.

    Raises:
        InputError: an argument cannot be used.
    """
    return Ticks(address_of(url, metrics), Receiver(since or "", history=history))


class Ticks:
    """The ticks of a board, for one task: an async iterator, and an async context manager that closes its connection.

    `connect` makes it. Nothing is connected before the first tick is asked for. A loop may be left and another begun:
    it goes on after the last tick that was taken. When the last reference is gone, so is the connection.

    Args:
        address: of the WebSocket, with the subscription.
        receiver: what has been seen so far.
    """

    def __init__(self, address: str, receiver: Receiver) -> None:
        self._address = address
        self._receiver = receiver
        self._waiting: Iterator[Tick] = iter(())
        self._socket: ClientConnection | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = asyncio.Event()
        self._worked = False
        self._complained = False
        self._attempts = 0
        self._not_before = 0.0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Tick:
        """Return the next tick, when there is one.

        Cancelling it, as a timeout does, loses nothing.

        Raises:
            StopAsyncIteration: it was closed.
            RefusedError: it never worked, and will not: the address is wrong, or the server does not want it.
        """
        while not self._closed.is_set():
            for tick in self._waiting:
                return tick
            try:
                self._take(await self._receive())
            except (OSError, ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidURI, ProtocolError) as error:
                if not self._closed.is_set():
                    await self._lose(error)
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection and end the iteration, that of another task too. Doing it again does nothing."""
        self._closed.set()
        self._waiting = iter(())
        await self._disconnect()

    def __del__(self) -> None:
        # A loop that is left by break or by an exception closes nothing by itself.
        socket, loop = getattr(self, "_socket", None), getattr(self, "_loop", None)
        if socket is not None and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(socket.transport.close)

    def _take(self, message: str | bytes) -> None:
        self._waiting = self._receiver.receive(message)
        if isinstance(message, bytes):
            self._attempts = 0
            if self._complained:
                _logger.info("watching %s again", public(self._address))
                self._complained = False

    async def _receive(self) -> str | bytes:
        if self._socket is None:
            await self._pause()
            socket = await self._open()
            if self._closed.is_set():
                await socket.close()
                raise StopAsyncIteration
            self._socket, self._loop = socket, asyncio.get_running_loop()
            self._receiver.connected()
        return await self._socket.recv()

    async def _pause(self) -> None:
        """Wait until it is time to connect, or the end."""
        try:
            async with asyncio.timeout_at(self._not_before):
                await self._closed.wait()
        except TimeoutError:
            return
        raise StopAsyncIteration

    async def _open(self) -> ClientConnection:
        position = self._receiver.position
        more = f"{'&' if '?' in self._address else '?'}since={quote(position, safe='')}" if position else ""
        # Flow control is the library's: with 16 messages not taken it stops reading, the server finds its viewer slow,
        # and sends it less. So is the ping that finds a server that is gone without a word.
        socket = await open_websocket(
            self._address + more,
            subprotocols=[SUBPROTOCOL],
            compression=None,  # random float32 hardly get smaller, and the server offers none
            max_size=MAX_MESSAGE_BYTES,
            close_timeout=CLOSE_TIMEOUT_S,
        )
        if socket.subprotocol != SUBPROTOCOL:
            await socket.close(1002)
            raise ProtocolError(f"it does not speak {SUBPROTOCOL}")
        self._worked = True
        return socket

    async def _lose(self, error: Exception) -> None:
        """Put the connection away and decide when the next one is tried.

        Raises:
            RefusedError: it never worked, and trying again would not help.
        """
        await self._disconnect(1002 if isinstance(error, ProtocolError) else 1000)
        if not self._worked and not may_pass(error):
            raise RefusedError(refusal(self._address, error)) from error
        pause_s = pause_after(error, self._attempts)
        self._attempts += 1
        self._not_before = asyncio.get_running_loop().time() + pause_s
        if not self._complained:
            _logger.warning("cannot watch %s: %s; trying again", public(self._address), reason(error))
            self._complained = True

    async def _disconnect(self, code: int = 1000) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close(code)


# --- addresses ---


def address_of(url: str, metrics: Iterable[str] = ()) -> str:
    """Return the address of the WebSocket of a board, with a subscription.

    Raises:
        InputError: it is no address of a board, or `metrics` no list of selectors.
    """
    if not isinstance(url, str):
        raise _bad_url(url, "it is no text")
    try:
        parts = urlsplit(url.strip())
        scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
        if scheme is None or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", url.strip()):
            raise _bad_url(url, "it has no host" if scheme else "its scheme is none of http, https, ws and wss")
        own = {"since", "metrics"} & {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        if own:
            raise _bad_url(url, f"what it asks for is said by the argument {min(own)}, not in the address")
        path = parts.path.rstrip("/")
        path = path if path.endswith("/ws/metrics") else f"{path}/ws/metrics"
        asked = urlencode([("metrics", one) for one in _selectors(metrics)])
        address = urlunsplit((scheme, parts.netloc, path, "&".join(filter(None, (parts.query, asked))), ""))
        parse_uri(address)
        if len(address.encode()) > MAX_ADDRESS_BYTES:
            raise InputError(
                f"url and metrics make an address of {len(address)} characters, of "
                f"{MAX_ADDRESS_BYTES} that servers take: ask for a glob that matches more"
            )
    except InputError:
        raise
    except (ValueError, InvalidURI) as error:
        raise _bad_url(url, str(error)) from error
    return address


def _bad_url(url: object, why: str) -> InputError:
    return InputError(f"url {url!r} cannot be used: {why}; write it as http://127.0.0.1:3000 or https://host/live")


def _selectors(metrics: Iterable[str]) -> list[str]:
    chosen = [] if isinstance(metrics, str) else list(metrics)
    if isinstance(metrics, str) or not all(isinstance(one, str) for one in chosen):
        raise InputError(f'metrics {metrics!r} is no list of texts: write metrics=["cpu_usage", "disk.*"]')
    globs = sum(1 for one in chosen if re.search(r"[*?\[]", one))
    if globs > MAX_GLOBS:
        raise InputError(f"metrics has {globs} globs: ask for {MAX_GLOBS} at most, or for one that matches more")
    return chosen


def public(address: str) -> str:
    """Return an address as a log may have it: without user, password and what is asked for."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


# --- what went wrong ---


def may_pass(error: Exception) -> bool:
    """Return whether what a first connection met may pass by waiting."""
    match error:
        case InvalidStatus():
            return error.response.status_code >= 500 or error.response.status_code in {408, 425, 429}
        case InvalidMessage():
            # The connection was lost before there was an answer.
            return isinstance(error.__cause__, EOFError)
        case ssl.SSLCertVerificationError() | InvalidHandshake() | InvalidProxy() | InvalidURI() | ProtocolError():
            return False
    return True


def refusal(address: str, error: Exception) -> str:
    """Return what to tell of a first connection that failed for good, and how to mend it."""
    mend = "is it the address of a board, as it is opened in a browser?"
    if isinstance(error, InvalidStatus) and error.response.status_code in {401, 403, 421}:
        mend = "does what is in front of the board want a user, or the server another --allow-host?"
    elif isinstance(error, ssl.SSLError):
        mend = "use the name that the certificate is for, and one that this machine trusts"
    elif isinstance(error, InvalidProxy):
        mend = "look at the proxy in this process's environment"
    elif isinstance(error, ProtocolError):
        mend = (
            "it needs a board of Tickboard 0.1 or newer, and a proxy in between that passes Sec-WebSocket-Protocol on"
        )
    return f"cannot watch {public(address)}: {reason(error)}; {mend}"


def reason(error: Exception) -> str:
    """Return what a connection failed with, in one line."""
    if isinstance(error, InvalidStatus):
        lines = (error.response.body or b"")[:200].decode(errors="replace").splitlines()
        said = f" ({lines[0].strip()})" if lines and lines[0].isprintable() and "<" not in lines[0] else ""
        return f"the server answered {error.response.status_code}{said}"
    if isinstance(error, ConnectionClosed) and error.sent is not None and error.sent.code == 1009:
        return f"it sent a message of more than {MAX_MESSAGE_BYTES} bytes (ask for fewer metrics)"
    return " ".join(str(error).split()) or type(error).__name__


def pause_after(error: Exception, attempts: int, rng: random.Random | None = None) -> float:
    """Return for how many seconds to wait before the next attempt.

    A random time, so that a thousand clients of a server that starts again do not come at once, from a range whose end
    doubles with every attempt; with it, what a server that is full asked for in ``Retry-After``.

    Args:
        error: what the last one failed with.
        attempts: how many have failed since it worked.
        rng: where chance comes from.
    """
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempts + 1, 16))
    pause_s = (rng or random).uniform(FIRST_PAUSE_S, longest)
    asked = error.response.headers.get("Retry-After", "") if isinstance(error, InvalidStatus) else ""
    return pause_s + min(float(asked), LONGEST_RETRY_AFTER_S) if re.fullmatch(r"[0-9]{1,9}", asked) else pause_s
