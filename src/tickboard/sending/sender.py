"""The sender: takes batches of ticks from the history and sends them, one request after another, as long as it runs.

      history ──▶ outgoing (the thread that reads) ──▶ receiver (HTTP)
         ▲                    │
         └── position ◀───────┴── taken, refused or in doubt

What a receiver cannot take now is tried again, later and later. What it refuses for good is counted and reported. A
batch of several ticks that is refused is sent again tick by tick, so that what is good in it arrives. It never blocks
the loop, and a backlog is sent at a bounded rate.
"""

import asyncio
import random
import time
from dataclasses import dataclass, replace
from functools import partial

from tickboard.errors import BusyError, HistoryError
from tickboard.history.answers import TimePosition
from tickboard.history.file import FOREVER
from tickboard.history.store import History
from tickboard.hub.traffic import RemoteWritten
from tickboard.output.logs import log
from tickboard.problems import Quiet, Reporter
from tickboard.sending.options import RemoteWriteOptions
from tickboard.sending.outgoing import Outgoing, Request, TickBatch
from tickboard.sending.position import PositionFile
from tickboard.sending.receiver import TIMEOUT_S, Receiver, WriteAnswer
from tickboard.times import time_text

SOURCE = "remote write"
"""The source of the problems of a receiver that cannot be reached."""

REFUSED, DELETED, NAMES, POSITION = (
    f"{SOURCE}: refused samples",
    f"{SOURCE}: deleted ticks",
    f"{SOURCE}: names",
    f"{SOURCE}: position",
)
"""The sources of its other problems."""

LOOK_S = 1.0
"""Seconds between two looks for new ticks, which are committed once a second."""

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 1.0, 10.0
"""After a failure a request is tried again after a second, then after twice as long each time."""

RATE = 50_000
"""Samples a second that a backlog is sent at, at most; but always `AHEAD` times those that come."""

AHEAD = 4

REQUEST_S = 0.01
"""The least time between the starts of two requests of a backlog."""

MOST_TICKS = 5_000
"""Ticks in one batch, if they fit."""


@dataclass(frozen=True)
class _Attempt:
    """How far a batch came before one of its requests failed.

    Attributes:
        until: of the batch; None: there is none.
        ended: how many of its requests were taken or refused.
        is_doubtful: whether all of them may have been taken before they were first sent here.
    """

    until: TimePosition | None = None
    ended: int = 0
    is_doubtful: bool = False


