"""The hub: who is connected, what each subscribed to, and the fan-out of frames to them.

It knows no asyncio and no sockets. A viewer has an outlet, its connection, which takes a frame and returns whether it
accepts another. A tick is encoded once for each distinct subscription. Where connections have descriptors and nothing
waits in front of them, one call writes the bytes to many of them, with no work for each viewer. What happens when a
viewer is slow is in `tickboard.hub.viewer`.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import ParamSpec

import msgspec
import numpy as np

from tickboard.alerting.log import AlertEvent
from tickboard.engine import Engine, Happened
from tickboard.hub.audience import Audience
from tickboard.hub.changes import board_changes, series_changes
from tickboard.hub.connections import Position, Subscriber, ViewerConnection, WriteAll
from tickboard.hub.encodings import JSON, Encoding, whole
from tickboard.hub.frames import Frame
from tickboard.hub.readers import SLICE, AlertReaders
from tickboard.hub.traffic import Traffic
from tickboard.hub.viewer import STALLED_S, Viewer
from tickboard.metrics.selection import STEP_COST, Selection
from tickboard.metrics.window import Floats, Window, widened
from tickboard.problems import Problems, Quiet, described
from tickboard.wire import BoardChanged, BoardInfo, ProblemList, encode

P = ParamSpec("P")


SLICE_BY_TASKS = 50
"""How many viewers are sent a tick before others may run, if some are sent to by tasks of their own: the data is then
still in the processor's caches when these tasks run. With 500, a message costs a quarter more CPU."""

MOST_AT_ONCE = 40_000
"""An ``initial`` with at most this many values is made at once; a larger one is made in steps."""

ENCODED_AT_ONCE = 5_000
"""How many values of ticks are encoded, for different subscriptions, before others may run: about 4 ms."""

MAX_MADE_AT_ONCE = 2
"""How many different large ``initial`` messages are made at the same time; further viewers wait."""

MAX_UNTAKEN_BYTES = 2**28
"""How many bytes of different frames may wait for the viewers of one address."""

MAX_OWN_SERIES, OWN_BOARDS = 100_000, 4
"""How many series the different subscriptions of one address may have together; or this many times the board's series,
if that is more. Each subscription is encoded at every tick, which takes 50 ms for so many series."""

MAX_OWN_COST = 500
"""What the globs of the different subscriptions of one address may cost together: each is tried on every new series
before the tick that contains it. The only subscription of an address is always allowed."""

MAX_LOOK_UPS = 16
"""How often `Hub.prepare` looks a subscription up again while new series keep appearing."""

WINDOWS, VIEWERS = "large windows", "viewers"
"""The sources of two problems: an ``initial`` cannot be made, and a viewer cannot be sent to."""

BeginWork = Callable[[Iterator[None], Callable[[BaseException | None], None]], object]
"""Runs the steps to their end, then calls the function with the exception that they raised, or None."""

Describe = Callable[[], Generator[None, None, BoardInfo]]
"""Returns the board as it is at the first step; in steps."""

TRY_AGAIN_LATER = 1013
"""A close code (IANA's registry of WebSocket close codes)."""


