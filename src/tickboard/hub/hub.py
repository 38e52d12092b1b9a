"""The hub: who is connected, what each subscribed to, and the fan-out of frames to them.

It knows no asyncio and no sockets. A viewer has an outlet, its connection, which takes a frame and returns whether it
accepts another. A tick is encoded once for each distinct subscription. If connections have descriptors and nothing
waits in front of them, one call writes the bytes to many of them, with no work for each viewer. `tickboard.hub.viewer`
handles slow viewers.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ParamSpec

import numpy as np

from tickboard.alerting.log import LogEvent
from tickboard.engine import Engine, TickResult
from tickboard.hub.audience import Audience
from tickboard.hub.audiences import Audiences
from tickboard.hub.changes import series_changes
from tickboard.hub.connections import TRY_AGAIN_LATER, Position, Subscriber, ViewerConnection, WriteAll
from tickboard.hub.encodings import JSON, Encoding
from tickboard.hub.frames import Frame
from tickboard.hub.initials import BeginWork, Initials
from tickboard.hub.readers import SLICE, AlertReaders
from tickboard.hub.shown_board import Describe, ShownBoard
from tickboard.hub.traffic import Traffic
from tickboard.hub.viewer import STALLED_S, Viewer
from tickboard.metrics.late import Amendment, amended_rows
from tickboard.metrics.selection import STEP_COST, Selection
from tickboard.metrics.window import Floats, widened
from tickboard.problems import Problems, Quiet, described
from tickboard.wire import ProblemList, encode

P = ParamSpec("P")


SLICE_BY_TASKS = 50
"""How many viewers are sent a tick before other work may run, if some viewers have a task of their own that sends: the
data is then still in the processor's caches when these tasks run. With 500, a message costs a quarter more CPU."""

ENCODED_AT_ONCE = 5_000
"""How many values of ticks are encoded, for different subscriptions, before other work may run: about 4 ms."""

MAX_UNTAKEN_BYTES = 2**28
"""How many bytes of different frames may wait for the viewers of one address."""

VIEWERS = "viewers"
"""The source of a problem: sending to a viewer failed."""


