"""The hub: who is connected, what each asked for, and the fan-out of frames to them.

It knows no asyncio and no sockets. A viewer has an outlet, the last step to its connection: it takes a frame and says
whether it can take another. A tick is encoded once for each distinct subscription; where a connection has a descriptor
and nothing waits in front of it, the bytes are written to many of them in one call, with nothing done for each viewer.

What happens when a viewer is slow is in `tickboard.hub.viewer`.
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
from tickboard.hub.readers import SLICE, Readers
from tickboard.hub.traffic import Traffic
from tickboard.hub.viewer import STALLED_S, Viewer
from tickboard.metrics.selection import STEP_COST, Selection
from tickboard.metrics.window import Floats, Window, widened
from tickboard.problems import Problems, Quiet, described
from tickboard.wire import BoardChanged, BoardInfo, ProblemList, encode

P = ParamSpec("P")


SLICE_BY_TASKS = 50
"""Viewers that a tick is handed to before others may run, where some are sent to by tasks of their own: what is in the
processor's caches is then still there when these run. With 500 a message costs a quarter more CPU."""

MOST_AT_ONCE = 40_000
"""Values of an ``initial`` that is made at once; one with more is made in steps."""

ENCODED_AT_ONCE = 5_000
"""Values of ticks that are encoded before others may run, whose subscriptions differ: about 4 ms."""

MAX_MADE_AT_ONCE = 2
"""Large ``initial`` messages, of different contents; further viewers wait."""

MAX_UNTAKEN_BYTES = 2**28
"""Of different frames that wait for the viewers of one address to take them."""

MAX_OWN_SERIES, OWN_BOARDS = 100_000, 4
"""Series that the different subscriptions of one address may have in all; or as many as so many whole boards, where
that is more. Each is encoded anew at each tick, which takes 50 ms for so many."""

MAX_OWN_COST = 500
"""What the globs of the different subscriptions of one address may cost: each is tried on every new series before the
tick that has it. The only one of an address is never too much."""

MAX_LOOK_UPS = 16
"""Of one subscription beforehand, where series come all the time."""

WINDOWS, VIEWERS = "large windows", "viewers"
"""The sources of the problems that an ``initial`` cannot be made, and that a viewer cannot be sent to."""

BeginWork = Callable[[Iterator[None], Callable[[BaseException | None], None]], object]
"""Runs steps to their end, and says what they raised."""

Describe = Callable[[], Generator[None, None, BoardInfo]]
"""Returns a board as it is at the first step, made in steps."""

TRY_AGAIN_LATER = 1013
"""A close code (the IANA registry of WebSocket close codes)."""


