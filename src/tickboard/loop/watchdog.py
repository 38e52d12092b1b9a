"""The watchdog: a thread that detects when the event loop is blocked, and ends the program if it does not end itself.

An async sampler that never awaits delays every tick, answer and viewer, and nothing in the loop can report that. The
thread logs where the loop is stuck, once, and when it continues. After Ctrl-C or SIGTERM the program has `END_S` to end
by itself, whatever hangs: a sampler, a disk, a listener. Then the thread logs where the main thread is stuck, and ends
the program.
"""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable

from tickboard.output import terminal
from tickboard.output.logs import log

BEAT_S = 0.5
"""How often the loop signals that it runs, and the thread checks."""

BLOCKED_S = 5.0
"""A loop that has not signalled for this many seconds is blocked."""

END_S = 8.0
"""How many seconds the program has to end after the first request; everything awaited at the end takes less."""

END_NOW_S = 1.0
"""The same, after a second request."""

LOG_S = 1.0
"""How many seconds the last log record may take: standard error may be a pipe that nobody reads."""

STATUS = 1
"""The exit status of a program that had to be ended."""


class Watchdog:
    """Watches the loop that it is started in. Call `start`, and `leave` and `hurry` from a signal handler.

    Args:
        blocked_s: seconds after which a loop that does not run is reported.
        end_s: seconds that the program has to end.
        end_now_s: the same, after `hurry`.
        leave_now: ends the program with an exit status.
    """

    def __init__(
        self,
        blocked_s: float = BLOCKED_S,
        end_s: float = END_S,
        end_now_s: float = END_NOW_S,
        leave_now: Callable[[int], object] = os._exit,
    ) -> None:
        self._blocked_s = blocked_s
        self._end_s = end_s
        self._end_now_s = end_now_s
        self._leave_now = leave_now
        self._thread_id = threading.get_ident()
        self._beaten = 0.0
        self._deadline: float | None = None
        self._blocked_since: float | None = None

    def start(self) -> None:
        """Start watching; call it in the running loop, in the main thread."""
        self._thread_id = threading.get_ident()
        self._beat(asyncio.get_running_loop())
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def leave(self) -> None:
        """Give the program `end_s` to end, from the first call."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._end_s

    def hurry(self) -> None:
        """Give the program only `end_now_s` to end: somebody has asked again."""
        self._deadline = min(self._deadline or float("inf"), time.monotonic() + self._end_now_s)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beaten = time.monotonic()
        loop.call_later(BEAT_S, self._beat, loop)

    def _watch(self) -> None:
        looked = time.monotonic()
        while True:
            time.sleep(BEAT_S)
            now = time.monotonic()
            if now - looked > 2 * BEAT_S:
                # This thread was delayed as well, for example because the program was stopped: give the loop a moment.
                self._beaten = max(self._beaten, now)
            looked = now
            if self._deadline is not None and now >= self._deadline:
                self._end()
                return
            self._look(now)

    def _look(self, now: float) -> None:
        if self._blocked_since is None:
            # A program that is ending has closed its loop.
            if self._deadline is None and now - self._beaten >= self._blocked_s:
                self._blocked_since = self._beaten
                log.error(
                    "the event loop has been blocked for %.0f s: nothing is served until it continues; it is at\n%s",
                    now - self._beaten,
                    self._stack(),
                )
        elif self._beaten > self._blocked_since:
            log.warning("the event loop continues; it was blocked for %.0f s", self._beaten - self._blocked_since)
            self._blocked_since = None

    def _end(self) -> None:
        # In a thread, since a log handler may be what hangs.
        words = threading.Thread(target=_log_end, args=(self._stack(),), daemon=True)
        words.start()
        words.join(LOG_S)
        self._leave_now(STATUS)

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001  # the documented way to another thread's stack
        return "".join(traceback.format_stack(frame)) if frame is not None else "(its thread has ended)"


def _log_end(stack: str) -> None:
    log.error("the program did not end by itself and is ended now; it is at\n%s", stack)
    terminal.ERRORS.finish(LOG_S)
