"""A host that is reached over HTTP or HTTPS: follows its overview, and passes connections on to it.

A host needs nothing for it: `HttpLink` reads ``GET /api/about`` and ``/ws/metrics`` as any client may. A lost
connection is opened again for ever, and continues after the last tick.
"""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import quote

import httpx
import msgspec
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tickboard.client import connection
from tickboard.client.authorization import authorized
from tickboard.client.decoder import Decoder, ProtocolError
from tickboard.client.ticks import TICKS_AT_ONCE
from tickboard.client.watch import websocket_url
from tickboard.errors import InputError, RefusedError
from tickboard.fleet.http_passing import HttpPassing, open_socket, why_lost
from tickboard.fleet.link import LinkListener
from tickboard.fleet.messages import BEAT_S, check_name
from tickboard.fleet.passing import TOO_BIG
from tickboard.output.secrets import public
from tickboard.times import parse_time
from tickboard.wire import About, Ping, Pong, encode

ABOUT_S = 10.0
"""How many seconds a host's description may take."""

MAX_ABOUT_BYTES = 2**22
"""The most bytes of a host's description, 4 MiB."""

MAX_TICKS_BYTES = 2**23
"""The longest message of a host's ticks, 8 MiB: a window of 1,000 ticks with 1,000 series, or of a day of seconds with
10. Up to `tickboard.fleet.http_passing.WAITING_MESSAGES` wait to be read."""

SILENT_S = 10.0
"""After how many seconds without any message a connection is lost; a host answers a ping every `BEAT_S`."""

CLOSE_S = 1.0
"""How many seconds a host has to answer the end of a connection."""

NO_OVERVIEW = "-"
"""A selector that matches nothing: an empty subscription would be one to everything."""

UNKNOWN = -1
"""The number of the newest alert event: only the alert stream says it."""

GOING_AWAY = 1001
"""The close code of a host that ends on purpose (RFC 6455, section 7.4.1)."""

UPDATE = "give the address of a Tickboard, and update it if it is older than this one"

PING = encode(Ping()).decode()

_LOST = (*connection.LOST, httpx.HTTPError, httpx.InvalidURL, InputError, RefusedError)


class _Typed(msgspec.Struct):
    """The part that all text messages have."""

    type: str


_decode_type = msgspec.json.Decoder(_Typed).decode
_decode_pong = msgspec.json.Decoder(Pong).decode
_decode_about = msgspec.json.Decoder(About).decode


