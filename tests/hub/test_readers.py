"""Every reader of the alert stream gets each event once, however slowly it reads and whenever it connects."""

import json
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.outlets import StreamInbox, Writes

from tickboard.alerting import log as alertlog_module
from tickboard.alerting.log import AlertLog
from tickboard.hub import readers as readers_module
from tickboard.hub.readers import CHUNK_BYTES, HEARTBEAT_S, SLICE, AlertReaders
from tickboard.wire import Alert

NOTHING = 0
"""Room in a connection that accepts no bytes."""

JOINED = 1_000.0
"""When readers join, by a clock that never steps."""

Fields = dict[str, str]


class Bench:
    """Readers of a log that the test writes."""

    def __init__(self, epoch: str = "e", *, kept: bool = False) -> None:
        self.log = AlertLog(epoch, kept=kept)
        self.writes = Writes()
        self.news = 0
        self.readers = AlertReaders(lambda: self.log, self.writes)
        self._ids = count(1)

    def fire(self, times: int = 1, message: str = "m") -> None:
        for _ in range(times):
            self.log.append("firing", Alert(f"id{next(self._ids)}", message, "info", "T"), 0.0)

    def resolve(self, number: int = 0) -> None:
        firing = self.log.firing()
        if firing:
            self.log.append("resolved", firing[number % len(firing)].alert, 0.0)

    def join(self, last_event_id: str = "", *, direct: bool = True, room: int = 1 << 40) -> StreamInbox:
        inbox = StreamInbox(self.writes if direct else None, room)
        inbox.reader = self.readers.join(inbox, last_event_id, JOINED)
        return inbox

    def give(self) -> int:
        return sum(1 for _ in self.readers.send_new())

    def beat(self, after_s: float) -> None:
        for _ in self.readers.beat(JOINED + after_s, 5.0):
            pass

    def leave(self, inbox: StreamInbox) -> None:
        assert inbox.reader is not None
        self.readers.leave(inbox.reader)


@pytest.fixture
def bench() -> Bench:
    return Bench()


either_way = pytest.mark.parametrize("direct", [True, False], ids=["direct", "through send"])


def ids(events: list[Fields]) -> list[str]:
    return [event["id"] for event in events]


def kinds(events: list[Fields]) -> list[str]:
    """Return the kind and number of each event."""
    found = []
    for event in events:
        data = json.loads(event["data"])
        kind = event.get("event") or ("heartbeat" if data.get("type") == "heartbeat" else "firing")
        found.append(f"{kind} {event['id'].rpartition('-')[2]}")
    return found


def position(event: Fields) -> tuple[str, int, bool]:
    data = json.loads(event["data"])
    return data["epoch"], data["number"], data["whole"]


# --- joining ---


def test_a_reader_without_a_position_gets_all_firing_alerts(bench: Bench) -> None:
    bench.fire(3)
    bench.resolve(1)
    events = bench.join().take()
    assert kinds(events) == ["firing 1", "firing 3", "position 4"]
    assert position(events[-1]) == ("e", 4, True)
    assert events[-1]["retry"] == "2000"


def test_a_returning_reader_gets_the_events_after_its_last_one(bench: Bench) -> None:
    bench.fire(3)
    events = bench.join("e-1").take()
    assert kinds(events) == ["position 1", "firing 2", "firing 3"]
    assert position(events[0]) == ("e", 1, False)
    assert kinds(bench.join("e-3").take()) == ["position 3"]


def test_a_reader_that_asks_for_everything_gets_the_whole_log(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kinds(bench.join("0").take()) == ["position 0"]
    monkeypatch.setattr(alertlog_module, "LOG_EVENTS", 3)
    bench = Bench()
    bench.fire(5)
    assert kinds(bench.join("0").take()) == ["position 2", "firing 3", "firing 4", "firing 5"]


@pytest.mark.parametrize("wrong", ["", "other-1", "e-", "e-x", "e--1", "e-1e0", "e-٣", "1", "e-9", "e-" + "1" * 30])
def test_an_invalid_position_is_ignored(bench: Bench, wrong: str) -> None:
    bench.fire(2)
    assert kinds(bench.join(wrong).take()) == ["firing 1", "firing 2", "position 2"]


def test_a_position_older_than_the_log_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog_module, "LOG_EVENTS", 2)
    bench = Bench()
    bench.fire(5)
    assert kinds(bench.join("e-2").take())[-1] == "position 5"
    assert kinds(bench.join("e-3").take())[0] == "position 3"


