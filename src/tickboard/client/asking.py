"""Asking a board that runs elsewhere: the URL of a question, and the bytes of its answer."""

import re
import time
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode, urlsplit

import msgspec

from tickboard.client.authorization import authorized
from tickboard.client.target import checked_headers
from tickboard.errors import InputError, RefusedError
from tickboard.output.secrets import public, redacted, remember_headers, remember_url
from tickboard.output.text import one_line
from tickboard.schedule import Duration, duration
from tickboard.times import Time, parse_time, time_text
from tickboard.wire import ErrorBody

MAX_ANSWER_BYTES = 2**28
"""The longest answer that is read, 256 MiB."""

MAX_ADDRESS_BYTES = 7_900
"""The longest URL with its selectors: servers accept a first line of 8,192 bytes."""

TIMEOUT_S = 30.0
"""The default timeout of an answer, in seconds."""

MAX_REASON = 500
"""The most characters of an error that are shown."""

STATUSES = frozenset({200, 202, 204})
"""The statuses of a useful answer; all others are refusals."""

NOT_RUNNING = ": start the board, or give the address of one that runs"
"""How to fix a refused connection, in errors."""

READ = "read the history of"
"""What most questions do, in errors."""


def question_url(
    url: str, path: str, parameters: Sequence[tuple[str, str]], metrics: Sequence[str], name: str = "url"
) -> str:
    """Return the URL that a question is sent to.

    Args:
        url: the board's address in a browser.
        path: the path of the question below that address.
        parameters: names and values.
        metrics: selectors.
        name: how errors name `url`.

    Raises:
        InputError: the address or a selector cannot be used.
    """
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except (ValueError, AttributeError, TypeError):
        good = False
    if not good or not url.isascii() or not url.strip().isprintable() or " " in url.strip():
        raise InputError(
            f"{name} {public(str(url))!r} is not the address of a board: write it as http://localhost:3000"
        )
    remember_url(url)
    if not all(isinstance(text, str) for text in metrics):
        raise InputError(f'metrics {metrics!r:.80}: give selectors, as "cpu_usage" or "disk_*"')
    query = "&".join(filter(None, (parts.query, urlencode([*parameters, *(("metrics", text) for text in metrics)]))))
    address = parts._replace(path=f"{parts.path.rstrip('/')}{path}", query=query, fragment="").geturl()
    if len(address) > MAX_ADDRESS_BYTES:
        raise InputError(
            f"{name} and metrics make an address of {len(address)} characters, more than the {MAX_ADDRESS_BYTES} that "
            "servers accept: use globs that match more"
        )
    return address


def time_parameter(name: str, given: Time) -> str:
    """Return a time as it is sent. Ages stay ages, because they are relative to the board's clock.

    Raises:
        InputError: it is not a time; the error contains `name`.
    """
    at_ms = parse_time(name, given, int(time.time() * 1000))
    return given.strip() if isinstance(given, str) else time_text(at_ms)


def number_parameter(name: str, given: object, most: int) -> str:
    """Return a number as it is sent. The board checks whether it is too large.

    Raises:
        InputError: it is not a whole number above 0.
    """
    if type(given) is not int or given < 1:
        raise InputError(f"{name}={given!r:.40}: give a whole number from 1 to {most}")
    return str(given)


def answer_of(
    url: str,
    address: str,
    headers: Mapping[str, str] | None,
    timeout: Duration,
    body: bytes | None = None,
    doing: str = READ,
    names: Mapping[str, str] | None = None,
    token: str | None = None,
    method: str = "",
) -> bytes:
    """Ask, and return the content of the answer.

    Args:
        url: the board's address, for errors.
        address: the URL of the question.
        headers: sent with the request.
        timeout: how long the answer may take.
        body: the JSON to send; None: nothing.
        doing: what the question does, for errors.
        names: how errors name the question's parameters, by their names in the request.
        token: sent as the credential; None: that of the environment, if there is one.
        method: of the request; empty: GET, or POST with a body.

    Raises:
        InputError: a header, the token or the timeout cannot be used.
        RefusedError: the board cannot be reached or refuses to answer.
    """
    from tickboard.client.fetch import FAILURES, fetch

    timeout_s = duration(timeout)
    sent = checked_headers({} if headers is None else headers)
    remember_headers(sent)
    sent = authorized(url, sent, token)
    try:
        fetched = fetch(address, sent, timeout_s, MAX_ANSWER_BYTES, body, method)
    except FAILURES as error:
        why = str(error) or type(error).__name__
        raise RefusedError(refusal(url, f"{why}{NOT_RUNNING if _is_closed(error) else ''}", doing)) from None
    if fetched.status not in STATUSES:
        why = _renamed(_error_in(fetched.body), names or {})
        raise RefusedError(refusal(url, f"the server answered {fetched.status}{why and f': {why}'}", doing))
    return fetched.body


def refusal(url: str, why: str, doing: str = READ) -> str:
    """Return the message of an error about a board."""
    return f"cannot {doing} {public(url)}: {one_line(redacted(why), MAX_REASON)}"


def _is_closed(error: BaseException | None) -> bool:
    """Return whether an error was caused by a port that nothing listens on."""
    while error is not None and not isinstance(error, ConnectionRefusedError):
        error = error.__context__
    return error is not None


def _error_in(body: bytes) -> str:
    """Return the error message in a board's answer; empty if there is none."""
    try:
        return msgspec.json.decode(body, type=ErrorBody).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _renamed(error: str, names: Mapping[str, str]) -> str:
    """Return a board's error with the caller's names of parameters, for example ``end=now`` for ``to=now``."""
    return re.sub(r"\b[a-z_]+(?==)", lambda found: names.get(found[0], found[0]), error)
