"""Pushing: sends the numbers of any program to a board that runs elsewhere.

A thread sends the contents of a `PushHandles` every second. It also works in a child process after a fork, and delays
the end of the program by a second at most. Refusals and failures are logged and counted, and the thread continues. Only
the standard library is needed, and its larger parts are loaded when there is something to send.
"""

import atexit
import contextlib
import logging
import math
import os
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from typing import Self

from tickboard.client.handles import Batch, PushCounter, PushGauge, PushHandle, PushHandles, PushHistogram, log_safely
from tickboard.client.target import RefusedPushError, RetryError, Target, describe, loading_lock
from tickboard.errors import InputError
from tickboard.schedule import Duration, duration

MIN_INTERVAL_S = 0.01

MAX_LINES = 5_000
"""The most samples in one request: about half a megabyte."""

REPEAT_S = 60.0
"""An unchanged gauge is sent again every this many seconds, so that the board doesn't remove it."""


LONGEST_PAUSE_S = 30.0
"""The longest pause between two attempts while the board cannot be reached."""


EXIT_S = 1.0
"""How many seconds the end of the program may be delayed to send the last values."""


LOG_EVERY_S = 600.0
"""Each kind of failure is logged at most once in this many seconds, however often it begins and ends."""


def push(
    url: str,
    *,
    interval: Duration = 1.0,
    labels: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
) -> "Push":
    """Return a client that sends this program's numbers to a board.

    Args:
        url: the board's address in a browser: ``http://host:3000``, ``https://user:word@host/live``.
        interval: time between two sends: ``"5s"``, seconds or a timedelta.
        labels: labels of every series: ``{"host": "a"}``.
        headers: sent with every request, for example for a proxy in front of the board.
        token: a token with the role sender, if the board needs a login; None: that in ``TICKBOARD_TOKEN``.

    Raises:
        InputError: an argument cannot be used. Recording and sending never raise.
    """
    return Push(url, interval=interval, labels=labels, headers=headers, token=token)


