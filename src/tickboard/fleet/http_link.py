"""A host that is reached over HTTP or HTTPS: follows its overview, and passes connections on to it.

A host needs nothing for it: `HttpLink` reads ``GET /api/about`` and ``/ws/metrics`` as any client may. A lost
connection is opened again for ever, and continues after the last tick. If what was missed is too long for one message,
it continues with the next tick, and the listener sees a hole.
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
from websockets.exceptions import ConnectionClosed, InvalidStatus

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
from tickboard.wire import About, Ping, Pong, Refused, Subscribe, encode

ABOUT_S = 10.0
"""How many seconds a host's description may take."""

MAX_ABOUT_BYTES = 2**22
"""The most bytes of a host's description, 4 MiB."""

MAX_TICKS_BYTES = 2**23
"""The longest message of a host's ticks, 8 MiB: a tick of a million series, or a window of 1,000 ticks of 1,000.
Up to `tickboard.fleet.http_passing.WAITING_MESSAGES` wait to be read."""

MAX_SUBSCRIPTION_BYTES = 2**16
"""The longest message that a host accepts, 64 KiB."""

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

FEWER = "declare fewer of its metrics with overview=True, or follow fewer with metrics= or --metrics"

UPDATE = "give the address of a Tickboard, and update it if it is older than this one"

PING = encode(Ping()).decode()

_LOST = (*connection.LOST, httpx.HTTPError, httpx.InvalidURL, InputError, RefusedError)


class _Typed(msgspec.Struct):
    """The part that all text messages have."""

    type: str


_decode_type = msgspec.json.Decoder(_Typed).decode
_decode_refused = msgspec.json.Decoder(Refused).decode
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
        has_window = True
        try:
            while True:
                try:
                    await self._follow(has_window=has_window)
                except _LOST as error:
                    # It may have been the window that was too long: next time it is left out.
                    has_window = not (has_window and _is_too_long(error))
                    if has_window:
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
            async with (
                asyncio.timeout(ABOUT_S),
                self._passing.client.stream("GET", address, headers={"accept-encoding": "identity"}) as answer,
            ):
                body = await _read(answer)
        except TimeoutError:
            raise RefusedError(f"its description takes over {ABOUT_S:g} s") from None
        if answer.status_code != 200:
            raise RefusedError(_why_no_about(answer.status_code, has_token=bool(self._headers)))
        try:
            about = _decode_about(body)
            check_name(about.name)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InputError) as error:
            raise RefusedError(f"its description cannot be understood: {error}: {UPDATE}") from error
        return about

    async def _follow(self, *, has_window: bool) -> None:
        """Follow the host over one connection, until that is lost or another subscription is needed.

        Args:
            has_window: whether to begin with the ticks of the host's window, and not with its next tick.

        Raises:
            Exception: one of `_LOST`.
        """
        about = await self.about()
        selectors = [*_overview(about), *self._metrics] or [NO_OVERVIEW]
        address = self._address(selectors) if has_window else None
        socket = await open_socket(
            # Without a window it is for nothing at first, since only a handshake is answered with one.
            address or f"{websocket_url(self._url, [NO_OVERVIEW])}&changes=1",
            self._headers.items(),
            [connection.SUBPROTOCOL],
            MAX_TICKS_BYTES,
        )
        try:
            if socket.subprotocol != connection.SUBPROTOCOL:
                raise ProtocolError(f"it does not support {connection.SUBPROTOCOL}: {UPDATE}")
            # Not before: a proxy may pass requests on, but no WebSockets.
            self._listener.introduced(self, about)
            self._decoder.connected()
            if address is None:
                await socket.send(_subscription(selectors))
            await self._read(socket, about, is_subscribed=address is not None)
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

    def _address(self, selectors: Sequence[str]) -> str | None:
        """Return the address for a subscription that continues after the last tick; None: it is too long for one."""
        position = self._decoder.position
        since = f"&since={quote(position, safe='')}" if position else ""
        try:
            return f"{websocket_url(self._url, selectors)}&changes=1{since}"
        except InputError:
            return None

    async def _read(self, socket: ClientConnection, about: About, *, is_subscribed: bool) -> None:
        """Read messages, ping, and ask for the host's description again when its board has changed.

        Args:
            socket: the connection.
            about: the host's description.
            is_subscribed: whether ticks are of the subscription already, or only after the host says so.
        """
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
            if isinstance(message, str):
                kind = self._take_text(message)
                is_subscribed = is_subscribed or kind == "subscribed"
                has_changed = has_changed or kind in {"board", "metrics_changed"}
            elif is_subscribed:
                await self._take(message)

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

    def _take_text(self, message: str) -> str:
        """Take a text message, and return its type."""
        list(self._decoder.receive(message))
        kind = _decode_type(message).type
        try:
            if kind == "pong":
                clock = parse_time("timestamp", _decode_pong(message).timestamp, 0) / 1000
                self._listener.heard(self, self._seq, UNKNOWN, clock)
            elif kind == "refused":
                raise RefusedError(f"it refuses the subscription: {_decode_refused(message).error}: {FEWER}")
        except (msgspec.ValidationError, InputError) as error:
            raise ProtocolError(f"a {kind} that cannot be understood: {error}") from error
        return kind

    @property
    def _seq(self) -> int:
        """The seq of the newest tick; 0 before the first."""
        return int(self._decoder.position.rpartition(":")[2] or 0)


