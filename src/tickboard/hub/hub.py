"""The hub: who is connected, what each asked for, and the fan-out of frames to them.

It knows no asyncio and no sockets. A viewer has an outlet, the last step to its connection: it takes a frame and says
whether it can take another. A tick is encoded once for each distinct subscription; where a connection has a descriptor
and nothing waits in front of it, the bytes are written to many of them in one call, with nothing done for each viewer.

What happens when a viewer is slow: frames wait in its outbox, up to `OUTBOX_BYTES`. When there are more, the ticks
are thrown away and counted, and as soon as its connection takes frames again it gets one ``initial`` message with what
it has missed. So a slow viewer skips to the newest state, and neither delays another nor grows the server. One whose
connection has taken nothing for `STALLED_S` is closed.

                    ┌──────── outlet took it whole ────────┐
                    ▼                                      │
     join ──▶ idle: written to at once ──▶ busy: frames wait ──▶ over its bound: ticks skipped
                                             │    ▲                          │
                                             │    └──── an `initial` ◀───────┘
                                             └── nothing taken for 20 s ──▶ closed with 1013
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tickboard.alerting.log import AlertEvent
from tickboard.engine import Engine, Happened
from tickboard.frames import JSON, Encoding, Frame, encode
from tickboard.hub.connections import Outlet, Patience, Position, Subscriber, WriteAll
from tickboard.hub.group import Group
from tickboard.hub.outbox import Outbox
from tickboard.hub.readers import SLICE, Readers
from tickboard.traffic import Traffic
from tickboard.types import Board, BoardChanged, Problem, Problems
from tickboard.window import Floats, Window, widened

STALLED_S = 20.0
"""A connection that has taken nothing for so long is closed."""

TRY_AGAIN_LATER = 1013
"""A close code (the IANA registry of WebSocket close codes)."""


class Viewer:
    """One connection that watches ticks. Made by `Hub.join`; call `Hub.leave` when it ends.

    Attributes:
        outlet: the last step to its connection.
        group: the viewers of the same subscription; None once it is being closed.
        slot: its place among them.
    """

    __slots__ = (
        "_board_due",
        "_hub",
        "_idle",
        "_initial_due",
        "_outbox",
        "_patience",
        "_problems_due",
        "_seen",
        "_skipped",
        "group",
        "outlet",
        "slot",
    )

    def __init__(self, hub: "Hub", outlet: Outlet, seen: Position | None) -> None:
        self.outlet = outlet
        self.group: Group[Viewer] | None = None
        self.slot = 0
        self._hub = hub
        self._idle = True
        self._outbox = Outbox()
        self._seen = seen
        self._skipped = 0
        self._board_due = self._problems_due = False
        self._initial_due = True
        self._patience: Patience | None = None

    @property
    def idle(self) -> bool:
        """Whether its connection takes a frame at once."""
        return self._idle

    @property
    def full(self) -> bool:
        """Whether the connection had better not read on before some of what waits for it is sent."""
        return self._outbox.full

    def answer(self, frame: Frame) -> None:
        """Send this viewer a message of its own, after what waits for it already."""
        if self._idle:
            self._send(frame, self._hub.given(self))
        else:
            self._outbox.put(frame)

    def offer(self, seq: int, frame: Frame) -> None:
        """Send a tick, keep it until the connection takes it, or count it as skipped."""
        if self._idle:
            self._send(frame, seq)
        elif self._initial_due:
            # The `initial` brings this tick too. Only to one who fell behind is it a skipped message.
            if self._skipped:
                self._skip(1)
        elif self._outbox.has_room(frame):
            self._outbox.put(frame, seq)
        else:
            self._skip(1 + self._outbox.drop_ticks())
            self._initial_due = True
            # One of the ticks thrown away may have told of metrics that have come or gone.
            self._board_due |= self._hub.tells_board(self)

    def interrupted(self, seq: int, frame: Frame, written: int) -> None:
        """Take note that a tick written to the descriptor was not taken whole."""
        self._seen = self._hub.at(seq)
        if not self.outlet.rest(frame.wire, written):
            self._become_busy()

    def idle_again(self) -> None:
        """Send what waits; the outlet calls it when it can take a frame again."""
        if self._idle or self.group is None:
            return
        self._idle = True
        self._hub.waiting.discard(self)
        self.pump()

    def pump(self) -> None:
        """Send what is due and what waits, as far as the outlet takes it."""
        while self._idle and self.group is not None and (due := self._next()) is not None:
            seq, frame = due
            self._send(frame, seq)
        if self._idle and self.group is not None:
            self._hub.set_descriptor(self, self.outlet.descriptor)

    def renew(self, *, board: bool = False, problems: bool = False) -> None:
        """Let it have the board and its whole window, or the problems, as they are when its connection takes them."""
        if board:
            self._outbox.drop_ticks()
            self._seen, self._skipped = None, 0
            self._board_due = self._initial_due = True
        self._problems_due |= problems
        if self._idle:
            self.pump()

    def stalled(self, now: float) -> bool:
        """Return whether the connection has taken nothing for too long; asked now and then while it is busy."""
        return self._patience is not None and self._patience.tried(now, self.outlet.unsent()) >= STALLED_S

    def close(self, code: int) -> None:
        """End the connection with a close code."""
        if self.group is not None:
            self._hub.retire(self)
            self._idle = False
            self._outbox.clear()
            self.outlet.close(code)

    def _next(self) -> tuple[int, Frame] | None:
        """Return what is to be sent next, with the newest tick that the viewer then has; None when there is nothing."""
        hub = self._hub
        if (oldest := self._outbox.take()) is not None:
            seq, frame = oldest
            return seq or (self._seen.seq if self._seen else 0), frame
        if self._initial_due:
            frame = hub.initial_for(self, self._seen, self._skipped)
            if self._board_due:
                frame = frame.after(hub.board_frame)
            self._initial_due = self._board_due = False
            self._skipped = 0
            return hub.engine.seq, frame
        if self._problems_due:
            self._problems_due = False
            return hub.given(self), hub.problems_frame
        return None

    def _send(self, frame: Frame, seq: int) -> None:
        self._hub.traffic.sent(1, frame.size)
        self._seen = self._hub.at(seq)
        if not self.outlet.send(frame):
            self._become_busy()

    def _become_busy(self) -> None:
        self._idle = False
        if self.group is None:
            return  # it ended just now
        self._patience = Patience()
        self._hub.set_descriptor(self, -1)
        self._hub.waiting.add(self)

    def _skip(self, ticks: int) -> None:
        self._skipped += ticks
        self._hub.traffic.frames_skipped += ticks


class Hub:
    """All who are connected to one board.

    Args:
        engine: whose ticks they see; `switch` changes it.
        describe: gives the Board as the page wants it.
        write_all: writes the same bytes to many descriptors.

    Attributes:
        traffic: what was sent, skipped and closed.
        problems: what the board's owner has to mend, by its source.
        readers: of the alert stream.
        subscribers: the parts of this program that read the alert log.
        waiting: the viewers whose connections take nothing at the moment.
        board_frame: the ``board`` message of the last switch.
        problems_frame: the ``problems`` message of the last change.
    """

    def __init__(self, engine: Engine, describe: Callable[[], Board], write_all: WriteAll) -> None:
        self.engine = engine
        self.describe = describe
        self.traffic = Traffic()
        self.problems: dict[str, Problem] = {}
        self.readers = Readers(lambda: self.engine.alerts.log, write_all)
        self.subscribers: set[Subscriber] = set()
        self.waiting: set[Viewer] = set()
        self.board_frame = self.problems_frame = Frame(())
        self._write_all = write_all
        self._viewers: set[Viewer] = set()
        self._groups: dict[tuple[Encoding, tuple[str, ...]], Group[Viewer]] = {}
        self._layouts = 0
        self._position = Position("", 0)
        self._given: Happened | None = None
        self._amended: list[tuple[int, float, Floats]] = []
        self._untold: list[Viewer] = []
        self._boards = 0
        self._metrics_revision = engine.registry.metrics_revision

    @property
    def viewers(self) -> int:
        """How many viewers are connected."""
        return len(self._viewers)

    @property
    def subscriptions(self) -> int:
        """How many distinct subscriptions they have."""
        return len(self._groups)

    # --- viewers ---

    def join(
        self,
        outlet: Outlet,
        since: Position | None = None,
        selectors: Iterable[str] = (),
        encoding: Encoding = JSON,
    ) -> Viewer:
        """Attach a viewer, and send it an ``initial`` with all after `since`, or with the whole window."""
        viewer = Viewer(self, outlet, since)
        self._viewers.add(viewer)
        self._put(viewer, encoding, selectors)
        viewer.pump()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; one that has left already is none."""
        self._viewers.discard(viewer)
        self.retire(viewer)

    def retire(self, viewer: Viewer) -> None:
        """Send a viewer nothing more, while its connection is being closed."""
        self.waiting.discard(viewer)
        if viewer.group is not None:
            self._take_out(viewer, viewer.group)
            viewer.group = None

    def subscribe(self, viewer: Viewer, selectors: Iterable[str]) -> Frame | None:
        """Send a viewer only what these selectors match from now on; none: everything.

        Returns:
            What it must be sent before the first tick of its new subscription.
        """
        group = viewer.group
        if group is None:
            return None
        if group.awaits(viewer) and self._given is not None:
            viewer.offer(self._given.seq, self._frame_of(group, self._given))
        descriptor = group.descriptors[viewer.slot]
        self._take_out(viewer, group)
        group = self._put(viewer, group.encoding, selectors)
        group.descriptors[viewer.slot] = descriptor
        self._bind(group)
        return group.encoding.describe(group.selection, group.layout, self.engine.epoch)

    def set_descriptor(self, viewer: Viewer, descriptor: int) -> None:
        """Let ticks be written to a viewer's descriptor from now on, or to none: -1."""
        assert viewer.group is not None
        viewer.group.descriptors[viewer.slot] = descriptor

    # --- ticks ---

    def publish(self, happened: Happened) -> Iterator[None]:
        """Give a tick to every viewer.

        The caller runs it to its end and lets others run at each step; between two steps at most `SLICE` viewers are
        written to. One that is broken off is brought to its end by the next; one that raises is not tried again.
        """
        try:
            for _ in self._give():
                pass
            for group in self._groups.values():
                group.begin()
            self._look_at_board()
            self._given = happened
            self._amended = amended_rows(happened, self.engine.window)
            yield from self._give()
        except Exception:
            # Else the next tick would begin with it, and fail in its turn.
            self._given = None
            raise
        yield from self._tell()

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have a function called whenever there is something to read in the log of alerts; returns what ends that."""
        subscriber = Subscriber(wake, "", 0)
        self.subscribers.add(subscriber)
        return lambda: self.subscribers.discard(subscriber)

    def announce(self, events: list[AlertEvent]) -> None:
        """Wake who reads alerts when there is something to read."""
        if events:
            self._wake()

    def check(self, now: float) -> None:
        """Close the viewers, and cut the readers, whose connections have taken nothing for `STALLED_S`.

        Args:
            now: seconds by a clock that doesn't step.
        """
        for viewer in [viewer for viewer in self.waiting if viewer.stalled(now)]:
            self.traffic.viewers_stalled += 1
            viewer.close(TRY_AGAIN_LATER)
        self.traffic.subscribers_stalled += self.readers.cut_stalled(now, STALLED_S)

    def initial_for(self, viewer: Viewer, seen: Position | None, skipped: int) -> Frame:
        """Return the ``initial`` message for a viewer, encoded once for all who need the same."""
        group = viewer.group
        assert group is not None
        if group.awaits(viewer):
            # It brings the tick that is being given, which must not come to this viewer twice.
            group.remove(viewer)
            group.add(viewer)
        self._bind(group)
        since = seen.seq if seen is not None and self.engine.has_missed(seen.epoch, seen.seq) else None
        frame = group.initials.get((since, skipped))
        if frame is None:
            window = self.engine.window.all() if since is None else self.engine.window.since(since)
            assert window is not None
            frame = group.initials[since, skipped] = group.encoding.initial(
                group.selection,
                group.layout,
                self.engine.epoch,
                self.engine.seq,
                window,
                resumed=since is not None,
                skipped=skipped,
            )
        return frame

    def tells_board(self, viewer: Viewer) -> bool:
        """Return whether a viewer is told when metrics come or go, and some have."""
        return viewer.group is not None and viewer.group.encoding.tells_board and bool(self.board_frame.parts)

    def given(self, viewer: Viewer) -> int:
        """Return the newest tick that has been given to an idle viewer."""
        pending = viewer.group is not None and viewer.group.awaits(viewer)
        return self.engine.seq - 1 if pending else self.engine.seq

    def at(self, seq: int) -> Position:
        """Return a position in this epoch, the same object for all who are there."""
        if self._position.seq != seq or self._position.epoch != self.engine.epoch:
            self._position = Position(self.engine.epoch, seq)
        return self._position

    # --- the board ---

    def switch(self, engine: Engine, describe: Callable[[], Board]) -> None:
        """Show another board from here on: every viewer gets its description and its window."""
        self.engine, self.describe = engine, describe
        self._describe_board()
        self._given = None
        for group in self._groups.values():
            group.begin()
            group.end = 0
            group.board = self._boards
            self._rebind(group)
        for viewer in list(self._viewers):
            viewer.renew(board=True)
        self._wake()

    def report(self, problem: Problem) -> None:
        """Show a problem to every viewer, in place of an earlier one of the same source.

        Where there are more than `SLICE` viewers, they are told after the next tick.
        """
        self.problems[problem.source] = problem
        self._send_problems()

    def mended(self, source: str) -> None:
        """Take a source's problem back, if it had one."""
        if self.problems.pop(source, None) is not None:
            self._send_problems()

    def close(self, code: int) -> None:
        """Ask every connection to end; viewers with this close code."""
        for viewer in list(self._viewers):
            viewer.close(code)
        self.readers.close()
        for subscriber in self.subscribers:
            subscriber.closing = True
        self._wake()

    def _wake(self) -> None:
        self.readers.on_news()
        for subscriber in list(self.subscribers):
            subscriber.wake()

    def _send_problems(self) -> None:
        self.problems_frame = Frame.text(encode(Problems(list(self.problems.values()))))
        self._untold = list(self._viewers)
        if len(self._untold) <= SLICE:
            for _ in self._tell():
                pass

    def _tell(self) -> Iterator[None]:
        """Tell the viewers of the problems, those that there are by now."""
        while self._untold:
            for viewer in self._untold[-SLICE:]:
                viewer.renew(problems=True)
            del self._untold[-SLICE:]
            yield

    def _give(self) -> Iterator[None]:
        """Give the tick to all who have not got it yet."""
        budget = SLICE
        for group in list(self._groups.values()):
            while group.cursor < group.end and self._given is not None:
                budget -= self._give_slice(group, self._given, budget)
                if budget <= 0:
                    yield
                    budget = SLICE

    def _give_slice(self, group: Group[Viewer], happened: Happened, most: int) -> int:
        """Give the tick to the next viewers of a group, and return how many they were."""
        frame = self._frame_of(group, happened)
        start, stop = group.cursor, min(group.end, group.cursor + most)
        group.cursor = stop
        descriptors = group.descriptors[start:stop]
        others = descriptors.count(-1)
        written = len(descriptors) - others
        if written:
            self.traffic.sent(written, frame.size)
            for index, size in self._write_all(descriptors, frame.wire):
                viewer = group.viewers[start + index]
                assert viewer is not None
                viewer.interrupted(happened.seq, frame, size)
        if others:
            for index, descriptor in enumerate(descriptors):
                viewer = group.viewers[start + index]
                if descriptor < 0 and viewer is not None:
                    viewer.offer(happened.seq, frame)
        return stop - start

    def _frame_of(self, group: Group[Viewer], happened: Happened) -> Frame:
        """Return the tick as a group's viewers get it."""
        if group.frame is None:
            self._bind(group)
            # Read from the window, which has room for series that have appeared since the row was taken.
            row = self.engine.window.row(happened.seq)
            frame = group.encoding.tick(group.selection, group.layout, happened.seq, happened.time, row)
            for seq, time, changed in self._amended:
                # Wide enough for series that have appeared since it was made.
                amended = widened(changed, max(len(changed), group.selection.width), np.nan)
                if not np.isnan(amended[group.selection.columns]).all():
                    frame = group.encoding.amended(group.selection, group.layout, seq, time, amended).after(frame)
            if group.described != group.layout:
                group.described = group.layout
                description = group.encoding.describe(group.selection, group.layout, self.engine.epoch)
                frame = frame if description is None else frame.after(description)
            if group.board != self._boards:
                group.board = self._boards
                frame = frame.after(self.board_frame) if group.encoding.tells_board else frame
            group.frame = frame
        return group.frame

    def _look_at_board(self) -> None:
        """See whether metrics have come or gone."""
        if self._metrics_revision != self.engine.registry.metrics_revision:
            self._describe_board()

    def _describe_board(self) -> None:
        self._metrics_revision = self.engine.registry.metrics_revision
        self.board_frame = Frame.text(encode(BoardChanged(self.describe())))
        self._boards += 1

    def _put(self, viewer: Viewer, encoding: Encoding, selectors: Iterable[str]) -> Group[Viewer]:
        wanted = tuple(sorted(set(selectors)))
        group = self._groups.get((encoding, wanted))
        if group is None:
            self._layouts += 1
            group = Group[Viewer](encoding, wanted, self.engine.select(wanted), self._layouts, self._boards)
            self._groups[encoding, wanted] = group
        group.add(viewer)
        viewer.group = group
        return group

    def _take_out(self, viewer: Viewer, group: Group[Viewer]) -> None:
        group.remove(viewer)
        if not group.size:
            del self._groups[group.encoding, group.selectors]

    def _bind(self, group: Group[Viewer]) -> None:
        if group.selection.revision != self.engine.registry.revision:
            self._rebind(group)

    def _rebind(self, group: Group[Viewer]) -> None:
        self._layouts += 1
        group.selection, group.layout = self.engine.select(group.selectors), self._layouts
        group.initials.clear()


def amended_rows(happened: Happened, window: Window) -> list[tuple[int, float, Floats]]:
    """Return what was changed in the ticks before this one, as seq, time and row; NaN in a row: as it was."""
    if not happened.amended:
        return []
    rows: dict[int, Floats] = {}
    times = window.times()
    for each in happened.amended:
        for seq in range(max(each.first, window.oldest), min(each.last, happened.seq - 1) + 1):
            row = rows.setdefault(seq, np.full(window.width, np.nan))
            row[each.columns] = window.row(seq)[each.columns]
    return [(seq, float(times[seq - window.oldest]), rows[seq]) for seq in sorted(rows)]
