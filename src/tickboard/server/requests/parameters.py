"""Parameters: limits how many a URL may have, before anything reads them, and reads their values for routes."""

from collections.abc import Awaitable, Mapping, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.errors import InputError
from tickboard.metrics.selectors import MAX_SELECTORS
from tickboard.server.requests.refusal import error_response, refuse
from tickboard.times import parse_time, time_text

MAX_PARAMETERS = MAX_SELECTORS + 10
"""The most in one URL: a subscription's selectors, and all other parameters of a route. Reading that many takes 2
ms."""


class Parameters:
    """ASGI middleware that refuses a request or a handshake with too many parameters, with 400."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        query = scope.get("query_string", b"")
        if (count := query.count(b"&") + query.count(b";") + 1) <= MAX_PARAMETERS:
            return self._app(scope, receive, send)
        why = f"the URL has {count} parameters: send {MAX_PARAMETERS} at most"
        return refuse(error_response(400, why), scope, receive, send)


def one_of(text: str, name: str, known: Sequence[str]) -> str:
    """Return the value of a parameter if it is one of the known ones.

    Raises:
        InputError: it is not.
    """
    if text not in known:
        raise InputError(f"{name}={text[:40]}: give one of {', '.join(known)}")
    return text


def whole_number(text: str | None, name: str, default: int, most: int) -> int:
    """Return the value of a parameter that is a whole number from 1 to `most`; `default` if it is missing.

    Raises:
        InputError: it is not such a number.
    """
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= most:
        return int(text)
    raise InputError(f"{name}={text[:40]}: give a whole number from 1 to {most}")


def range_of_time(asked: Mapping[str, str], now_ms: int) -> tuple[str | None, str | None]:
    """Return the values of the parameters ``from`` and ``to``, RFC 3339 in UTC with milliseconds; None if missing.

    Args:
        asked: the parameters.
        now_ms: the current time, POSIX milliseconds.

    Raises:
        InputError: one is not a time, or ``from`` is not before ``to``.
    """
    start, end = (parse_time(name, asked[name], now_ms) if name in asked else None for name in ("from", "to"))
    if start is not None and end is not None and start >= end:
        raise InputError(f"from={asked['from'][:40]} is not before to={asked['to'][:40]}: give an earlier from")
    return None if start is None else time_text(start), None if end is None else time_text(end)