def test_a_position_that_was_never_published_is_ignored() -> None:
    bench = Bench(kept=True)
    bench.fire(3)
    bench.log.publish(1)
    assert kinds(bench.join("e-2").take()) == ["firing 1", "position 1"]
    assert kinds(bench.join("e-1").take()) == ["position 1"]


# --- new events ---


@either_way
def test_every_reader_gets_new_events_once(bench: Bench, direct: bool) -> None:
    inboxes = [bench.join(direct=direct) for _ in range(3)]
    bench.fire()
    bench.give()
    bench.resolve()
    bench.fire()
    bench.give()
    bench.give()
    for inbox in inboxes:
        assert kinds(inbox.take()) == ["position 0", "firing 1", "resolved 2", "firing 3"]


def test_a_chunk_is_written_in_slices_of_readers_with_one_call_each(bench: Bench) -> None:
    inboxes = [bench.join() for _ in range(2 * SLICE + 1)]
    bench.fire(3)
    assert bench.give() == 3
    assert bench.writes.calls == [SLICE, SLICE, 1]
    assert all(kinds(inbox.take())[1:] == ["firing 1", "firing 2", "firing 3"] for inbox in inboxes)


def test_events_of_a_kept_log_are_sent_once_they_are_published() -> None:
    bench = Bench(kept=True)
    inbox = bench.join()
    bench.fire(2)
    bench.give()
    assert kinds(inbox.take()) == ["position 0"]
    bench.log.publish(1)
    bench.give()
    assert kinds(inbox.take()) == ["firing 1"]


def test_joining_or_leaving_during_a_send_neither_loses_nor_repeats_events(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "SLICE", 1)
    first, leaving, last = bench.join(), bench.join(), bench.join()
    bench.fire()
    giving = bench.readers.send_new()
    next(giving)
    bench.leave(leaving)
    joined = bench.join()
    bench.fire()
    for _ in giving:
        pass
    bench.give()
    assert kinds(first.take()) == kinds(last.take()) == ["position 0", "firing 1", "firing 2"]
    assert kinds(leaving.take()) == ["position 0"]
    assert kinds(joined.take()) == ["firing 1", "position 1", "firing 2"]
    assert len(bench.readers) == 3


def test_the_slot_of_a_reader_that_left_is_reused(bench: Bench) -> None:
    for _ in range(3):
        inbox = bench.join()
        bench.leave(inbox)
        bench.leave(inbox)
    bench.join()
    bench.fire()
    bench.give()
    assert (len(bench.readers), bench.writes.calls) == (1, [1])


def test_on_news_does_nothing_by_default(bench: Bench) -> None:
    bench.readers.on_news()
    assert bench.give() == 0


# --- slow and failing readers ---


@either_way
def test_nothing_is_buffered_for_a_slow_reader_which_continues_where_it_was(bench: Bench, direct: bool) -> None:
    slow, other = bench.join(direct=direct), bench.join()
    slow.room = 10
    for _ in range(20):
        bench.fire()
        bench.give()
    assert 0 < slow.unsent() < 100
    slow.read()
    slow.read()
    assert (
        kinds(slow.take()) == kinds(other.take()) == ["position 0", *(f"firing {number + 1}" for number in range(20))]
    )


def test_a_reader_that_accepts_the_rest_at_once_is_not_busy(bench: Bench) -> None:
    class Hesitating(StreamInbox):
        def accept(self, wire: bytes) -> int:
            return super().accept(wire[:10])

        def rest(self, wire: bytes, written: int) -> bool:
            self.raw += wire[written:]
            return True

    inbox = Hesitating(bench.writes)
    bench.readers.join(inbox, "", JOINED)
    for _ in range(2):
        bench.fire()
        bench.give()
    assert kinds(inbox.take()) == ["position 0", "firing 1", "firing 2"]


