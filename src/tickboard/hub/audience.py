"""An audience: the viewers of one distinct subscription, in the order they are sent each tick."""

from typing import Generic, Protocol, TypeVar

from tickboard.hub.encodings import Encoding
from tickboard.hub.frames import Frame
from tickboard.metrics.selection import Selection


class Member(Protocol):
    """The part of a viewer that its audience uses.

    Attributes:
        slot: its index in the audience.
    """

    slot: int


V = TypeVar("V", bound=Member)


class Audience(Generic[V]):
    """The viewers of one distinct subscription, and the frames encoded for them at this tick.

    Viewers keep their slots while a tick is being sent. The slot of a viewer that leaves becomes None, and a viewer
    that joins goes after `end`, so nobody gets the tick twice and nobody misses it.

        slot          0    1    2    3    4
        viewers     | a  | -  | c  | d  | e  |    b has left; e joined while the tick was being sent
        descriptors | 7  | -1 | -1 | 9  | 10 |    c is busy
                                 ▲         ▲
                              cursor      end

    Args:
        encoding: how its ticks are encoded.
        selectors: what the viewers subscribed to.
        selection: the series that the selectors now select; replaced, with a new `layout`, when series appear or leave.
        layout: the number of the current list of series.
        board: the number of the board's description that was last sent to the viewers.
        details: whether its viewers see problems in full.

    Attributes:
        described: the layout that was last sent to the viewers.
        series: the series of that layout, in order.
        joined: whether a viewer has been sent another layout since.
        size: the number of viewers.
        cursor: the slot of the next viewer to send the tick to.
        frame: the tick being sent; None until it is encoded.
        initials: the ``initial`` messages of this tick, by the tick that they resume after and the ticks skipped.
        making: the ``initial`` messages being made in steps, by the same key: the tick at which making it began, and
            the viewers that wait for it.
    """

    def __init__(
        self,
        encoding: Encoding,
        selectors: tuple[str, ...],
        selection: Selection,
        layout: int,
        board: int = 0,
        *,
        details: bool = False,
    ) -> None:
        self.encoding = encoding
        self.selectors = selectors
        self.selection = selection
        self.layout = layout
        self.described = layout
        self.series = selection.series
        self.joined = False
        self.board = board
        self.details = details
        self.viewers: list[V | None] = []
        self.descriptors: list[int] = []
        self.size = 0
        self.cursor = self.end = 0
        self.frame: Frame | None = None
        self.initials: dict[tuple[int | None, int], Frame] = {}
        self.making: dict[tuple[int | None, int], tuple[int, list[V]]] = {}

    def add(self, viewer: V) -> None:
        """Append a viewer."""
        viewer.slot = len(self.viewers)
        self.viewers.append(viewer)
        self.descriptors.append(-1)
        self.size += 1

    def remove(self, viewer: V) -> None:
        """Remove a viewer and leave its slot empty."""
        self.viewers[viewer.slot] = None
        self.descriptors[viewer.slot] = -1
        self.size -= 1
        if not self.size:
            # No viewer is left to send the tick to.
            self.end = self.cursor

    def begin(self) -> None:
        """Prepare for the next tick."""
        if self.size < len(self.viewers):
            kept = [
                (one, descriptor)
                for one, descriptor in zip(self.viewers, self.descriptors, strict=True)
                if one is not None
            ]
            self.viewers, self.descriptors = [one for one, _ in kept], [descriptor for _, descriptor in kept]
            for slot, (one, _) in enumerate(kept):
                one.slot = slot
        self.cursor, self.end = 0, len(self.viewers)
        self.frame = None
        self.initials.clear()

    def awaits(self, viewer: V) -> bool:
        """Return whether the tick being sent has not reached this viewer yet."""
        return self.cursor <= viewer.slot < self.end
