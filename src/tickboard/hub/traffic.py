"""Traffic: what the hub has sent, skipped and closed, and how long a tick took to reach everyone.

Plain counters since the start, which a source turns into rates and `/metrics` gives as they are. It knows neither
viewers nor the clock.
"""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Literal, get_args

DELIVERY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the buckets that delivery times are counted in."""

Reason = Literal["malformed", "too_large", "slow", "silent", "crowded", "address", "bodies"]
"""Why a request or a connection is refused before a route looks at it."""


@dataclass
class Notified:
    """What became of the messages to one destination of alerts, from 0.

    Attributes:
        sent: messages that were delivered.
        failed: attempts that were not.
        dropped: alerts that were given up before they could be told.
    """

    sent: int = 0
    failed: int = 0
    dropped: int = 0


@dataclass
class Traffic:
    """Counters, from 0.

    Attributes:
        frames: sent to viewers, ticks and all else.
        bytes: of their content.
        frames_skipped: ticks that were not sent to slow viewers.
        viewers_stalled: viewers closed because their connection took nothing.
        viewers_silent: viewers closed because they answered no ping.
        subscribers_stalled: readers of the alert stream cut because their connection took nothing.
        connections_refused: WebSockets and alert streams refused because there were too many.
        requests_refused: requests and connections refused before a route looked at them, by the reason.
        deliveries: ticks counted by the time from the tick to the last write: in each bucket, and above them all.
        delivery_s: the sum of those times.
        last_delivery_s: the newest of them.
        notified: messages about alerts, by the notifier's name.
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

    def sent(self, frames: int, size: int) -> None:
        """Count frames of one size in bytes."""
        self.frames += frames
        self.bytes += frames * size

    def refused(self, reason: Reason) -> None:
        """Count a request or a connection that is refused."""
        self.requests_refused[reason] += 1

    def delivered(self, seconds: float) -> None:
        """Count a tick that has been written to everyone, so many seconds after it was made."""
        self.deliveries[bisect_left(DELIVERY_BOUNDS_S, seconds)] += 1
        self.delivery_s += seconds
        self.last_delivery_s = seconds
