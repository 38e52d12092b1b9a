"""The readers of the alert stream: their positions in the log, and the fan-out of new events to all of them.

There is one log of alert events, and a reader's position is a number in it. So nothing is queued for a slow reader: it
continues from its number when its connection accepts data again. The events after a number are encoded once for all
readers, in chunks of bounded size. If connections have descriptors and nothing waits in front of them, one call writes
a chunk to many of them. Like the hub, this module knows no asyncio and no sockets.

                 ┌─────────── took the whole chunk ──────────┐
                 ▼                                           │
     join ──▶ idle: sent new events at once ──▶ busy: sent nothing, and nothing is queued
                 ▲                                │     │
                 └── accepts again and continues ─┘     ├── nothing taken for 20 s ──▶ cut
                                                        └── its number has left the log ──▶ ended

A reader that is cut or ended reconnects with its number. It is then sent the events that it missed, or all firing
alerts.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import ParamSpec

from tickboard.alerting.log import AlertEvent, AlertLog, LogEvent
from tickboard.hub.connections import Patience, ReaderConnection, WriteAll, end_failed
from tickboard.hub.events import heartbeat, log_event, stream_start

P = ParamSpec("P")

SLICE = 500
"""How many readers are written to before other work may run."""

CHUNK_BYTES = 65_536
"""A chunk ends with the event that reaches this size. The system buffers twice as much for one connection, so a reader
that is a little late takes it at once."""

CHUNK_EVENTS = 512
"""The most events in a chunk."""

CHUNKS = 64
"""How many chunks are cached. There are more different numbers only when many readers reconnect after an outage."""

HEARTBEAT_S = 30.0
"""Seconds between two heartbeats to a reader."""

NOWHERE = -1
"""The number of a reader without a position in this log: it is sent all firing alerts first."""

NEVER = float("inf")


class AlertReader:
    """One connection that reads the alert stream. `AlertReaders.join` makes it; call `AlertReaders.leave` when it ends.

    Attributes:
        stream: its connection.
        idle: whether its connection accepts a chunk at once.
        slot: its index among the readers; -1 once it is being closed.
        opening: whether it must still be sent the position from which it resumes.
        beat_due: whether a heartbeat is due.
        base: the newest published number when it joined, after which it continues once it has all firing alerts.
        sent: the number of the newest firing alert that it was sent.
        patience: while it is busy, measures for how long it has taken nothing.
    """

    __slots__ = ("_readers", "base", "beat_due", "idle", "opening", "patience", "sent", "slot", "stream")

    def __init__(
        self, readers: "AlertReaders", stream: ReaderConnection, slot: int, base: int, *, opening: bool
    ) -> None:
        self.stream = stream
        self.idle = True
        self.slot = slot
        self.opening = opening
        self.beat_due = False
        self.base = base
        self.sent = 0
        self.patience: Patience | None = None
        self._readers = readers

    def idle_again(self) -> None:
        """Send further events; the stream calls it when it accepts a chunk again."""
        if not self.idle and self.slot >= 0:
            self._readers.idle_again(self)


class AlertReaders:
    """All readers of the alert stream of one board.

    Args:
        log: returns the current log. When its epoch changes, all streams end.
        write_all: writes the same bytes to many descriptors.

    Attributes:
        on_news: called when there may be something to send. Its owner then runs `send_new`, and runs `beat` about once
            a second.
    """

    def __init__(self, log: Callable[[], AlertLog], write_all: WriteAll) -> None:
        self.on_news: Callable[[], None] = _ignore_news
        self._log = log
        self._write_all = write_all
        self._chunks = Chunks(log())
        self._members: set[AlertReader] = set()
        self._busy: set[AlertReader] = set()
        # By slot. Slots are never moved, only reused, so readers that join and leave disturb no other.
        self._slots: list[AlertReader | None] = []
        self._numbers: list[int] = []
        self._descriptors: list[int] = []
        self._coded: list[bool] = []
        self._beats: list[float] = []
        self._free: list[int] = []
        self._beat_time = 0.0

    def __len__(self) -> int:
        """The number of connected readers."""
        return len(self._members)

    def join(self, stream: ReaderConnection, last_event_id: str, now: float) -> AlertReader:
        """Add a reader, and send it the events that it missed, or all firing alerts.

        Args:
            stream: its connection.
            last_event_id: the id of the last event that it received; "0" for all events in the log.
            now: seconds by a clock that never steps.
        """
        log = self._current()
        number = resumed_number(last_event_id, log)
        if not self._free:
            self._free.append(len(self._slots))
            self._slots.append(None)
            self._numbers.append(NOWHERE)
            self._descriptors.append(-1)
            self._coded.append(False)
            self._beats.append(NEVER)
        slot = self._free.pop()
        reader = self._slots[slot] = AlertReader(self, stream, slot, log.published, opening=number is not None)
        self._numbers[slot] = NOWHERE if number is None else number
        self._beats[slot] = now + HEARTBEAT_S
        self._coded[slot] = stream.chunked
        self._members.add(reader)
        try:
            self._read_on(reader)
        except BaseException:
            self.leave(reader)  # the caller has no reader to pass to `leave`
            raise
        return reader

    def leave(self, reader: AlertReader) -> None:
        """Remove a reader; nothing happens if it has left already."""
        self._members.discard(reader)
        self._retire(reader)

    def end(self, reader: AlertReader) -> None:
        """End the stream of a reader, after the chunks that are already sent."""
        self._retire(reader)
        reader.stream.end()

    def close(self) -> None:
        """End every stream, after the chunks that are already sent."""
        for reader in list(self._members):
            self._do_for(reader, self.end, reader)

    def cut_stalled(self, now: float, after_s: float) -> int:
        """Cut the readers whose connections have taken nothing for `after_s`; return how many.

        Args:
            now: seconds by a clock that never steps.
            after_s: seconds; call this several times within that span.
        """
        stalled = [
            reader
            for reader in self._busy
            if reader.patience is not None and reader.patience.tried(now, reader.stream.unsent()) >= after_s
        ]
        for reader in stalled:
            self._retire(reader)
            self._do_for(reader, reader.stream.cut)
        return len(stalled)

    def send_new(self) -> Iterator[None]:
        """Send every reader the events published so far.

        The caller runs the iterator to its end, and other work at each step; between two steps at most `SLICE` readers
        are written to. Events published meanwhile may have to wait for the next call.
        """
        more = True
        while more:
            more = False
            for start in range(0, len(self._slots), SLICE):
                more |= self._send_slice(start, start + SLICE)
                yield

    def beat(self, now: float, time: float) -> Iterator[None]:
        """Send a heartbeat to readers whose last one was `HEARTBEAT_S` ago; in slices like `send_new`.

        Args:
            now: seconds by a clock that never steps.
            time: POSIX seconds.
        """
        self._beat_time = time
        for start in range(0, len(self._slots), SLICE):
            if min(self._beats[start : start + SLICE]) <= now:
                self._beat_slice(start, start + SLICE, now)
                yield

    def idle_again(self, reader: AlertReader) -> None:
        """Continue sending to a reader that was busy."""
        reader.idle, reader.patience = True, None
        self._busy.discard(reader)
        self._current()
        self._read_on(reader)

    def _read_on(self, reader: AlertReader) -> None:
        """Send a reader new chunks until its connection is busy."""
        while reader.idle and reader.slot >= 0 and (chunk := self._next(reader)) is not None:
            if not reader.stream.write(self._chunks.coded(chunk) if reader.stream.chunked else chunk):
                self._become_busy(reader)
        if reader.idle and reader.slot >= 0:
            self._descriptors[reader.slot] = reader.stream.descriptor

    def _next(self, reader: AlertReader) -> bytes | None:
        """Return the next chunk for a reader and advance its number; None if there is none."""
        log, slot = self._chunks.log, reader.slot
        number = self._numbers[slot]
        if number == NOWHERE:
            chunk, sent = self._chunks.of_firing(reader.base, reader.sent)
            if sent is None:
                self._numbers[slot] = reader.base
            else:
                reader.sent = sent
            return chunk
        if is_lost(number, log):
            self.end(reader)
            return None
        if reader.opening:
            reader.opening = False
            return stream_start(log.epoch, number, whole=False)
        if number != log.published:
            chunk, self._numbers[slot] = self._chunks.after(number)
            return chunk
        if reader.beat_due:
            reader.beat_due = False
            return heartbeat(log.epoch, number, self._beat_time)
        return None

    def _become_busy(self, reader: AlertReader) -> None:
        reader.idle = False
        if reader.slot >= 0:
            reader.patience = Patience()
            self._descriptors[reader.slot] = -1
            self._busy.add(reader)

    def _retire(self, reader: AlertReader) -> None:
        """Stop sending to a reader, while its connection is being closed."""
        self._busy.discard(reader)
        if reader.slot >= 0:
            slot, reader.slot = reader.slot, -1
            self._slots[slot], self._numbers[slot] = None, NOWHERE
            self._descriptors[slot], self._beats[slot] = -1, NEVER
            self._free.append(slot)

    def _current(self) -> AlertLog:
        """Return the log; end all streams if its epoch has changed."""
        log = self._log()
        if self._chunks.follow(log):
            self.close()
        return log

    # --- many readers at once ---

    def _send_slice(self, start: int, stop: int) -> bool:
        """Send new events to the readers in these slots; return whether there are more for some of them."""
        log = self._current()
        descriptors, numbers = self._descriptors[start:stop], self._numbers[start:stop]
        behind = {
            number
            for number, descriptor in zip(numbers, descriptors, strict=True)
            if descriptor >= 0 and number != log.published and not is_lost(number, log)
        }
        more = False
        for number in behind:
            chunk, after = self._chunks.after(number)
            more |= after < log.published
            chosen = [
                descriptor if where == number else -1 for where, descriptor in zip(numbers, descriptors, strict=True)
            ]
            self._numbers[start:stop] = [
                after if descriptor >= 0 else where
                for where, descriptor in zip(self._numbers[start:stop], chosen, strict=True)
            ]
            self._write(start, chosen, chunk)
        # Readers without a descriptor are served one by one, and those whose number has left the log are ended.
        for index, (number, descriptor) in enumerate(zip(numbers, descriptors, strict=True)):
            if descriptor < 0 or (number != log.published and number not in behind):
                reader = self._slots[start + index]
                if reader is not None and reader.idle:
                    self._do_for(reader, self._read_on, reader)
        return more

    def _beat_slice(self, start: int, stop: int, now: float) -> None:
        """Send a heartbeat to the readers in these slots for which one is due."""
        log = self._current()
        due = [slot for slot, when in enumerate(self._beats[start:stop], start) if when <= now]
        chosen = [-1] * SLICE
        for slot in due:
            self._beats[slot] += HEARTBEAT_S * (1 + (now - self._beats[slot]) // HEARTBEAT_S)
            reader = self._slots[slot]
            assert reader is not None
            if self._descriptors[slot] >= 0 and self._numbers[slot] == log.published:
                chosen[slot - start] = self._descriptors[slot]
            else:
                reader.beat_due = True
                if reader.idle:
                    self._do_for(reader, self._read_on, reader)
        self._write(start, chosen, heartbeat(log.epoch, log.published, self._beat_time))

    def _write(self, start: int, descriptors: list[int], wire: bytes) -> None:
        """Write to the descriptors of the readers from slot `start` on, each in its coding."""
        coded = self._coded[start : start + len(descriptors)]
        codings = set(coded)
        for coding in codings:
            chosen = descriptors
            if len(codings) > 1:
                pairs = zip(coded, descriptors, strict=False)  # the last slice may have fewer slots
                chosen = [descriptor if each == coding else -1 for each, descriptor in pairs]
            self._write_coded(start, chosen, self._chunks.coded(wire) if coding else wire)

    def _write_coded(self, start: int, descriptors: list[int], wire: bytes) -> None:
        for index, written in self._write_all(descriptors, wire):
            reader = self._slots[start + index]
            assert reader is not None
            self._do_for(reader, self._interrupted, reader, wire, written)

    def _interrupted(self, reader: AlertReader, wire: bytes, written: int) -> None:
        if not reader.stream.rest(wire, written):
            self._become_busy(reader)

    def _do_for(self, reader: AlertReader, do: Callable[P, None], *args: P.args, **named: P.kwargs) -> None:
        """Do something for one reader of many. If it raises, cut that reader; the others continue."""
        try:
            do(*args, **named)
        except Exception as error:  # noqa: BLE001  # it is logged
            self._retire(reader)
            end_failed("a reader of alerts", error, reader.stream.cut)


class Chunks:
    """The events after a number of the log, encoded once for all readers until more are published.

    Args:
        log: the first log. Call `follow` with the current log before each use.

    Attributes:
        log: the log.
    """

    def __init__(self, log: AlertLog) -> None:
        self.log = log
        self._published = log.published
        self._kept: dict[tuple[int, int], tuple[bytes, int | None]] = {}
        self._coded: dict[bytes, bytes] = {}
        self._firing: list[AlertEvent] | None = None

    def follow(self, log: AlertLog) -> bool:
        """Drop cached chunks if the log has changed; return whether it has another epoch."""
        other = log.epoch != self.log.epoch
        if log is not self.log or log.published != self._published:
            self.log, self._published = log, log.published
            self._kept.clear()
            self._coded.clear()
            self._firing = None
        return other

    def after(self, number: int) -> tuple[bytes, int]:
        """Return a chunk of the events after `number`, and the number of its last event."""
        chunk, last = self._keep((NOWHERE, number), lambda: self._read(self.log.since(number, CHUNK_EVENTS)))
        return chunk, self.log.published if last is None else last

    def of_firing(self, base: int, sent: int) -> tuple[bytes, int | None]:
        """Return the next firing alerts numbered above `sent` and up to `base`; after the last, also the position.

        Returns:
            A chunk, and the next `sent`; None after the last.
        """
        return self._keep((base, sent), lambda: self._read_firing(base, sent))

    def coded(self, wire: bytes) -> bytes:
        """Return bytes in HTTP/1.1's chunked coding (RFC 9112, section 7.1), made once for all readers."""
        found = self._coded.get(wire)
        if found is None:
            if len(self._coded) == CHUNKS:
                self._coded.clear()
            found = self._coded[wire] = b"%x\r\n%b\r\n" % (len(wire), wire)
        return found

    def _read_firing(self, base: int, sent: int) -> tuple[bytes, int | None]:
        if self._firing is None:
            self._firing = self.log.firing()
        first = bisect_right(self._firing, sent, key=_number)
        events = self._firing[first : min(first + CHUNK_EVENTS, bisect_right(self._firing, base, key=_number))]
        chunk, last = self._read(events)
        # These events are older than the position, so it follows them: a client must resume from the position.
        return (chunk, last) if last is not None else (chunk + stream_start(self.log.epoch, base, whole=True), None)

    def _read(self, events: Sequence[LogEvent]) -> tuple[bytes, int | None]:
        """Return the first chunk of some events, and its last number; None if no more can follow."""
        parts: list[bytes] = []
        size = 0
        for event in events:
            parts.append(log_event(self.log.epoch, event))
            size += len(parts[-1])
            if size >= CHUNK_BYTES:
                return b"".join(parts), event.number
        return b"".join(parts), events[-1].number if len(events) == CHUNK_EVENTS else None

    def _keep(self, key: tuple[int, int], read: Callable[[], tuple[bytes, int | None]]) -> tuple[bytes, int | None]:
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) == CHUNKS:
                self._kept.clear()
            found = self._kept[key] = read()
        return found


def resumed_number(last_event_id: str, log: AlertLog) -> int | None:
    """Return the number to resume after; None if a reader can't resume from this id."""
    if last_event_id == "0":
        oldest = log.since(0, 1)
        return oldest[0].number - 1 if oldest else log.published
    epoch, dash, number = last_event_id.rpartition("-")
    if not (dash and epoch == log.epoch and number.isascii() and number.isdigit() and len(number) < 20):
        return None
    return None if is_lost(int(number), log) else int(number)


def is_lost(number: int, log: AlertLog) -> bool:
    """Return whether a reader can't resume after `number`: it is ahead of the log, or later events have left it."""
    return number > log.published or (number < log.published and not log.can_resume_after(number))


def _number(event: LogEvent) -> int:
    return event.number


def _ignore_news() -> None:
    pass
