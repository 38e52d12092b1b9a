"""`history`, which reads the history of a board that runs elsewhere."""

from collections.abc import Mapping

from tickboard.client.asking import TIMEOUT_S, answer_of, number_parameter, question_url, refusal, time_parameter
from tickboard.client.decoder import ProtocolError
from tickboard.client.history_data import HistoryData
from tickboard.client.history_format import MAGIC, decode
from tickboard.errors import RefusedError
from tickboard.schedule import Duration
from tickboard.times import Time

NAMES = {"from": "start", "to": "end"}
"""How errors name the parameters of the question, by their names in the request."""


def history(
    url: str,
    *metrics: str,
    start: Time = "-1h",
    end: Time = "now",
    points: int = 500,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    timeout: Duration = TIMEOUT_S,
) -> HistoryData:
    """Return what a board that runs elsewhere recorded: ``tickboard.history(url, "cpu_usage", start="-1d")``.

    It blocks until the answer has arrived. In a coroutine, call it with ``asyncio.to_thread``.

    Args:
        url: the board's address in a browser, ``http://host:3000`` or ``https://user:word@host/live``.
        metrics: only these, by name, glob or label: ``"cpu_usage", "disk_*"``. None: all.
        start: the beginning of the range: RFC 3339, an age as ``"-15m"``, ``"now"``, POSIX seconds, or a datetime
            with a timezone. Ages are relative to the board's clock.
        end: its end, exclusive.
        points: the most buckets for each series, 1 to 5,000; two more cover the ends of the range.
        headers: sent with the request, for example for a proxy in front of the board.
        token: a token with the role viewer, if the board needs a login; None: that in ``TICKBOARD_TOKEN``.
        timeout: how long the answer may take.

    Raises:
        InputError: an argument cannot be used.
        RefusedError: the board cannot be reached or refuses to answer, or the server is not a board.
        ProtocolError: the answer breaks the protocol.
    """
    body = answer_of(url, history_url(url, metrics, start, end, points), headers, timeout, token=token, names=NAMES)
    if not body.startswith(MAGIC):
        raise RefusedError(refusal(url, "the answer is not a history: give the address of a board"))
    try:
        return decode(body)
    except ProtocolError as error:
        raise ProtocolError(refusal(url, f"the answer breaks the protocol: {error}")) from error


def history_url(url: str, metrics: tuple[str, ...], start: Time, end: Time, points: int) -> str:
    """Return the URL that a question is sent to.

    Raises:
        InputError: an argument cannot be used.
    """
    parameters = [
        ("from", time_parameter("start", start)),
        ("to", time_parameter("end", end)),
        ("points", number_parameter("points", points, 5_000)),
        ("format", "binary"),
    ]
    return question_url(url, "/api/history", parameters, metrics)