class Hub:
    """All connections to one board.

    Args:
        engine: makes the ticks that they see; `switch` replaces it.
        describe: returns the board as the page needs it, in steps.
        write_all: writes the same bytes to many descriptors.
        begin_work: runs long work in steps, between which others may run; None: it is done at once.

    Attributes:
        traffic: what was sent, skipped and closed.
        problems: what the board's owner has to fix, by source.
        readers: the readers of the alert stream.
        subscribers: the parts of this program that read the alert log.
        waiting: the viewers whose connections are busy.
        problems_frames: the newest ``problems`` message, in brief (False) and in full (True).
        begin_work: as given.
    """

    def __init__(
        self,
        engine: Engine,
        describe: Describe,
        write_all: WriteAll,
        begin_work: BeginWork | None = None,
    ) -> None:
        self.engine = engine
        self.describe = describe
        self.traffic = Traffic()
        self.problems = Problems(self._send_problems)
        self.readers = AlertReaders(lambda: self.engine.alerts.log, write_all)
        self.subscribers: set[Subscriber] = set()
        self.waiting: set[Viewer] = set()
        self.problems_frames = {False: Frame(()), True: Frame(())}
        self.begin_work = begin_work
        self._write_all = write_all
        self._viewers: set[Viewer] = set()
        self._audiences: dict[tuple[Encoding, tuple[str, ...], bool], Audience[Viewer]] = {}
        self._made_at_once = 0
        self._has_failed = False
        self._failed = Quiet()
        self._queued: list[Viewer] = []
        # The large `initial` messages that are cached, the newest last.
        self._large: dict[tuple[Audience[Viewer], tuple[int | None, int]], None] = {}
        self._of_owner: dict[str, Counter[Audience[Viewer]]] = {}
        self._copies: Counter[str] = Counter()
        self._layouts = 0
        self._position = Position("", 0)
        self._given: Happened | None = None
        self._amended: list[tuple[int, float, Floats]] = []
        self._uninformed: list[Viewer] = []
        self._by_tasks = 0
        self._boards = 0
        self._board: BoardInfo | None = None
        self._baseline: BoardInfo | None = None
        self._describes_changes = False
        self._board_frames: dict[bool, Frame] = {}
        self._changed_frame: Frame | None = None
        self._epoch = engine.epoch
        self._metrics_revision = engine.registry.metrics_revision

    @property
    def viewers(self) -> int:
        """The number of connected viewers."""
        return len(self._viewers)

    @property
    def subscriptions(self) -> int:
        """The number of distinct subscriptions."""
        return len(self._audiences)

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
    ) -> Viewer:
        """Add a viewer, and send it an ``initial`` with all ticks after `since`, or with the whole window.

        Args:
            outlet: its connection.
            since: the position that it resumes after.
            selectors: what it subscribes to; none: everything.
            encoding: how its ticks are encoded.
            details: whether it sees problems in full.
            owner: the client's address.
            prepared: what `prepare` returned for these selectors; without it, they are looked up at once.
        """
        viewer = Viewer(self, outlet, since, details=details, owner=owner)
        self._put(viewer, encoding, selectors, prepared)
        self._viewers.add(viewer)
        self._by_tasks += outlet.descriptor < 0
        try:
            viewer.pump()
        except BaseException:
            # The caller gets no viewer to pass to `leave`, and its descriptor may soon be another connection's.
            self.leave(viewer)
            raise
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer; nothing happens if it has left already."""
        self._viewers.discard(viewer)
        self.retire(viewer)

    def retire(self, viewer: Viewer) -> None:
        """Send a viewer nothing more, while its connection is being closed."""
        self.waiting.discard(viewer)
        viewer.untaken = None
        if viewer.audience is not None:
            self._by_tasks -= viewer.outlet.descriptor < 0
            self._take_out(viewer, viewer.audience)
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
        if audience.awaits(viewer) and self._given is not None:
            viewer.offer(self._given.seq, self._frame_of(audience, self._given))
        descriptor = audience.descriptors[viewer.slot]
        self._take_out(viewer, audience)
        audience = self._put(viewer, audience.encoding, selectors, prepared)
        audience.descriptors[viewer.slot] = descriptor
        self._bind(audience)
        audience.joined |= audience.layout != audience.described
        return audience.encoding.describe(audience.selection, audience.layout, self.engine.epoch)

    def set_descriptor(self, viewer: Viewer, descriptor: int) -> None:
        """Write ticks to this descriptor of a viewer from now on; -1: to none."""
        assert viewer.audience is not None
        viewer.audience.descriptors[viewer.slot] = descriptor

    # --- ticks ---

    def publish(self, happened: Happened) -> Iterator[None]:
        """Send a tick to every viewer.

        The caller runs the iterator to its end and lets others run at each step; between two steps at most `SLICE`
        viewers are written to. If the caller stops early, the next call finishes the tick; if it raises, the tick is
        not tried again. With the first tick of another epoch, every viewer is sent the board and the whole window.
        """
        try:
            for _ in self._hand_out():
                pass
            for audience in self._audiences.values():
                audience.begin()
            if self._epoch != self.engine.epoch:
                # The viewers know the window of another epoch, and the new one contains this tick.
                yield from self._show_anew()
                return
            self._given = happened
            self._amended = amended_rows(happened, self.engine.window)
            if self._metrics_revision != self.engine.registry.metrics_revision:
                # Viewers that see none of the new series do not wait for the description; they get it with the next
                # tick. Viewers that join or subscribe meanwhile get this tick like all others.
                yield from self._hand_out(but_with_the_board=True)
                yield from self._describe_in_steps()
            yield from self._hand_out()
            if self._describes_changes and self._board is None and self._baseline is None:
                # What viewers know now, so that the first change can be sent as a change, too.
                self._baseline = yield from self.describe()
        except Exception:
            # Otherwise the next tick would start with this one, and fail as well.
            self._given = None
            raise
        yield from self._send_problem_lists()

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` whenever there are alert events to read; return a function that stops that."""
        subscriber = Subscriber(wake, "", 0)
        self.subscribers.add(subscriber)
        return lambda: self.subscribers.discard(subscriber)

    def announce(self, events: list[AlertEvent]) -> None:
        """Wake the readers of alerts if there are any events."""
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
            self.problems.clear(VIEWERS, "no other was cut for a while")
        waiting: dict[str, list[Viewer]] = {}
        for viewer in self.waiting:
            waiting.setdefault(viewer.owner, []).append(viewer)
        for viewers in waiting.values():
            self._bound_untaken(viewers)
        for viewer in [viewer for viewer in self.waiting if viewer.stalled(now)]:
            self._give_up(viewer)
        self.traffic.subscribers_stalled += self.readers.cut_stalled(now, STALLED_S)

    def count_copies(self, owner: str, size: int) -> None:
        """Count bytes that a server has copied for one viewer, and that it has not taken yet."""
        self._copies[owner] += size
        if not self._copies[owner]:
            del self._copies[owner]

    def bound_copies(self, owner: str) -> None:
        """Close viewers of an address if too many bytes are copied for them; at once, since each copies more."""
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

    def must_wait(self, viewer: Viewer, seen: Position | None, skipped: int) -> bool:
        """Return True, and queue the viewer, if its ``initial`` is large and enough of them are being made."""
        audience = viewer.audience
        assert audience is not None
        if self._made_at_once < MAX_MADE_AT_ONCE:
            return False
        since = self._since(seen)
        ticks = len(self.engine.window) if since is None else self.engine.seq - since
        making = audience.making.get((since, skipped))
        if (
            ticks * len(audience.selection.series) <= MOST_AT_ONCE
            or (since, skipped) in audience.initials
            or (making is not None and making[0] == self.engine.seq)
        ):
            return False
        self._queued.append(viewer)
        return True

    def _since(self, seen: Position | None) -> int | None:
        """Return the tick after which a viewer resumes; None: it starts with the whole window."""
        return seen.seq if seen is not None and self.engine.has_missed(seen.epoch, seen.seq) else None

    def initial_for(self, viewer: Viewer, seen: Position | None, skipped: int) -> Frame | None:
        """Return the ``initial`` message for a viewer, encoded once for all that need the same one.

        None: it is large, and is made in steps. The viewer then gets it by `Viewer.made`.
        """
        audience = viewer.audience
        assert audience is not None
        if audience.awaits(viewer):
            # The `initial` contains the tick being sent, which must not reach this viewer twice.
            audience.remove(viewer)
            audience.add(viewer)
        self._bind(audience)
        audience.joined |= audience.layout != audience.described
        since = self._since(seen)
        frame = audience.initials.get((since, skipped))
        if frame is None:
            making = audience.making.get((since, skipped))
            if making is not None and making[0] == self.engine.seq:
                making[1].append(viewer)
                return None
            window = self.engine.window.all() if since is None else self.engine.window.since(since)
            assert window is not None
            steps = audience.encoding.initial(
                audience.selection,
                audience.layout,
                self.engine.epoch,
                self.engine.seq,
                window,
                resumed=since is not None,
                skipped=skipped,
            )
            if self.begin_work is not None and len(window) * len(audience.selection.series) > MOST_AT_ONCE:
                self._begin_making(audience, (since, skipped), viewer, steps)
                return None
            frame = audience.initials[since, skipped] = whole(steps)
        return frame

    def _begin_making(
        self,
        audience: Audience[Viewer],
        key: tuple[int | None, int],
        viewer: Viewer,
        steps: Generator[None, None, Frame],
    ) -> None:
        """Make a large ``initial`` in steps for all viewers of an audience that need the same one in this tick."""
        viewers, position, layout = [viewer], self.at(self.engine.seq), audience.layout
        self._made_at_once += 1
        audience.making[key] = position.seq, viewers
        assert self.begin_work is not None

        def make() -> Iterator[None]:
            frame = yield from steps
            if self.at(self.engine.seq) == position and audience.layout == layout and audience.size:
                self._keep(audience, key, frame)
            for each in viewers:
                self._do_for(each, each.made, frame, position)
                yield

        def settle(error: BaseException | None) -> None:
            self._made_at_once -= 1
            if audience.making.get(key, (0, None))[1] is viewers:
                del audience.making[key]
            if error is not None:
                self._report_unmade(error)
                # Otherwise the viewers would wait for it forever.
                for each in viewers:
                    self._do_for(each, each.close, TRY_AGAIN_LATER)
            else:
                self.problems.clear(WINDOWS)
            queued, self._queued = self._queued, []
            for each in queued:
                self._do_for(each, each.proceed)

        self.begin_work(make(), settle)

    def _keep(self, audience: Audience[Viewer], key: tuple[int | None, int], frame: Frame) -> None:
        """Cache a large ``initial`` for viewers that need it in the same tick; keep only the newest ones."""
        audience.initials[key] = frame
        self._large.pop((audience, key), None)
        self._large[audience, key] = None
        if len(self._large) > MAX_MADE_AT_ONCE:
            oldest, old_key = next(iter(self._large))
            del self._large[oldest, old_key]
            oldest.initials.pop(old_key, None)

    def _report_unmade(self, error: BaseException) -> None:
        self.problems.report(
            WINDOWS,
            f"the window could not be encoded for some viewers, which were closed: {described(error)}; "
            "watch fewer metrics at a time, or use a smaller --window",
            error=error,
            kind=type(error),
        )

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
                f"a viewer could not be sent to, and was cut: {described(error)}",
                error=error,
                kind=type(error),
            )

    def describes_board(self, viewer: Viewer) -> bool:
        """Return whether a viewer is sent the board when metrics appear or leave, and some have."""
        return viewer.audience is not None and viewer.audience.encoding.describes_board and self._board is not None

    def given(self, viewer: Viewer) -> int:
        """Return the newest tick that an idle viewer has been sent."""
        pending = viewer.audience is not None and viewer.audience.awaits(viewer)
        return self.engine.seq - 1 if pending else self.engine.seq

    def at(self, seq: int) -> Position:
        """Return a position in this epoch; one object is shared by all viewers at it."""
        if self._position.seq != seq or self._position.epoch != self.engine.epoch:
            self._position = Position(self.engine.epoch, seq)
        return self._position

    # --- the board ---

    def switch(self, engine: Engine, describe: Describe) -> None:
        """Show another board from now on: send every viewer its description and its window."""
        self.engine, self.describe = engine, describe
        for _ in self._show_anew():
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

    def _show_anew(self) -> Iterator[None]:
        """Send every viewer the board and its window, which replace what it has."""
        self._epoch = self.engine.epoch
        self._describe_board()
        self._given = None
        for audience in self._audiences.values():
            audience.begin()
            audience.end = 0
            audience.board = self._boards
            self._rebind(audience)
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

    def _hand_out(self, *, but_with_the_board: bool = False) -> Iterator[None]:
        """Send the tick to all that do not have it yet; optionally not to those that must get new metrics before it."""
        budget = size = min(SLICE, SLICE_BY_TASKS) if self._by_tasks else SLICE
        encoded = looked_up = 0
        registry, audiences = self.engine.registry, list(self._audiences.values())
        if not all(audience.selection.is_current(registry) for audience in audiences):
            # Audiences whose new series take longest to look up come last, so that no other waits for them.
            audiences.sort(key=lambda audience: audience.selection.glob_cost)
        for audience in audiences:
            if encoded > ENCODED_AT_ONCE or looked_up > STEP_COST:
                encoded = looked_up = 0
                yield
            if audience.cursor < audience.end and self._given is not None:
                looked_up += yield from self._bind_in_steps(audience)
                if but_with_the_board and audience.encoding.describes_board and audience.layout != audience.described:
                    continue
                encoded += 0 if audience.frame else len(audience.selection.series)
            while audience.cursor < audience.end and self._given is not None:
                budget -= self._give_slice(audience, self._given, budget)
                if budget <= 0:
                    yield
                    budget = size

    def _give_slice(self, audience: Audience[Viewer], happened: Happened, most: int) -> int:
        """Send the tick to the next viewers of an audience; return how many."""
        frame = self._frame_of(audience, happened)
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
                self._do_for(viewer, viewer.interrupted, happened.seq, frame, size)
        if others:
            for index, descriptor in enumerate(descriptors):
                viewer = audience.viewers[start + index]
                if descriptor < 0 and viewer is not None:
                    self._do_for(viewer, viewer.offer, happened.seq, frame)
        return stop - start

    def _frame_of(self, audience: Audience[Viewer], happened: Happened) -> Frame:
        """Return the tick as encoded for an audience."""
        if audience.frame is None:
            self._bind(audience)
            # Read from the window, which has room for series that appeared after the row was made.
            row = self.engine.window.row(happened.seq)
            frame = audience.encoding.tick(audience.selection, audience.layout, happened.seq, happened.time, row)
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
            if audience.board != self._boards:
                # The changes apply only to the board just before: an audience that is further behind gets it whole.
                is_next = audience.encoding.describes_changes and audience.board == self._boards - 1
                only = self._changed_frame if is_next else None
                if audience.encoding.describes_board:
                    frame = frame.after(only or self.board_frame(details=audience.details))
                audience.board = self._boards
            audience.frame = frame
        return audience.frame

    def _describe_board(self) -> None:
        for _ in self._describe_in_steps():
            pass

    def _describe_in_steps(self) -> Iterator[None]:
        boards, revision = self._boards, self.engine.registry.metrics_revision
        before, board = self._board or self._baseline, (yield from self.describe())
        yield
        changes = None if before is None else (yield from board_changes(before, board))
        yield
        frame = None if changes is None else Frame.text(encode(changes))
        if self._boards == boards:
            # No other board was shown meanwhile.
            self._metrics_revision, self._board, self._changed_frame = revision, board, frame
            self._board_frames = {}
            self._boards += 1

    def board(self, *, details: bool) -> Generator[None, None, BoardInfo]:
        """Return the board as the page needs it, with problems in brief or in full; in steps."""
        return self._with_problems((yield from self.describe()), details=details)

    def board_frame(self, *, details: bool) -> Frame:
        """Return the ``board`` message of the last change, encoded when it is first needed."""
        if details not in self._board_frames:
            board = self._with_problems(self._board or whole(self.describe()), details=details)
            self._board_frames[details] = Frame.text(encode(BoardChanged(board)))
        return self._board_frames[details]

    def _with_problems(self, board: BoardInfo, *, details: bool) -> BoardInfo:
        return msgspec.structs.replace(board, problems=self.problems.shown(details=details))

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

    def _put(
        self, viewer: Viewer, encoding: Encoding, selectors: Iterable[str], prepared: Selection | None
    ) -> Audience[Viewer]:
        wanted = distinct(selectors)
        audience = self._audiences.get((encoding, wanted, viewer.details))
        if audience is None:
            self._layouts += 1
            selection = prepared
            if selection is None or not selection.is_current(self.engine.registry):
                selection = self.engine.select(wanted, selection)
            audience = Audience[Viewer](
                encoding, wanted, selection, self._layouts, self._boards, details=viewer.details
            )
            self._audiences[encoding, wanted, viewer.details] = audience
            self._describes_changes |= encoding.describes_changes
        audience.add(viewer)
        viewer.audience = audience
        self._of_owner.setdefault(viewer.owner, Counter())[audience] += 1
        return audience

    def _take_out(self, viewer: Viewer, audience: Audience[Viewer]) -> None:
        audience.remove(viewer)
        own = self._of_owner[viewer.owner]
        own[audience] -= 1
        if not own[audience]:
            del own[audience]
        if not own:
            del self._of_owner[viewer.owner]
        if not audience.size:
            audience.initials.clear()
            del self._audiences[audience.encoding, audience.selectors, audience.details]

    def prepare(self, selectors: Iterable[str], encoding: Encoding = JSON) -> Generator[None, None, Selection]:
        """Look up the series of a subscription in steps; pass the result to `join` or `subscribe`.

        Args:
            selectors: as for `join`.
            encoding: as for `join`.
        """
        wanted = distinct(selectors)
        known = next((audience for (_, texts, _), audience in self._audiences.items() if texts == wanted), None)
        selection = None if known is None else known.selection
        for _ in range(MAX_LOOK_UPS):
            if selection is not None and selection.is_current(self.engine.registry):
                break
            selection = yield from self.engine.select_in_steps(wanted, selection)
        assert selection is not None
        if not encoding.describes_board:
            yield from selection.write()
        return selection

    def refusal(
        self,
        owner: str,
        prepared: Selection,
        selectors: Iterable[str],
        encoding: Encoding = JSON,
        *,
        details: bool = False,
        leaving: Viewer | None = None,
    ) -> str:
        """Return why an address may not have another subscription; empty: it may.

        What counts is the encoding work at each tick. So a subscription is free if another viewer has it in the same
        encoding and with the same details. One to everything is free as well, since there are only a few encodings.

        Args:
            owner: the address.
            prepared: what `prepare` returned.
            selectors: as for `join`.
            encoding: as for `join`.
            details: as for `join`.
            leaving: the viewer that gives up its current subscription for this one.
        """
        wanted = distinct(selectors)
        if not wanted or (encoding, wanted, details) in self._audiences:
            return ""
        own = Counter(self._of_owner.get(owner))
        if leaving is not None and leaving.audience is not None:
            own[leaving.audience] -= 1
        own = +own
        different = f"{owner} has {len(own)} different subscriptions, which with this one have"
        cost = prepared.glob_cost + sum(audience.selection.glob_cost for audience in own)
        if own and cost > MAX_OWN_COST:
            return f"{different} too many or too long globs: subscribe to fewer, to names, or to the same"
        series = len(prepared.series) + sum(len(audience.selection.series) for audience in own if audience.selectors)
        if series > max(MAX_OWN_SERIES, OWN_BOARDS * len(self.engine.registry.series)):
            return f"{different} {series} series: subscribe to fewer, or to the same"
        return ""

    def _bind_in_steps(self, audience: Audience[Viewer]) -> Generator[None, None, int]:
        """Look up an audience's series again if some have appeared or left; in steps. Later ones wait for a tick.

        Returns:
            The number of look-ups.
        """
        if audience.selection.is_current(self.engine.registry):
            return 0
        before = audience.selection
        selection = yield from self.engine.select_in_steps(audience.selectors, before)
        yield from audience.encoding.prepare(selection)
        if audience.selection is before:
            self._take(audience, selection)
        return selection.looked_up

    def _bind(self, audience: Audience[Viewer]) -> None:
        if not audience.selection.is_current(self.engine.registry):
            self._take(audience, self.engine.select(audience.selectors, audience.selection))

    def _take(self, audience: Audience[Viewer], selection: Selection) -> None:
        """Replace an audience's selection; viewers are sent a new layout only if the series differ."""
        if selection.series != audience.selection.series:
            self._layouts += 1
            audience.layout = self._layouts
            audience.initials.clear()
        audience.selection = selection

    def _rebind(self, audience: Audience[Viewer]) -> None:
        self._layouts += 1
        audience.selection, audience.layout = self.engine.select(audience.selectors, audience.selection), self._layouts
        audience.initials.clear()


def distinct(selectors: Iterable[str]) -> tuple[str, ...]:
    """Return selectors in a comparable form: sorted, without repetitions."""
    return tuple(sorted(set(selectors)))


def amended_rows(happened: Happened, window: Window) -> list[tuple[int, float, Floats]]:
    """Return the late values of earlier ticks, as seq, time and row; NaN in a row: unchanged."""
    if not happened.amended:
        return []
    rows: dict[int, Floats] = {}
    times = window.times()
    for each in happened.amended:
        for seq in range(max(each.first, window.oldest), min(each.last, happened.seq - 1) + 1):
            row = rows.setdefault(seq, np.full(window.width, np.nan))
            row[each.columns] = window.row(seq)[each.columns]
    return [(seq, float(times[seq - window.oldest]), rows[seq]) for seq in sorted(rows)]
