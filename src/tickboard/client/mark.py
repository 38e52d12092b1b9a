"""`mark`, which makes a mark on a board that runs elsewhere, for example from a deploy script."""

from collections.abc import Mapping

import msgspec

from tickboard.client.asking import TIMEOUT_S, answer_of, question_url, refusal, time_parameter
from tickboard.errors import InputError, RefusedError
from tickboard.output.logs import log
from tickboard.output.secrets import public
from tickboard.output.text import encodable
from tickboard.schedule import Duration
from tickboard.times import Time
from tickboard.wire import Mark, NewMark, encode

ARGUMENTS = {"url": "url", "timestamp": "at", "until": "until", "by": "by"}
"""How errors name the arguments of `mark`, by their names in the request."""


class _Answer(Mark, frozen=True, omit_defaults=True):
    """The board's answer: the mark; `kept` is False if the board's disk fails."""

    kept: bool = True


def mark(
    url: str,
    text: str,
    *,
    at: Time | None = None,
    until: Time | None = None,
    by: str = "",
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    timeout: Duration = TIMEOUT_S,
) -> Mark:
    """Mark a moment, or a span of time, on a board that runs elsewhere: ``tickboard.mark(url, "deployed 1.4")``.

    It blocks until the mark is on the board's disk, and logs a warning if the disk fails. In a coroutine, call it with
    ``asyncio.to_thread``. To repeat a call that failed, pass the same `at` again: the mark is made only once.

    Args:
        url: the board's address in a browser, ``http://host:3000`` or ``https://user:word@host/live``.
        text: what happened; up to 200 characters.
        at: when: RFC 3339, an age as ``"-15m"``, ``"now"``, POSIX seconds, or a datetime with a timezone. Ages are
            relative to the board's clock. None: now.
        until: when it ended; None: it is a moment.
        by: who or what made the mark.
        headers: sent with the request, for example for a proxy in front of the board.
        token: a token with the role operator, if the board needs a login; None: that in ``TICKBOARD_TOKEN``. Its name
            replaces `by`.
        timeout: how long the answer may take.

    Returns:
        The mark; or the existing one, if there is one with the same text at the same time.

    Raises:
        InputError: an argument cannot be used.
        RefusedError: the board cannot be reached or refuses the mark, or the server is not a board.
    """
    return make_mark(url, text, at, until, by, headers, timeout, token=token)


def make_mark(
    url: str,
    text: str,
    at: Time | None,
    until: Time | None,
    by: str,
    headers: Mapping[str, str] | None = None,
    timeout: Duration = TIMEOUT_S,
    names: Mapping[str, str] = ARGUMENTS,
    token: str | None = None,
) -> Mark:
    """Do what `mark` does, with other names for its arguments in errors."""
    address = question_url(url, "/api/marks", [], [], names["url"])
    for name, given in (("text", text), ("by", by)):
        if not isinstance(given, str):
            raise InputError(f"{name}={given!r:.40} is not a text: write it in quotes")
    request = NewMark(
        encodable(text),
        "now" if at is None else time_parameter(names["timestamp"], at),
        None if until is None else time_parameter(names["until"], until),
        encodable(by),
    )
    body = answer_of(url, address, headers, timeout, encode(request), "mark", names, token)
    try:
        made = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RefusedError(refusal(url, "the answer is not a mark: give the address of a board", "mark")) from None
    if not made.kept:
        log.warning("%s is marked, but cannot write the mark to its disk: a restart may forget it", public(url))
    return Mark(made.id, made.text, made.timestamp, made.by, made.until)
