"""A viewer: one connection that watches ticks, and the frames that wait for it.

If it is slow, frames wait in its outbox, up to `OUTBOX_BYTES`. Beyond that, its ticks are dropped and counted. When its
connection accepts frames again, it gets one ``initial`` message with all the ticks that it missed. So a slow viewer
skips to the newest state, and neither delays others nor uses up memory. A viewer whose connection has taken nothing for
`STALLED_S` is closed.

                    ┌───────── outlet took it all ─────────┐
                    ▼                                      │
     join ──▶ idle: written to at once ──▶ busy: frames wait ──▶ outbox full: ticks skipped
                                             │    ▲                          │
                                             │    └──── an `initial` ◀───────┘
                                             └── nothing taken for 20 s ──▶ closed with 1013
"""

from typing import TYPE_CHECKING

from tickboard.hub.audience import Audience
from tickboard.hub.connections import Patience, Position, ViewerConnection
from tickboard.hub.encodings import Encoding
from tickboard.hub.frames import Frame
from tickboard.hub.outbox import Outbox

if TYPE_CHECKING:
    from tickboard.hub.hub import Hub

STALLED_S = 20.0
"""A connection that has taken nothing for this many seconds is closed."""


class Viewer:
    """One connection that watches ticks. `Hub.join` makes it; call `Hub.leave` when the connection ends.

    Attributes:
        outlet: its connection.
        details: whether it sees problems in full.
        internal: whether it is a part of this program, whose messages are not counted as traffic.
        audience: the viewers of the same subscription; None once it is being closed.
        owner: the client's address.
        slot: its index in the audience.
    """

    __slots__ = (
        "_board_due",
        "_hub",
        "_idle",
        "_initial_due",
        "_making",
        "_outbox",
        "_patience",
        "_problems_due",
        "_seen",
        "_skipped",
        "_untaken",
        "audience",
        "details",
        "internal",
        "outlet",
        "owner",
        "slot",
    )

    def __init__(
        self,
        hub: "Hub",
        outlet: ViewerConnection,
        seen: Position | None,
        *,
        details: bool = False,
        owner: str = "",
        internal: bool = False,
    ) -> None:
        self.outlet = outlet
        self.details = details
        self.internal = internal
        self.owner = owner
        self.audience: Audience[Viewer] | None = None
        self.slot = 0
        self._untaken: Frame | None = None
        self._hub = hub
        self._idle = True
        self._outbox = Outbox()
        self._seen = seen
        self._skipped = 0
        self._board_due = self._problems_due = False
        self._initial_due = True
        self._making = False
        self._patience: Patience | None = None

    @property
    def idle(self) -> bool:
        """Whether its connection accepts a frame at once."""
        return self._idle

    @property
    def untaken(self) -> Frame | None:
        """The frame that its connection has not fully taken yet; None if there is none."""
        return self._untaken

    @untaken.setter
    def untaken(self, frame: Frame | None) -> None:
        if self.outlet.copies:
            self._hub.count_copies(self.owner, _size(frame) - _size(self._untaken))
        self._untaken = frame

    @property
    def encoding(self) -> Encoding | None:
        """How its ticks are encoded; None once it is being closed."""
        return None if self.audience is None else self.audience.encoding

    @property
    def full(self) -> bool:
        """Whether the connection should stop reading requests until some of the waiting frames are sent."""
        return self._outbox.full

    def answer(self, frame: Frame) -> None:
        """Send this viewer an answer, after all waiting frames; do nothing once it is being closed."""
        if self.audience is None:
            return  # another connection may use its descriptor by now
        if self._idle:
            self._send(frame, self._hub.newest_sent(self))
        else:
            self._outbox.put(frame)

    def offer(self, seq: int, frame: Frame, ticks: int = 1) -> None:
        """Send a tick, queue it until the connection accepts it, or count it as skipped.

        Args:
            seq: the newest tick that the viewer has with it.
            frame: what it is sent.
            ticks: 0 if it only amends ticks that the viewer has.
        """
        if self._idle:
            self._send(frame, seq)
        elif self._initial_due:
            # The `initial` contains this tick, so it is skipped only for a viewer that has fallen behind.
            if self._skipped:
                self._skip(ticks)
        elif self._outbox.has_room(frame):
            # What is amended is not a tick that could be skipped.
            self._outbox.put(frame, seq if ticks else 0)
        else:
            self._skip(ticks + self._outbox.drop_ticks())
            self._initial_due = True
            # A dropped tick may have announced metrics that appeared or left.
            self._board_due |= self._hub.describes_board(self)

    def interrupted(self, seq: int, frame: Frame, written: int) -> None:
        """Record that a tick written to the descriptor was only partly taken."""
        self._seen = self._hub.at(seq)
        if not self.outlet.rest(frame.wire, written):
            self._become_busy(frame)

    def idle_again(self) -> None:
        """Send waiting frames; the outlet calls it when it accepts frames again."""
        if self._idle or self._making or self.audience is None:
            return
        self._idle = True
        self.untaken = None
        self._hub.waiting.discard(self)
        self.pump()

    def proceed(self) -> None:
        """Continue after other large ``initial`` messages have been made."""
        self._making = False
        self.idle_again()

    def made(self, frame: Frame, position: Position) -> None:
        """Send a large ``initial`` that was made for this viewer, followed by the frames that wait behind it."""
        self._making = False
        if self.audience is None:
            return
        if self._board_due and not self._initial_due:
            self._board_due = False
            frame = frame.after(self._hub.board.frame(details=self.details))
        self._idle = True
        self._hub.waiting.discard(self)
        if not self.internal:
            self._hub.traffic.sent(1, frame.size)
        self._seen = position
        if self.outlet.send(frame):
            self.pump()
        else:
            self._become_busy(frame)

    def pump(self) -> None:
        """Send due messages and waiting frames until the outlet is busy."""
        while self._idle and self.audience is not None and (due := self._next()) is not None:
            seq, frame = due
            self._send(frame, seq)
        if self._idle and self.audience is not None:
            self._hub.set_descriptor(self, self.outlet.descriptor)

    def renew(self, *, board: bool = False, problems: bool = False) -> None:
        """Queue a fresh board and full window, or the problems. They are encoded when the connection can next send."""
        if board:
            self._outbox.drop_ticks()
            self._seen, self._skipped = None, 0
            self._board_due = self._initial_due = True
        self._problems_due |= problems
        if self._idle:
            self.pump()

    def newest(self) -> int:
        """Return the sequence number of the newest tick that it was sent."""
        return self._seen.seq if self._seen is not None else 0

    def stalled(self, now: float) -> bool:
        """Return whether the connection has taken nothing for too long; call it repeatedly while it is busy."""
        return (
            not self._making
            and self._patience is not None
            and self._patience.tried(now, self.outlet.unsent()) >= STALLED_S
        )

    def close(self, code: int) -> None:
        """Close the connection with a close code."""
        if self.audience is not None:
            self._hub.retire(self)
            self._idle = False
            self._outbox.clear()
            self.outlet.close(code)

    def _next(self) -> tuple[int, Frame] | None:
        """Return the next frame, and the newest tick that the viewer has after it; None if there is nothing to send."""
        hub = self._hub
        if (oldest := self._outbox.take()) is not None:
            seq, frame = oldest
            return seq or (self._seen.seq if self._seen else 0), frame
        if self._initial_due:
            if hub.initials.must_wait(self, self._seen, self._skipped):
                self._making = True
                self._become_busy()
                return None
            initial = hub.initials.frame_for(self, self._seen, self._skipped)
            self._initial_due = False
            self._skipped = 0
            if initial is None:
                # Frames that arrive meanwhile wait behind it, as behind any other frame being sent.
                self._seen = hub.at(hub.engine.seq)
                self._making = True
                self._become_busy()
                return None
            if self._board_due:
                initial = initial.after(hub.board.frame(details=self.details))
            self._board_due = False
            return hub.engine.seq, initial
        if self._problems_due:
            self._problems_due = False
            return hub.newest_sent(self), hub.problems_frames[self.details]
        return None

    def _send(self, frame: Frame, seq: int) -> None:
        if not self.internal:
            self._hub.traffic.sent(1, frame.size)
        self._seen = self._hub.at(seq)
        if not self.outlet.send(frame):
            self._become_busy(frame)

    def _become_busy(self, untaken: Frame | None = None) -> None:
        self._idle = False
        if self.audience is None:
            return  # it has just ended
        self.untaken = untaken
        self._patience = Patience()
        self._hub.set_descriptor(self, -1)
        self._hub.waiting.add(self)
        if self.outlet.copies:
            self._hub.bound_copies(self.owner)

    def _skip(self, ticks: int) -> None:
        self._skipped += ticks
        self._hub.traffic.frames_skipped += ticks


def _size(frame: Frame | None) -> int:
    return 0 if frame is None else frame.size
