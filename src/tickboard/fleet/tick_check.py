"""Tells ticks of another process from those of the host whose name it uses, before they are shown as its values.

The messages of `tickboard.v2` do not say who has sent them. If two processes publish under one name for a moment, since
neither could hear the other, both may use the same number for a list of series; and what a process has sent may come
after it was restarted, when its connection was lost meanwhile. Within one run of a board, ticks are at least an
interval apart, so its seq cannot get ahead of its time. A message whose seq does is not believed unless a beat of the
host confirms it. If beats stay behind the newest tick, that tick was another's.

It takes what was received and the time, monotonic seconds, as arguments.
"""

from msgspec import Struct

from tickboard.client.decoder import Tick, newest_in
from tickboard.fleet.messages import Beat

SLACK = 2
"""By how many ticks a seq may be ahead: times vary, and beats are as old as the ticks before them."""

BEHIND_S = 2.0
"""Beats that have been behind the newest tick for so many seconds mean that it was another's."""


class _Newest(Struct, frozen=True):
    epoch: str
    seq: int
    time_ms: float


class TickCheck:
    """Whether messages with ticks can be those of one host.

    Attributes:
        interval_ms: milliseconds between two of its ticks.
    """

    def __init__(self) -> None:
        self.interval_ms = 1000
        self._newest: _Newest | None = None
        self._beat: tuple[str, int] | None = None
        self._behind_since: float | None = None

    def doubts(self, message: bytes, epoch: str) -> bool:
        """Return whether a message is another's.

        Args:
            message: a binary message of `tickboard.v2`.
            epoch: that of its list of series.
        """
        newest, found = self._newest, newest_in(message)
        if newest is None or found is None or newest.epoch != epoch:
            return False
        seq, time_ms = found
        ahead_ms = (seq - newest.seq) * self.interval_ms - (time_ms - newest.time_ms)
        if seq < newest.seq:
            # Of an earlier tick, the newest one is ahead.
            ahead_ms = -ahead_ms
        if not ahead_ms > SLACK * self.interval_ms:
            return False
        return self._beat is None or self._beat[0] != epoch or not newest.seq < seq <= self._beat[1] + SLACK

    def took(self, tick: Tick) -> None:
        """Take note of a tick that was believed."""
        self._newest = _Newest(tick.epoch, tick.seq, tick.time * 1000)

    def beat(self, beat: Beat, now: float) -> bool:
        """Take a beat of the host; return whether the newest tick was another's, so that ticks have to begin anew."""
        self._beat = beat.epoch, beat.seq
        newest = self._newest
        if newest is None or newest.epoch != beat.epoch or newest.seq <= beat.seq + SLACK:
            self._behind_since = None
            return False
        if self._behind_since is None:
            self._behind_since = now
        if now - self._behind_since < BEHIND_S:
            return False
        self._newest = self._behind_since = None
        return True
