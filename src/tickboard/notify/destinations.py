"""Destinations: where notifications of alerts are sent, for which alerts, and how often.

A URL contains tokens and passwords, so it is a `Secret`, which is never shown. Nothing here reads the environment or
sends anything.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final, get_args

from msgspec import Struct

from tickboard.configuration.config import NOTIFIER_NAME, NOTIFIER_NAME_HELP
from tickboard.errors import InputError
from tickboard.output.secrets import Secret, read_secret
from tickboard.schedule import Duration, duration
from tickboard.wire import Severity

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""All severities, the worst last."""

LIMIT = 10
"""The most messages a minute, unless a board sets another limit."""

LONGEST_LIMIT = 10_000
"""The highest limit that may be set, in messages a minute."""


class Destination(Struct, frozen=True):
    """Where notifications of alerts are sent. `make_destination` makes it.

    Attributes:
        name: its name on the page, in the log and in metrics.
        url: the service, as Apprise's URL.
        severities: which alerts it sends.
        wait_s: seconds that the first alert waits for others, to share a message with them.
        limit: the most messages a minute. The rest goes into the next message.
        remind_s: seconds after which a firing alert is sent again; None: never.
        resolved: whether to send that an alert is resolved.
    """

    name: str
    url: Secret
    severities: frozenset[Severity] = frozenset(SEVERITIES)
    wait_s: float = 5.0
    limit: int = LIMIT
    remind_s: float | None = None
    resolved: bool = True


def make_destination(
    name: str,
    url: str,
    environ: Mapping[str, str],
    *,
    severities: Iterable[str] = SEVERITIES,
    wait: Duration = "5s",
    limit: int = LIMIT,
    remind: Duration | None = None,
    resolved: bool = True,
) -> Destination:
    """Check the arguments and return a destination.

    Args:
        name: letters, digits, ``_``, ``.`` and ``-``.
        url: as for `read_secret`.
        environ: the environment variables with its secrets.
        severities: which of info, warning and critical to send.
        wait: how long the first alert waits for others.
        limit: messages a minute.
        remind: after how long a firing alert is sent again.
        resolved: whether to send that an alert is resolved.

    Raises:
        InputError: an argument is wrong; the message contains nothing of the URL, even if it was passed as the name.
    """
    if not re.fullmatch(NOTIFIER_NAME, name):
        raise InputError(f"{NOTIFIER_NAME_HELP}: give the name first, then the URL")
    try:
        return Destination(
            name,
            read_secret(url, environ),
            _known(severities),
            duration(wait),
            _limited(limit),
            None if remind is None else _positive(remind),
            resolved,
        )
    except InputError as error:
        raise InputError(f"notifier {name!r}: {error}") from error


def _known(severities: Iterable[str]) -> frozenset[Severity]:
    given = [severities] if isinstance(severities, str) else list(severities)
    known: frozenset[Severity] = frozenset(severity for severity in SEVERITIES if severity in given)
    if unknown := [severity for severity in given if severity not in known]:
        raise InputError(f"severity {unknown[0]!r} is unknown: use one of {', '.join(SEVERITIES)}")
    if not known:
        raise InputError(f"severities is empty: give some of {', '.join(SEVERITIES)}")
    return known


def _limited(limit: int) -> int:
    if type(limit) is not int or not 1 <= limit <= LONGEST_LIMIT:
        raise InputError(f"limit={limit!r}: give a whole number of messages a minute, from 1 to {LONGEST_LIMIT}")
    return limit


def _positive(remind: Duration) -> float:
    if not (seconds := duration(remind)):
        raise InputError(f"remind={remind!r} would remind without a pause: give a duration such as 4h")
    return seconds