class HttpLink:
    """One host over HTTP; see `tickboard.fleet.link.Link`. A supervisor keeps `run` running.

    Args:
        url: the host's address in a browser.
        token: a token with the role viewer, or operator if alerts are acknowledged through the wall; None: none.
        listener: takes what is received.
        metrics: selectors of series to follow beside the overview.

    Raises:
        InputError: the address or the token cannot be used.
    """

    kind = "http"

    def __init__(self, url: str, token: str | None, listener: LinkListener, metrics: Sequence[str] = ()) -> None:
        websocket_url(url)
        # Not that of the environment: it is for one board, not for every host.
        self._headers = {} if token is None else authorized(url, {}, token)
        self.address = public(url)
        self._url = url
        self._listener = listener
        self._metrics = metrics
        self._passing = HttpPassing(url, self._headers)
        self._decoder = Decoder()
        self._attempts = 0

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on; see `tickboard.fleet.link.Link.asgi`."""
        await self._passing.asgi(scope, receive, send)

    async def run(self) -> None:
        """Follow the host until cancelled."""
        try:
            while True:
                try:
                    await self._follow()
                except _LOST as error:
                    self._listener.lost(self, _why(error))
                    pause_s = connection.pause_after(error, self._attempts)
                    self._attempts += 1
                    await asyncio.sleep(pause_s)
        finally:
            await self._passing.close()

    async def about(self) -> About:
        """Return the host's description.

        Raises:
            RefusedError: it cannot be had.
        """
        address = self._passing.url_of("/api/about")
        try:
            async with asyncio.timeout(ABOUT_S), self._passing.client.stream("GET", address) as answer:
                body = await _read(answer)
        except TimeoutError:
            raise RefusedError(f"its description takes over {ABOUT_S:g} s") from None
        if answer.status_code != 200:
            raise RefusedError(_why_no_about(answer.status_code))
        try:
            about = _decode_about(body)
            check_name(about.name)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InputError) as error:
            raise RefusedError(f"its description cannot be understood: {error}: {UPDATE}") from error
        return about

    async def _follow(self) -> None:
        """Follow the host over one connection, until that is lost or another subscription is needed.

        Raises:
            Exception: one of `_LOST`.
        """
        about = await self.about()
        self._listener.introduced(self, about)
        address = websocket_url(self._url, [*_overview(about), *self._metrics] or [NO_OVERVIEW])
        position = self._decoder.position
        since = f"&since={quote(position, safe='')}" if position else ""
        socket = await open_socket(
            f"{address}&changes=1{since}", self._headers.items(), [connection.SUBPROTOCOL], MAX_TICKS_BYTES
        )
        try:
            if socket.subprotocol != connection.SUBPROTOCOL:
                raise ProtocolError(f"it does not support {connection.SUBPROTOCOL}: {UPDATE}")
            self._decoder.connected()
            await self._read(socket, about)
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code == GOING_AWAY:
                self._listener.said_bye(self)
            raise
        finally:
            # A host that hangs would keep a wall from ending.
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await socket.close()
            socket.transport.abort()

    async def _read(self, socket: ClientConnection, about: About) -> None:
        """Read messages, ping, and ask for the host's description again when its board has changed."""
        loop = asyncio.get_running_loop()
        heard = beat = loop.time()
        has_changed = False
        while True:
            if loop.time() >= beat:
                beat = loop.time() + BEAT_S
                await socket.send(PING)
                if has_changed:
                    has_changed, before, about = False, about, await self.about()
                    if about != before:
                        self._listener.introduced(self, about)
                    if _overview(about) != _overview(before):
                        return
            try:
                async with asyncio.timeout_at(beat):
                    message = await socket.recv()
            except TimeoutError:
                if loop.time() >= heard + SILENT_S:
                    raise RefusedError(f"it has said nothing for {SILENT_S:g} s") from None
                continue
            heard = loop.time()
            if isinstance(message, bytes):
                await self._take(message)
            else:
                has_changed = self._take_text(message) or has_changed

    async def _take(self, message: bytes) -> None:
        """Pass on the ticks in a message."""
        if (late := self._decoder.amended(message)) is not None:
            self._listener.amended(self, late)
            return
        for number, tick in enumerate(self._decoder.receive(message), 1):
            self._attempts = 0
            self._listener.ticked(self, tick)
            self._listener.heard(self, tick.seq, UNKNOWN, math.nan)
            if number % TICKS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _take_text(self, message: str) -> bool:
        """Take a text message, and return whether the host's description may have changed."""
        list(self._decoder.receive(message))
        kind = _decode_type(message).type
        if kind == "pong":
            try:
                clock = parse_time("timestamp", _decode_pong(message).timestamp, 0) / 1000
            except (msgspec.ValidationError, InputError) as error:
                raise ProtocolError(f"a pong without a time: {error}") from error
            self._listener.heard(self, self._seq, UNKNOWN, clock)
        return kind in {"board", "metrics_changed"}

    @property
    def _seq(self) -> int:
        """The seq of the newest tick; 0 before the first."""
        return int(self._decoder.position.rpartition(":")[2] or 0)


def _overview(about: About) -> list[str]:
    return [each.name for each in about.metrics]


async def _read(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MAX_ABOUT_BYTES:
            raise RefusedError(f"its description is longer than {MAX_ABOUT_BYTES} bytes")
    return bytes(body)


def _why_no_about(status: int) -> str:
    if status in {401, 403}:
        return f"it answers {status}: give the wall a token for it (tickboard token create --role viewer)"
    if status == 404:
        return f"it answers 404: {UPDATE}"
    if 300 <= status < 400:
        return f"it redirects (status {status}): give the address that it redirects to"
    return f"it answers {status} to a request for its description"


def _why(error: Exception) -> str:
    """Return why a host was lost, in words for people."""
    if isinstance(error, ConnectionClosed) and error.sent is not None and error.sent.code == TOO_BIG:
        return (
            f"it sent a message of more than {MAX_TICKS_BYTES} bytes: follow fewer of its metrics, or give it a "
            "smaller --window"
        )
    return (
        why_lost(error) if isinstance(error, httpx.HTTPError | InputError | RefusedError) else connection.reason(error)
    )
