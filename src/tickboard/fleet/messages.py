"""What a host publishes on NATS, and the subjects that it is published on (docs/fleet-protocol.md).

    tickboard.hosts                     a wall asks who is there; every host answers with its about
    tickboard.host.NAME.about           `tickboard.wire.About`, in JSON: when it changes, and when a wall asks
    tickboard.host.NAME.overview        the messages of `tickboard.v2` for the overview series
    tickboard.host.NAME.ticks           the messages of `tickboard.v2` for all series
    tickboard.host.NAME.beat            `Beat`, in JSON: every second
    tickboard.host.NAME.claim           `Claim`, in JSON: a process wants the name, or has it
    tickboard.host.NAME.bye             `Bye`, in JSON: the host ends on purpose
    tickboard.host.NAME.ask.ROLE.CALL   frames of a call to the host, made with a role
    tickboard.host.NAME.answer.CALL     frames of its answer

A host publishes under its own name only, so that permissions can fence hosts off from each other.
"""

import re

import msgspec

from tickboard.errors import InputError

PROTOCOL = 1
"""The version of this protocol. A wall shows a host with a newer one, and says so."""

INTERVALS_MS = (10, 3_600_000)
"""The shortest and the longest interval of a host."""

HOSTS = "tickboard.hosts"
"""The subject on which a wall asks who is there."""

BEAT_S = 1.0
"""Seconds between two beats."""

GONE_INTERVALS, GONE_S = 3, 3.0
"""A host that has been silent for the longer of these is gone."""

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
"""The form of a host's name."""


class Beat(msgspec.Struct, frozen=True):
    """That a host lives, and where it is.

    Attributes:
        id: the host's, as in `tickboard.wire.About`.
        since: when the process began to publish under its name, POSIX seconds.
        time: the host's clock, POSIX seconds.
        epoch: of its newest tick.
        seq: of its newest tick; 0 before the first.
        interval_ms: milliseconds between two ticks.
        alerts: the number of its newest published alert event.
    """

    id: str
    since: float
    time: float
    epoch: str
    seq: int
    interval_ms: int
    alerts: int


class Claim(msgspec.Struct, frozen=True):
    """That a process wants to publish under a name, or does so and answers one that wants to.

    Attributes:
        id: the host's, as in `tickboard.wire.About`.
        since: when the process began to publish under its name, or to want to, POSIX seconds.
        place: where it runs, for people.
        holds: whether it publishes under the name.
    """

    id: str
    since: float
    place: str
    holds: bool


class Bye(msgspec.Struct, frozen=True):
    """That a host ends on purpose, which is no alarm.

    Attributes:
        id: the host's, as in `tickboard.wire.About`.
    """

    id: str


def gone_s(interval_ms: int) -> float:
    """Return after how many seconds of silence a host with this interval, milliseconds, is gone."""
    return max(GONE_INTERVALS * interval_ms / 1000, GONE_S)


def possible_interval_ms(interval_ms: int) -> int:
    """Return the interval that a host says it has, or the nearest one that a host can have."""
    low_ms, high_ms = INTERVALS_MS
    return min(max(low_ms, interval_ms), high_ms)


def check_name(name: str) -> str:
    """Return a host's name.

    Raises:
        InputError: it has another form.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"host name {name[:100]!r}: use up to 100 letters, digits, '.', '_' and '-', and begin and end with a "
            "letter or digit, as web-1.example.com"
        )
    return name


def subject(name: str, *parts: str) -> str:
    """Return a subject of a host: ``subject("web-1.eu", "beat")`` is ``tickboard.host.web-1%2Eeu.beat``.

    Args:
        name: the host's name; ``*`` for every host.
        parts: the rest of the subject.
    """
    return ".".join(("tickboard", "host", name.replace(".", "%2E"), *parts))


def host_in(received: str) -> str:
    """Return the name of the host in a subject that was received."""
    return received.split(".")[2].replace("%2E", ".")
