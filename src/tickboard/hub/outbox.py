"""The outbox: frames that wait for one viewer while its connection is busy, bounded in bytes.

Ticks are state: they may be dropped in favour of the newest. Answers to the viewer's requests are never dropped.
"""

from collections import deque

from tickboard.hub.frames import Frame

OUTBOX_BYTES = 131_072
"""How many bytes may wait for one viewer before its ticks are dropped. A single frame may always wait."""


class Outbox:
    """Frames in order of arrival. An empty outbox is small, since most are empty most of the time.

    Attributes:
        size: the number of bytes waiting.
    """

    __slots__ = ("_frames", "size")

    def __init__(self) -> None:
        self.size = 0
        self._frames: deque[tuple[int, Frame]] | None = None

    @property
    def full(self) -> bool:
        """Whether more bytes wait than allowed."""
        return self.size > OUTBOX_BYTES

    def has_room(self, frame: Frame) -> bool:
        """Return whether a tick fits in."""
        return not self.size or self.size + frame.size <= OUTBOX_BYTES

    def put(self, frame: Frame, seq: int = 0) -> None:
        """Append a frame; `seq` is its tick's, or 0 if it is not a tick."""
        if self._frames is None:
            self._frames = deque()
        self._frames.append((seq, frame))
        self.size += frame.size

    def take(self) -> tuple[int, Frame] | None:
        """Remove and return the oldest frame with its seq; None if the outbox is empty."""
        if self._frames is None:
            return None
        seq, frame = self._frames.popleft()
        self.size -= frame.size
        if not self._frames:
            self._frames = None
        return seq, frame

    def drop_ticks(self) -> int:
        """Drop all ticks; return how many there were."""
        waiting, self._frames, self.size = self._frames or (), None, 0
        for seq, frame in waiting:
            if not seq:
                self.put(frame)
        return sum(1 for seq, _ in waiting if seq)

    def clear(self) -> None:
        """Drop everything."""
        self._frames, self.size = None, 0