@either_way
def test_a_failed_connection_is_sent_nothing_more(bench: Bench, direct: bool) -> None:
    failing, other = bench.join(direct=direct), bench.join(direct=direct)
    failing.failed = True
    bench.fire()
    bench.give()
    failing.failed = False
    bench.fire()
    bench.give()
    assert kinds(failing.take()) == ["position 0"]
    assert len(other.take()) == 3


@pytest.mark.parametrize(
    ("name", "direct"), [("write", False), ("rest", True), ("end", True)], ids=["write", "rest", "end"]
)
def test_a_failing_reader_is_disconnected_and_the_others_get_every_event(
    bench: Bench, name: str, direct: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("broken")

    first, failing, last = (bench.join(direct=direct) for _ in range(3))
    monkeypatch.setattr(failing, name, broken)
    if name == "rest":
        failing.room = 10
    bench.fire()
    bench.give()
    if name == "end":
        bench.readers.close()
        assert first.ended
        assert last.ended
    else:
        bench.fire()
        bench.give()
    assert failing.was_cut
    assert not first.was_cut
    for inbox in (first, last):
        assert kinds(inbox.take())[:2] == ["position 0", "firing 1"]
    assert caplog.text.count("a reader of alerts failed and is cut") == 1


def test_a_connection_can_end_while_it_is_being_written_to(bench: Bench) -> None:
    class Ending(StreamInbox):
        def write(self, wire: bytes) -> bool:
            if self.reader is not None:
                bench.leave(self)
            return super().write(wire) and self.reader is None

    taking = Ending()
    taking.reader = bench.readers.join(taking, "", JOINED)
    bench.fire()
    bench.give()
    taking.reader.idle_again()
    assert (len(bench.readers), bench.readers.cut_stalled(0.0, 0.0)) == (0, 0)


def test_a_reader_that_reads_nothing_is_disconnected_after_a_while(bench: Bench) -> None:
    stalled, slow, idle = bench.join(), bench.join(), bench.join()
    stalled.room = slow.room = NOTHING
    bench.fire(5)
    bench.give()
    for second in range(20):
        assert bench.readers.cut_stalled(float(second), 20.0) == 0
        slow.read(1)
    assert bench.readers.cut_stalled(20.0, 20.0) == 1
    assert (stalled.was_cut, slow.was_cut, idle.was_cut) == (True, False, False)
    stalled.read()
    bench.fire()
    bench.give()
    assert not any("6" in kind for kind in kinds(stalled.take()))
    slow.read()
    assert kinds(slow.take())[-1] == kinds(idle.take())[-1] == "firing 6"


def test_a_reader_behind_the_log_is_ended_and_then_gets_all_firing_alerts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alertlog_module, "LOG_EVENTS", 3)
    bench = Bench()
    slow, other = bench.join(), bench.join()
    slow.room = 10
    bench.fire()
    bench.give()
    bench.resolve()
    bench.give()
    bench.fire(3)
    bench.give()
    slow.read()
    assert (slow.ended, other.ended) == (True, False)
    seen = slow.take()
    assert kinds(seen) == ["position 0", "firing 1"]
    assert kinds(bench.join(seen[-1]["id"]).take()) == ["firing 3", "firing 4", "firing 5", "position 5"]


@either_way
def test_more_events_at_once_than_the_log_holds_end_the_streams(monkeypatch: pytest.MonkeyPatch, direct: bool) -> None:
    monkeypatch.setattr(alertlog_module, "LOG_EVENTS", 3)
    bench = Bench()
    inbox = bench.join(direct=direct)
    bench.fire(10)
    bench.give()
    assert inbox.ended
    assert kinds(bench.join("e-0").take()) == [*(f"firing {number + 1}" for number in range(10)), "position 10"]


# --- chunks ---


@either_way
def test_ten_thousand_events_are_sent_in_chunks_shared_by_all_readers(bench: Bench, direct: bool) -> None:
    written: list[bytes] = []

    class Sharing(StreamInbox):
        def write(self, wire: bytes) -> bool:
            written.append(wire)
            return super().write(wire)

    sharing = [Sharing(bench.writes if direct else None) for _ in range(3)]
    for inbox in sharing:
        bench.readers.join(inbox, "", JOINED)
    bench.fire(10_000)
    written.clear()
    bench.give()
    bench.readers.join(Sharing(), "0", JOINED)
    bench.readers.join(Sharing(), "0", JOINED)
    for inbox in sharing:
        assert kinds(inbox.take())[1:] == [f"firing {number + 1}" for number in range(10_000)]
    assert max(len(wire) for wire in written) < CHUNK_BYTES + 100
    chunks = [id(wire) for wire in written if len(wire) > 1_000]
    assert len(chunks) >= 2 * 10_000 * 60 / CHUNK_BYTES
    assert len(set(chunks)) == len(chunks) / (5 if not direct else 2)


