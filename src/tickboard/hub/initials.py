"""The ``initial`` messages: the window, or the ticks that a viewer has missed, encoded once for all who need the same.

A large one is made in steps, between which other work may run. Only a few are made at the same time, and viewers that
need another one wait for their turn.
"""

from collections.abc import Callable, Generator, Iterator
from typing import ParamSpec, Protocol

from tickboard.hub.audience import Audience
from tickboard.hub.audiences import Audiences
from tickboard.hub.connections import TRY_AGAIN_LATER, Position
from tickboard.hub.encodings import whole
from tickboard.hub.frames import Frame
from tickboard.hub.viewer import Viewer
from tickboard.problems import Problems, described

P = ParamSpec("P")

MOST_AT_ONCE = 40_000
"""An ``initial`` with at most this many values is made at once; a larger one is made in steps."""

MAX_MADE_AT_ONCE = 2
"""How many different large ``initial`` messages are made at the same time; further viewers wait."""

WINDOWS = "large windows"
"""The source of a problem: an ``initial`` cannot be made."""

BeginWork = Callable[[Iterator[None], Callable[[BaseException | None], None]], object]
"""Runs the steps to their end, then calls the function with the exception that they raised, or None."""


class DoForViewer(Protocol):
    """Does something for one viewer of many. If it raises, that viewer is cut, and the others continue."""

    def __call__(self, viewer: Viewer, do: Callable[P, None], *args: P.args, **named: P.kwargs) -> None:
        """Call a function."""


class Initials:
    """Makes the ``initial`` messages of one board.

    Args:
        audiences: the viewers, by what they subscribed to.
        problems: receives a report if a message cannot be made.
        do_for: does something for one viewer.
        begin_work: runs long work in steps, between which other work may run; None: it is done at once.

    Attributes:
        begin_work: as given.
    """

    def __init__(
        self, audiences: Audiences, problems: Problems, do_for: DoForViewer, begin_work: BeginWork | None
    ) -> None:
        self.begin_work = begin_work
        self._audiences = audiences
        self._problems = problems
        self._do_for = do_for
        self._made_at_once = 0
        self._queued: list[Viewer] = []
        # The large messages that are cached, the newest last.
        self._large: dict[tuple[Audience[Viewer], tuple[int | None, int]], None] = {}

    def must_wait(self, viewer: Viewer, seen: Position | None, skipped: int) -> bool:
        """Return True, and queue the viewer, if its ``initial`` is large and enough of them are being made."""
        audience, engine = viewer.audience, self._audiences.engine
        assert audience is not None
        if self._made_at_once < MAX_MADE_AT_ONCE:
            return False
        since = self._since(seen)
        ticks = len(engine.window) if since is None else engine.seq - since
        making = audience.making.get((since, skipped))
        if (
            ticks * len(audience.selection.series) <= MOST_AT_ONCE
            or (since, skipped) in audience.initials
            or (making is not None and making[0] == engine.seq)
        ):
            return False
        self._queued.append(viewer)
        return True

    def frame_for(self, viewer: Viewer, seen: Position | None, skipped: int) -> Frame | None:
        """Return the ``initial`` message for a viewer, encoded once for all that need the same one.

        Args:
            viewer: the viewer.
            seen: the position that it resumes after; None: it gets the whole window.
            skipped: how many ticks it has skipped.

        Returns:
            The message. None: it is large, and is made in steps. The viewer then gets it by `Viewer.made`.
        """
        audience, engine = viewer.audience, self._audiences.engine
        assert audience is not None
        if audience.awaits(viewer):
            # The `initial` contains the tick being sent, which must not reach this viewer twice.
            audience.remove(viewer)
            audience.add(viewer)
        self._audiences.bind(audience)
        audience.joined |= audience.layout != audience.described
        since = self._since(seen)
        frame = audience.initials.get((since, skipped))
        if frame is None:
            making = audience.making.get((since, skipped))
            if making is not None and making[0] == engine.seq:
                making[1].append(viewer)
                return None
            window = engine.window.all() if since is None else engine.window.since(since)
            assert window is not None
            steps = audience.encoding.initial(
                audience.selection,
                audience.layout,
                engine.epoch,
                engine.seq,
                window,
                resumed=since is not None,
                skipped=skipped,
            )
            if self.begin_work is not None and len(window) * len(audience.selection.series) > MOST_AT_ONCE:
                self._begin_making(audience, (since, skipped), viewer, steps)
                return None
            frame = audience.initials[since, skipped] = whole(steps)
        return frame

    def _since(self, seen: Position | None) -> int | None:
        """Return the tick after which a viewer resumes; None: it starts with the whole window."""
        engine = self._audiences.engine
        return seen.seq if seen is not None and engine.can_resume_after(seen.epoch, seen.seq) else None

    def _here(self) -> Position:
        """Return the position of the newest tick."""
        return Position(self._audiences.engine.epoch, self._audiences.engine.seq)

    def _begin_making(
        self,
        audience: Audience[Viewer],
        key: tuple[int | None, int],
        viewer: Viewer,
        steps: Generator[None, None, Frame],
    ) -> None:
        """Make a large ``initial`` in steps for all viewers of an audience that need the same one in this tick."""
        viewers, position, layout = [viewer], self._here(), audience.layout
        self._made_at_once += 1
        audience.making[key] = position.seq, viewers
        assert self.begin_work is not None

        def make() -> Iterator[None]:
            frame = yield from steps
            if self._here() == position and audience.layout == layout and audience.size:
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
                self._problems.clear(WINDOWS)
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
        self._problems.report(
            WINDOWS,
            f"the window could not be encoded for some viewers, which were closed: {described(error)}; "
            "watch fewer metrics at a time, or use a smaller --window",
            error=error,
            kind=type(error),
        )
