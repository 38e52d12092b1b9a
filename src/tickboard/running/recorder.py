"""The recorder: appends the ticks of a board to its history, after they are published.

     engine.tick ─▶ hub.publish ─▶ history.append, history.amend

It never waits for the disk. A failure of the history is reported as a problem until it is over, and stops neither ticks
nor the start: a board whose history cannot be used runs without one until it can. Like the hub, the recorder continues
when one board replaces another.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from tickboard.engine import Engine, TickResult
from tickboard.errors import HistoryError, TooMuchError
from tickboard.history.answers import Question
from tickboard.history.layout import Layout, milliseconds
from tickboard.history.options import HistoryOptions
from tickboard.history.store import History
from tickboard.hub.encodings import whole
from tickboard.metrics.earlier import EarlierTicks
from tickboard.metrics.late import Amendment, LateRows, LateSamples, amended_rows
from tickboard.metrics.registry import Registry
from tickboard.metrics.series import Series
from tickboard.metrics.window import widened
from tickboard.output.logs import log
from tickboard.problems import Problems, described

SOURCE = "history"
"""The source of the problems of a history."""

BRIEF = "ticks are published, but not all are stored in the history (the log says more)"
"""The message for viewers, since the full one names the file."""

SHOWN_S = 10.0
"""How long a problem is shown at least, so that people who look now and then see it: a lost file is replaced at
once."""

READ_S = 15.0
"""How long the start waits for the ticks that the window begins with."""

STEP_LATE = 200
"""How many late ticks are amended in one step before other work may run: about 2 ms."""

MAX_PADDED = 86_400
"""The most empty ticks that are recorded for the time between two runs."""

NO_SERIES = Layout((), np.empty(0, np.intp))
"""Of empty ticks: the series of late values are added when they come."""

STEP_SERIES = 5_000
"""How many series are described in one step before other work may run: about 1 ms."""

R = TypeVar("R")


class TickRecorder:
    """Records the ticks of whichever board is served.

    Args:
        options: where to record, and for how long.
        path: the history's file.
        problems: where failures of the history are reported.

    Attributes:
        history: the history.
        late_s: how many seconds ticks are kept, and a sample may be late.
    """

    def __init__(self, options: HistoryOptions, path: Path, problems: Problems) -> None:
        self._problems = problems
        self._loop: asyncio.AbstractEventLoop | None = None
        # The history's own message, and the exception raised here.
        self._message: str | None = None
        self._failure: Exception | None = None
        self._shown_until = 0.0
        self._epoch = ""
        self._bound: tuple[Registry, int] | None = None
        self._layout = Layout((), np.empty(0, np.intp))
        self._series: list[Series] = []
        self.late_s = options.retention.raw_s
        self.history = History(path, options.retention, self._noted, commit_s=options.commit_s, retries=True)
        self._show()

    @classmethod
    def open(cls, options: HistoryOptions, problems: Problems) -> Self | None:
        """Return a recorder; None if no history is wanted, or if its threads cannot be started, which is reported."""
        if options.path is None:
            return None
        try:
            return cls(options, options.path, problems)
        except Exception as error:  # noqa: BLE001  # the board starts all the same
            problems.report(SOURCE, described(error), error=error)
        return None

    def retain(self, options: HistoryOptions) -> None:
        """Replace how long ticks are kept, how large the file may be, and how often it is written."""
        self.late_s = options.retention.raw_s
        self.history.retain(options.retention, options.commit_s)

    def start(self) -> None:
        """Report the history's messages from now on. Call it in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._show()

    def refill(self, engine: Engine, span_s: float, now: float, *, padded: bool = False) -> None:
        """Fill the window of a new run with the ticks of its span before now. This blocks while it reads.

        Args:
            engine: the new engine, before its first tick.
            span_s: the window's length in seconds.
            now: POSIX seconds.
            padded: whether the time since the last run gets empty ticks, in the window and in the history, for values
                that come late.
        """
        if not self.history.is_open:
            return
        start_ms, now_ms = milliseconds(now - span_s), milliseconds(now)
        try:
            # Before the history is padded, or the last tick is not the last run's.
            last_ms = self.history.newest_ms
            earlier = _answered(lambda: self._earlier(engine, start_ms, now_ms))
            if padded and last_ms:
                self._pad(engine, last_ms, now_ms)
                earlier = earlier.padded(max(start_ms, last_ms) / 1000, now, engine.interval_s)
            engine.refill(earlier)
        except Exception as error:  # noqa: BLE001  # the window begins without them
            self._failed(error)

    def record(self, engine: Engine, tick: TickResult, interval_ms: int) -> Iterator[None]:
        """Append a published tick and its amendments to the history, in steps. Raises nothing."""
        yield from self._reported(self._record(engine, tick, interval_ms))

    def amend(self, engine: Engine, amended: Sequence[Amendment], interval_ms: int) -> Iterator[None]:
        """Write what `Engine.amend` has returned to the history, in steps. Raises nothing."""
        yield from self._reported(self._amend(engine, amended, engine.seq, interval_ms))

    def _reported(self, steps: Iterator[None]) -> Iterator[None]:
        try:
            yield from steps
        except Exception as error:  # noqa: BLE001  # whatever it was, ticks must go on
            self._failed(error)
        else:
            if self._failure is not None:
                self._failure = None
                self._show()

    def pad(self, engine: Engine, tick: TickResult, interval_ms: int) -> None:
        """Append an empty tick, as `Engine.pad` makes it, to the history. Raises nothing."""
        try:
            self._begin(engine, interval_ms)
            self.history.append(tick.seq, tick.time, NO_SERIES, tick.row)
        except Exception as error:  # noqa: BLE001  # as in `record`
            self._failed(error)

    def _pad(self, engine: Engine, last_ms: int, now_ms: int) -> None:
        """Append empty ticks between two runs to the history."""
        interval_ms = round(engine.interval_s * 1000)
        first, end = last_ms // interval_ms + 1, -(-now_ms // interval_ms)
        self.history.begin(f"{engine.epoch}.0", interval_ms, engine.window.capacity)
        for seq, instant in enumerate(range(max(first, end - MAX_PADDED), end), 1):
            self.history.append(seq, instant * interval_ms / 1000, NO_SERIES, np.empty(0))

    def _begin(self, engine: Engine, interval_ms: int) -> None:
        """Begin the engine's epoch in the history, unless it has."""
        if self._epoch != engine.epoch:
            self.history.begin(engine.epoch, interval_ms, engine.window.capacity)
            self._epoch = engine.epoch

    def _earlier(self, engine: Engine, start_ms: int, now_ms: int) -> EarlierTicks:
        """Return the ticks of a span; their means if there are more than the window holds."""
        ticks = engine.window.capacity
        try:
            answer = self.history.read(Question((), start_ms, now_ms, ticks))
        except TooMuchError:
            # Leave out the series that the board does not have yet.
            layout = whole(self._layout_of(engine.registry))
            times, rows = self.history.newest(now_ms, start_ms, layout, ticks)
            return EarlierTicks(
                times / 1000, [(name, labels) for name, labels, _ in layout.keys], rows[:, layout.columns]
            )
        keys = [(one.name, one.labels) for one in answer.series]
        rows = np.array([one.avg for one in answer.series]).reshape(len(keys), len(answer.times)).T
        return EarlierTicks(answer.times / 1000, keys, rows)

    async def close(self) -> None:
        """Commit the recorded ticks, if the disk answers in time, and close the history."""
        try:
            await asyncio.to_thread(self.history.close)
        except Exception:
            log.exception("the history could not be closed")

    def _record(self, engine: Engine, tick: TickResult, interval_ms: int) -> Iterator[None]:
        layout = yield from self._layout_of(engine.registry)
        self._begin(engine, interval_ms)
        # A series may have appeared since the row was made.
        width = max(len(tick.row), int(layout.columns.max(initial=-1)) + 1)
        self.history.append(tick.seq, tick.time, layout, widened(tick.row, width, np.nan))
        yield from self._amend(engine, tick.amended, tick.seq - 1, interval_ms)
        yield from self._amend_late(layout, tick.late)

    def _amend(self, engine: Engine, amended: Sequence[Amendment], newest: int, interval_ms: int) -> Iterator[None]:
        layout = yield from self._layout_of(engine.registry)
        self._begin(engine, interval_ms)
        others = [each for each in amended if not each.recalled]
        for _, amended_time, row in amended_rows(others, engine.window, newest):
            columns = np.flatnonzero(~np.isnan(row))
            self.history.amend(amended_time, layout, columns, row[columns])

    def _amend_late(self, layout: Layout, late: Sequence[LateSamples | LateRows]) -> Iterator[None]:
        """Write samples older than the window to the history's ticks of their times."""
        for samples in late:
            if isinstance(samples, LateRows):
                yield from self._amend_rows(layout, samples)
                continue
            order = np.argsort(samples.times, kind="stable")
            times, starts = np.unique(samples.times[order], return_index=True)
            for number, (late_time, some) in enumerate(
                zip(times.tolist(), np.split(order, starts[1:]), strict=True), 1
            ):
                self.history.amend(late_time, layout, samples.columns[some], samples.values[some])
                if not number % STEP_LATE:
                    yield

    def _amend_rows(self, layout: Layout, late: LateRows) -> Iterator[None]:
        for number, (late_time, row) in enumerate(zip(late.times.tolist(), late.rows, strict=True), 1):
            known = ~np.isnan(row)
            self.history.amend(late_time, layout, late.columns[known], row[known])
            if not number % STEP_LATE:
                yield

    def _layout_of(self, registry: Registry) -> Generator[None, None, Layout]:
        """Return the series of a registry, described again if it has changed."""
        bound = registry, registry.revision
        if self._bound != bound:
            series = registry.series
            # Ten thousand new objects for each new series would burden the garbage collector.
            known = {id(one): key for one, key in zip(self._series, self._layout.keys, strict=True)}
            keys = []
            for start in range(0, len(series), STEP_SERIES):
                yield
                some = series[start : start + STEP_SERIES]
                keys += [known.get(id(one)) or (one.metric.name, one.labels, one.metric.unit) for one in some]
            yield
            columns = np.fromiter((one.column for one in series), np.intp, len(series))
            self._bound, self._series, self._layout = bound, series, Layout(tuple(keys), columns)
        return self._layout

    def _failed(self, error: Exception) -> None:
        self._failure = error
        self._show()

    def _noted(self, message: str | None) -> None:
        """Take a message of the history, from any thread; None if all is well."""
        if self._loop is None:
            self._message = message
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody watches any more
            self._loop.call_soon_threadsafe(self._show_message, message)

    def _show_message(self, message: str | None) -> None:
        self._message = message
        self._show()

    def _show(self) -> None:
        if self._failure is not None:
            self._problems.report(SOURCE, described(self._failure), error=self._failure)
        elif self._message is not None:
            self._problems.report(SOURCE, self._message, brief=BRIEF)
            self._shown_until = time.monotonic() + SHOWN_S
        elif self._loop is not None and (left_s := self._shown_until - time.monotonic()) > 0:
            self._loop.call_later(left_s, self._show)
        else:
            self._problems.clear(SOURCE)


def _answered(read: Callable[[], R]) -> R:
    """Return the result of reading the history.

    Raises:
        HistoryError: the disk has not answered for `READ_S`.
    """
    done: Future[R] = Future()

    def run() -> None:
        try:
            done.set_result(read())
        except BaseException as error:  # noqa: BLE001  # raised in the waiting thread
            done.set_exception(error)

    threading.Thread(target=run, name="history window", daemon=True).start()
    try:
        return done.result(READ_S)
    except TimeoutError as error:
        raise HistoryError(f"its disk has not answered for {READ_S:g} s: the window starts empty") from error
