"""Destinations: where alerts are told outside the page, which of them, and how often; and the secrets in their URLs.

A URL holds what nobody may see: tokens, passwords. So it is a `Secret`, which shows itself nowhere, and parts of it
may stand in the environment. It knows neither the environment itself nor how anything is sent.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, get_args
from urllib.parse import quote

from tickboard.errors import InputError
from tickboard.schedule import duration
from tickboard.types import Severity

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""All there are, the worst last."""

LONGEST_LIMIT = 10_000
"""The most messages a minute that may be asked for."""

NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
"""What a notifier's name looks like, as a regular expression."""

NAME_MEND = "a notifier's name is letters, digits, _, . and -, 64 at most, as ops; what is given is not shown"
"""Said of a name that isn't one: it may be the URL, which was meant for another place."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9]{0,23})://")
_WHOLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Secret:
    """A text that is shown nowhere: `reveal` gives it, and nothing else does.

    Args:
        text: what must not be seen.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for who sends with it."""
        return self._text

    @property
    def scheme(self) -> str:
        """What stands before ``://``, in lower case, which is no secret; empty where there is none."""
        found = _SCHEME.match(self._text)
        return found[1].lower() if found else ""

    def __repr__(self) -> str:
        return f"Secret({self.scheme}://…)"


@dataclass(frozen=True)
class Destination:
    """Where alerts are told. Made by `make_destination`.

    Attributes:
        name: what it is called on the page, in the log and in metrics.
        url: of the service, as Apprise has it.
        severities: the alerts that are told there.
        wait_s: seconds that the first alert waits for others, to be one message with them.
        limit: messages a minute; what is over is put together in the next.
        remind_s: seconds after which one that still fires is told again; None: never.
        resolved: whether the end of an alert is told.
    """

    name: str
    url: Secret
    severities: frozenset[Severity] = frozenset(SEVERITIES)
    wait_s: float = 5.0
    limit: int = 10
    remind_s: float | None = None
    resolved: bool = True


def make_destination(
    name: str,
    url: str,
    environ: Mapping[str, str],
    *,
    severities: Iterable[str] = SEVERITIES,
    wait: str = "5s",
    limit: int = 10,
    remind: str | None = None,
    resolved: bool = True,
) -> Destination:
    """Return a destination that has been checked.

    Args:
        name: letters, digits, ``_``, ``.`` and ``-``.
        url: as `read_secret` takes it.
        environ: where its secrets are.
        severities: info, warning, critical: those that are told.
        wait: how long the first alert waits for others.
        limit: messages a minute.
        remind: after how long one that still fires is told again.
        resolved: whether the end of an alert is told.

    Raises:
        InputError: something about it is wrong; the message never holds any of the URL, given as the name or not.
    """
    if not re.fullmatch(NAME, name):
        raise InputError(f"{NAME_MEND}: give the name first, then the URL")
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


def read_secret(text: str, environ: Mapping[str, str]) -> Secret:
    """Return a URL with what the environment holds in place of ``${NAME}``, or of ``$NAME`` that is all of it.

    A variable that stands in the user, the password or the query is percent-encoded, so that a password may be
    anything; at the beginning and in a path it is taken as it is. A ``$`` elsewhere is a ``$``.

    Raises:
        InputError: a variable is not set; only its name is told.
    """
    given = text.strip()
    if whole := _WHOLE.fullmatch(given):
        given = f"${{{whole[1]}}}"

    def value(reference: re.Match[str]) -> str:
        name = reference[1]
        if not environ.get(name):
            raise InputError(f"the environment variable {name} of its URL is not set: set it")
        return _encoded(environ[name], given[: reference.start()], given[reference.end() :])

    return Secret(_REFERENCE.sub(value, given))


def _encoded(value: str, before: str, after: str) -> str:
    """Return a value as it has to be written between two parts of a URL."""
    _, scheme, begun = before.partition("://")
    if not scheme:
        return value
    if "?" in begun:
        return quote(value, safe="")
    if "/" in begun or "@" not in re.split(r"[/?#]", after, maxsplit=1)[0]:
        return value
    if ":" in begun:
        return quote(value, safe="")
    # Where a user stands there may be a password with it, after the first colon.
    return ":".join(quote(part, safe="") for part in value.split(":", 1))


def _known(severities: Iterable[str]) -> frozenset[Severity]:
    given = [severities] if isinstance(severities, str) else list(severities)
    known: frozenset[Severity] = frozenset(severity for severity in SEVERITIES if severity in given)
    if unknown := [severity for severity in given if severity not in known]:
        raise InputError(f"severity {unknown[0]!r} is none of {', '.join(SEVERITIES)}")
    if not known:
        raise InputError(f"severities is empty: give some of {', '.join(SEVERITIES)}")
    return known


def _limited(limit: int) -> int:
    if type(limit) is not int or not 1 <= limit <= LONGEST_LIMIT:
        raise InputError(f"limit={limit!r}: give a whole number of messages a minute, from 1 to {LONGEST_LIMIT}")
    return limit


def _positive(remind: str) -> float:
    if not (seconds := duration(remind)):
        raise InputError(f"remind={remind!r}: give how long after an alert it is told again, as 4h")
    return seconds
