"""Sends documents: compressed if the client accepts that, and not at all if it already has them.

The request's headers Accept-Encoding and If-None-Match decide (RFC 9110, sections 12.5.3 and 13.1.2).
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tickboard.wire import encode

MAX_LISTED = 100
"""How many elements of a header are read: browsers send ten."""

LONGEST_KEPT = 300
"""The longest Accept-Encoding that is parsed only once for all requests."""

MINIMUM_BYTES = 1_000
"""A smaller document is sent as it is."""

_OF_CONTENT = ("content-length", "content-type", "content-encoding", "accept-ranges")


class Documents:
    """ASGI middleware of a route whose responses are documents.

    Args:
        app: the endpoint. Its response may have an ETag.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._compressed = GZipMiddleware(app, minimum_size=MINIMUM_BYTES)
        self._always_compressed = GZipMiddleware(app, minimum_size=0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = Headers(scope=scope)
        _, identity = qualities(headers.getlist("accept-encoding"))
        if not wants_gzip(headers):
            app, send = self._plain, _varying(send)
        else:
            app = self._compressed if identity > 0 or scope["method"] == "HEAD" else self._always_compressed
            scope = {**scope, "headers": [*_without(scope, b"accept-encoding"), (b"accept-encoding", b"gzip")]}
        if known := headers.getlist("if-none-match"):
            send = _unless_known(send, set(_tags(known)))
        await app(scope, receive, send)


def wants_gzip(headers: Headers) -> bool:
    """Return whether a client wants gzip at least as much as no coding."""
    gzip, identity = qualities(headers.getlist("accept-encoding"))
    return gzip > 0 and gzip >= identity


def qualities(accept: Iterable[str]) -> tuple[float, float]:
    """Return how much a client wants gzip, and how much it wants no coding; 0 is not at all.

    No coding is acceptable unless it is excluded; if it is not mentioned, the client wants it least.
    """
    text = ",".join(accept)
    return _qualities(text) if len(text) <= LONGEST_KEPT else _qualities.__wrapped__(text)


@lru_cache(maxsize=256)
def _qualities(accept: str) -> tuple[float, float]:
    found: dict[str, float] = {}
    for each in listed([accept]):
        coding, *parameters = (part.strip().lower() for part in each.split(";"))
        found[{"x-gzip": "gzip"}.get(coding, coding)] = quality(parameters)
    others = found.get("*")
    gzip = found.get("gzip", others or 0.0)
    return gzip, found.get("identity", 1e-4 if others is None else others)


def listed(values: Iterable[str]) -> list[str]:
    """Return the elements of a header that is a list, the first `MAX_LISTED` of them."""
    return ",".join(values).split(",", MAX_LISTED)[:MAX_LISTED]


def quality(parameters: Iterable[str]) -> float:
    """Return the ``q`` among the parameters of an Accept element: 1 if it is missing, 0 if it is invalid."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                number = float(value)
            except ValueError:
                return 0.0
            return number if 0 <= number <= 1 else 0.0
    return 1.0


def _without(scope: Scope, name: bytes) -> list[tuple[bytes, bytes]]:
    return [pair for pair in scope["headers"] if pair[0].lower() != name]


def _varying(send: Send) -> Send:
    async def send_varying(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            MutableHeaders(scope=message).add_vary_header("Accept-Encoding")
        await send(message)

    return send_varying


def _tags(values: Iterable[str]) -> Iterable[str]:
    return (tag.strip().removeprefix("W/") for tag in listed(values))


def _unless_known(send: Send, known: set[str]) -> Send:
    """Return a `send` that answers 304 instead of a document whose ETag is known; ``*`` matches any."""
    unchanged = False

    async def send_unless_known(message: Message) -> None:
        nonlocal unchanged
        if message["type"] == "http.response.start" and message["status"] == 200:
            headers = MutableHeaders(raw=list(message.get("headers", [])))
            tag = headers.get("etag", "").removeprefix("W/")
            if tag and (tag in known or "*" in known):
                unchanged = True
                for name in _OF_CONTENT:
                    del headers[name]
                message = {"type": "http.response.start", "status": 304, "headers": headers.raw}
        elif unchanged:
            message = {"type": "http.response.body", "body": b"", "more_body": message.get("more_body", False)}
        await send(message)

    return send_unless_known


def static_json(document: object) -> Response:
    """Return a document that changes only with Tickboard's version: clients revalidate it, but get it once."""
    body = encode(document)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Response(body, media_type="application/json", headers={"cache-control": "no-cache", "etag": tag})