def _overview(about: About) -> list[str]:
    return [each.name for each in about.metrics]


def _subscription(selectors: Sequence[str]) -> str:
    """Return the message that subscribes to series.

    Raises:
        RefusedError: it is too long.
    """
    message = encode(Subscribe(list(selectors)))
    if len(message) > MAX_SUBSCRIPTION_BYTES:
        raise RefusedError(f"its overview has too many metrics to subscribe to: {FEWER}")
    return message.decode()


async def _read(answer: httpx.Response) -> bytes:
    """Return the content of an answer. It must not be compressed, since a few bytes could fill the memory.

    Raises:
        RefusedError: it is too long, or compressed.
    """
    body = bytearray()
    if (coding := answer.headers.get("content-encoding", "identity")) != "identity":
        raise RefusedError(f"its description is compressed ({coding[:40]!r}), although that is not asked for: {UPDATE}")
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > MAX_ABOUT_BYTES:
            raise RefusedError(f"its description is longer than {MAX_ABOUT_BYTES} bytes: {FEWER}")
    return bytes(body)


def _why_no_about(status: int, *, has_token: bool) -> str:
    if status in {401, 403}:
        fix = "give the wall a token for it"
        if has_token:
            fix = "it does not accept the wall's token: give the wall a valid one"
        return f"it answers {status}: {fix} (tickboard token create --role viewer)"
    if status == 421:
        return "it answers 421: the name in its address is not one of its own: start it with --allow-host and that name"
    if status == 404:
        return f"it answers 404: {UPDATE}"
    if 300 <= status < 400:
        return f"it redirects (status {status}): give the address that it redirects to"
    return f"it answers {status} to a request for its description"


def _is_too_long(error: Exception) -> bool:
    """Return whether a connection was closed since the host sent too long a message."""
    return isinstance(error, ConnectionClosed) and error.sent is not None and error.sent.code == TOO_BIG


def _why(error: Exception) -> str:
    """Return why a host was lost, in words for people."""
    if _is_too_long(error):
        return f"it sent a message of more than {MAX_TICKS_BYTES} bytes: {FEWER}"
    if isinstance(error, InvalidStatus):
        return f"{connection.reason(error)} when asked for its ticks: make a proxy in between pass on WebSockets"
    return (
        why_lost(error) if isinstance(error, httpx.HTTPError | InputError | RefusedError) else connection.reason(error)
    )
