"""The hub: who is connected, what each asked for, and the fan-out of frames to them.

It knows no asyncio and no sockets: a viewer is an outbox with a `wake` that the connection gives, and the connection
takes frames out when it can send. A tick is encoded once for each distinct subscription.

What happens when a viewer is slow: its outbox holds at most `OUTBOX_TICKS` ticks. When they are that many, they are
thrown away and counted, and as soon as the viewer takes again it gets one ``initial`` message with what it has missed.
So a slow viewer skips to the newest state, and neither delays another nor grows the server.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tickboard.alerts import AlertEvent
from tickboard.engine import Engine, Happened
from tickboard.frames import Selection, encode, initial_frame, metrics_frame
from tickboard.types import Board, BoardChanged, Problem, Problems

OUTBOX_TICKS = 8
"""Ticks that wait for a viewer before they are thrown away for the newest state."""

OUTBOX_ANSWERS = 32
"""Answers that wait for a viewer before no more of its messages are read."""

Patterns = tuple[str, ...]


@dataclass(frozen=True)
class Position:
    """The last tick that a viewer has seen."""

    epoch: str
    seq: int


class Viewer:
    """One connection that watches ticks. Made by `Hub.join`; call `Hub.leave` when it ends.

    Attributes:
        closing: the close code, once the connection is to end.
    """

    def __init__(self, hub: "Hub", wake: Callable[[], None]) -> None:
        self.closing: int | None = None
        self._hub = hub
        self._wake = wake
        self._answers: deque[bytes] = deque()
        self._ticks: deque[tuple[int, bytes]] = deque()
        self._seen: Position | None = None
        self._skipped = 0
        self._fresh = False

    @property
    def answers_full(self) -> bool:
        """Whether the connection had better not read on before some answers are sent."""
        return len(self._answers) >= OUTBOX_ANSWERS

    def answer(self, frame: bytes) -> None:
        """Queue a message for this viewer alone; it goes before the ticks that wait."""
        self._answers.append(frame)
        self._wake()

    def offer(self, seq: int, frame: bytes) -> None:
        """Queue a tick, or count it as skipped."""
        if self._fresh:
            # The `initial` that is due brings this tick too. Only to one who fell behind is it a skipped message.
            if self._skipped:
                self._skip(1)
            return
        if len(self._ticks) >= OUTBOX_TICKS:
            self._skip(len(self._ticks) + 1)
            self.refresh()
            return
        self._ticks.append((seq, frame))
        self._wake()

    def refresh(self, seen: Position | None = None) -> None:
        """Let the next message be an ``initial`` with all after `seen`, or after what was taken last."""
        self._ticks.clear()
        self._fresh = True
        self._seen = seen or self._seen
        self._wake()

    def take(self) -> bytes | None:
        """Return the next message to send, or None when there is none."""
        if self._answers and (self._seen is not None or not self._fresh):
            return self._answers.popleft()
        if self._fresh:
            self._fresh = False
            frame = self._hub.initial_for(self, self._seen, self._skipped)
            self._seen = self._hub.position
            self._skipped = 0
            return frame
        if self._ticks:
            seq, frame = self._ticks.popleft()
            self._seen = Position(self._hub.engine.epoch, seq)
            return frame
        return None

    def close(self, code: int) -> None:
        """Ask the connection to end with a close code."""
        self.closing = code
        self._wake()

    def _skip(self, ticks: int) -> None:
        self._skipped += ticks
        self._hub.frames_skipped += ticks


@dataclass(eq=False)
class Subscriber:
    """One connection that reads the alert stream: where it is in the log, and how to wake it.

    It needs no queue: the log is one for all, and each reads on from its own number.
    """

    wake: Callable[[], None]
    epoch: str
    number: int
    closing: bool = False


@dataclass(eq=False)
class _Group:
    """The viewers of one distinct subscription, and what was encoded for them at this tick."""

    patterns: Patterns
    selection: Selection
    viewers: set[Viewer] = field(default_factory=set)
    initials: dict[tuple[int, bool, int], bytes] = field(default_factory=dict)


class Hub:
    """All who are connected to one board.

    Args:
        engine: whose ticks they see; `switch` changes it.
        describe: gives the Board as the page wants it.

    Attributes:
        frames_skipped: tick messages that were not sent to slow viewers.
        problems: what the board's owner has to mend, by its source.
    """

    def __init__(self, engine: Engine, describe: Callable[[], Board]) -> None:
        self.engine = engine
        self.describe = describe
        self.frames_skipped = 0
        self.problems: dict[str, Problem] = {}
        self.subscribers: set[Subscriber] = set()
        self._groups: dict[Patterns, _Group] = {}
        self._group_of: dict[Viewer, _Group] = {}

    @property
    def viewers(self) -> int:
        """How many viewers are connected."""
        return len(self._group_of)

    @property
    def position(self) -> Position:
        """The newest tick's position."""
        return Position(self.engine.epoch, self.engine.seq)

    # --- viewers ---

    def join(self, wake: Callable[[], None], since: Position | None = None) -> Viewer:
        """Attach a viewer; its first message is an ``initial`` with all after `since`, or the whole window."""
        viewer = Viewer(self, wake)
        self._put(viewer, ())
        viewer.refresh(since)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer; one that has left already is none."""
        group = self._group_of.pop(viewer, None)
        if group is not None:
            self._remove(viewer, group)

    def subscribe(self, viewer: Viewer, patterns: Iterable[str]) -> None:
        """Send a viewer only the metrics with these names or globs from now on; none: everything."""
        self._remove(viewer, self._group_of[viewer])
        self._put(viewer, tuple(dict.fromkeys(patterns)))

    def publish(self, happened: Happened) -> None:
        """Give a tick to every viewer, and its alert events to every subscriber."""
        for group in self._groups.values():
            group.initials.clear()
            self._bind(group)
            # Read from the window, which has room for series that have appeared since the row was taken.
            row = self.engine.window.row(happened.seq)
            frame = metrics_frame(group.selection, happened.seq, happened.time, row)
            for viewer in group.viewers:
                viewer.offer(happened.seq, frame)
        self.announce(happened.events)

    def announce(self, events: list[AlertEvent]) -> None:
        """Wake the subscribers when there is something to read."""
        if events:
            for subscriber in self.subscribers:
                subscriber.wake()

    def initial_for(self, viewer: Viewer, seen: Position | None, skipped: int) -> bytes:
        """Return the ``initial`` message for a viewer, encoded once for all who need the same."""
        group = self._group_of[viewer]
        self._bind(group)
        missed = self.engine.missed(seen.epoch, seen.seq) if seen is not None else None
        window = missed if missed is not None else self.engine.window.all()
        key = (window.first, missed is not None, skipped)
        frame = group.initials.get(key)
        if frame is None:
            frame = initial_frame(
                group.selection,
                self.engine.epoch,
                self.engine.seq,
                window,
                resumed=missed is not None,
                skipped=skipped,
            )
            group.initials[key] = frame
        return frame

    # --- the board ---

    def switch(self, engine: Engine, describe: Callable[[], Board]) -> None:
        """Show another board from here on: every viewer gets its description and its window."""
        self.engine, self.describe = engine, describe
        frame = encode(BoardChanged(describe()))
        for group in self._groups.values():
            group.selection = engine.select(group.patterns)
            group.initials.clear()
        for viewer in self._group_of:
            viewer.answer(frame)
            viewer.refresh()
        for subscriber in self.subscribers:
            subscriber.wake()

    def report(self, problem: Problem) -> None:
        """Show a problem to every viewer, in place of an earlier one of the same source."""
        self.problems[problem.source] = problem
        self._send_problems()

    def mended(self, source: str) -> None:
        """Take a source's problem back, if it had one."""
        if self.problems.pop(source, None) is not None:
            self._send_problems()

    def close(self, code: int) -> None:
        """Ask every connection to end; viewers with this close code."""
        for viewer in self._group_of:
            viewer.close(code)
        for subscriber in self.subscribers:
            subscriber.closing = True
            subscriber.wake()

    def _send_problems(self) -> None:
        frame = encode(Problems(list(self.problems.values())))
        for viewer in self._group_of:
            viewer.answer(frame)

    def _put(self, viewer: Viewer, patterns: Patterns) -> None:
        group = self._groups.get(patterns)
        if group is None:
            group = self._groups[patterns] = _Group(patterns, self.engine.select(patterns))
        group.viewers.add(viewer)
        self._group_of[viewer] = group

    def _remove(self, viewer: Viewer, group: _Group) -> None:
        group.viewers.discard(viewer)
        if not group.viewers:
            del self._groups[group.patterns]

    def _bind(self, group: _Group) -> None:
        if group.selection.revision != self.engine.registry.revision:
            group.selection = self.engine.select(group.patterns)
