"""Passing connections of a wall's viewers on to a host over HTTP or HTTPS.

`HttpPassing.asgi` is the whole of it: requests and their answers, chunk by chunk, and WebSockets, message by message.
What may pass is decided in `tickboard.fleet.passing`; the host sees the wall's credential. A slow viewer makes the host
wait: at most a few chunks or messages of a call are in memory. When either side of a call ends, so does the other.
"""

import asyncio
import os
import ssl
from collections.abc import Iterable, Mapping
from functools import cache, partial
from urllib.parse import urlsplit, urlunsplit

import httpx
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tickboard.client.connection import CLOSE_TIMEOUT_S, LOST, reason
from tickboard.fleet.caller import caller_of
from tickboard.fleet.link import CutOffError
from tickboard.fleet.passing import (
    MAX_CALLS,
    MAX_MESSAGE_BYTES,
    NORMAL,
    PERSON,
    TOO_BIG,
    answer_refusal,
    close_code,
    person_header,
    request_headers,
    response_headers,
    sent_path,
    sent_query,
    why_refused,
)
from tickboard.fleet.tls_errors import certificate_text
from tickboard.fleet.viewer_side import body_of, first_of, until_gone, why_useless
from tickboard.output.secrets import public
from tickboard.output.text import one_line

CONNECT_S, HEAD_S, BODY_S = 5.0, 30.0, 45.0
"""How many seconds may pass until a host accepts a connection, until its answer begins, and between two chunks of it.
The alert stream has a heartbeat every 30 s."""

MAX_REASON = 300
"""The most characters of why a host cannot be reached."""

WAITING_MESSAGES = 2
"""How many messages of a WebSocket may wait in the wall. Then the host has to wait."""

TRUST = "name the file with the CA that has signed it in SSL_CERT_FILE, or have the system trust it"
"""How a wall accepts what another CA has signed."""

VIA = ("via", "1.1 tickboard-wall")
"""The header that shows a host that a request was passed on, so that it does not show details for its own machine."""


class HttpPassing:
    """Passes connections on to one host.

    Args:
        url: the host's address, with the path that its board is served under.
        headers: sent with each request, with the wall's credential.

    Attributes:
        client: asks the host for documents. It follows no redirects, and uses no proxy from the environment.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._new_client = partial(
            httpx.AsyncClient,
            headers={"user-agent": "tickboard-wall", **headers},
            verify=_trusted() if url.lower().startswith("https") else False,
            trust_env=False,
            timeout=httpx.Timeout(BODY_S, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        )
        self.client = self._new_client()
        parts = urlsplit(url.strip())
        self._shown = public(url)
        self._base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self._headers = headers
        self._calls = 0

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on; see `tickboard.fleet.link.Link.asgi`."""
        if refusal := why_refused(scope):
            await answer_refusal(scope, send, *refusal)
            return
        if self._calls >= MAX_CALLS and not caller_of(scope).is_wall:
            why = f"{self._shown} has {MAX_CALLS} calls from this wall: close some of its boards, or try again"
            await answer_refusal(scope, send, 503, why)
            return
        self._calls += 1
        try:
            serve = self._websocket if scope["type"] == "websocket" else self._http
            await serve(scope, receive, send)
        finally:
            self._calls -= 1

    def url_of(self, path: str, query: bytes = b"") -> str:
        """Return the URL of a path on the host."""
        return f"{self._base}{sent_path(path)}{'?' if query else ''}{sent_query(query)}"

    def _own_headers(self, scope: Scope) -> list[tuple[str, str]]:
        name = caller_of(scope).name
        return [VIA, *([(PERSON.decode(), person_header(name).decode())] if name else [])]

    # --- requests ---

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (body := await body_of(scope, receive, send)) is None:
            return
        await first_of(partial(self._ask, scope, body, send), partial(until_gone, receive))

    async def _ask(self, scope: Scope, body: bytes, send: Send) -> None:
        # As bytes, since a viewer may send any.
        headers = {b"accept": b"*/*", b"accept-encoding": b"identity"} | dict(request_headers(scope))
        headers |= {name.encode(): value.encode() for name, value in self._own_headers(scope)}
        url = self.url_of(scope["path"], scope["query_string"])
        try:
            async with asyncio.timeout(HEAD_S):
                request = self.client.build_request(scope["method"], url, headers=headers, content=body or None)
                answer = await self.client.send(request, stream=True)
        except (TimeoutError, httpx.TimeoutException):
            await answer_refusal(scope, send, 504, f"{self._shown} does not answer")
            return
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            await answer_refusal(scope, send, 502, f"{self._shown} cannot be reached: {why_lost(error)}")
            return
        try:
            await self._pass_back(answer, scope, send)
        finally:
            await answer.aclose()

    async def _pass_back(self, answer: httpx.Response, scope: Scope, send: Send) -> None:
        if why := why_useless(self._shown, answer.status_code):
            await answer_refusal(scope, send, 502, why)
            return
        returned = response_headers(answer.headers.raw)
        await send({"type": "http.response.start", "status": answer.status_code, "headers": returned})
        try:
            async for chunk in answer.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except httpx.HTTPError as error:
            raise CutOffError(f"{self._shown} was lost: {why_lost(error)}") from error
        await send({"type": "http.response.body", "body": b""})

    # --- WebSockets ---

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            socket = await open_socket(
                f"ws{self.url_of(scope['path'], scope['query_string']).removeprefix('http')}",
                [*self._headers.items(), *self._own_headers(scope)],
                scope.get("subprotocols", ()),
            )
        except TimeoutError:
            await answer_refusal(scope, send, 504, f"{self._shown} does not answer")
        except InvalidStatus as error:
            status = error.response.status_code
            why = why_useless(self._shown, status)
            await answer_refusal(scope, send, 502 if why else status, why or f"{self._shown}: {reason(error)}")
        except (*LOST, ValueError) as error:
            await answer_refusal(scope, send, 502, f"{self._shown} cannot be reached: {why_lost(error)}")
        else:
            try:
                await send({"type": "websocket.accept", "subprotocol": socket.subprotocol, "headers": []})
                await first_of(partial(_to_viewer, socket, send), partial(_to_host, socket, receive))
            finally:
                await socket.close()

    async def close(self) -> None:
        """Close the connections for requests to the host; later requests open new ones."""
        before, self.client = self.client, self._new_client()
        await before.aclose()


