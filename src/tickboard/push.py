"""Pushing: numbers of any program to a board that runs elsewhere.

A thread of its own sends what a `Recorder` has, every second; it works in a child process after a fork as well, and
holds up the end of the program for a second at most. The standard library is all that it needs, and the larger parts of
it only when there is something to send.
"""

import atexit
import contextlib
import logging
import os
import threading
import time
import weakref
from base64 import b64encode
from collections.abc import Iterable, Mapping
from json import loads
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

from tickboard.errors import InputError
from tickboard.recorder import Batch, Counter, Gauge, Handle, Histogram, Recorder

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

MAX_LINES = 5_000
"""Samples of one request: about half a megabyte."""

REPEAT_S = 60.0
"""A gauge that stays as it is is told again so often, so that the board doesn't take it for gone."""

TIMEOUT_S = 5.0
"""The longest that a request may wait for the network."""

LONGEST_PAUSE_S = 30.0
"""Between two attempts while the board cannot be reached."""

LONGEST_RETRY_AFTER_S = 300.0
"""What a server may ask for; more is taken for this."""

EXIT_S = 1.0
"""The longest that the end of the program is held up, to send what is left."""

_logger = logging.getLogger("tickboard")


def push(
    url: str,
    *,
    interval_s: float = 1.0,
    labels: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> "Push":
    """Return what pushes this program's numbers to a board.

    Args:
        url: the board's address as it is opened in a browser, ``http://host:3000``, ``https://user:word@host/live``.
        interval_s: seconds between two times that it sends.
        labels: of every series, ``{"host": "a"}``.
        headers: sent with every request, as those that a proxy in front of the board wants.

    Raises:
        InputError: an argument cannot be used. Nothing that is done with a `Push` raises anything.
    """
    return Push(url, interval_s=interval_s, labels=labels, headers=headers)


class Push:
    """Where numbers are recorded, by any thread; also a context manager that closes. Made by `push`.

    Attributes:
        sent: samples that the board has taken.
        refused: samples that it has not.
    """

    def __init__(
        self,
        url: str,
        *,
        interval_s: float = 1.0,
        labels: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not 0.01 <= interval_s <= threading.TIMEOUT_MAX:
            raise InputError(f"interval_s={interval_s!r}: give seconds, 0.01 or more")
        self.sent = 0
        self.refused = 0
        self._target = _Target(url, headers or {})
        self._interval_s = interval_s
        self._recorder = Recorder(labels or {}, self._begin)
        self._wake = threading.Event()
        self._answer = threading.Condition(self._recorder.lock)
        self._asked = self._answered = self._failures = 0
        self._delivered = True
        self._complained = False
        _pushes.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def gauge(self, name: str, title: str = "", *, unit: str = "", labels: Iterable[str] = ()) -> Gauge:
        """Return the handle of a metric that goes up and down.

        Args:
            name: what it is called on the board.
            title: what people read; the board makes one of the name when empty.
            unit: of its values.
            labels: the names of the labels that tell its series apart.
        """
        return self._recorder.declare(Gauge, name, title, unit, labels)

    def counter(self, name: str, title: str = "", *, unit: str = "", labels: Iterable[str] = ()) -> Counter:
        """Return the handle of something that is counted, shown as a rate per second; as `gauge`."""
        return self._recorder.declare(Counter, name, title, unit, labels)

    def histogram(self, name: str, title: str = "", *, unit: str = "", labels: Iterable[str] = ()) -> Histogram:
        """Return the handle of values of which the board shows the average and percentiles; as `gauge`."""
        return self._recorder.declare(Histogram, name, title, unit, labels)

    @property
    def dropped(self) -> int:
        """How many values were lost: too many while the board could not be reached, or refused by it."""
        return self._recorder.dropped + self.refused

    @property
    def invalid(self) -> int:
        """How many could not be recorded: no number, a counter that would fall, other labels than declared."""
        return self._recorder.invalid

    def flush(self, timeout: float = EXIT_S) -> bool:
        """Send what has been recorded now, and wait for it, `timeout` seconds at most; return whether all is sent."""
        recorder = self._recorder
        with recorder.lock:
            if not recorder.taken:
                # Where it could not be begun there is something, which waits.
                return not recorder.pending
            self._asked += 1
            wanted = self._asked
            self._wake.set()
            answered = self._answer.wait_for(
                lambda: self._answered >= wanted, min(max(0.0, timeout), threading.TIMEOUT_MAX)
            )
            return answered and self._delivered

    def close(self, timeout: float = EXIT_S) -> None:
        """Send what is left as `flush` does, and end; what is recorded afterwards is dropped."""
        self.flush(timeout)
        with self._recorder.lock:
            self._recorder.closed = True
            self._wake.set()
        _pushes.discard(self)

    # --- the thread ---

    def _begin(self) -> bool:
        try:
            threading.Thread(target=self._run, name="tickboard push", daemon=True).start()
        except RuntimeError:
            return False  # the program ends, or has too many threads
        return True

    def _run(self) -> None:
        recorder, repeated = self._recorder, time.monotonic()
        pause = self._interval_s
        closed = False
        while not closed:
            self._wake.wait(pause)
            with recorder.lock:
                self._wake.clear()
                asked, closed = self._asked, recorder.closed
                repeat = time.monotonic() - repeated >= REPEAT_S
                batch = recorder.take(repeat=repeat)
            repeated = time.monotonic() if repeat else repeated
            pause = self._deliver(batch)
            with recorder.lock:
                if closed:
                    recorder.taken = False
                    asked = self._asked
                self._answered = asked
                self._delivered = not self._failures
                self._answer.notify_all()
        self._target.close()

    def _deliver(self, batch: Batch) -> float:
        """Send samples, or have them wait again; return how long to pause."""
        samples = [(handle, value) for handle, values in batch for value in values]
        for start in range(0, len(samples), MAX_LINES):
            part = samples[start : start + MAX_LINES]
            try:
                self._target.post("".join(handle.line(value) for handle, value in part))
                self.sent += len(part)
            except _RefusedError as error:
                if not self.refused:
                    _logger.warning("push to %s: %s; it is dropped, and further ones too", self._target.shown, error)
                self.sent += len(part) - error.count
                self.refused += error.count
            except _RetryError as error:
                self._recorder.put_back(_rest(batch, start))
                self._failures += 1
                self._complain(str(error))
                pause = min(LONGEST_PAUSE_S, self._interval_s * 2.0 ** min(self._failures, 10))
                return max(pause, self._interval_s, error.after_s)
            else:
                self._work()
        self._failures = 0
        return self._interval_s

    def _complain(self, text: str) -> None:
        """Log that the board cannot be reached, once, until it can."""
        if not self._complained:
            self._complained = True
            _logger.warning(
                "push to %s: %s; it is tried again, with what is recorded meanwhile", self._target.shown, text
            )

    def _work(self) -> None:
        if self._complained:
            self._complained = False
            _logger.info("push to %s: it works again", self._target.shown)

    # --- forks ---

    def hold(self) -> None:
        """Keep all as it is until `let_go`, for a fork."""
        self._recorder.lock.acquire()

    def let_go(self) -> None:
        """End `hold`."""
        self._recorder.lock.release()

    def forked(self) -> None:
        """Begin anew in a child process: what was waiting is its parent's to send."""
        self._recorder.forked()
        self._target.forget()
        self.sent = self.refused = 0
        self._wake = threading.Event()
        self._answer = threading.Condition(self._recorder.lock)
        self._asked = self._answered = self._failures = 0


def _rest(batch: Batch, start: int) -> Batch:
    """Return a batch without its first samples."""
    rest: list[tuple[Handle, list[float]]] = []
    for handle, values in batch:
        if len(values) > start:
            rest.append((handle, values[start:]))
        start = max(0, start - len(values))
    return rest


# --- the network ---


class _RetryError(Exception):
    """It may work later.

    Args:
        text: what happened.
        after_s: when the server says to come back, in seconds.
    """

    def __init__(self, text: str, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.after_s = after_s


class _RefusedError(Exception):
    """It will never work.

    Args:
        text: what the board says.
        count: how many of the samples were refused.
    """

    def __init__(self, text: str, count: int) -> None:
        super().__init__(text)
        self.count = count


class _Target:
    """The board's address, and the connection to it; of one thread."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        try:
            parts = urlsplit(url)
            good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except (ValueError, AttributeError, TypeError):
            good = False
        if not good or not url.isascii() or not url.isprintable() or " " in url:
            raise InputError(f"{url!r} is no address of a board: write it as http://localhost:3000")
        self.shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._parts = parts
        self._path = f"{parts.path.rstrip('/')}/api/metrics"
        self._headers = {"Content-Type": "application/x-ndjson", "User-Agent": "tickboard-push"} | dict(headers)
        if parts.username is not None:
            who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers.setdefault("Authorization", f"Basic {b64encode(who.encode()).decode()}")
        self._connection: HTTPConnection | None = None

    def post(self, body: str) -> None:
        """Send one body.

        Raises:
            _RetryError: it did not get there.
            _RefusedError: it did, and will not be taken.
        """
        with _loading:
            # The second one is what a socket takes a host's name apart with.
            import encodings.idna  # noqa: F401
            from http.client import HTTPException

        used = self._connection is not None
        try:
            try:
                response, text = self._exchange(body.encode())
            except (ConnectionError, HTTPException):
                # A server closes a connection that has been idle, often just as it is used again.
                self.close()
                if not used:
                    raise
                response, text = self._exchange(body.encode())
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise _RetryError(f"{type(error).__name__}: {error}") from None
        _judge(response, text, body.count("\n"))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
        self.forget()

    def forget(self) -> None:
        """Leave the connection to the process that opened it."""
        self._connection = None

    def _exchange(self, body: bytes) -> "tuple[HTTPResponse, bytes]":
        connection = self._connection = self._connection or self._open()
        connection.request("POST", self._path, body, self._headers)
        response = connection.getresponse()
        text = response.read(65_536)
        if not response.isclosed():
            self.close()
        return response, text

    def _open(self) -> "HTTPConnection":
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=TIMEOUT_S)


def _judge(response: "HTTPResponse", text: bytes, samples: int) -> None:
    """Raise what an answer means, where it isn't that all is well."""
    status = response.status
    if 200 <= status < 300:
        return
    said, refused = f"it answers {status} {response.reason}", samples
    with contextlib.suppress(ValueError, LookupError, AttributeError, TypeError):
        answer = loads(text)
        said = str(answer["error"])
        refused = min(samples, max(0, int(answer.get("refused", samples))))
    if status in {408, 429} or status >= 500:
        raise _RetryError(said, _retry_after(response.getheader("Retry-After") or ""))
    if 300 <= status < 400:
        said = f"it answers {status}, go to {response.getheader('Location')}: give the address that it leads to"
    raise _RefusedError(said, refused)


def _retry_after(text: str) -> float:
    return min(float(text), LONGEST_RETRY_AFTER_S) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


# --- fork and exit: told once for all, since it cannot be taken back ---

_pushes: "weakref.WeakSet[Push]" = weakref.WeakSet()

_loading = threading.Lock()
"""Held while modules are loaded: a child of a fork in the middle of it would wait for them for ever."""


def _before_fork() -> None:
    _held.pushes = list(_pushes)
    for one in _held.pushes:
        one.hold()
    _loading.acquire()


def _after_fork_in_parent() -> None:
    _loading.release()
    for one in _held.pushes:
        one.let_go()


def _after_fork_in_child() -> None:
    _loading.release()
    for one in _held.pushes:
        one.forked()


def _flush_all() -> None:
    end = time.monotonic() + EXIT_S
    for one in list(_pushes):
        one.flush(end - time.monotonic())


_held = threading.local()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
atexit.register(_flush_all)
