"""The sender: takes batches of ticks from the history and sends them, one request after another.

      history ──▶ outgoing (in the reader thread) ──▶ receiver (HTTP)
         ▲                    │
         └── position ◀───────┴── accepted, refused or in doubt

A request that fails is tried again after growing pauses. Samples that the receiver refuses for good are counted and
reported. If it refuses a batch of several ticks, they are sent again one by one, so that the valid ones arrive. The
sender never blocks the loop, and sends a backlog at a bounded rate.
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
"""Seconds between two checks for new ticks, which are committed once a second."""

FIRST_BACKOFF_S, LONGEST_BACKOFF_S = 1.0, 10.0
"""The first and the longest pause before a failed request is tried again; each is twice the one before."""

RATE = 50_000
"""The most samples of a backlog to send in a second; or `AHEAD` times as many as arrive, if that is more."""

AHEAD = 4

REQUEST_S = 0.01
"""The shortest time between the starts of two requests of a backlog."""

MOST_TICKS = 5_000
"""The most ticks in one batch, if they fit."""


@dataclass(frozen=True)
class _Attempt:
    """How much of a batch was sent before one of its requests failed.

    Attributes:
        until: the batch's `until`; None if there is no batch.
        ended: how many of its requests were accepted or refused.
        is_doubtful: whether all of them may have been accepted before this attempt.
    """

    until: TimePosition | None = None
    ended: int = 0
    is_doubtful: bool = False


class Sender:
    """Sends the ticks of a history to one receiver while `run` runs.

    Args:
        options: what to send, and where.
        history: holds the ticks.
        counts: counts the samples.
        problems: where failures are reported.
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
        # Start with the ticks from now on; their times are the wall clock's.
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
        # After a restart of this part, the outcome of the last batch is unknown.
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
        # Ticks follow the wall clock.
        return round(time.time() * 1000) - self._delay_ms if self._delay_ms else FOREVER

    # --- sending ---

    async def _send(self, batch: TickBatch) -> tuple[bool, bool, float]:
        """Send a batch. Return whether it is settled, whether it may have been accepted, and how long to wait now."""
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
                log.warning("%s: %s does not support version 2.0: using 1.0", SOURCE, self._receiver.name)
                self._version = "1.0"
                self._attempt = _Attempt()
                return False, False, 0.0
            # The whole request is at fault, for example with a wrong token, and not some of its samples.
            is_general = answer.kind == "refused" and answer.status not in {400, 413}
            if not is_general:
                self._failures = 0
            self._problems.clear(SOURCE)
            if answer.kind == "accepted":
                self._count_accepted(request, answer)
                continue
            # No request after the failed one was sent.
            is_doubtful = batch.is_doubtful and (number == first or self._attempt.is_doubtful)
            if is_doubtful and batch.ticks == 1 and answer.status == 400:
                # The receiver reports samples that it already has as out of order.
                self._counts.sent += request.samples
                continue
            if is_general:
                wait_s = self._backoff_s()
                self._failures += 1
            if batch.ticks > 1:
                self._most = batch.ticks // 2 if answer.status == 413 else 1
                return False, False, wait_s
            self._report_refused(request.samples, answer)
            was_refused = True
        self._most = 1 if was_refused else min(2 * self._most, MOST_TICKS)
        return True, False, wait_s

    def _count_accepted(self, request: Request, answer: WriteAnswer) -> None:
        """Count accepted samples. Those missing from the answer's count were refused."""
        if answer.written is None or answer.written >= request.samples:
            self._counts.sent += request.samples
        else:
            why = f"it accepted {answer.written} of {request.samples}"
            self._report_refused(request.samples, replace(answer, why=why))

    def _report_refused(self, samples: int, answer: WriteAnswer) -> None:
        """Count and report refused samples."""
        written = min(answer.written or 0, samples)
        self._counts.sent += written
        self._counts.refused += samples - written
        self._refused.failed(time.monotonic())
        self._problems.report(
            REFUSED,
            f"{self._receiver.name} refused samples, which are not sent again: {answer.why}",
            kind=answer.status,
            brief="the receiver refused some samples (the log says more)",
        )

    def _failed(self, answer: WriteAnswer) -> float:
        """Report a failed request, and return how long to wait before the next attempt."""
        self._counts.failed += 1
        self._problems.report(
            SOURCE,
            f"{self._receiver.name} cannot be sent to: {answer.why}; ticks wait in the history",
            kind=("failed", answer.status),
            brief="the receiver cannot be sent to (the log says more); ticks wait in the history",
        )
        backoff_s = self._backoff_s()
        self._failures += 1
        return backoff_s if answer.retry_after_s is None else max(answer.retry_after_s, FIRST_BACKOFF_S)

    def _backoff_s(self) -> float:
        longest_s = min(FIRST_BACKOFF_S * 2.0 ** min(self._failures, 30), LONGEST_BACKOFF_S)
        # Random, so that many boards do not try the same receiver at the same time.
        return longest_s * random.uniform(0.75, 1.0)

    # --- reporting ---

    def _report(self, batch: TickBatch | None) -> None:
        """Report how much waits, and problems of the ticks or the position."""
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
        return clash and f"{clash} in Prometheus, where other characters become _: one is not sent: rename it"


def _pace_s(batch: TickBatch) -> float:
    """Return the least time that a batch of a backlog must take."""
    if batch.waiting <= batch.samples:
        return 0.0
    coming = batch.samples / batch.ticks * 1000 / batch.interval_ms
    return max(batch.samples / max(RATE, AHEAD * coming), REQUEST_S * len(batch.requests))