def test_firing_alerts_are_sent_in_chunks_followed_by_later_changes(bench: Bench) -> None:
    bench.fire(3_000)
    slow = bench.join(room=1_000)
    bench.resolve(0)
    bench.resolve(2_500)
    bench.fire()
    bench.give()
    for _ in range(100):
        slow.read(10_000)
    slow.read()
    received = kinds(slow.take())
    start = received.index("position 3000")
    assert received[start + 1 :] == ["resolved 3001", "resolved 3002", "firing 3003"]
    # Alerts that were resolved before their turn may be left out.
    assert received[:start] == [f"firing {number}" for number in range(1, 3001) if number != 2502]
    assert slow.largest < CHUNK_BYTES + 200


def test_readers_at_many_positions_get_every_event_with_a_small_chunk_cache(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers_module, "CHUNKS", 2)
    bench.fire(10)
    cached = bench.readers._chunks._kept
    for number in range(10):
        assert len(bench.join(f"e-{number}").take()) == 1 + 10 - number
        assert 1 <= len(cached) <= 2
        assert any(after == number for _, after in cached)


def whole(coded: bytes) -> bytes:
    """Return the body of a response in HTTP/1.1 chunks."""
    found = b""
    while coded:
        size, _, coded = coded.partition(b"\r\n")
        length = int(size, 16)
        assert coded[length : length + 2] == b"\r\n"
        found, coded = found + coded[:length], coded[length + 2 :]
    return found


def test_a_chunked_http_stream_carries_the_same_events_as_a_plain_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Chunked(StreamInbox):
        chunked = True

    monkeypatch.setattr(readers_module, "CHUNKS", 2)
    plain, chunked = StreamInbox(bench.writes), [Chunked(bench.writes), Chunked(), Chunked(bench.writes, room=10)]
    for inbox in (chunked[0], plain, *chunked[1:]):
        inbox.reader = bench.readers.join(inbox, "", JOINED)
    for round in range(5):
        bench.fire()
        bench.give()
        bench.beat(31.0 * (round + 1))
    # The slow one gets everything it missed at once, with one heartbeat.
    chunked[2].read()
    events = kinds(plain.take())
    assert events == ["position 0", *(f"{what} {at}" for at in range(1, 6) for what in ("firing", "heartbeat"))]
    for inbox in chunked:
        inbox.raw[:] = whole(bytes(inbox.raw))
    assert kinds(chunked[0].take()) == kinds(chunked[1].take()) == events
    assert kinds(chunked[2].take()) == ["position 0", *(f"firing {at}" for at in range(1, 6)), "heartbeat 5"]
    for wire in (b"a", b"b", b"c"):
        assert whole(bench.readers._chunks.coded(wire)) == wire
        assert wire in bench.readers._chunks._coded
        assert len(bench.readers._chunks._coded) <= 2


# --- heartbeats ---


@either_way
def test_a_heartbeat_with_the_readers_position_is_sent_every_thirty_seconds(bench: Bench, direct: bool) -> None:
    bench.fire(4)
    inbox = bench.join(direct=direct)
    inbox.take()
    received = []
    for second in range(100):
        bench.beat(float(second))
        received += [(second, kind) for kind in kinds(inbox.take())]
    assert HEARTBEAT_S == 30
    assert received == [(30, "heartbeat 4"), (60, "heartbeat 4"), (90, "heartbeat 4")]


def test_heartbeats_are_written_together_and_in_slices(bench: Bench) -> None:
    inboxes = [bench.join() for _ in range(SLICE + 2)]
    assert sum(1 for _ in bench.readers.beat(JOINED + 31, 5.0)) == 2
    assert bench.writes.calls == [SLICE, SLICE]
    assert sum(1 for _ in bench.readers.beat(JOINED + 32, 5.0)) == 0
    assert [len(inbox.take()) for inbox in inboxes] == [2] * len(inboxes)
    assert json.loads(bench.join().take()[0]["data"])["type"] == "position"


