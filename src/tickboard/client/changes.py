"""`changes`, which asks a board that runs elsewhere what changed."""

from collections.abc import Mapping

import msgspec

from tickboard.client.asking import TIMEOUT_S, answer_of, number_parameter, question_url, refusal, time_parameter
from tickboard.client.changes_data import Changes, changes_of
from tickboard.errors import InputError, RefusedError
from tickboard.schedule import Duration
from tickboard.times import Time
from tickboard.wire import ChangesAnswer


def changes(
    url: str,
    *metrics: str,
    start: Time = "-10m",
    end: Time = "now",
    baseline_start: Time | None = None,
    baseline_end: Time | None = None,
    limit: int = 20,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    timeout: Duration = TIMEOUT_S,
) -> Changes:
    """Return what changed on a board that runs elsewhere: ``tickboard.changes(url, start="-10m")``.

    It compares the values of each series in a range of time with those in a baseline, and blocks until the answer has
    arrived. In a coroutine, call it with ``asyncio.to_thread``.

    Args:
        url: the board's address in a browser, ``http://host:3000`` or ``https://user:word@host/live``.
        metrics: only these, by name, glob or label: ``"cpu_usage", "disk_*"``. None: all.
        start: the beginning of the range: RFC 3339, an age as ``"-15m"``, ``"now"``, POSIX seconds, or a datetime
            with a timezone. Ages are relative to the board's clock.
        end: its end, exclusive.
        baseline_start: the beginning of the baseline. None: it is as long as the range.
        baseline_end: its end, exclusive. None: the beginning of the range.
        limit: the most series to return, 1 to 10,000.
        headers: sent with the request, for example for a proxy in front of the board.
        token: a token with the role viewer, if the board needs a login; None: that in ``TICKBOARD_TOKEN``.
        timeout: how long the answer may take.

    Raises:
        InputError: an argument cannot be used.
        RefusedError: the board cannot be reached or refuses to answer, or the server is not a board.
    """
    given = {"from": start, "to": end, "baseline_from": baseline_start, "baseline_to": baseline_end}
    names = {"from": "start", "to": "end", "baseline_from": "baseline_start", "baseline_to": "baseline_end"}
    parameters = [(name, time_parameter(names[name], at)) for name, at in given.items() if at is not None]
    parameters.append(("limit", number_parameter("limit", limit, 10_000)))
    body = answer_of(
        url, question_url(url, "/api/changes", parameters, metrics), headers, timeout, token=token, names=names
    )
    try:
        return changes_of(msgspec.json.decode(body, type=ChangesAnswer))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InputError):
        raise RefusedError(refusal(url, "the answer does not say what changed: give the address of a board")) from None
