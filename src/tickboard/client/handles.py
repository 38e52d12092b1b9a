"""Handles for pushing, with the same methods as in a dashboard file, and the values that they have not sent yet.

Until it is sent, a gauge keeps its newest value, a counter its sum, a histogram each value. Recording never blocks or
raises, and its memory is bounded. Nothing here sends; `tickboard.client.push` does.
"""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from json import dumps
from typing import ClassVar, NamedTuple, Self, TypeVar

from tickboard.output.logs import log

MAX_SERIES = 10_000
"""The most metrics, and the most series, that are remembered; beyond that, the oldest series is forgotten."""

MAX_PENDING = 20_000
"""The most series that wait to be sent; beyond that, the series that has waited longest is dropped."""

MAX_OBSERVATIONS = 100_000
"""The most histogram values that wait to be sent; beyond that, each new value drops the oldest one of its series."""

_CLEAN = -1
_INFINITY = float("inf")
_NAN = float("nan")


class DeclaredMetric(NamedTuple):
    """A metric as it was declared."""

    name: str
    title: str
    unit: str
    labels: tuple[str, ...]


class PushHandles:
    """Values recorded by any thread, until they are taken to be sent.

    Args:
        labels: labels of every series.
        begin: called when values wait and nothing sends them; returns whether sending has begun.

    Attributes:
        lock: held while anything here changes.
        generation: increases with each fork.
        dropped: how many values were lost, because there was no room or they could not be sent.
        invalid: how many values could not be recorded.
        taken: whether something takes the waiting values.
        closed: whether recording has ended.
    """

    def __init__(self, labels: Mapping[str, object], begin: Callable[[], bool]) -> None:
        self.labels = {utf8_text(name): utf8_text(value) for name, value in labels.items()}
        # Reentrant, since a signal handler may record while its own thread is recording.
        self.lock = threading.RLock()
        self.generation = 0
        self.dropped = 0
        self.invalid = 0
        self.taken = False
        self.closed = False
        self.observations = 0
        self.pending: dict[PushHandle, None] = {}
        self.repeated: dict[PushHandle, None] = {}
        self._begin = begin
        self._metrics: dict[str, PushHandle] = {}
        self._series: dict[tuple[str, tuple[str, ...]], PushHandle] = {}

    def declare(self, kind: "type[H]", name: str, title: str, unit: str, labels: Iterable[str]) -> "H":
        """Return the handle of a metric; it is made on first use."""
        try:
            known = self._metrics.get(name)
        except Exception:  # noqa: BLE001  # such as a list, or an object that cannot be hashed
            name = utf8_text(name)
            known = self._metrics.get(name)
        if type(known) is kind:
            return known
        wrong = ""
        try:
            names = (labels,) if isinstance(labels, str) else tuple(utf8_text(label) for label in labels)
        except Exception:  # noqa: BLE001  # never raise
            names, wrong = (), f"metric {utf8_text(name)!r}: labels={_shown(labels)}: give the names of its labels"
        metric = DeclaredMetric(utf8_text(name), utf8_text(title), utf8_text(unit), names)
        if wrong:
            return kind(self, metric, None, wrong)
        with self.lock:
            known = self._metrics.get(name)
            if type(known) is kind:
                return known
            if known is not None:
                return kind(self, metric, None, f"metric {name!r} is a {known.kind}: give a {kind.kind} another name")
            made = kind(self, metric, None if metric.labels else ())
            if len(self._metrics) < MAX_SERIES:
                self._metrics[name] = made
            return made

    def find(self, name: str, values: tuple[str, ...]) -> "PushHandle | None":
        """Return the handle of one series of a metric with labels, or None."""
        return self._series.get((name, values))

    def remember(self, handle: "H", name: str, values: tuple[str, ...]) -> "H":
        """Keep the handle of one series, replacing the oldest if there are too many; return the handle that is kept."""
        with self.lock:
            known = self._series.get((name, values))
            if type(known) is type(handle):
                return known
            if len(self._series) >= MAX_SERIES:
                self.repeated.pop(self._series.pop(next(iter(self._series))), None)
            self._series[name, values] = handle
            return handle

    def mark(self, handle: "PushHandle") -> bool:
        """Queue a series that is not queued yet; return True if it was queued. The caller holds the lock."""
        if self.closed:
            self.dropped += 1
            return False
        handle.marked = self.generation
        self.pending[handle] = None
        if len(self.pending) > MAX_PENDING:
            oldest = next(iter(self.pending))
            del self.pending[oldest]
            self.dropped += len(oldest.take())
        if not self.taken:
            self.taken = self._begin()
        return True

    def take(self, *, repeat: bool = False) -> "Batch":
        """Remove and return the queued values.

        Args:
            repeat: also return every gauge, even if it has not changed.
        """
        with self.lock:
            pending = self.pending | self.repeated if repeat else self.pending
            self.pending = {}
            return [(handle, handle.take()) for handle in pending]

    def put_back(self, batch: "Batch") -> None:
        """Queue values again that could not be sent, together with those recorded since."""
        with self.lock:
            for handle, values in batch:
                handle.put_back(values)

    def refuse(self, text: str) -> None:
        """Count a value that cannot be recorded, and log the first one."""
        with self.lock:
            self.invalid += 1
            first = self.invalid == 1
        if first:
            log_safely(logging.WARNING, f"{text}; further ones are only counted")

    def lose(self, count: int) -> None:
        """Count lost values."""
        with self.lock:
            self.dropped += count

    def forked(self) -> None:
        """Start over in a child process; its parent sends the queued values."""
        self.lock = threading.RLock()
        self.pending, self.repeated = {}, {}
        self.observations = self.dropped = self.invalid = 0
        self.generation += 1
        self.taken = False


