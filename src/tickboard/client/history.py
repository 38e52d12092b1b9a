"""Reading the history of a board that runs elsewhere."""

import time
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import msgspec

from tickboard.client.decoder import ProtocolError
from tickboard.client.history_data import HistoryData
from tickboard.client.history_format import MAGIC, decode
from tickboard.client.target import checked_headers
from tickboard.client.watch import RefusedError
from tickboard.errors import InputError
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
"""The longest that an answer may take by default, in seconds."""

MAX_REASON = 500
"""The most characters of an error that are shown."""


def history(
    url: str,
    *metrics: str,
    start: Time = "-1h",
    end: Time = "now",
    points: int = 500,
    headers: Mapping[str, str] | None = None,
    timeout: Duration = TIMEOUT_S,
) -> HistoryData:
    """Return what a board that runs elsewhere recorded: ``tickboard.history(url, "cpu_usage", start="-1d")``.

    It waits for the answer. In a coroutine, call it with ``asyncio.to_thread``.

    Args:
        url: the board's address in a browser, ``http://host:3000`` or ``https://user:word@host/live``.
        metrics: only these, by name, glob or label: ``"cpu_usage", "disk.*"``. None: all.
        start: the beginning of the range: RFC 3339, an age as ``"-15m"``, ``"now"``, POSIX seconds, or a datetime
            with a timezone. Ages are relative to the board's clock.
        end: its end, exclusive.
        points: the most buckets for each series, 1 to 5,000; two more cover the ends of the range.
        headers: sent with the request, for example for a proxy in front of the board.
        timeout: how long the answer may take.

    Raises:
        InputError: an argument cannot be used.
        RefusedError: the board cannot be reached or refuses to answer, or the server is not a board.
        ProtocolError: the answer breaks the protocol.
    """
    from tickboard.client.fetch import FAILURES, fetch

    address, timeout_s = history_url(url, metrics, start, end, points), duration(timeout)
    sent = checked_headers({} if headers is None else headers)
    remember_headers(sent)
    try:
        fetched = fetch(address, sent, timeout_s, MAX_ANSWER_BYTES)
    except FAILURES as error:
        raise RefusedError(_refusal(url, str(error) or type(error).__name__)) from None
    if fetched.status != 200:
        raise RefusedError(_refusal(url, f"the server answered {fetched.status}{_said(fetched.body)}"))
    if not fetched.body.startswith(MAGIC):
        raise RefusedError(_refusal(url, "the answer is not a history: give the address of a board"))
    try:
        return decode(fetched.body)
    except ProtocolError as error:
        raise ProtocolError(_refusal(url, f"the answer breaks the protocol: {error}")) from error


def history_url(url: str, metrics: tuple[str, ...], start: Time, end: Time, points: int) -> str:
    """Return the URL that a question is sent to.

    Raises:
        InputError: an argument cannot be used.
    """
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except (ValueError, AttributeError, TypeError):
        good = False
    if not good or not url.isascii() or not url.strip().isprintable() or " " in url.strip():
        raise InputError(f"url {public(str(url))!r} is not the address of a board: write it as http://localhost:3000")
    remember_url(url)
    if not all(isinstance(text, str) for text in metrics):
        raise InputError(f'metrics {metrics!r:.80}: give selectors, as "cpu_usage" or "disk.*"')
    number: object = points
    if type(number) is not int or number < 1:
        raise InputError(f"points={number!r:.40}: give a whole number from 1 to 5000")
    asked = [("from", _sent("start", start)), ("to", _sent("end", end)), ("points", str(points)), ("format", "binary")]
    query = "&".join(filter(None, (parts.query, urlencode([*asked, *(("metrics", text) for text in metrics)]))))
    address = parts._replace(path=f"{parts.path.rstrip('/')}/api/history", query=query, fragment="").geturl()
    if len(address) > MAX_ADDRESS_BYTES:
        raise InputError(
            f"url and metrics make an address of {len(address)} characters, more than the {MAX_ADDRESS_BYTES} that "
            "servers accept: use a glob that matches more"
        )
    return address


def _sent(name: str, given: Time) -> str:
    """Return a time as it is sent. Ages stay ages, because the board's clock decides what they mean."""
    at_ms = parse_time(name, given, int(time.time() * 1000))
    return given.strip() if isinstance(given, str) else time_text(at_ms)


def _refusal(url: str, why: str) -> str:
    return f"cannot read the history of {public(url)}: {one_line(redacted(why), MAX_REASON)}"


def _said(body: bytes) -> str:
    """Return the error message in a board's answer; empty if there is none."""
    try:
        return f": {msgspec.json.decode(body, type=ErrorBody).error}"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