class Push:
    """A client that sends numbers to a board. Record from any thread. As a context manager it closes at the end.

    `push` makes it.

    Attributes:
        sent: how many samples the board accepted.
        refused: how many samples it refused.
    """

    def __init__(
        self,
        url: str,
        *,
        interval: Duration = 1.0,
        labels: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> None:
        try:
            interval_s = duration(interval)
        except InputError as error:
            raise InputError(f"interval: {error}") from None
        if not MIN_INTERVAL_S <= interval_s <= threading.TIMEOUT_MAX:
            raise InputError(f'interval={interval!r}: give 10 ms or more, as 0.01 or "10ms"')
        if labels is not None and not isinstance(labels, Mapping):
            raise InputError(f'labels is a {type(labels).__name__}: give texts by name, as {{"host": "a"}}')
        self.sent = 0
        self.refused = 0
        self._target = Target(url, {} if headers is None else headers, token)
        self._interval_s = self._pause_s = interval_s
        self._handles = PushHandles(labels or {}, self._begin)
        self._wake = threading.Event()
        self._answer = threading.Condition(self._handles.lock)
        self._asked = self._answered = self._failures = 0
        self._delivered = True
        self._repeated = 0.0
        self._begin_anew()
        _pushes.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def gauge(self, name: str, title: str = "", *, unit: str = "", labels: Iterable[str] = ()) -> PushGauge:
        """Return the handle of a metric that goes up and down.

        Args:
            name: its name on the board.
            title: its title for people; empty: made from the name.
            unit: the unit of its values.
            labels: the names of the labels that distinguish its series.
        """
        return self._handles.declare(PushGauge, name, title, unit, labels)

    def counter(self, name: str, title: str = "", *, unit: str = "", labels: Iterable[str] = ()) -> PushCounter:
        """Return the handle of a count, shown as a rate per second. Arguments as for `gauge`."""
        return self._handles.declare(PushCounter, name, title, unit, labels)

    def histogram(self, name: str, title: str = "", *, unit: str = "", labels: Iterable[str] = ()) -> PushHistogram:
        """Return the handle of values shown as average and percentiles. Arguments as for `gauge`."""
        return self._handles.declare(PushHistogram, name, title, unit, labels)

    @property
    def dropped(self) -> int:
        """How many values were lost: dropped while the board was unreachable, refused by it, or unsendable."""
        return self._handles.dropped + self.refused

    @property
    def invalid(self) -> int:
        """How many values could not be recorded: not a number, a falling counter, other labels than declared."""
        return self._handles.invalid

    def flush(self, timeout: float = EXIT_S) -> bool:
        """Send now and wait up to `timeout` seconds. Return whether everything was sent."""
        handles = self._handles
        with handles.lock:
            if not handles.taken:
                # If the thread could not be started, something is queued.
                return not handles.pending
            self._asked += 1
            wanted = self._asked
            self._wake.set()
            answered = self._answer.wait_for(
                lambda: self._answered >= wanted, min(max(0.0, timeout), threading.TIMEOUT_MAX)
            )
            return answered and self._delivered

    def close(self, timeout: float = EXIT_S) -> None:
        """Send the last values, as `flush` does, and stop. Later values are dropped."""
        self.flush(timeout)
        with self._handles.lock:
            self._handles.closed = True
            self._wake.set()
        _pushes.discard(self)

    # --- the thread ---

    def _begin(self) -> bool:
        try:
            threading.Thread(target=self._run, name="tickboard push", daemon=True).start()
        except RuntimeError:
            return False  # the program is ending, or has too many threads
        return True

    def _run(self) -> None:
        handles, self._repeated = self._handles, time.monotonic()
        try:
            while self._send_once():
                pass
        finally:
            # The next recorded value starts another thread.
            with handles.lock:
                handles.taken = False
        self._target.close()

    def _send_once(self) -> bool:
        """Wait until the next send is due, and send what is queued; return whether to continue."""
        handles = self._handles
        self._wake.wait(self._pause_s)
        closed = False
        try:
            with handles.lock:
                self._wake.clear()
                asked, closed = self._asked, handles.closed
                repeat = time.monotonic() - self._repeated >= REPEAT_S
                batch = handles.take(repeat=repeat)
            self._repeated = time.monotonic() if repeat else self._repeated
            self._pause_s = self._deliver(batch)
        except BaseException as error:  # noqa: BLE001  # the thread must keep running
            asked, self._delivered = self._asked, False
            self._broken.failed(describe(error), error)
        with handles.lock:
            if closed:
                handles.taken = False
                asked = self._asked
            self._answered = asked
            self._answer.notify_all()
        return not closed

    def _deliver(self, batch: Batch) -> float:
        """Send samples, or queue them again; return how many seconds to pause."""
        self._delivered = True
        samples = [(handle, value) for handle, values in batch for value in values]
        for start in range(0, len(samples), MAX_LINES):
            part = samples[start : start + MAX_LINES]
            try:
                self._target.post("".join(handle.line(value) for handle, value in part))
            except RefusedPushError as error:
                self.sent += len(part) - error.count
                self.refused += error.count
                self._refusing.failed(f"{error}; these samples are dropped, and further ones too")
            except RetryError as error:
                self._handles.put_back(_rest(batch, start))
                self._failures += 1
                self._delivered = False
                self._away.failed(f"{error}; trying again, with the values recorded meanwhile")
                pause = min(LONGEST_PAUSE_S, self._interval_s * 2.0 ** min(self._failures, 10))
                return max(pause, self._interval_s, error.after_s)
            except BaseException as error:  # noqa: BLE001  # it would fail again, so these samples are dropped
                self._handles.lose(len(part))
                self._delivered = False
                self._broken.failed(f"{describe(error)}; the samples are dropped", error)
            else:
                self.sent += len(part)
                for failing in (self._away, self._refusing, self._broken):
                    failing.worked()
        self._failures = 0
        return self._interval_s

    def _begin_anew(self) -> None:
        """Start with no failure logged."""
        shown = self._target.shown
        self._away, self._refusing, self._broken = _Failing(shown), _Failing(shown), _Failing(shown)

    # --- forks ---

    def hold(self) -> None:
        """Block changes until `release`, during a fork."""
        self._handles.lock.acquire()

    def release(self) -> None:
        """End `hold`."""
        self._handles.lock.release()

    def forked(self) -> None:
        """Start over in a child process; its parent sends the queued values."""
        self._handles.forked()
        self._target.forget()
        self.sent = self.refused = 0
        self._wake = threading.Event()
        self._answer = threading.Condition(self._handles.lock)
        self._asked = self._answered = self._failures = 0
        self._pause_s = self._interval_s
        self._begin_anew()


class _Failing:
    """Logs one kind of failure: when it begins and when it is over, and nothing more for `LOG_EVERY_S`.

    Args:
        shown: the address, for the log.
    """

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._logged = False
        self._silent_until = -math.inf

    def failed(self, text: str, error: BaseException | None = None) -> None:
        """Log a failure, unless it is logged already."""
        now = time.monotonic()
        if not self._logged and now >= self._silent_until:
            self._logged, self._silent_until = True, now + LOG_EVERY_S
            self._log(logging.WARNING, text, error)

    def worked(self) -> None:
        """Log that the failure is over, if it was logged."""
        if self._logged:
            self._logged = False
            self._log(logging.INFO, "it works again")

    def _log(self, level: int, text: str, error: BaseException | None = None) -> None:
        with contextlib.suppress(BaseException):  # a handler may be foreign code, and the thread continues
            log_safely(level, f"push to {self._shown}: {text}", error)


def _rest(batch: Batch, start: int) -> Batch:
    """Return a batch without its first samples."""
    rest: list[tuple[PushHandle, list[float]]] = []
    for handle, values in batch:
        if len(values) > start:
            rest.append((handle, values[start:]))
        start = max(0, start - len(values))
    return rest


# --- fork and exit: registered once for all clients, since it cannot be undone ---

_pushes: "weakref.WeakSet[Push]" = weakref.WeakSet()


def _before_fork() -> None:
    _held.pushes = list(_pushes)
    for one in _held.pushes:
        one.hold()
    loading_lock.acquire()


def _after_fork_in_parent() -> None:
    loading_lock.release()
    for one in _held.pushes:
        one.release()


def _after_fork_in_child() -> None:
    loading_lock.release()
    for one in _held.pushes:
        one.forked()


def _flush_all() -> None:
    end = time.monotonic() + EXIT_S
    for one in list(_pushes):
        with contextlib.suppress(Exception):  # one that fails must not keep others from flushing
            one.flush(end - time.monotonic())


_held = threading.local()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
atexit.register(_flush_all)
