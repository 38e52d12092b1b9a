"""The options of remote write: where to send, in which version, which series, with which labels.

The command line, the environment, ``tickboard.toml`` and the dashboard file may each set some of them, and `over`
combines them. Nothing here sends anything.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, Self, cast, get_args
from urllib.parse import urlsplit

from msgspec.structs import replace

from tickboard import schedule
from tickboard.configuration.options import PartialOptions, Refusal, read_options
from tickboard.errors import InputError
from tickboard.expressions.alignment import Labels
from tickboard.metrics.openmetrics import label_name
from tickboard.metrics.selectors import why_refused
from tickboard.output.secrets import Secret, public, read_headers, read_secret
from tickboard.output.text import one_line

NONE = "none"
"""In place of a URL: nothing is sent."""

Version = Literal["1.0", "2.0"]

LONGEST_DELAY = "5m"

RESERVED = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "user-agent",
        "x-prometheus-remote-write-version",
    }
)
"""Headers that belong to the protocol, in lower case. The specification forbids setting them."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]{0,8000}")


class RemoteWriteOptions(PartialOptions, frozen=True):
    """Options of remote write; None means not set.

    Attributes:
        url: where to send, or `NONE`.
        version: of the protocol.
        metrics: selectors of the series to send.
        headers: added to each request.
        labels: added to each series, by name.
        delay: seconds after which a tick is sent.
    """

    url: Secret | None = None
    version: Version | None = None
    metrics: tuple[str, ...] | None = None
    headers: Mapping[str, str] | None = None
    labels: Labels | None = None
    delay: float | None = None

    @classmethod
    def read(cls, written: Mapping[str, object], environ: Mapping[str, str], refusal: Refusal) -> "RemoteWriteOptions":
        """Parse options as people write them.

        Args:
            written: by the names of the attributes; None means not set.
            environ: the environment variables that ``${NAME}`` in the URL and the headers refers to.
            refusal: makes the error for an invalid option.

        Raises:
            InputError: an option is invalid.
        """
        readers = {name: partial(read, environ=environ) for name, read in _READ.items()}
        return cls(**read_options(readers, written, refusal))

    def over(self, others: Self) -> Self:
        """Return these options, with those that are not set taken from others.

        Headers stay with the URL that they were written for, so that their tokens are sent nowhere else.
        """
        if self.url is not None and self.headers is None:
            others = replace(others, headers=None)
        return super().over(others)

    @property
    def is_wanted(self) -> bool:
        """Whether remote write is wanted."""
        return self.url is not None and self.url.reveal() != NONE


def _read_url(value: object, environ: Mapping[str, str]) -> Secret:
    if not isinstance(value, str):
        raise InputError("give a URL, such as http://localhost:9090/api/v1/write")
    if value == NONE:
        return Secret(NONE)
    url = read_secret(value, environ)
    try:
        # In arguments, bytes that are not UTF-8 are surrogates.
        url.reveal().encode()
        parts = urlsplit(url.reveal())
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise InputError(f"{public(value)[:80]!r}: give a URL, such as http://localhost:9090/api/v1/write")
    # Imported here, since it takes some megabytes that a board without a receiver does not need.
    import httpx

    try:
        httpx.URL(url.reveal())
    except httpx.InvalidURL as error:
        why = one_line(str(error), 200)
        raise InputError(
            f"{public(value)[:80]!r}: {why}: give a URL, such as http://localhost:9090/api/v1/write"
        ) from None
    return url


def _read_version(value: object, environ: Mapping[str, str]) -> Version:
    if value not in get_args(Version):
        raise InputError(f"{value!r:.40}: give '1.0' or '2.0'")
    return cast("Version", value)


def _read_metrics(value: object, environ: Mapping[str, str]) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, Sequence) or not all(isinstance(text, str) for text in value):
        raise InputError(f'{value!r:.80}: give selectors such as "cpu_usage" or "disk_*"')
    if why := why_refused(list(value), "metrics"):
        raise InputError(why)
    return tuple(value)


def _read_headers(value: object, environ: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise InputError('give names and values such as {"Authorization": "Bearer ${TOKEN}"}')
    for name in value:
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise InputError(f"{name!r:.40} is not a header name: give one such as Authorization")
        if name.lower() in RESERVED:
            raise InputError(f"{name} belongs to the protocol: leave it out")
    found = read_headers(value, environ)
    for name, text in found.items():
        if not _HEADER_VALUE.fullmatch(text):
            raise InputError(f"the value of {name} has characters that are not allowed in a header: write it in ASCII")
    return found


def _read_labels(value: object, environ: Mapping[str, str]) -> Labels:
    if not isinstance(value, Mapping):
        raise InputError('give names and values such as {"env": "prod"}')
    for name, text in value.items():
        if not isinstance(name, str) or not name or label_name(name) != name or name.startswith("__"):
            raise InputError(f"{name!r:.40} is not a label name: use letters, digits and _")
        if not isinstance(text, str):
            raise InputError(f"label {name} is a {type(text).__name__}: give a string")
        if not text.isprintable():
            raise InputError(f"label {name} has characters that cannot be printed: leave them out")
    return tuple(sorted(value.items()))


def _read_delay(value: object, environ: Mapping[str, str]) -> float:
    seconds = schedule.duration(cast("schedule.Duration", value))
    if seconds > schedule.duration(LONGEST_DELAY):
        raise InputError(f"give {LONGEST_DELAY} or less")
    return seconds


_READ: dict[str, Callable[..., object]] = {
    "url": _read_url,
    "version": _read_version,
    "metrics": _read_metrics,
    "headers": _read_headers,
    "labels": _read_labels,
    "delay": _read_delay,
}
