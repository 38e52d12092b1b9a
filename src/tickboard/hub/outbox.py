"""The outbox: what waits for one viewer while its connection takes nothing, bounded in bytes.

Ticks are state: they may be thrown away for the newest. Answers are what the viewer asked for, and stay.
"""

from collections import deque

from tickboard.hub.frames import Frame

OUTBOX_BYTES = 131_072
"""What may wait for one viewer before its ticks are thrown away for the newest state; one frame always may."""


class Outbox:
    """Frames in the order that they came. An empty one is small: most are, most of the time.

    Attributes:
        size: bytes that wait.
    """

    __slots__ = ("_frames", "size")

    def __init__(self) -> None:
        self.size = 0
        self._frames: deque[tuple[int, Frame]] | None = None

    @property
    def full(self) -> bool:
        """Whether more waits than should."""
        return self.size > OUTBOX_BYTES

    def has_room(self, frame: Frame) -> bool:
        """Return whether a tick may wait, too."""
        return not self.size or self.size + frame.size <= OUTBOX_BYTES

    def put(self, frame: Frame, seq: int = 0) -> None:
        """Add a frame; `seq` is that of a tick, and 0 for what is no tick."""
        if self._frames is None:
            self._frames = deque()
        self._frames.append((seq, frame))
        self.size += frame.size

    def take(self) -> tuple[int, Frame] | None:
        """Remove the oldest, and return it with its seq; None when nothing waits."""
        if self._frames is None:
            return None
        seq, frame = self._frames.popleft()
        self.size -= frame.size
        if not self._frames:
            self._frames = None
        return seq, frame

    def drop_ticks(self) -> int:
        """Throw away the ticks, and return how many there were."""
        waiting, self._frames, self.size = self._frames or (), None, 0
        for seq, frame in waiting:
            if not seq:
                self.put(frame)
        return sum(1 for seq, _ in waiting if seq)

    def clear(self) -> None:
        """Throw away everything."""
        self._frames, self.size = None, 0
