"""Traffic: counters of what the hub has sent, skipped and closed, and of how long ticks took to reach everyone.

They count from the start: `/metrics` shows them unchanged, and a source turns them into rates. Nothing here knows
viewers or the clock.
"""

from bisect import bisect_left
from typing import Literal, get_args

from msgspec import Struct, field

DELIVERY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the buckets of delivery times."""

Reason = Literal["malformed", "too_large", "slow", "silent", "crowded", "address", "bodies"]
"""Why a request or a connection was refused before it reached a route."""


class Notified(Struct):
    """Counters of one destination of alerts, from 0.

    Attributes:
        sent: messages delivered.
        failed: attempts that failed.
        dropped: alerts dropped before they could be sent.
    """

    sent: int = 0
    failed: int = 0
    dropped: int = 0


class RemoteWritten(Struct):
    """Counters of remote write, from 0.

    Attributes:
        sent: samples that the receiver took.
        refused: samples that it refused.
        failed: requests that failed, and were tried again.
        waiting: about how many samples wait to be sent.
        oldest: the time of the oldest of these, POSIX seconds; None if none waits.
    """

    sent: int = 0
    refused: int = 0
    failed: int = 0
    waiting: int = 0
    oldest: float | None = None

    def behind_s(self, now: float) -> float:
        """Return how old the oldest waiting sample is; 0 if none waits. `now` is POSIX seconds."""
        return 0.0 if self.oldest is None else max(0.0, now - self.oldest)


class NatsTraffic(Struct):
    """The state of a connection to NATS, and its counters, from 0.

    Attributes:
        connected: whether there is a connection now.
        connections: connections that were made.
        sent: messages passed to the client.
        dropped: messages that were not sent, because there was no connection, too many waited, or they were too large.
        received: messages received.
        lost: received messages that were dropped, because too many waited.
        calls: the open calls of walls.
        calls_refused: calls that were refused, because there were too many.
    """

    connected: bool = False
    connections: int = 0
    sent: int = 0
    dropped: int = 0
    received: int = 0
    lost: int = 0
    calls: int = 0
    calls_refused: int = 0


class Traffic(Struct):
    """Counters, from 0.

    Attributes:
        frames: frames sent to viewers, ticks and others.
        bytes: bytes of their content.
        frames_skipped: ticks not sent to slow viewers.
        viewers_stalled: viewers closed because their connection took nothing.
        viewers_silent: viewers closed because they answered no ping.
        subscribers_stalled: readers of the alert stream cut off because their connection took nothing.
        connections_refused: WebSockets and alert streams refused because there were too many.
        requests_refused: requests and connections refused before they reached a route, by the reason.
        deliveries: how many ticks took how long, from the tick to the last write: a count for each bucket, and one for
            longer times.
        delivery_s: the sum of those times.
        last_delivery_s: the newest of those times.
        notified: counters of alert messages, by the notifier's name.
        remote_written: counters of remote write; None: nothing is sent.
        published: the connection on which the board is published; None: it is not.
    """

    frames: int = 0
    bytes: int = 0
    frames_skipped: int = 0
    viewers_stalled: int = 0
    viewers_silent: int = 0
    subscribers_stalled: int = 0
    connections_refused: int = 0
    requests_refused: dict[Reason, int] = field(default_factory=lambda: dict.fromkeys(get_args(Reason), 0))
    deliveries: list[int] = field(default_factory=lambda: [0] * (len(DELIVERY_BOUNDS_S) + 1))
    delivery_s: float = 0.0
    last_delivery_s: float = 0.0
    notified: dict[str, Notified] = field(default_factory=dict)
    remote_written: RemoteWritten | None = None
    published: NatsTraffic | None = None

    def sent(self, frames: int, size: int) -> None:
        """Count frames of `size` bytes each."""
        self.frames += frames
        self.bytes += frames * size

    def refused(self, reason: Reason) -> None:
        """Count a refused request or connection."""
        self.requests_refused[reason] += 1

    def delivered(self, seconds: float) -> None:
        """Count a tick that reached everyone `seconds` after it was made."""
        self.deliveries[bisect_left(DELIVERY_BOUNDS_S, seconds)] += 1
        self.delivery_s += seconds
        self.last_delivery_s = seconds
