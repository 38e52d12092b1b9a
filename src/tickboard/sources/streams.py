"""Streams: which stream writes to which series, so that two different streams never become one series.

A sender identifies a stream by more than a series has labels for: the instrumentation library (its scope), the process,
the start of its count. Two streams that would become one series are distinguished by a label with what differs between
them, or else by a number. A stream that replaces another, as after a restart, continues its series. If the other one
appears again, it was not replaced after all: each of the two then has a series of its own.
"""

from collections.abc import Callable, Hashable, Mapping

from msgspec import Struct, field

from tickboard.metrics.source import REFUSED, Source

Labels = tuple[tuple[str, str], ...]

MAX_PAST = 100
"""How many earlier streams of a series are remembered."""

MAX_APART = 1_000
"""How many streams and kinds with series of their own are remembered for each series."""

MAX_NUMBER = 100
"""The most streams that are distinguished only by a number."""


class StreamKind(Struct, frozen=True, eq=False):
    """The common properties of all streams of one metric from one origin.

    Attributes:
        id: the same for the same kind from any sender.
        marks: values that distinguish it from other kinds, by the name of the label to use; the best first.
    """

    id: int
    marks: Mapping[str, str]


class SenderStream(Struct, frozen=True, eq=False):
    """One stream, made when its key is new.

    Attributes:
        kind: its kind.
        labels: the labels of its series while no other stream shares them.
        start: when its count started, nanoseconds; 0: unknown or irrelevant.
        part: which part of the stream a series shows.
    """

    kind: StreamKind
    labels: Labels
    start: int
    part: Hashable = None

    @property
    def id(self) -> int:
        """The same for the same stream, whatever the order of its attributes."""
        return hash((self.kind.id, tuple(sorted(self.labels)), self.start, self.part))


class _Writer(Struct):
    """The stream that writes to a series.

    Attributes:
        labels: the labels of the series, as requested.
        kind: the stream's kind.
        stream: the stream's id.
        past: the streams that wrote to the series before.
        apart: kinds and streams that existed at the same time, and have series of their own.
    """

    labels: Labels
    kind: StreamKind
    stream: int
    past: set[int] = field(default_factory=set)
    apart: set[int] = field(default_factory=set)

    def set_apart(self, kind: StreamKind, stream: int, other: StreamKind) -> None:
        """Record that a stream does not write to this series, nor do others of its kind if the kinds differ."""
        if len(self.apart) >= MAX_APART:
            self.apart.clear()
        self.apart.add(stream if kind.id == other.id else kind.id)


class Streams:
    """The stream of each series, for all senders of a board."""

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
        """Return the column of a stream, or `REFUSED` or below.

        Args:
            source: the sender's source.
            key: the sender's key for the stream.
            stream: the stream.
            labels: the labels of the series.
            open_with: opens the series with additional labels, under the stream's key.
            has_now: returns whether this request has written to a column, so that its stream exists at the same time.
            numbers: the last number used in this request for streams of one kind and the same labels, which only a
                number distinguishes. Lower numbers are taken, and trying each would take quadratic time.
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
            # The series is unknown, or its column belonged to another series before.
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


def _difference(
    kind: StreamKind, other: StreamKind, more: list[tuple[str, str]], names: set[str]
) -> tuple[str, str] | None:
    """Return a label that distinguishes a kind from another and is not used for that yet."""
    for name, value in kind.marks.items():
        label = _label(name, names)
        if value and value != other.marks.get(name) and (label, value) not in more:
            return label, value
    return None


def _label(name: str, names: set[str]) -> str:
    """Return a label's name that the series does not have yet."""
    while name in names:
        name = f"otel.{name}"
    return name
