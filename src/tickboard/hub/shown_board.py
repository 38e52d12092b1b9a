"""The board that viewers know: its numbered description, and the messages with its changes."""

from collections.abc import Callable, Generator, Iterator

import msgspec

from tickboard.hub.audience import Audience
from tickboard.hub.changes import board_changes
from tickboard.hub.encodings import whole
from tickboard.hub.frames import Frame
from tickboard.hub.viewer import Viewer
from tickboard.metrics.registry import Registry
from tickboard.problems import Problems
from tickboard.wire import BoardChanged, BoardInfo, encode

Describe = Callable[[], Generator[None, None, BoardInfo]]
"""Returns the description of the board in steps, as of the first step."""


class ShownBoard:
    """The newest description of a board, which viewers were or will be sent.

    Args:
        describe: returns the board as the page needs it, in steps.
        registry: has the board's metrics.
        problems: what the board's owner has to fix.

    Attributes:
        number: how many descriptions there were so far.
    """

    def __init__(self, describe: Describe, registry: Registry, problems: Problems) -> None:
        self.number = 0
        self._describe = describe
        self._registry = registry
        self._problems = problems
        self._board: BoardInfo | None = None
        self._baseline: BoardInfo | None = None
        self._frames: dict[bool, Frame] = {}
        self._changed_frame: Frame | None = None
        self._metrics_revision = registry.metrics_revision

    @property
    def is_current(self) -> bool:
        """Whether no metric has been added or removed since."""
        return self._metrics_revision == self._registry.metrics_revision

    @property
    def has_changed(self) -> bool:
        """Whether the description was ever replaced."""
        return self._board is not None

    def switch(self, describe: Describe, registry: Registry) -> None:
        """Describe another board from now on."""
        self._describe, self._registry = describe, registry

    def update(self) -> Iterator[None]:
        """Update the description of the board, in steps."""
        number, revision = self.number, self._registry.metrics_revision
        before, board = self._board or self._baseline, (yield from self._describe())
        yield
        changes = None if before is None else (yield from board_changes(before, board))
        yield
        frame = None if changes is None else Frame.text(encode(changes))
        if self.number == number:
            # No other board was shown meanwhile.
            self._metrics_revision, self._board, self._changed_frame = revision, board, frame
            self._frames = {}
            self.number += 1

    def keep_baseline(self) -> Iterator[None]:
        """Keep the description that viewers have now, so that the first change can be sent as a change; in steps."""
        if self._board is None and self._baseline is None:
            self._baseline = yield from self._describe()

    def described(self, *, details: bool) -> Generator[None, None, BoardInfo]:
        """Return the board as the page needs it, with problems in brief or in full; in steps."""
        return self._with_problems((yield from self._describe()), details=details)

    def frame(self, *, details: bool) -> Frame:
        """Return the ``board`` message of the last change, encoded when it is first needed."""
        if details not in self._frames:
            board = self._with_problems(self._board or whole(self._describe()), details=details)
            self._frames[details] = Frame.text(encode(BoardChanged(board)))
        return self._frames[details]

    def frame_for(self, audience: Audience[Viewer]) -> Frame | None:
        """Return the message about the board that brings an audience up to date; None: it needs none."""
        frame = None
        if audience.encoding.describes_board:
            # The changes apply only to the previous description: an audience that is further behind gets all of it.
            is_next = audience.encoding.describes_changes and audience.board == self.number - 1
            frame = (self._changed_frame if is_next else None) or self.frame(details=audience.details)
        audience.board = self.number
        return frame

    def _with_problems(self, board: BoardInfo, *, details: bool) -> BoardInfo:
        return msgspec.structs.replace(board, problems=self._problems.shown(details=details))
