"""An audience: the viewers of one distinct subscription, in the order in which they get each tick."""

from typing import Generic, Protocol, TypeVar

from tickboard.hub.encodings import Encoding
from tickboard.hub.frames import Frame
from tickboard.metrics.selection import Selection


class Member(Protocol):
    """A viewer, as far as its audience knows it.

    Attributes:
        slot: its place.
    """

    slot: int


V = TypeVar("V", bound=Member)


class Audience(Generic[V]):
    """The viewers of one distinct subscription, and what was encoded for them at this tick.

    Viewers keep their slots for as long as a tick is given to them: one that leaves is a None, one that joins comes
    after `end`, so that nobody gets the tick twice and nobody misses it.

        slot          0    1    2    3    4
        viewers     | a  | -  | c  | d  | e  |    b has left; e joined while the tick was given
        descriptors | 7  | -1 | -1 | 9  | 10 |    c is busy
                                 ▲         ▲
                              cursor      end

    Args:
        encoding: how its ticks are written.
        selectors: what was asked for.
        selection: the series that this is now; bound anew when the registry changes, with another `layout`.
        layout: the number of that binding.
        board: the number of the board's description that they were last told.
        details: whether its viewers see problems whole.

    Attributes:
        described: the layout that the viewers were last told.
        series: those that the viewers were last sent, in the order of that layout.
        joined: whether a viewer was sent another layout since.
        size: how many viewers there are.
        cursor: the slot that gets the tick next.
        frame: the tick that is being given, once it is encoded.
        initials: the ``initial`` messages of this tick, by the position they go on from and the ticks skipped.
        making: those that are being made in steps, by the same: in which tick that began, and for whom.
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
        """Give a viewer the last place."""
        viewer.slot = len(self.viewers)
        self.viewers.append(viewer)
        self.descriptors.append(-1)
        self.size += 1

    def remove(self, viewer: V) -> None:
        """Leave a viewer's place empty."""
        self.viewers[viewer.slot] = None
        self.descriptors[viewer.slot] = -1
        self.size -= 1
        if not self.size:
            # Nobody is left to give the tick to.
            self.end = self.cursor

    def begin(self) -> None:
        """Get ready for the next tick."""
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
        """Return whether the tick that is being given has not come to this viewer yet."""
        return self.cursor <= viewer.slot < self.end