class Sender:
    """Sends the ticks of a history to one receiver while `run` runs.

    Args:
        options: what to send where.
        history: has the ticks.
        counts: counts the samples.
        problems: where it reports what is wrong.
        timeout_s: how long an answer may take.
    """

    def __init__(
        self,
        options: RemoteWriteOptions,
        history: History,
        counts: RemoteWritten,
        problems: Reporter,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        assert options.url is not None
        self._history = history
        self._counts = counts
        self._problems = problems
        self._delay_ms = round((options.delay or 0.0) * 1000)
        self._version = options.version or "1.0"
        self._receiver = Receiver(options.url, options.headers or {}, timeout_s)
        # Ticks have the time of the wall clock, and those from now on are sent.
        start_ms = round(time.time() * 1000)
        self._outgoing = Outgoing(options, PositionFile(history.path, options.url.reveal()), start_ms)
        self._most = MOST_TICKS
        self._failures = 0
        self._attempt = _Attempt()
        self._refused = Quiet()
        self._deleted = Quiet()

    async def run(self) -> None:
        """Send until it is cancelled."""
        done: TimePosition | None = None
        # If it was started again: of the last batch nothing is known.
        in_doubt, self._attempt = True, _Attempt()
        try:
            while True:
                look = partial(
                    self._outgoing.next,
                    version=self._version,
                    most=self._most,
                    done=done,
                    in_doubt=in_doubt,
                    until_ms=self._until_ms(),
                )
                try:
                    batch = await self._history.read_committed(look)
                except BusyError:
                    await asyncio.sleep(LOOK_S)
                    continue
                except HistoryError as error:
                    self._problems.report(SOURCE, f"the history cannot be read: {error}", kind="history")
                    await asyncio.sleep(LONGEST_BACKOFF_S)
                    continue
                self._report(batch)
                done, in_doubt = None, False
                if batch is None:
                    await asyncio.sleep(LOOK_S)
                    continue
                began = time.monotonic()
                is_settled, in_doubt, wait_s = await self._send(batch)
                if is_settled:
                    done = batch.until
                    wait_s = wait_s or _pace_s(batch) - (time.monotonic() - began)
                await asyncio.sleep(max(wait_s, 0.0))
        finally:
            await self._receiver.close()

    def _until_ms(self) -> int:
        # Ticks have the time of the wall clock.
        return round(time.time() * 1000) - self._delay_ms if self._delay_ms else FOREVER

    # --- sending ---

    async def _send(self, batch: TickBatch) -> tuple[bool, bool, float]:
        """Send a batch. Return whether it is settled, whether it may have been taken, and how long to wait now."""
        wait_s, was_refused = 0.0, False
        if self._attempt.until != batch.until:
            self._attempt = _Attempt(batch.until, is_doubtful=batch.is_doubtful)
        first = self._attempt.ended
        for number, request in enumerate(batch.requests[first:], first):
            answer = await self._receiver.send(request.body, self._version)
            if answer.kind == "failed":
                self._attempt = replace(self._attempt, ended=number)
                return False, answer.in_doubt, self._failed(answer)
            if answer.kind == "unsupported":
                log.warning("%s: %s does not take version 2.0: it is sent 1.0", SOURCE, self._receiver.name)
                self._version = "1.0"
                self._attempt = _Attempt()
                return False, False, 0.0
            # The fault of the whole request, such as a wrong token, and not of some samples.
            is_general = answer.kind == "refused" and answer.status not in {400, 413}
            if not is_general:
                self._failures = 0
            self._problems.clear(SOURCE)
            if answer.kind == "taken":
                self._took(request, answer)
                continue
            # Of the requests after the one that failed, none was sent.
            is_doubtful = batch.is_doubtful and (number == first or self._attempt.is_doubtful)
            if is_doubtful and batch.ticks == 1 and answer.status == 400:
                # Of what it has taken already, it says that it is out of order.
                self._counts.sent += request.samples
                continue
            if is_general:
                wait_s = self._backoff_s()
                self._failures += 1
            if batch.ticks > 1:
                self._most = batch.ticks // 2 if answer.status == 413 else 1
                return False, False, wait_s
            self._refuse(request.samples, answer)
            was_refused = True
        self._most = 1 if was_refused else min(2 * self._most, MOST_TICKS)
        return True, False, wait_s

    def _took(self, request: Request, answer: WriteAnswer) -> None:
        """Count samples that were taken; those that the answer does not count were refused."""
        if answer.written is None or answer.written >= request.samples:
            self._counts.sent += request.samples
        else:
            self._refuse(request.samples, replace(answer, why=f"it took {answer.written} of {request.samples}"))

    def _refuse(self, samples: int, answer: WriteAnswer) -> None:
        """Count and report samples that were refused."""
        written = min(answer.written or 0, samples)
        self._counts.sent += written
        self._counts.refused += samples - written
        self._refused.failed(time.monotonic())
        self._problems.report(
            REFUSED,
            f"{self._receiver.name} refuses samples, which are not sent again: {answer.why}",
            kind=answer.status,
            brief="the receiver refuses some of what it is sent (the log says more)",
        )

    def _failed(self, answer: WriteAnswer) -> float:
        """Report that a request failed, and return when to try again."""
        self._counts.failed += 1
        self._problems.report(
            SOURCE,
            f"{self._receiver.name} takes nothing: {answer.why}; history keeps what waits, and it is tried again",
            kind=("failed", answer.status),
            brief="the receiver takes nothing (the log says more); history keeps what waits",
        )
        backoff_s = self._backoff_s()
        self._failures += 1
        return backoff_s if answer.retry_after_s is None else max(answer.retry_after_s, FIRST_BACKOFF_S)

    def _backoff_s(self) -> float:
        longest_s = min(FIRST_BACKOFF_S * 2.0 ** min(self._failures, 30), LONGEST_BACKOFF_S)
        # Not all at the same time, if many boards have one receiver.
        return longest_s * random.uniform(0.75, 1.0)

    # --- reporting ---

    def _report(self, batch: TickBatch | None) -> None:
        """Report how much waits, and what is wrong with the ticks or the position."""
        now = time.monotonic()
        if not self._failures:
            self._problems.clear(SOURCE)
        self._counts.waiting = 0 if batch is None else batch.waiting
        self._counts.oldest = None if batch is None else batch.since_ms / 1000
        if batch is not None and batch.deleted_ms is not None:
            start, end = map(time_text, batch.deleted_ms)
            self._deleted.failed(now)
            self._problems.report(
                DELETED,
                f"ticks from {start} to {end} were deleted before they could be sent: keep them longer, with --keep "
                "or --history-size",
            )
        for quiet, source in ((self._deleted, DELETED), (self._refused, REFUSED)):
            if quiet.is_over(now):
                self._problems.clear(source, "")
        for source, trouble in ((NAMES, self._clash()), (POSITION, self._outgoing.trouble)):
            if trouble:
                self._problems.report(source, trouble, kind=source)
            else:
                self._problems.clear(source)

    def _clash(self) -> str:
        clash = self._outgoing.names.clash
        return clash and f"{clash}, where other characters become _: one of them is not sent; give it another name"


def _pace_s(batch: TickBatch) -> float:
    """Return how long a batch of a backlog must take at least."""
    if batch.waiting <= batch.samples:
        return 0.0
    coming = batch.samples / batch.ticks * 1000 / batch.interval_ms
    return max(batch.samples / max(RATE, AHEAD * coming), REQUEST_S * len(batch.requests))