# --- handles ---


class PushHandle:
    """One series, or a metric whose `labels` returns its series.

    Args:
        handles: where values are recorded.
        metric: the metric.
        values: the values of the labels; None: it is not a series, so it cannot record anything.
        wrong: why it cannot.

    Attributes:
        marked: the generation of its `PushHandles` while it is queued for sending.
    """

    kind: ClassVar[str]
    __slots__ = ("_handles", "_head", "_lost", "_metric", "_values", "_wrong", "marked")

    def __init__(
        self, handles: PushHandles, metric: DeclaredMetric, values: tuple[str, ...] | None, wrong: str = ""
    ) -> None:
        self.marked = _CLEAN
        self._handles = handles
        self._metric = metric
        self._values = values
        self._head = ""
        wanted = ", ".join(f"{name}=…" for name in metric.labels)
        missing = f"metric {metric.name!r} has labels: write .labels({wanted}) before the value"
        self._wrong = wrong or ("" if values is not None else missing)
        self._lost = bool(wrong)

    def labels(self, **labels: object) -> Self:
        """Return the handle of the series with these labels; it is made on first use."""
        metric = self._metric
        if self._lost:
            return self
        try:
            values = tuple([str(labels[name]) for name in metric.labels])
            good = len(labels) == len(values) > 0
        except Exception:  # noqa: BLE001  # a label's value may be any object
            good = False
        if not good:
            wanted, given = ", ".join(metric.labels) or "none", ", ".join(labels) or "none"
            wrong = f"metric {metric.name!r} has the labels {wanted}, not {given}"
            return type(self)(self._handles, metric, None, wrong)
        found = self._handles.find(metric.name, values)
        if type(found) is type(self):
            return found
        return self._handles.remember(type(self)(self._handles, metric, values), metric.name, values)

    def line(self, value: float) -> str:
        """Return a value as a line to send, with its line break."""
        if not self._head:
            metric = self._metric
            described: dict[str, object] = {"name": metric.name, "kind": self.kind}
            described |= {key: text for key, text in (("title", metric.title), ("unit", metric.unit)) if text}
            own = zip(metric.labels, map(utf8_text, self._values or ()), strict=True)
            if labels := self._handles.labels | dict(own):
                described["labels"] = labels
            self._head = f'{dumps(described)[:-1]}, "value": '
        return f"{self._head}{'null' if value - value else repr(value)}}}\n"

    def take(self) -> list[float]:
        """Remove and return the queued values; called by `PushHandles`."""
        raise NotImplementedError

    def put_back(self, values: list[float]) -> None:
        """Queue values again; called by `PushHandles`."""
        raise NotImplementedError

    def _refuse(self, value: object, may: str, want: str) -> None:
        wrong = f"{self.kind} {self._metric.name!r} cannot {may} {_shown(value)}: give {want}"
        self._handles.refuse(self._wrong or wrong)


H = TypeVar("H", bound=PushHandle)

Batch = list[tuple[PushHandle, list[float]]]


