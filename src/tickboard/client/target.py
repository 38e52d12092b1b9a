"""Delivery: the address of one board, the HTTP connection to it, and the meaning of its responses; for one thread."""

import contextlib
import io
import re
import threading
import time
from base64 import b64encode
from collections.abc import Collection, Mapping
from json import loads
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from tickboard.client.authorization import authorized
from tickboard.errors import InputError
from tickboard.output.secrets import public, remember_headers, remember_url
from tickboard.output.text import one_line

if TYPE_CHECKING:
    import socket
    from http.client import HTTPConnection, HTTPResponse

TIMEOUT_S = 5.0
"""The longest that each may take: connecting, sending, and the whole response."""


LONGEST_RETRY_AFTER_S = 300.0
"""The longest ``Retry-After`` of a server that is obeyed; a longer one counts as this."""


MAX_SHOWN = 300
"""The most characters of a server's message that are logged."""


_OWN_HEADERS = frozenset({"content-encoding", "content-length", "content-type", "expect", "transfer-encoding"})


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


loading_lock = threading.Lock()
"""Held while modules are loaded, since a child that is forked meanwhile would wait for them forever."""


def describe(error: BaseException) -> str:
    """Return an exception's type and text, as they may be logged."""
    return f"{type(error).__name__}: {shown(error)}"


class RetryError(Exception):
    """Sending failed, but may succeed later.

    Args:
        text: what happened.
        after_s: the server's ``Retry-After``, in seconds.
    """

    def __init__(self, text: str, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.after_s = after_s


class RefusedPushError(Exception):
    """The board refused samples, and will refuse them again.

    Args:
        text: the board's message.
        count: how many samples it refused.
    """

    def __init__(self, text: str, count: int) -> None:
        super().__init__(text)
        self.count = count


class Target:
    """The address of a board and the connection to it; for one thread."""

    def __init__(self, url: str, headers: Mapping[str, str], token: str | None = None) -> None:
        try:
            parts = urlsplit(url)
            good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except (ValueError, AttributeError, TypeError):
            good = False
        if not good or not url.isascii() or not url.isprintable() or " " in url:
            raise InputError(f"{public(str(url))!r} is not the address of a board: write it as http://localhost:3000")
        remember_url(url)
        self.shown = public(url)
        self._parts = parts
        self._path = f"{parts.path.rstrip('/')}/api/metrics"
        own = {"Content-Type": "application/x-ndjson", "User-Agent": "tickboard-push"}
        if parts.username is not None:
            who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            own["Authorization"] = f"Basic {b64encode(who.encode()).decode()}"
        given = checked_headers(headers, _OWN_HEADERS)
        remember_headers(given)
        given = authorized(url, given, token)
        names = {name.lower() for name in given}
        self._headers = {name: value for name, value in own.items() if name.lower() not in names} | given
        self._connection: HTTPConnection | None = None

    def post(self, body: str) -> None:
        """Send one body.

        Raises:
            RetryError: it could not be delivered.
            RefusedPushError: it was delivered and refused, and would be again.
        """
        with loading_lock:
            # A socket needs `encodings.idna` to parse a host name.
            import encodings.idna  # noqa: F401
            from http.client import HTTPException

        used = self._connection is not None
        try:
            try:
                response, text = self._exchange(body.encode())
            except (ConnectionError, HTTPException):
                # A server may close an idle connection just as it is used again.
                self.close()
                if not used:
                    raise
                response, text = self._exchange(body.encode())
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise RetryError(describe(error)) from None
        except BaseException:
            self.close()
            raise
        _judge(response, text, body.count("\n"))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
        self.forget()

    def forget(self) -> None:
        """Drop the connection without closing it: it belongs to the process that opened it."""
        self._connection = None

    def _exchange(self, body: bytes) -> "tuple[HTTPResponse, bytes]":
        connection = self._connection = self._connection or self._open()
        if connection.sock is not None:
            connection.sock.settimeout(TIMEOUT_S)
        connection.request("POST", self._path, body, self._headers)
        response = connection.getresponse()
        text = response.read(65_536)
        if not response.isclosed():
            self.close()
        return response, text

    def _open(self) -> "HTTPConnection":
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT_S)
        connection.response_class = cast(Any, _answer)
        return connection