def test_after_a_long_pause_one_heartbeat_is_sent_and_the_next_is_on_time(bench: Bench) -> None:
    inbox = bench.join()
    inbox.take()
    for second in (100, 119, 121):
        bench.beat(float(second))
    assert len(inbox.take()) == 2


@either_way
def test_new_events_are_sent_before_a_heartbeat(bench: Bench, direct: bool) -> None:
    inbox = bench.join(direct=direct)
    bench.fire()
    bench.beat(31.0)
    assert kinds(inbox.take()) == ["position 0", "firing 1", "heartbeat 1"]


@either_way
def test_a_slow_reader_gets_its_heartbeat_after_its_events(bench: Bench, direct: bool) -> None:
    inbox = bench.join(direct=direct)
    inbox.room = 10
    bench.fire()
    bench.give()
    bench.fire()
    bench.beat(31.0)
    bench.beat(61.0)
    inbox.read()
    assert kinds(inbox.take()) == ["position 0", "firing 1", "firing 2", "heartbeat 2"]


@either_way
def test_a_partly_sent_heartbeat_is_completed_later(bench: Bench, direct: bool) -> None:
    inbox = bench.join(direct=direct)
    inbox.room = 5
    bench.beat(31.0)
    bench.fire()
    bench.give()
    inbox.read()
    assert kinds(inbox.take()) == ["position 0", "heartbeat 0", "firing 1"]


def test_a_reader_that_has_left_gets_no_heartbeat(bench: Bench) -> None:
    inbox = bench.join()
    bench.leave(inbox)
    bench.beat(31.0)
    assert kinds(inbox.take()) == ["position 0"]


# --- the log ---


@either_way
def test_a_log_of_another_epoch_ends_the_streams_and_readers_start_over(bench: Bench, direct: bool) -> None:
    idle, busy = bench.join(direct=direct), bench.join(direct=direct, room=5)
    bench.fire()
    bench.give()
    bench.log = AlertLog("other")
    bench.fire(2)
    bench.give()
    busy.read()
    assert idle.ended
    assert busy.ended
    seen = idle.take()
    assert kinds(seen) == ["position 0", "firing 1"]
    back = bench.join(seen[-1]["id"]).take()
    assert ids(back) == ["other-1", "other-2", "other-2"]
    assert position(back[-1]) == ("other", 2, True)


def test_reading_continues_in_another_log_of_the_same_epoch(bench: Bench) -> None:
    inbox = bench.join()
    bench.fire(2)
    bench.give()
    bench.log = AlertLog("e", bench.log.since(0))
    bench.fire()
    bench.give()
    assert kinds(inbox.take()) == ["position 0", "firing 1", "firing 2", "firing 3"]


def test_a_log_that_has_lost_events_ends_the_streams(bench: Bench) -> None:
    inbox = bench.join()
    bench.fire(3)
    bench.give()
    bench.log = AlertLog("e", bench.log.since(0)[:1])
    bench.give()
    assert inbox.ended


def test_closing_ends_every_stream_after_its_pending_bytes(bench: Bench) -> None:
    idle, busy = bench.join(), bench.join(room=5)
    bench.readers.close()
    assert idle.ended
    assert busy.ended
    bench.fire()
    bench.give()
    busy.read()
    assert kinds(idle.take()) == kinds(busy.take()) == ["position 0"]
    assert len(bench.readers) == 2
    bench.leave(idle)
    bench.leave(busy)
    assert len(bench.readers) == 0


# --- everything at once ---