class Hub:
    """All connections to one board.

    Args:
        engine: makes the ticks that they see; `switch` replaces it.
        describe: returns the board as the page needs it, in steps.
        write_all: writes the same bytes to many descriptors.
        begin_work: runs long work in steps, between which other work may run; None: it is done at once.

    Attributes:
        traffic: counters of what was sent, skipped and closed.
        problems: the problems that the board's owner has to fix, by source.
        readers: the readers of the alert stream.
        subscribers: the parts of this program that read the alert log.
        waiting: the viewers whose connections are busy.
        problems_frames: the newest ``problems`` message, in brief (False) and in full (True).
        board: the description of the board that viewers know.
        audiences: the viewers, by what they subscribed to.
        initials: makes ``initial`` messages.
    """

    def __init__(
        self,
        engine: Engine,
        describe: Describe,
        write_all: WriteAll,
        begin_work: BeginWork | None = None,
    ) -> None:
        self.engine = engine
        self.traffic = Traffic()
        self.problems = Problems(self._send_problems)
        self.readers = AlertReaders(lambda: self.engine.alerts.log, write_all)
        self.subscribers: set[Subscriber] = set()
        self.waiting: set[Viewer] = set()
        self.problems_frames = {False: Frame(()), True: Frame(())}
        self.board = ShownBoard(describe, engine.registry, self.problems)
        self.audiences = Audiences(engine)
        self.initials = Initials(self.audiences, self.problems, self._do_for, begin_work)
        self._write_all = write_all
        self._viewers: set[Viewer] = set()
        self._has_failed = False
        self._failed = Quiet()
        self._copies: Counter[str] = Counter()
        self._position = Position("", 0)
        # What is being sent: a tick with what it amends; or, without a tick of its own, what was amended since it.
        self._tick: TickResult | None = None
        self._ticks = 1
        self._amended: list[tuple[int, float, Floats]] = []
        self._not_sent: list[Amendment] = []
        self._uninformed: list[Viewer] = []
        self._by_tasks = self._internal = 0
        self._epoch = engine.epoch

    @property
    def viewers(self) -> int:
        """The number of connected viewers, without the internal ones."""
        return len(self._viewers) - self._internal

    @property
    def subscriptions(self) -> int:
        """The number of distinct subscriptions."""
        return len(self.audiences)

    # --- viewers ---

    def join(
        self,
        outlet: ViewerConnection,
        since: Position | None = None,
        selectors: Iterable[str] = (),
        encoding: Encoding = JSON,
        *,
        details: bool = False,
        owner: str = "",
        prepared: Selection | None = None,
        internal: bool = False,
    ) -> Viewer:
        """Add a viewer, and send it an ``initial`` with all ticks after `since`, or with the whole window.

        Args:
            outlet: its connection.
            since: the position that it resumes after.
            selectors: what it subscribes to; none: everything.
            encoding: how its ticks are encoded.
            details: whether it sees problems in full.
            owner: the client's address.
            prepared: what `Audiences.prepare` returned for these selectors; without it, they are looked up at once.
            internal: whether it is a part of this program, which takes frames quickly and is not counted.
        """
        viewer = Viewer(self, outlet, since, details=details, owner=owner, internal=internal)
        self.audiences.put(viewer, encoding, selectors, prepared, self.board.number)
        self._viewers.add(viewer)
        self._internal += internal
        self._by_tasks += outlet.descriptor < 0 and not internal
        try:
            viewer.pump()
        except BaseException:
            # The caller gets no viewer to pass to `leave`, and its descriptor may soon be another connection's.
            self.leave(viewer)
            raise
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer; nothing happens if it has left already."""
        self._internal -= viewer.internal and viewer in self._viewers
        self._viewers.discard(viewer)
        self.retire(viewer)

    def retire(self, viewer: Viewer) -> None:
        """Stop sending to a viewer, while its connection is being closed."""
        self.waiting.discard(viewer)
        viewer.untaken = None
        if viewer.audience is not None:
            self._by_tasks -= viewer.outlet.descriptor < 0 and not viewer.internal
            self.audiences.remove(viewer, viewer.audience)
            viewer.audience = None

    def subscribe(self, viewer: Viewer, selectors: Iterable[str], prepared: Selection | None = None) -> Frame | None:
        """Send a viewer only what these selectors match from now on; none: everything.

        Args:
            viewer: the viewer.
            selectors: as for `join`.
            prepared: as for `join`.

        Returns:
            The frame to send to it before the first tick of its new subscription.
        """
        audience = viewer.audience
        if audience is None:
            return None
        if audience.awaits(viewer) and self._tick is not None:
            frame = self._frame_of(audience, self._tick)
            if frame.parts:
                viewer.offer(self._tick.seq, frame, self._ticks)
        descriptor = audience.descriptors[viewer.slot]
        self.audiences.remove(viewer, audience)
        audience = self.audiences.put(viewer, audience.encoding, selectors, prepared, self.board.number)
        audience.descriptors[viewer.slot] = descriptor
        self.audiences.bind(audience)
        audience.joined |= audience.layout != audience.described
        return audience.encoding.describe(audience.selection, audience.layout, self.engine.epoch)

    def set_descriptor(self, viewer: Viewer, descriptor: int) -> None:
        """Write ticks to this descriptor of a viewer from now on; -1: to none."""
        assert viewer.audience is not None
        viewer.audience.descriptors[viewer.slot] = descriptor

    # --- ticks ---

    def publish(self, tick: TickResult) -> Iterator[None]:
        """Send a tick to every viewer.

        The caller runs the iterator to its end, and other work at each step; between two steps at most `SLICE` viewers
        are written to. If the caller stops early, the next call finishes the tick; if it raises, the tick is not tried
        again. With the first tick of another epoch, every viewer is sent the board and the whole window.
        """
        try:
            for _ in self._send_tick():
                pass
            for audience in self.audiences:
                audience.begin()
            if self._epoch != self.engine.epoch:
                # The viewers know the window of another epoch, and the new one contains this tick.
                yield from self._resend_all()
                return
            self._tick, self._ticks = tick, 1
            self._amended = amended_rows([*self._not_sent, *tick.amended], self.engine.window, tick.seq - 1)
            self._not_sent = []
            if not self.board.is_current:
                # Viewers that see none of the new series get the tick at once, and the description with the next tick.
                # Viewers that join or subscribe meanwhile get this tick like all others.
                yield from self._send_tick(except_new_series=True)
                yield from self.board.update()
            yield from self._send_tick()
            if self.audiences.describe_changes:
                yield from self.board.keep_baseline()
        except Exception:
            # Otherwise the next tick would begin with this one, and fail too.
            self._tick = None
            raise
        yield from self._send_problem_lists()

    def amend(self, amended: Sequence[Amendment]) -> Iterator[None]:
        """Send every viewer the late values that `Engine.amend` has taken; run it as `publish`.

        While metrics appear or leave, they wait for the next tick.
        """
        for _ in self._send_tick():
            pass
        if self._tick is None or self._epoch != self.engine.epoch or not self.board.is_current:
            self._not_sent += amended
            return
        self._amended = amended_rows(amended, self.engine.window, self.engine.seq)
        self._ticks = 0
        try:
            for audience in self.audiences:
                audience.begin()
            yield from self._send_tick()
        except Exception:
            self._tick = None
            raise

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` whenever there are alert events to read; return a function that stops that."""
        subscriber = Subscriber(wake, "", 0)
        self.subscribers.add(subscriber)
        return lambda: self.subscribers.discard(subscriber)

    def announce(self, events: Sequence[LogEvent]) -> None:
        """Wake the readers of the alert stream if there are any events."""
        if events:
            self._wake()

    def check(self, now: float) -> None:
        """Close viewers and cut readers whose connections have taken nothing for `STALLED_S`.

        Also close viewers of an address for which too many bytes wait; those with the newest ticks stay.

        Args:
            now: seconds by a clock that never steps.
        """
        if self._has_failed:
            self._has_failed = False
            self._failed.failed(now)
        elif self._failed.is_over(now):
            self.problems.clear(VIEWERS, "no other viewer was cut for a while")
        waiting: dict[str, list[Viewer]] = {}
        for viewer in self.waiting:
            waiting.setdefault(viewer.owner, []).append(viewer)
        for viewers in waiting.values():
            self._bound_untaken(viewers)
        for viewer in [viewer for viewer in self.waiting if viewer.stalled(now)]:
            self._give_up(viewer)
        self.traffic.subscribers_stalled += self.readers.cut_stalled(now, STALLED_S)

    def count_copies(self, owner: str, size: int) -> None:
        """Count bytes that a server has copied for one viewer, and that the viewer has not taken yet."""
        self._copies[owner] += size
        if not self._copies[owner]:
            del self._copies[owner]

    def bound_copies(self, owner: str) -> None:
        """Close viewers of an address if too many bytes are copied for them. Call it after each copy."""
        if self._copies[owner] > MAX_UNTAKEN_BYTES:
            self._bound_untaken([viewer for viewer in self.waiting if viewer.owner == owner])

    def _bound_untaken(self, viewers: Iterable[Viewer]) -> None:
        """Close those of an address's viewers for which too many bytes wait; those with the newest ticks stay."""
        kept: set[Frame] = set()
        room = MAX_UNTAKEN_BYTES
        for viewer in sorted(viewers, key=Viewer.newest, reverse=True):
            frame = viewer.untaken
            if frame is None or (frame in kept and not viewer.outlet.copies):
                continue
            if kept and frame.size > room:
                self._give_up(viewer)
            else:
                kept.add(frame)
                room -= frame.size

    def _give_up(self, viewer: Viewer) -> None:
        self.traffic.viewers_stalled += 1
        self._do_for(viewer, viewer.close, TRY_AGAIN_LATER)

    def _do_for(self, viewer: Viewer, do: Callable[P, None], *args: P.args, **named: P.kwargs) -> None:
        """Do something for one viewer of many. If it raises, cut that viewer; the others continue."""
        try:
            do(*args, **named)
        except Exception as error:  # noqa: BLE001  # it is reported
            self.retire(viewer)
            with contextlib.suppress(Exception):
                viewer.outlet.cut()
            self._has_failed = True
            self.problems.report(
                VIEWERS,
                f"sending to a viewer failed, and it was disconnected: {described(error)}",
                error=error,
                kind=type(error),
            )

    def describes_board(self, viewer: Viewer) -> bool:
        """Return whether a viewer is sent the board when metrics appear or leave, and some have."""
        return viewer.audience is not None and viewer.audience.encoding.describes_board and self.board.has_changed

    def newest_sent(self, viewer: Viewer) -> int:
        """Return the newest tick that was sent to an idle viewer."""
        pending = viewer.audience is not None and viewer.audience.awaits(viewer)
        return self.engine.seq - self._ticks if pending else self.engine.seq

    def at(self, seq: int) -> Position:
        """Return a position in this epoch; all viewers at the same position share one object."""
        if self._position.seq != seq or self._position.epoch != self.engine.epoch:
            self._position = Position(self.engine.epoch, seq)
        return self._position

    # --- the board ---

    def switch(self, engine: Engine, describe: Describe) -> None:
        """Show another board from now on: send every viewer its description and its window."""
        self.engine = self.audiences.engine = engine
        self.board.switch(describe, engine.registry)
        for _ in self._resend_all():
            pass
        self._wake()

    def close(self, code: int) -> None:
        """Ask every connection to end; viewers get this close code."""
        for viewer in list(self._viewers):
            self._do_for(viewer, viewer.close, code)
        self.readers.close()
        for subscriber in self.subscribers:
            subscriber.closing = True
        self._wake()

    def _resend_all(self) -> Iterator[None]:
        """Send every viewer the board and its window, to replace the ones it has."""
        self._epoch = self.engine.epoch
        for _ in self.board.update():
            pass
        self._tick = None
        self._not_sent = []
        for audience in self.audiences:
            audience.begin()
            audience.end = 0
            audience.board = self.board.number
            self.audiences.rebind(audience)
        viewers = list(self._viewers)
        for first in range(0, len(viewers), SLICE):
            for viewer in viewers[first : first + SLICE]:
                self._do_for(viewer, viewer.renew, board=True)
            yield

    def _wake(self) -> None:
        self.readers.on_news()
        for subscriber in list(self.subscribers):
            subscriber.wake()

    def _send_problems(self) -> None:
        """Send the list of problems to every viewer; if there are more than `SLICE`, after the next tick."""
        for details in self.problems_frames:
            problems = self.problems.shown(details=details)
            self.problems_frames[details] = Frame.text(encode(ProblemList(problems)))
        self._uninformed = list(self._viewers)
        if len(self._uninformed) <= SLICE:
            for _ in self._send_problem_lists():
                pass

    def _send_problem_lists(self) -> Iterator[None]:
        """Send the current problems to the viewers that do not have them yet."""
        while self._uninformed:
            for viewer in self._uninformed[-SLICE:]:
                self._do_for(viewer, viewer.renew, problems=True)
            del self._uninformed[-SLICE:]
            yield

    def _send_tick(self, *, except_new_series: bool = False) -> Iterator[None]:
        """Send the tick to all viewers that do not have it yet, or only to those that see no new series."""
        budget = size = min(SLICE, SLICE_BY_TASKS) if self._by_tasks else SLICE
        encoded = looked_up = 0
        registry, audiences = self.engine.registry, list(self.audiences)
        if not all(audience.selection.is_current(registry) for audience in audiences):
            # Audiences whose new series take longest to look up come last, so that no other waits for them.
            audiences.sort(key=lambda audience: audience.selection.glob_cost)
        for audience in audiences:
            if encoded > ENCODED_AT_ONCE or looked_up > STEP_COST:
                encoded = looked_up = 0
                yield
            if audience.cursor < audience.end and self._tick is not None:
                looked_up += yield from self.audiences.bind_in_steps(audience)
                if except_new_series and audience.encoding.describes_board and audience.layout != audience.described:
                    continue
                encoded += 0 if audience.frame else len(audience.selection.series)
            while audience.cursor < audience.end and self._tick is not None:
                budget -= self._send_slice(audience, self._tick, budget)
                if budget <= 0:
                    yield
                    budget = size

    def _send_slice(self, audience: Audience[Viewer], tick: TickResult, most: int) -> int:
        """Send the tick to the next viewers of an audience; return how many."""
        frame = self._frame_of(audience, tick)
        if not frame.parts:
            # Nothing has changed for them.
            audience.cursor = audience.end
            return 0
        start, stop = audience.cursor, min(audience.end, audience.cursor + most)
        audience.cursor = stop
        descriptors = audience.descriptors[start:stop]
        others = descriptors.count(-1)
        written = len(descriptors) - others
        if written:
            self.traffic.sent(written, frame.size)
            for index, size in self._write_all(descriptors, frame.wire):
                viewer = audience.viewers[start + index]
                assert viewer is not None
                self._do_for(viewer, viewer.interrupted, tick.seq, frame, size)
        if others:
            for index, descriptor in enumerate(descriptors):
                viewer = audience.viewers[start + index]
                if descriptor < 0 and viewer is not None:
                    self._do_for(viewer, viewer.offer, tick.seq, frame, self._ticks)
        return stop - start

    def _frame_of(self, audience: Audience[Viewer], tick: TickResult) -> Frame:
        """Return the tick as encoded for an audience."""
        if audience.frame is None:
            self.audiences.bind(audience)
            frame = Frame(())
            if self._ticks:
                # Read from the window, which has room for series that appeared after the row was made.
                row = self.engine.window.row(tick.seq)
                frame = audience.encoding.tick(audience.selection, audience.layout, tick.seq, tick.time, row)
            for seq, time, changed in self._amended:
                # Widened for series that appeared after it was made.
                amended = widened(changed, max(len(changed), audience.selection.width), np.nan)
                if not np.isnan(amended[audience.selection.columns]).all():
                    frame = audience.encoding.amended(audience.selection, audience.layout, seq, time, amended).after(
                        frame
                    )
            if audience.described != audience.layout:
                description = self._description(audience)
                frame = frame if description is None else frame.after(description)
            if audience.board != self.board.number and (board := self.board.frame_for(audience)) is not None:
                frame = frame.after(board)
            audience.frame = frame
        return audience.frame

    def _description(self, audience: Audience[Viewer]) -> Frame | None:
        """Return the message that describes the series of an audience's next ticks: the changes, or all of them."""
        epoch, changes = self.engine.epoch, None
        if audience.encoding.describes_changes and not audience.joined:
            layouts, selection = (audience.described, audience.layout), audience.selection
            changes = series_changes(audience.series, selection.series, layouts, epoch, selection.infos)
        audience.described, audience.series, audience.joined = audience.layout, audience.selection.series, False
        if changes is not None:
            return Frame.text(encode(changes))
        return audience.encoding.describe(audience.selection, audience.layout, epoch)
