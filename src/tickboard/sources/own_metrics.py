"""Tickboard's own metrics: viewers, frames sent and skipped, and how long a tick takes to reach everyone.

It reads the hub's counters, which count since the start, and writes to the registry, where counters become rates. The
same counters are served at ``/metrics`` by `tickboard.server.routes.metrics_endpoint`.
"""

from collections.abc import Callable

from tickboard.hub.hub import Hub
from tickboard.metrics.registry import Registry

CHARTS = (
    ("Viewers", ("tickboard.viewers", "tickboard.subscribers")),
    ("Frames sent", ("tickboard.frames",)),
    ("Bytes sent", ("tickboard.bytes",)),
    ("Skipped and dropped", ("tickboard.skipped", "tickboard.dropped", "tickboard.refused")),
    ("Tick to last write", ("tickboard.delivery",)),
)
"""The charts of the page's section: title and metrics of each."""


class OwnMetrics:
    """The source of Tickboard's own metrics.

    Args:
        registry: where to write.
        hub: returns the hub to read.
    """

    def __init__(self, registry: Registry, hub: Callable[[], Hub]) -> None:
        self._hub = hub
        self._viewers = registry.gauge("tickboard.viewers", "Viewers", min=0)
        self._subscribers = registry.gauge("tickboard.subscribers", "Readers of alerts", min=0)
        counters = {
            "frames": ("Frames sent", "frames/s"),
            "bytes": ("Bytes sent", "B/s"),
            "skipped": ("Ticks skipped for slow viewers", "events/s"),
            "dropped": ("Viewers dropped", "events/s"),
            "refused": ("Connections refused", "events/s"),
        }
        self._counters = {
            name: registry.counter(f"tickboard.{name}", title, unit=unit, min=0)
            for name, (title, unit) in counters.items()
        }
        self._delivery = registry.gauge("tickboard.delivery", "Tick to last write", unit="ms", min=0)
        self._before: dict[str, int] = {}

    async def sample(self) -> None:
        """Write what has happened since the last call."""
        hub = self._hub()
        traffic = hub.traffic
        self._viewers.set(hub.viewers)
        self._subscribers.set(len(hub.readers))
        now = {
            "frames": traffic.frames,
            "bytes": traffic.bytes,
            "skipped": traffic.frames_skipped,
            "dropped": traffic.viewers_stalled + traffic.viewers_silent + traffic.subscribers_stalled,
            "refused": traffic.connections_refused,
        }
        for name, counter in self._counters.items():
            # Counts from before the first call are not part of the last second.
            counter.inc(now[name] - self._before.get(name, now[name]))
        self._before = now
        self._delivery.set(traffic.last_delivery_s * 1000)