def checked_headers(headers: Mapping[Any, Any], own: Collection[str] = ()) -> dict[str, str]:
    """Return headers that can be sent; an error does not show their values, which may be secrets.

    Args:
        headers: values by name.
        own: names, in lower case, that `push` sets itself.

    Raises:
        InputError: one of them cannot be sent.
    """
    if not isinstance(headers, Mapping):
        raise InputError(f'headers is a {type(headers).__name__}: give texts by name, as {{"X-Team": "a"}}')
    for name, value in headers.items():
        if not isinstance(name, str) or _HEADER_NAME.fullmatch(name) is None:
            raise InputError(f"headers: {name!r} is not a valid header name: use letters, digits and -, as X-Team")
        if name.lower() in own:
            raise InputError(f"headers: {name} is set by push itself: leave it out")
        if not isinstance(value, str):
            raise InputError(
                f"headers: {name} is {None if value is None else f'a {type(value).__name__}'}: give a string"
            )
        if _HEADER_VALUE.fullmatch(value) is None:
            raise InputError(
                f"headers: {name} contains a line break or a character that headers cannot have: remove it"
            )
    return dict(headers)


class _Answering(io.RawIOBase):
    """A server's response, which may take `TIMEOUT_S` in all; http.client would allow that time for each piece."""

    def __init__(self, connection: "socket.socket") -> None:
        self._connection = connection
        self._pieces = connection.makefile("rb", buffering=0)
        self._end = time.monotonic() + TIMEOUT_S

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"the answer took more than {TIMEOUT_S:g} s")
        self._connection.settimeout(left_s)
        return self._pieces.readinto(buffer)

    def close(self) -> None:
        self._pieces.close()
        super().close()


class _Bounded:
    """A connection from which http.client reads a response with a time limit."""

    def __init__(self, connection: "socket.socket") -> None:
        self._connection = connection

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Answering(self._connection))


def _answer(connection: "socket.socket", *arguments: Any, **named: Any) -> "HTTPResponse":
    from http.client import HTTPResponse

    return HTTPResponse(cast(Any, _Bounded(connection)), *arguments, **named)


def _judge(response: "HTTPResponse", text: bytes, samples: int) -> None:
    """Raise the error that a response stands for, if it is not a success."""
    status = response.status
    answer = _decoded(text)
    if 200 <= status < 300:
        if answer is None:
            raise RetryError(f"it answers {status}, but it is not a board: give the address of a board")
        return
    reason, refused = shown(f"it answers {status} {response.reason}"), samples
    if answer is not None and "error" in answer:
        reason = shown(answer["error"])
        count = answer.get("refused")
        refused = min(samples, max(0, count)) if isinstance(count, int) else samples
    if status in {408, 429} or status >= 500:
        raise RetryError(reason, _retry_after(response.getheader("Retry-After") or ""))
    if 300 <= status < 400:
        where = shown(public(response.getheader("Location") or "?"))
        reason = f"it redirects to {where} (status {status}): give that address"
    raise RefusedPushError(reason, refused)


def _decoded(text: bytes) -> dict[str, Any] | None:
    """Return the JSON object of a response; None if it is not one, or is malicious."""
    try:
        answer = loads(text)
    except Exception:  # noqa: BLE001  # too deep, too large a number, not UTF-8: it may come from anyone
        return None
    return answer if isinstance(answer, dict) else None


def _retry_after(text: str) -> float:
    return min(float(text), LONGEST_RETRY_AFTER_S) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


def shown(text: object) -> str:
    """Return foreign text on one line, safe to log."""
    try:
        return one_line(str(text), MAX_SHOWN)
    except Exception:  # noqa: BLE001  # `__str__` may be foreign code
        return "?"
