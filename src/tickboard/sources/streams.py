"""Streams: what writes to which series, so that two different things never become one.

A sender identifies a stream by more than a series has labels for: the library that measures (its scope), the
process, when a count was begun. Two streams that would be one series are told apart by a label that says in what they
differ; where nothing does, by a number. One that comes in the place of another, as after a restart, goes on with its
series. The difference shows when the other one comes again: then both are there.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

from tickboard.metrics.source import REFUSED, Source

Labels = tuple[tuple[str, str], ...]

MAX_PAST = 100
"""Streams that are remembered to have had a series."""

MAX_APART = 1_000
"""Streams and kinds that are known to have series of their own, for each series."""

MAX_NUMBER = 100
"""Streams that only a number distinguishes."""


@dataclass(frozen=True, eq=False, slots=True)
class Kind:
    """What streams of one metric of one origin have in common.

    Attributes:
        id: the same for the same kind from any sender.
        marks: by the label that would say it, what distinguishes it from others, the best first.
    """

    id: int
    marks: Mapping[str, str]


@dataclass(frozen=True, eq=False, slots=True)
class SenderStream:
    """One stream, made when its key is new.

    Attributes:
        kind: its kind.
        labels: of its series, as long as it is alone.
        start: when its count was begun, nanoseconds; 0: not known, or no matter.
        part: which part of it a series shows.
    """

    kind: Kind
    labels: Labels
    start: int
    part: Hashable = None

    @property
    def id(self) -> int:
        """The same for the same stream, whatever the order of its attributes."""
        return hash((self.kind.id, tuple(sorted(self.labels)), self.start, self.part))


@dataclass(slots=True)
class _Writer:
    """Which stream a series has.

    Attributes:
        labels: of the series, as asked for.
        kind: of the stream.
        stream: its id.
        past: streams that had the series before.
        apart: kinds and streams that were there at the same time, and have series of their own.
    """

    labels: Labels
    kind: Kind
    stream: int
    past: set[int] = field(default_factory=set)
    apart: set[int] = field(default_factory=set)

    def set_apart(self, kind: Kind, stream: int, other: Kind) -> None:
        """Note that a stream is not this series', with all others of its kind where the kinds differ."""
        if len(self.apart) >= MAX_APART:
            self.apart.clear()
        self.apart.add(stream if kind.id == other.id else kind.id)


class Streams:
    """Which stream writes to which series, for all senders of a board."""

    def __init__(self) -> None:
        self._writers: dict[int, _Writer] = {}

    def column(
        self,
        source: Source,
        key: Hashable,
        stream: SenderStream,
        labels: Labels,
        open_with: Callable[[Labels], int],
        has_now: Callable[[int], bool],
        numbers: dict[Hashable, int],
    ) -> int:
        """Return the column of a stream, or `REFUSED`.

        Args:
            source: of the sender.
            key: what it calls the stream.
            stream: which one.
            labels: of the series.
            open_with: opens the series with some labels more, under the key of the stream.
            has_now: whether something was written to a column a moment ago: its stream is there at the same time.
            numbers: the last number that was given in this request to streams of one kind with the same labels, which
                only a number distinguishes: those below it are taken, and to try each would be work for each pair.
        """
        more: list[tuple[str, str]] = []
        names = {name for name, _ in labels}
        alike = stream.kind.id, labels, stream.part
        number = 1
        while number <= MAX_NUMBER:
            column = open_with(tuple(more))
            if column <= REFUSED or self._may_write(source, column, key, (*labels, *more), stream, has_now):
                return column
            mark = _difference(stream.kind, self._writers[column].kind, more, names)
            if mark is not None:
                more.append(mark)
            else:
                number = max(number + 1, numbers.get(alike, 0))
                numbers[alike] = min(number, MAX_NUMBER)
                label = _label("stream", names)
                more = [*(one for one in more if one[0] != label), (label, str(number))]
        return column

    def _may_write(
        self,
        source: Source,
        column: int,
        key: Hashable,
        labels: Labels,
        stream: SenderStream,
        has_now: Callable[[int], bool],
    ) -> bool:
        kind, id = stream.kind, stream.id
        writer = self._writers.get(column)
        if writer is None or writer.labels != labels:
            # Nothing is known of it, or the column was another series' before.
            self._writers[column] = _Writer(labels, kind, id)
            return True
        if writer.stream == id:
            return True
        if id in writer.apart or kind.id in writer.apart:
            return False
        if id in writer.past:
            writer.set_apart(writer.kind, writer.stream, kind)
        elif has_now(column):
            writer.set_apart(kind, id, writer.kind)
            return False
        if len(writer.past) >= MAX_PAST:
            writer.past.clear()
        writer.past.add(writer.stream)
        writer.kind, writer.stream = kind, id
        source.take_over(column, key, stream.start / 1e9)
        return True


def _difference(kind: Kind, other: Kind, more: list[tuple[str, str]], names: set[str]) -> tuple[str, str] | None:
    """Return a label that distinguishes a kind from another, and is not used for that already."""
    for name, value in kind.marks.items():
        label = _label(name, names)
        if value and value != other.marks.get(name) and (label, value) not in more:
            return label, value
    return None


def _label(name: str, names: set[str]) -> str:
    """Return a label that is none of the series' own."""
    while name in names:
        name = f"otel.{name}"
    return name