class Client:
    """A client that reads, reconnects when its stream has ended, and checks everything it receives."""

    def __init__(self, bench: Bench, room: int, *, direct: bool) -> None:
        self.last_event_id = ""
        self.firing: set[str] = set()
        self._bench = bench
        self._direct = direct
        self._new: list[Fields] = []
        self._connect(room)

    def _connect(self, room: int) -> None:
        self._opened = False
        self._new.clear()
        self.inbox = self._bench.join(self.last_event_id, direct=self._direct, room=room)

    def look(self) -> None:
        """Read what has arrived, and reconnect if the stream has ended."""
        for event in self.inbox.take():
            self._receive(event)
        if self.inbox.ended and not self.inbox.unsent():
            self._connect(self.inbox.room)

    def reconnect(self, room: int) -> None:
        """Lose the connection in the middle of a send, and reconnect."""
        self.look()
        self._bench.leave(self.inbox)
        self._connect(room)

    def _receive(self, event: Fields) -> None:
        epoch, _, number = event["id"].rpartition("-")
        before_epoch, _, before = self.last_event_id.rpartition("-")
        data = json.loads(event["data"])
        if event.get("event") == "position":
            assert (data["epoch"], data["number"]) == (epoch, int(number))
            assert not self._opened
            self._opened = True
            if data["whole"]:
                began = [int(new["id"].rpartition("-")[2]) for new in self._new]
                assert began == sorted(set(began))
                assert not began or began[-1] <= int(number)
                self.firing = {one["id"] for one in map(json.loads, (new["data"] for new in self._new))}
            else:
                assert self.last_event_id == event["id"]
        elif not self._opened:
            assert "event" not in event
            self._new.append(event)
        elif data.get("type") == "heartbeat":
            assert self.last_event_id == event["id"]
        else:
            assert (epoch, int(number)) == (before_epoch, int(before) + 1)
            if event.get("event") == "resolved":
                self.firing.discard(data["id"])
            else:
                self.firing.add(data["id"])
        if self._opened:
            # Before the position, resuming is not possible: alerts resolved by then would stay.
            self.last_event_id = event["id"]


WRITING = ["fire", "fire", "fire", "burst", "resolve", "resolve", "tell", "epoch"]
READING = ["read", "read", "read all", "come back", "join", "leave"]
GIVING = ["step", "step", "step", "beat"]
ACTIONS = st.tuples(st.sampled_from([*WRITING, *READING, *GIVING]), st.integers(0, 3_000))


@given(st.lists(ACTIONS, max_size=120), st.booleans())
@example(
    [("fire", 0), ("burst", 131), ("come back", 76), ("come back", 0)], False
)  # disconnected while the firing alerts are sent
def test_no_reader_ever_misses_or_repeats_an_event(actions: list[tuple[str, int]], kept: bool) -> None:
    with pytest.MonkeyPatch.context() as small:
        # Small enough that everything happens between two slices and two chunks, and that events leave the log.
        small.setattr(readers_module, "SLICE", 1)
        small.setattr(readers_module, "CHUNK_BYTES", 200)
        small.setattr(readers_module, "CHUNK_EVENTS", 3)
        small.setattr(readers_module, "CHUNKS", 2)
        small.setattr(alertlog_module, "LOG_EVENTS", 12)
        bench = Bench(kept=kept)
        clients = [Client(bench, 1 << 40, direct=True)]
        giving: Iterator[None] = iter(())
        beating: Iterator[None] = iter(())
        seconds = 0.0
        for action, number in actions:
            client = clients[number % len(clients)]
            if action in {"fire", "burst"}:
                bench.fire(1 if action == "fire" else 1 + number % 20)
            elif action == "resolve":
                bench.resolve(number)
            elif action == "tell":
                bench.log.publish(bench.log.number - number % 2)
            elif action == "step":
                if next(giving, "over") == "over":
                    giving = bench.readers.send_new()
            elif action == "beat":
                if next(beating, "over") == "over":
                    seconds += 20
                    beating = bench.readers.beat(JOINED + seconds, 0.0)
            elif action == "read":
                client.inbox.read(number)
                client.look()
            elif action == "read all":
                client.inbox.read()
                client.look()
            elif action == "come back":
                client.reconnect(number)
            elif action == "join":
                clients.append(Client(bench, number, direct=number % 3 > 0))
            elif action == "leave" and len(clients) > 1:
                clients.remove(client)
                bench.leave(client.inbox)
            elif action == "epoch" and number % 4 == 0:
                bench.log = AlertLog(f"e{number}", kept=kept)
        bench.log.publish(bench.log.number)
        bench.give()
        for client in clients:
            for _ in range(3):
                client.inbox.read()
                client.look()
            assert client.firing == {event.alert.id for event in bench.log.firing()}
            assert client.last_event_id == f"{bench.log.epoch}-{bench.log.published}"