async def open_socket(
    url: str,
    headers: Iterable[tuple[str, str]],
    subprotocols: Iterable[str],
    max_bytes: int = MAX_MESSAGE_BYTES,
) -> ClientConnection:
    """Open a WebSocket to a host. It follows no redirects, and uses no proxy from the environment.

    Args:
        url: its address.
        headers: sent in the handshake, with the wall's credential.
        subprotocols: those that are offered; the host chooses one, or none.
        max_bytes: the longest message that is received.

    Raises:
        Exception: one of `tickboard.client.connection.LOST`, or a ValueError.
    """
    return await _Opening(
        url,
        additional_headers=list(headers),
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        compression=None,
        max_size=max_bytes,
        max_queue=WAITING_MESSAGES,
        open_timeout=HEAD_S,
        close_timeout=CLOSE_TIMEOUT_S,
        proxy=None,
    )


class _Opening(open_websocket):
    """A handshake that follows no redirect: the credential is for one address."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@cache
def _trusted() -> ssl.SSLContext:
    """Return what is needed to check certificates: those of the system, or of SSL_CERT_FILE."""
    return ssl.create_default_context()


async def _to_viewer(socket: ClientConnection, send: Send) -> None:
    """Pass messages of a host on until it closes the WebSocket, then close that of the viewer with the same code."""
    try:
        while True:
            message = await socket.recv()
            await send({"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message})
    except ConnectionClosed as error:
        closed = error.rcvd
        if closed is None and error.sent is not None and error.sent.code == TOO_BIG:
            closed = error.sent
        code = close_code(None if closed is None else closed.code)
        await send({"type": "websocket.close", "code": code, "reason": "" if closed is None else closed.reason})


async def _to_host(socket: ClientConnection, receive: Receive) -> None:
    """Pass messages of a viewer on until it closes the WebSocket, then close that of the host with the same code."""
    while (message := await receive())["type"] != "websocket.disconnect":
        text = message.get("text")
        try:
            await socket.send(message.get("bytes") or b"" if text is None else text)
        except ConnectionClosed:
            # The other direction knows why.
            await asyncio.Event().wait()
    code = message.get("code")
    await socket.close(code if code == close_code(code) else NORMAL)


def why_lost(error: BaseException) -> str:
    """Return why a host cannot be reached, on one line: what the system says, if it says something."""
    found = str(error) or type(error).__name__
    if isinstance(error, httpx.RemoteProtocolError) and error.request.url.scheme == "http" and "disconnected" in found:
        return "it closes the connection without an answer: if it has TLS, give its address with https://"
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return one_line(f"it {certificate_text(inner, TRUST)}", MAX_REASON)
        # A handshake that waits for more is only where the error arose.
        if (
            isinstance(inner, OSError)
            and inner.errno
            and inner.strerror
            and not isinstance(inner, ssl.SSLWantReadError)
        ):
            # asyncio writes its own text for a refused connection.
            found = os.strerror(inner.errno) if isinstance(inner, ConnectionError) else inner.strerror
        inner = inner.__cause__ or inner.__context__
    if "WRONG_VERSION_NUMBER" in found:
        return "it does not speak TLS: give its address with http://"
    return one_line(found, MAX_REASON)
