"""What may pass between a viewer of a wall and a host, whichever way the host is reached.

A request reaches a host only if it reads or changes data of a board: neither a login, nor the intake of metrics, nor a
route of the board's owner. None of its headers says who the viewer is: no cookie, no credential, no origin, no address.
An answer is data, for any browser: it sets no cookie, no policy and no redirect in the wall's origin, and nothing in it
can run there. The page that shows the data is the wall's own.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from starlette.types import Message, Scope, Send

from tickboard.access.roles import may
from tickboard.access.route_table import RouteTable, is_of_login
from tickboard.fleet.caller import MAX_NAME, CallerRole, caller_of
from tickboard.output.text import encodable, one_line
from tickboard.wire import ErrorBody, encode

Headers = Sequence[tuple[bytes, bytes]]
"""Headers of ASGI: names in lower case, and values."""

RETRY_AFTER_S = 5
"""How many seconds a caller waits if a host has too many calls."""

BAD_GATEWAY = 1014
"""The close code of a WebSocket whose host was lost (IANA's registry of WebSocket close codes)."""

NORMAL, NO_STATUS, POLICY_VIOLATION, TOO_BIG = 1000, 1005, 1008, 1009
"""Close codes (RFC 6455, section 7.4.1)."""

MAX_MESSAGE_BYTES = 2**26
"""The longest WebSocket message of a host that is passed on, 64 MiB: it is held in memory as a whole."""

MAX_CALLS = 200
"""How many calls one host serves at a time, and how many a wall makes to it for viewers."""

PERSON = b"tickboard-for"
"""The header that says for whom a wall asks, in percent-encoding."""

_REQUEST_HEADERS = frozenset(
    {b"accept", b"accept-encoding", b"content-type", b"if-modified-since", b"if-none-match", b"last-event-id"}
)

_RESPONSE_HEADERS = frozenset(
    {
        b"allow",
        b"cache-control",
        b"content-disposition",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"etag",
        b"last-modified",
        b"retry-after",
        b"vary",
        b"x-accel-buffering",
    }
)

_DATA_TYPES = frozenset(
    {
        "application/json",
        "application/openmetrics-text",
        "application/vnd.tickboard.history.v1",
        "application/x-ndjson",
        "text/csv",
        "text/event-stream",
        "text/plain",
    }
)
"""The media types of data. An answer of another type is bytes: a browser saves it."""

_HARMLESS = (
    (b"content-security-policy", b"sandbox; default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
"""Added to every answer: a browser that shows it as a document runs nothing in it."""

_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
"""The form of a header's value."""

_TABLE = RouteTable()

_PAGE = frozenset({"/", "/assets/{path:path}"})
"""Paths in the table that a wall serves itself."""

Refusal = tuple[int, str]
"""The status of an answer that refuses a request, and why."""


ME = "/api/me"
"""The path of the question for the caller's role."""


def least_role(scope: Scope) -> CallerRole:
    """Return the least role that a request needs: a wall that may only look can pass on all that only looks.

    The answer to a question for the role depends on it, so that one is the caller's own.
    """
    if scope["path"] == ME:
        return caller_of(scope).role
    method: str = scope["method"] if scope["type"] == "http" else "WEBSOCKET"
    return "operator" if _TABLE.needed(scope["path"], method) == "operator" else "viewer"


def why_refused(scope: Scope) -> Refusal | None:
    """Return why a request may not reach a host; None: it may."""
    path: str = scope["path"]
    method: str = scope["method"] if scope["type"] == "http" else "WEBSOCKET"
    listed, needed, role = _TABLE.listed(path), _TABLE.needed(path, method), caller_of(scope).role
    if not listed or listed in _PAGE or is_of_login(path) or needed in {"sender", "admin"} or not _is_plain(path):
        return 404, f"not reachable through a wall: {method[:20]} {path[:200]}"
    if needed is not None and not may(role, needed):
        return 403, f"this needs the role {needed} on the wall, and you are a viewer: ask an admin of the wall"
    return None


def _is_plain(path: str) -> bool:
    """Return whether every server reads a path in the same way."""
    return path.isprintable() and "\\" not in path and not {"", ".", ".."} & set(path[1:].split("/"))


def sent_path(path: str) -> str:
    """Return a decoded path as it is written in a URL."""
    return quote(path, safe="/")


def sent_query(query: bytes) -> str:
    """Return a query string as it is written in a URL, whatever a client has sent."""
    return quote(query, safe="!$&'()*+,;=:@/?%-._~")


def request_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request that reach the host, of which none identifies the viewer's browser."""
    return [(name, value) for name, value in scope["headers"] if name in _REQUEST_HEADERS]


def response_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer that reach the viewer.

    A value that could end its line is left out, since not every server checks that, and so is a length that is none.
    """
    kept = [(name.lower(), value) for name, value in headers if name.lower() in _RESPONSE_HEADERS]
    kept = [(name, value) for name, value in kept if _VALUE.fullmatch(value)]
    kept = [(name, value) for name, value in kept if name != b"content-length" or value.isdigit()]
    return [(name, _as_data(value) if name == b"content-type" else value) for name, value in kept] + list(_HARMLESS)


def _as_data(media_type: bytes) -> bytes:
    kind = media_type.decode("latin-1").partition(";")[0].strip().lower()
    return media_type if kind in _DATA_TYPES else b"application/octet-stream"


def person_header(name: str) -> bytes:
    """Return the value of the header `PERSON`."""
    return quote(encodable(name[:MAX_NAME]), safe=" ").encode()


def person_in(headers: Mapping[str, Sequence[str]]) -> str:
    """Return the name that a wall has sent in the header `PERSON`; empty if there is none.

    Args:
        headers: the values of each header, by its name in lower case.
    """
    [*_, name] = headers.get(PERSON.decode(), ()) or [""]
    return one_line(unquote(name), MAX_NAME).strip()


async def answer_refusal(scope: Scope, send: Send, status: int, why: str) -> None:
    """Answer a request, or the handshake of a WebSocket, with an error."""
    if scope["type"] == "websocket" and "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": ""})
        return
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    if status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    kind = "http.response" if scope["type"] == "http" else "websocket.http.response"
    await send({"type": f"{kind}.start", "status": status, "headers": response_headers(headers)})
    await send({"type": f"{kind}.body", "body": encode(ErrorBody(why))})


def close_code(code: int | None) -> int:
    """Return the code with which the other side of a WebSocket is closed.

    Args:
        code: that of the first side; None: the connection was lost.
    """
    if code == NO_STATUS:
        return NORMAL
    sendable = code is not None and (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999)
    return code if code is not None and sendable else BAD_GATEWAY


def content_of(message: Message) -> tuple[bool, bytes]:
    """Return whether a WebSocket message is text, and its content."""
    text: Any = message.get("text")
    return (False, bytes(message.get("bytes") or b"")) if text is None else (True, encodable(text).encode())