class PushGauge(PushHandle):
    """A value that goes up and down; the value at the time of sending is sent."""

    kind = "gauge"
    __slots__ = ("_value",)

    def __init__(
        self, handles: PushHandles, metric: DeclaredMetric, values: tuple[str, ...] | None, wrong: str = ""
    ) -> None:
        super().__init__(handles, metric, values, wrong)
        self._value = _NAN

    def set(self, value: float | None) -> None:
        """Set the value. NaN, infinity and None mean no value."""
        handles = self._handles
        try:
            number = _NAN if value is None else float(value)
        except Exception:  # noqa: BLE001  # never raise
            self._refuse(value, "be", "a number")
            return
        if self._wrong:
            handles.refuse(self._wrong)
            return
        with handles.lock:
            self._value = number
            if self.marked != handles.generation:
                handles.mark(self)

    def inc(self, amount: float = 1) -> None:
        """Add to the value, which starts at 0."""
        try:
            number = float(amount)
        except Exception:  # noqa: BLE001  # never raise
            self._refuse(amount, "grow by", "a number")
            return
        with self._handles.lock:
            self.set((0.0 if self._value - self._value else self._value) + number)

    def dec(self, amount: float = 1) -> None:
        """Subtract from the value."""
        try:
            number = float(amount)
        except Exception:  # noqa: BLE001  # never raise
            self._refuse(amount, "fall by", "a number")
            return
        self.inc(-number)

    def take(self) -> list[float]:
        """Return the value as a list."""
        self.marked = _CLEAN
        if self._value - self._value:
            self._handles.repeated.pop(self, None)
        elif len(self._handles.repeated) < MAX_PENDING:
            self._handles.repeated[self] = None
        return [self._value]

    def put_back(self, values: list[float]) -> None:
        """Queue the current value."""
        if self.marked != self._handles.generation:
            self._handles.mark(self)


class PushCounter(PushHandle):
    """A count."""

    kind = "counter"
    __slots__ = ("_sum",)

    def __init__(
        self, handles: PushHandles, metric: DeclaredMetric, values: tuple[str, ...] | None, wrong: str = ""
    ) -> None:
        super().__init__(handles, metric, values, wrong)
        self._sum = 0.0

    def inc(self, amount: float = 1) -> None:
        """Count `amount` more; it must be 0 or more."""
        handles = self._handles
        try:
            number = float(amount)
        except Exception:  # noqa: BLE001  # never raise
            number = _NAN
        if self._wrong or not 0 <= number < _INFINITY:
            self._refuse(amount, "grow by", "a finite number, 0 or more")
            return
        with handles.lock:
            if self.marked == handles.generation:
                self._sum = min(self._sum + number, 1e300)
            elif handles.mark(self):
                self._sum = number

    def take(self) -> list[float]:
        """Return the sum as a list."""
        self.marked = _CLEAN
        return [self._sum]

    def put_back(self, values: list[float]) -> None:
        """Add to the sum."""
        self.inc(values[0])


class PushHistogram(PushHandle):
    """Values whose average and percentiles the board shows."""

    kind = "histogram"
    __slots__ = ("_seen",)

    def __init__(
        self, handles: PushHandles, metric: DeclaredMetric, values: tuple[str, ...] | None, wrong: str = ""
    ) -> None:
        super().__init__(handles, metric, values, wrong)
        self._seen = deque[float]()

    def observe(self, value: float) -> None:
        """Add one value."""
        handles = self._handles
        try:
            number = float(value)
        except Exception:  # noqa: BLE001  # never raise
            number = _NAN
        if self._wrong or number - number:
            self._refuse(value, "have", "a finite number")
            return
        with handles.lock:
            if self.marked != handles.generation:
                self._seen = deque()
                if not handles.mark(self):
                    return
            self._seen.append(number)
            handles.observations += 1
            if handles.observations > MAX_OBSERVATIONS:
                self._seen.popleft()
                handles.observations -= 1
                handles.dropped += 1

    def take(self) -> list[float]:
        """Return the values."""
        self.marked = _CLEAN
        self._handles.observations -= len(self._seen)
        return list(self._seen)

    def put_back(self, values: list[float]) -> None:
        """Queue the newest of these values before those recorded since, as many as there is room for."""
        handles = self._handles
        if self.marked != handles.generation:
            self._seen = deque()
            if not handles.mark(self):
                return
        room = max(0, MAX_OBSERVATIONS - handles.observations)
        kept = values[max(0, len(values) - room) :]
        self._seen.extendleft(reversed(kept))
        handles.observations += len(kept)
        handles.dropped += len(values) - len(kept)


def log_safely(level: int, text: str, error: BaseException | None = None) -> None:
    """Write a line to the log; ignore a handler that raises."""
    with contextlib.suppress(Exception):
        log.log(level, "%s", text, exc_info=error)


def utf8_text(value: object) -> str:
    """Return text that UTF-8 can encode."""
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:  # noqa: BLE001  # it may be any object
        return f"a {type(value).__name__}"


def _shown(value: object) -> str:
    try:
        return repr(value)[:80]
    except Exception:  # noqa: BLE001  # it may be any object
        return f"a {type(value).__name__}"
