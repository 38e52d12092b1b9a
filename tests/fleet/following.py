"""A wall without links: a follower and an engine, with a clock that the test advances."""

import math
import struct
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from tickboard.client.decoder import Tick, WatchedSeries
from tickboard.engine import Engine, TickResult
from tickboard.fleet.follower import Follower
from tickboard.fleet.host import FollowedHost
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.problems import Problems
from tickboard.wire import About, HostInfo, MetricInfo

START = 1_000_000.0

CPU = MetricInfo("cpu_usage", "CPU", "%", "gauge", [], 0, 100)
REQUESTS = MetricInfo("requests", "Requests", "req/s", "counter", [], 0)
DISK = MetricInfo("disk", "Disk", "%", "gauge", ["mount"])

CPU_SERIES = WatchedSeries("cpu_usage", "%")


@dataclass(eq=False)
class FakeLink:
    """A link that carries nothing: the test calls the follower itself."""

    address: str = "http://a:3000"
    kind: str = "http"

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError


@dataclass(eq=False)
class FakeHost:
    """Makes what a host would send."""

    wall: "Wall"
    name: str = "web-1"
    labels: dict[str, str] = field(default_factory=dict)
    metrics: tuple[MetricInfo, ...] = (CPU,)
    series: tuple[WatchedSeries, ...] = (CPU_SERIES,)
    interval_ms: int = 1000
    epoch: str = "e"
    id: str = "id"
    ahead_s: float = 0.0
    protocol: int = 1
    seq: int = 0
    link: FakeLink = field(default_factory=FakeLink)

    def about(self) -> About:
        return About(
            self.name,
            self.id,
            "1.0",
            self.protocol,
            f"Board of {self.name}",
            self.interval_ms,
            self.labels,
            list(self.metrics),
        )

    def introduce(self, *, compare: bool = True) -> None:
        self.wall.follower.introduced(self.link, self.about())
        if compare:
            self.beat()

    def beat(self, seq: int = 0) -> None:
        self.wall.follower.heard(self.link, seq or self.seq, -1, self.wall.time + self.ahead_s)

    def made(self, time: float, *values: float) -> Tick:
        data = struct.pack(f"<{len(values)}d", *values)
        # Its own last instant until then.
        own_ms = round((time + self.ahead_s) * 1000) // self.interval_ms * self.interval_ms
        return Tick(self.epoch, self.seq, own_ms / 1000, self.series, data)

    def tick(self, time: float, *values: float) -> None:
        """Send the tick of an instant of the wall, by its own clock."""
        self.seq += 1
        self.wall.follower.ticked(self.link, self.made(time, *values))

    def amend(self, time: float, *values: float) -> None:
        self.wall.follower.amended(self.link, self.made(time, *values))

    @property
    def host(self) -> FollowedHost:
        return self.wall.follower.hosts[self.name]


class Wall:
    """A follower, and an engine that makes the wall's ticks."""

    def __init__(self, window: int = 10, interval_ms: int = 1000, **limits: int) -> None:
        self.registry = Registry(**limits)
        self.intake = Intake(self.registry)
        self.problems = Problems()
        self.engine = Engine(
            self.registry, [], window, "wall", lambda: "id", self.intake, interval_s=interval_ms / 1000
        )
        self.time = START + 0.05
        self.stepped = 0.0
        self.interval_s = interval_ms / 1000
        self.due = START
        self.follower = Follower(
            self.intake, self.problems, interval_ms, lambda: self.time, lambda: self.time - self.stepped
        )
        self.tick()

    def tick(self, seconds: float | None = None) -> TickResult:
        """Make the wall's next tick, or one after so many seconds."""
        elapsed = self.interval_s if seconds is None else seconds
        self.due = round((self.due + elapsed) * 1000) / 1000
        self.time = self.due + 0.05
        self.follower.collect(self.due)
        return self.engine.tick(self.due, elapsed)

    def step_clock(self, seconds: float) -> None:
        """Set the wall's clock."""
        self.time += seconds
        self.stepped += seconds
        self.due += seconds

    def values(self, key: str) -> list[float | None]:
        """Return a series of the window, oldest first."""
        [column] = [one.column for one in self.registry.series if one.key == key]
        rows = self.engine.window.all().rows[:, column]
        return [None if math.isnan(value) else value for value in rows.tolist()]

    def keys(self) -> list[str]:
        return [one.key for one in self.registry.series]

    def info(self, name: str) -> HostInfo:
        [found] = [each for each in self.follower.listing.listed().hosts if each.name == name]
        return found