class Hub:
    """All who are connected to one board.

    Args:
        engine: whose ticks they see; `switch` changes it.
        describe: returns the Board as the page wants it, made in steps.
        write_all: writes the same bytes to many descriptors.
        begin_work: runs long work in steps, between which others have their turn; None: it is done at once.

    Attributes:
        traffic: what was sent, skipped and closed.
        problems: what the board's owner has to fix, by its source.
        readers: of the alert stream.
        subscribers: the parts of this program that read the alert log.
        waiting: the viewers whose connections take nothing at the moment.
        problems_frames: the ``problems`` message of the last change, for those who see them in short and whole.
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
        self.readers = Readers(lambda: self.engine.alerts.log, write_all)
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
        # Of the large `initial` messages that are kept, the newest last.
        self._large: dict[tuple[Audience[Viewer], tuple[int | None, int]], None] = {}
        self._of_owner: dict[str, Counter[Audience[Viewer]]] = {}
        self._copies: Counter[str] = Counter()
        self._layouts = 0
        self._position = Position("", 0)
        self._given: Happened | None = None
        self._amended: list[tuple[int, float, Floats]] = []
        self._untold: list[Viewer] = []
        self._by_tasks = 0
        self._boards = 0
        self._board: BoardInfo | None = None
        self._baseline: BoardInfo | None = None
        self._tells_changes = False
        self._board_frames: dict[bool, Frame] = {}
        self._changed_frame: Frame | None = None
        self._epoch = engine.epoch
        self._metrics_revision = engine.registry.metrics_revision

    @property
    def viewers(self) -> int:
        """How many viewers are connected."""
        return len(self._viewers)

    @property
    def subscriptions(self) -> int:
        """How many distinct subscriptions they have."""
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
        """Attach a viewer, and send it an ``initial`` with all after `since`, or with the whole window.

        Args:
            outlet: the last step to its connection.
            since: where it goes on from.
            selectors: what it asks for; none: everything.
            encoding: how its ticks are written.
            details: whether it sees problems whole.
            owner: the address that it is from.
            prepared: what `prepare` returned for these selectors; without it they are looked up at once.
        """
        viewer = Viewer(self, outlet, since, details=details, owner=owner)
        self._put(viewer, encoding, selectors, prepared)
        self._viewers.add(viewer)
        self._by_tasks += outlet.descriptor < 0
        try:
            viewer.pump()
        except BaseException:
            # Nobody has it, who would have it leave: ticks would go to a descriptor that is somebody else's by then.
            self.leave(viewer)
            raise
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; one that has left already is none."""
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
            viewer: who asks.
            selectors: as for `join`.
            prepared: as for `join`.

        Returns:
            What it must be sent before the first tick of its new subscription.
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
        """Let ticks be written to a viewer's descriptor from now on, or to none: -1."""
        assert viewer.audience is not None
        viewer.audience.descriptors[viewer.slot] = descriptor

    # --- ticks ---

    def publish(self, happened: Happened) -> Iterator[None]:
        """Give a tick to every viewer.

        The caller runs it to its end and lets others run at each step; between two steps at most `SLICE` viewers are
        written to. One that is broken off is brought to its end by the next; one that raises is not tried again. With
        the first tick of another epoch, every viewer gets the board and the window anew.
        """
        try:
            for _ in self._give():
                pass
            for audience in self._audiences.values():
                audience.begin()
            if self._epoch != self.engine.epoch:
                # The window, which has this tick, is not the one that viewers know.
                yield from self._show_anew()
                return
            self._given = happened
            self._amended = amended_rows(happened, self.engine.window)
            if self._metrics_revision != self.engine.registry.metrics_revision:
                # Who sees none of the new series does not wait for it, and is told of it with the next tick. Who joins
                # or subscribes meanwhile is given the tick as any other is.
                yield from self._give(but_with_the_board=True)
                yield from self._describe_in_steps()
            yield from self._give()
            if self._tells_changes and self._board is None and self._baseline is None:
                # What viewers know, so that the first change is one, too.
                self._baseline = yield from self.describe()
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

        Of those of one address that have much to take, the newest stay.

        Args:
            now: seconds by a clock that doesn't step.
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
        """Count bytes of which a server has a copy for one viewer alone, which has not taken them."""
        self._copies[owner] += size
        if not self._copies[owner]:
            del self._copies[owner]

    def bound_copies(self, owner: str) -> None:
        """Close viewers of an address for whom too many bytes are copied: at once, since each copies more."""
        if self._copies[owner] > MAX_UNTAKEN_BYTES:
            self._bound_untaken([viewer for viewer in self.waiting if viewer.owner == owner])

    def _bound_untaken(self, viewers: Iterable[Viewer]) -> None:
        """Close those of some viewers, of one address, for whom too many bytes wait; the newest stay."""
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
        """Return whether enough large ``initial`` messages are being made; the viewer then proceeds after one."""
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
        """Return the tick after which a viewer goes on; None: it begins anew."""
        return seen.seq if seen is not None and self.engine.has_missed(seen.epoch, seen.seq) else None

    def initial_for(self, viewer: Viewer, seen: Position | None, skipped: int) -> Frame | None:
        """Return the ``initial`` message for a viewer, encoded once for all who need the same.

        None: it is a large one, and is made in steps. The viewer gets it by `Viewer.made`.
        """
        audience = viewer.audience
        assert audience is not None
        if audience.awaits(viewer):
            # It brings the tick that is being given, which must not come to this viewer twice.
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
        """Make a large ``initial`` in steps for all viewers of an audience who need the same in this tick."""
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
                # The viewers that wait for it would wait for ever.
                for each in viewers:
                    self._do_for(each, each.close, TRY_AGAIN_LATER)
            else:
                self.problems.clear(WINDOWS)
            queued, self._queued = self._queued, []
            for each in queued:
                self._do_for(each, each.proceed)

        self.begin_work(make(), settle)

    def _keep(self, audience: Audience[Viewer], key: tuple[int | None, int], frame: Frame) -> None:
        """Keep a large ``initial`` for those who come in the same tick, and of older ones the newest alone."""
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
        """Do something for one viewer of many. If it fails, that viewer is cut, and the others go on."""
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

    def tells_board(self, viewer: Viewer) -> bool:
        """Return whether a viewer is told when metrics come or go, and some have."""
        return viewer.audience is not None and viewer.audience.encoding.tells_board and self._board is not None

    def given(self, viewer: Viewer) -> int:
        """Return the newest tick that has been given to an idle viewer."""
        pending = viewer.audience is not None and viewer.audience.awaits(viewer)
        return self.engine.seq - 1 if pending else self.engine.seq

    def at(self, seq: int) -> Position:
        """Return a position in this epoch, the same object for all who are there."""
        if self._position.seq != seq or self._position.epoch != self.engine.epoch:
            self._position = Position(self.engine.epoch, seq)
        return self._position

    # --- the board ---

    def switch(self, engine: Engine, describe: Describe) -> None:
        """Show another board from here on: every viewer gets its description and its window."""
        self.engine, self.describe = engine, describe
        for _ in self._show_anew():
            pass
        self._wake()

    def close(self, code: int) -> None:
        """Ask every connection to end; viewers with this close code."""
        for viewer in list(self._viewers):
            self._do_for(viewer, viewer.close, code)
        self.readers.close()
        for subscriber in self.subscribers:
            subscriber.closing = True
        self._wake()

    def _show_anew(self) -> Iterator[None]:
        """Send every viewer the board and its window, in place of what it has."""
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
        """Send the list of problems to every viewer; where there are more than `SLICE`, after the next tick."""
        for details in self.problems_frames:
            problems = self.problems.shown(details=details)
            self.problems_frames[details] = Frame.text(encode(ProblemList(problems)))
        self._untold = list(self._viewers)
        if len(self._untold) <= SLICE:
            for _ in self._tell():
                pass

    def _tell(self) -> Iterator[None]:
        """Tell the viewers of the problems, those that there are by now."""
        while self._untold:
            for viewer in self._untold[-SLICE:]:
                self._do_for(viewer, viewer.renew, problems=True)
            del self._untold[-SLICE:]
            yield

    def _give(self, *, but_with_the_board: bool = False) -> Iterator[None]:
        """Give the tick to all who have not got it yet, or but to those who must know of new metrics before it."""
        budget = size = min(SLICE, SLICE_BY_TASKS) if self._by_tasks else SLICE
        encoded = looked_up = 0
        registry, audiences = self.engine.registry, list(self._audiences.values())
        if not all(audience.selection.is_current(registry) for audience in audiences):
            # Nobody waits for those whose new series take longer to find.
            audiences.sort(key=lambda audience: audience.selection.glob_cost)
        for audience in audiences:
            if encoded > ENCODED_AT_ONCE or looked_up > STEP_COST:
                encoded = looked_up = 0
                yield
            if audience.cursor < audience.end and self._given is not None:
                looked_up += yield from self._bind_in_steps(audience)
                if but_with_the_board and audience.encoding.tells_board and audience.layout != audience.described:
                    continue
                encoded += 0 if audience.frame else len(audience.selection.series)
            while audience.cursor < audience.end and self._given is not None:
                budget -= self._give_slice(audience, self._given, budget)
                if budget <= 0:
                    yield
                    budget = size

    def _give_slice(self, audience: Audience[Viewer], happened: Happened, most: int) -> int:
        """Give the tick to the next viewers of an audience, and return how many they were."""
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
        """Return the tick as an audience's viewers get it."""
        if audience.frame is None:
            self._bind(audience)
            # Read from the window, which has room for series that have appeared since the row was taken.
            row = self.engine.window.row(happened.seq)
            frame = audience.encoding.tick(audience.selection, audience.layout, happened.seq, happened.time, row)
            for seq, time, changed in self._amended:
                # Wide enough for series that have appeared since it was made.
                amended = widened(changed, max(len(changed), audience.selection.width), np.nan)
                if not np.isnan(amended[audience.selection.columns]).all():
                    frame = audience.encoding.amended(audience.selection, audience.layout, seq, time, amended).after(
                        frame
                    )
            if audience.described != audience.layout:
                description = self._description(audience)
                frame = frame if description is None else frame.after(description)
            if audience.board != self._boards:
                # Who was given its tick before the last change was known has not been told of the one before either.
                is_next = audience.encoding.tells_changes and audience.board == self._boards - 1
                only = self._changed_frame if is_next else None
                if audience.encoding.tells_board:
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
            # Nobody has shown another board meanwhile.
            self._metrics_revision, self._board, self._changed_frame = revision, board, frame
            self._board_frames = {}
            self._boards += 1

    def board(self, *, details: bool) -> Generator[None, None, BoardInfo]:
        """Return the board as the page wants it, with the problems in short or whole; made in steps."""
        return self._with_problems((yield from self.describe()), details=details)

    def board_frame(self, *, details: bool) -> Frame:
        """Return the ``board`` message of the last change, encoded when somebody needs the whole of it."""
        if details not in self._board_frames:
            board = self._with_problems(self._board or whole(self.describe()), details=details)
            self._board_frames[details] = Frame.text(encode(BoardChanged(board)))
        return self._board_frames[details]

    def _with_problems(self, board: BoardInfo, *, details: bool) -> BoardInfo:
        return msgspec.structs.replace(board, problems=self.problems.shown(details=details))

    def _description(self, audience: Audience[Viewer]) -> Frame | None:
        """Return what says the series of an audience's ticks from here on: what has changed, or all."""
        epoch, changes = self.engine.epoch, None
        if audience.encoding.tells_changes and not audience.joined:
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
            self._tells_changes |= encoding.tells_changes
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
        """Look up in steps what `join` or `subscribe` is then asked for, and return it for them.

        Args:
            selectors: as for `join`.
            encoding: how it is to be written.
        """
        wanted = distinct(selectors)
        known = next((audience for (_, texts, _), audience in self._audiences.items() if texts == wanted), None)
        selection = None if known is None else known.selection
        for _ in range(MAX_LOOK_UPS):
            if selection is not None and selection.is_current(self.engine.registry):
                break
            selection = yield from self.engine.select_in_steps(wanted, selection)
        assert selection is not None
        if not encoding.tells_board:
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
        """Return why an address may not have this subscription too; empty: it may.

        What counts is what has to be encoded anew at each tick. So a subscription is free if another viewer has it in
        the same encoding, with the same details; and one to everything, of which there are only so many encodings.

        Args:
            owner: the address.
            prepared: what `prepare` returned.
            selectors: as for `join`.
            encoding: as for `join`.
            details: as for `join`.
            leaving: the viewer that gives up what it has for it.
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
        """Bind an audience anew where series have come or gone, in steps; what comes meanwhile is for the next tick.

        Returns:
            How many look-ups that took.
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
        """Have an audience ask for a selection from now on; where its series are the same, viewers need not know."""
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
    """Return selectors as they are compared: without repetitions, in one order."""
    return tuple(sorted(set(selectors)))


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
