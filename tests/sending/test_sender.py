"""The sender against a receiver over real sockets, which fails, refuses and hangs as a test wants."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tests.history.naive import Key, layout_of
from tests.metric_receiver import WRITTEN, MetricReceiver, Reply, metric_receiver

from tickboard.errors import InputError
from tickboard.history.layout import Retention
from tickboard.history.store import History
from tickboard.hub.traffic import RemoteWritten
from tickboard.problems import Problems
from tickboard.sending import sender as module
from tickboard.sending.options import RemoteWriteOptions
from tickboard.sending.sender import DELETED, NAMES, POSITION, REFUSED, SOURCE, Sender

GUARD_S = 30.0

CPU: Key = ("cpu", (), "%")
KEYS: list[Key] = [CPU, ("queue.depth", (("host", "a"),), "")]
LAYOUT = layout_of(KEYS)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look and try again soon."""
    monkeypatch.setattr(module, "LOOK_S", 0.02)
    monkeypatch.setattr(module, "FIRST_BACKOFF_S", 0.02)
    monkeypatch.setattr(module, "LONGEST_BACKOFF_S", 0.1)


@pytest.fixture
def receiver() -> Iterator[MetricReceiver]:
    with metric_receiver() as receiver:
        yield receiver


class Bench:
    """A history that is sent to a receiver."""

    def __init__(self, path: Path, receiver: MetricReceiver, **given: object) -> None:
        self.path = path / "h.sqlite"
        self.receiver = receiver
        self.history = History(self.path, Retention(), lambda problem: None, commit_s=0.02)
        self.counts = RemoteWritten()
        self.problems = Problems()
        self.seen: dict[str, str] = {}
        self.seq = 0
        self.history.begin("e", 1000, 60)
        self.options(**given)
        # What is appended is later than the start.
        self.now = time.time() + 0.01

    def options(self, **given: object) -> None:
        options = RemoteWriteOptions.read(
            {"url": self.receiver.url, **given}, {}, lambda name, why: InputError(f"{name}: {why}")
        )
        self.sender = Sender(options, self.history, self.counts, self.problems)

    def append(self, *values: float) -> None:
        for value in values:
            self.seq += 1
            self.now = max(self.now + 0.001, time.time())
            self.history.append(self.seq, self.now, LAYOUT, np.array([value, value + 0.5]))
        self.history.flush()

    def run(self, until: Callable[[], object] | Callable[[], Awaitable[object]]) -> None:
        """Run the sender until something is true, noting all problems."""

        async def run() -> None:
            task = asyncio.create_task(self.sender.run())
            try:
                async with asyncio.timeout(GUARD_S):
                    while not until():
                        self.seen |= {source: problem.message for source, problem in self.problems.items()}
                        assert not task.done() or task.exception() is None, task.exception()
                        await asyncio.sleep(0.005)
            finally:
                task.cancel()
                await asyncio.wait([task])

        asyncio.run(run())

    @property
    def values(self) -> list[float]:
        return [value for _, value in self.receiver.series("cpu")]

    def has(self, *values: float) -> Callable[[], bool]:
        """Return whether the receiver has exactly these values, and the sender knows it."""
        return lambda: self.values == list(values) and self.is_done()

    def is_done(self) -> bool:
        return bool(self.receiver.asked) and not self.counts.waiting


@pytest.fixture
def bench(tmp_path: Path, receiver: MetricReceiver) -> Iterator[Bench]:
    bench = Bench(tmp_path, receiver)
    yield bench
    bench.history.close()


def test_ticks_are_sent_with_their_labels(bench: Bench) -> None:
    bench.append(1, 2, 3)
    bench.run(bench.has(1, 2, 3))
    assert len(bench.receiver.series("queue_depth", host="a", job="tickboard")) == 3
    assert (bench.counts.sent, bench.counts.refused, bench.counts.failed) == (6, 0, 0)
    bench.append(4)
    bench.run(bench.has(1, 2, 3, 4))
    assert bench.counts.behind_s(time.time()) == 0
    assert bench.seen == {}


def test_the_problem_has_the_latest_failure_of_the_receiver(bench: Bench) -> None:
    bench.receiver.always = Reply(503)
    bench.append(1)

    def fails_with_429() -> bool:
        said = bench.problems[SOURCE].message if SOURCE in bench.problems else ""
        if "it answers 503" in said:
            bench.receiver.always = Reply(429)
        return "it answers 429" in said

    bench.run(fails_with_429)


def test_cookies_are_neither_kept_nor_sent_back(bench: Bench) -> None:
    bench.receiver.always = Reply(400, headers={"Set-Cookie": "id=1"})
    bench.append(1, 2)
    # The ticks are sent together, and then one by one.
    bench.run(lambda: bench.counts.refused == 4)
    assert ["cookie" in asked.headers for asked in bench.receiver.asked] == [False] * 3


def test_an_outage_leaves_no_gap(bench: Bench) -> None:
    bench.append(1)
    bench.run(bench.has(1))
    bench.receiver.stop()
    bench.append(*range(2, 40))
    bench.run(lambda: bench.counts.failed > 2)
    assert bench.counts.waiting == 76
    assert bench.counts.behind_s(time.time() + 5) > 5
    assert SOURCE in bench.problems
    assert "cannot be sent to: it cannot be reached" in bench.problems[SOURCE].message
    assert "[secret]" not in bench.problems[SOURCE].message
    bench.append(*range(40, 60))
    bench.receiver.start()
    bench.run(bench.has(*range(1, 60)))
    bench.run(lambda: not bench.problems)
    assert bench.counts.refused == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_failing_receiver_is_retried(bench: Bench, status: int) -> None:
    bench.receiver.replies += [Reply(status, "in a moment")] * 3
    bench.append(1, 2)
    bench.run(bench.has(1, 2))
    assert bench.counts.failed == 3
    assert f"it answers {status}" in bench.seen[SOURCE]
    assert ": in a moment" in bench.seen[SOURCE]
    assert bench.counts.refused == 0


def test_a_receiver_that_accepted_the_request_and_failed_is_not_reported(bench: Bench) -> None:
    bench.receiver.replies += [Reply(500, takes=True), Reply(closes=True, takes=True), Reply(503)]
    bench.append(*range(10))
    bench.run(bench.has(*range(10)))
    bench.append(10)
    bench.run(bench.has(*range(11)))
    assert (bench.counts.sent, bench.counts.refused) == (22, 0)
    assert REFUSED not in bench.seen


def test_retry_after_is_honoured(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.receiver.replies += [Reply(503, headers={"Retry-After": "7"}), Reply(429, headers={"Retry-After": "9"})]
    waited: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        waited.append(seconds)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr(asyncio, "sleep", note)
    bench.append(1)
    bench.run(bench.has(1))
    assert [seconds for seconds in waited if seconds > 1] == [7, 9]


def test_the_time_between_two_attempts_grows_up_to_a_limit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_S", 1.0)
    monkeypatch.setattr(module, "LONGEST_BACKOFF_S", 30.0)
    waits = []
    for failures in range(12):
        bench.sender._failures = failures
        waits.append(bench.sender._backoff_s())
    for wait_s, longest_s in zip(waits, [1, 2, 4, 8, 16, *[30] * 7], strict=True):
        assert 0.75 * longest_s <= wait_s <= longest_s


@pytest.mark.parametrize("status", [400, 422, 413])
def test_the_good_ticks_of_a_refused_batch_arrive(bench: Bench, status: int) -> None:
    # One of the ticks is refused whenever it comes, and everything that it comes with.
    bench.append(*range(8))
    refuse = bench.receiver._refusal
    bench.receiver._refusal = lambda asked: (  # type: ignore[method-assign]
        "bad" if 3 in [value for samples in asked.samples.values() for _, value in samples] else refuse(asked)
    )
    answer = bench.receiver._answer
    bench.receiver._answer = lambda headers, body: (  # type: ignore[method-assign]
        Reply(status, reply.body) if (reply := answer(headers, body)).status == 400 else reply
    )
    bench.run(bench.has(0, 1, 2, 4, 5, 6, 7))
    assert (bench.counts.sent, bench.counts.refused) == (14, 2)
    assert (
        bench.seen[REFUSED].endswith(
            f"refused samples, which are not sent again: it answers {status}"
            f"{' Bad Request' if status == 400 else ''}: bad"
        )
        or status != 400
    )


def test_a_wrong_token_costs_a_tick_at_a_time(bench: Bench) -> None:
    bench.receiver.always = Reply(401, "who are you?")
    bench.append(*range(20))

    def is_done_with_the_right_token() -> bool:
        if len(bench.receiver.asked) >= 4:
            bench.receiver.always = None
        return bench.values[-1:] == [19] and bench.is_done()

    bench.run(is_done_with_the_right_token)
    lost = bench.counts.refused // 2
    assert 1 <= lost <= 10
    assert bench.values == [*range(lost, 20)]
    assert "it answers 401 Unauthorized: who are you?" in bench.seen[REFUSED]


def test_attempts_with_a_wrong_token_become_rare(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_BACKOFF_S", 1.0)
    monkeypatch.setattr(module, "LONGEST_BACKOFF_S", 30.0)
    waited: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        waited.append(seconds)
        await sleep(min(seconds, 0.01))

    monkeypatch.setattr(asyncio, "sleep", note)
    bench.receiver.always = Reply(401)
    bench.append(*range(20))
    bench.run(lambda: len(bench.receiver.asked) > 6)
    attempts = [seconds for seconds in waited if seconds > 0.5]
    for wait_s, longest_s in zip(attempts[:5], [1, 2, 4, 8, 16], strict=True):
        assert 0.75 * longest_s <= wait_s <= longest_s


def test_an_accepted_request_is_not_sent_again_if_the_next_one_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickboard.sending.outgoing.MAX_SAMPLES", 1)
    # The two series of the first tick are sent in a request each.
    bench.receiver.replies += [Reply(takes=True), Reply(429), Reply(503)]
    bench.append(1, 2)
    bench.run(bench.has(1, 2))
    assert [len(asked.samples) for asked in bench.receiver.asked] == [1] * 6
    assert (bench.counts.sent, bench.counts.refused, bench.counts.failed) == (4, 0, 2)


def test_ticks_that_were_never_sent_are_not_in_doubt(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.sending.outgoing.MAX_SAMPLES", 1)
    # The first of two requests has to be sent again, and the second, which is new then, is refused.
    bench.receiver.replies += [Reply(500, takes=True), Reply(400, "out of order"), Reply(400, "bad")]
    bench.append(1)
    bench.run(lambda: len(bench.receiver.asked) == 3 and bench.is_done())
    assert (bench.counts.sent, bench.counts.refused) == (1, 1)
    assert bench.problems[REFUSED].message.endswith("it answers 400 Bad Request: bad")


def test_an_answer_is_shown_as_text_on_one_line_and_bounded(bench: Bench) -> None:
    bench.receiver.always = Reply(400, "\x1b[31mred\r\n<script>\u202e" + "x" * 100_000)
    bench.append(1)
    bench.run(lambda: REFUSED in bench.problems)
    message = bench.problems[REFUSED].message
    assert "\\x1b[31mred  <script>\\u202ex" in message
    assert len(message) < 400
    [brief] = [each.message for each in bench.problems.shown(details=False)]
    assert brief == "the receiver refused some samples (the log says more)"


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (
            Reply(301, headers={"Location": "http://127.0.0.1:9/w?key=abcdefgh"}),
            "it redirects to, http://127.0.0.1:9/w;",
        ),
        (Reply(308, headers={"Location": "/elsewhere"}), "it redirects to, /elsewhere;"),
        (Reply(304), "it answers 304"),
        (Reply(closes=True), "its answer cannot be read"),
    ],
)
def test_an_invalid_answer_is_retried(bench: Bench, reply: Reply, why: str) -> None:
    bench.receiver.replies += [reply, reply]
    bench.append(1)
    bench.run(bench.has(1))
    assert why in bench.seen[SOURCE]
    assert "abcdefgh" not in bench.seen[SOURCE]
    assert bench.counts.failed == 2


def test_2_0_is_sent_to_a_receiver_that_knows_it(tmp_path: Path, receiver: MetricReceiver) -> None:
    bench = Bench(tmp_path, receiver, version="2.0")
    bench.append(1, 2)
    bench.run(bench.has(1, 2))
    assert {asked.headers["x-prometheus-remote-write-version"] for asked in receiver.asked} == {"2.0.0"}
    assert set(receiver.asked[0].units.values()) == {"%", ""}
    # Part of a request that it takes may be left out.
    receiver.replies += [Reply(204, headers={WRITTEN: "1"})]
    bench.append(3)
    bench.run(lambda: bench.counts.refused)
    assert (bench.counts.sent, bench.counts.refused) == (5, 1)
    assert "it accepted 1 of 2" in bench.problems[REFUSED].message
    bench.history.close()


@pytest.mark.parametrize("replies", [[], [Reply(400, "bad wire type")]])
@pytest.mark.parametrize("checks_type", [True, False])
def test_1_0_is_sent_to_a_receiver_that_does_not_know_2_0(
    tmp_path: Path, receiver: MetricReceiver, replies: list[Reply], *, checks_type: bool
) -> None:
    receiver.knows_v2, receiver.checks_type = False, checks_type
    receiver.replies += replies
    bench = Bench(tmp_path, receiver, version="2.0")
    bench.append(1, 2)
    bench.run(bench.has(1, 2))
    bench.append(3)
    bench.run(bench.has(1, 2, 3))
    versions = [asked.headers["x-prometheus-remote-write-version"] for asked in receiver.asked]
    assert versions == ["2.0.0", *["0.1.0"] * (len(versions) - 1)]
    assert (bench.counts.sent, bench.counts.refused, bench.counts.failed) == (6, 0, 0)
    bench.history.close()


def test_a_sample_refused_over_2_0_does_not_switch_to_1_0(tmp_path: Path, receiver: MetricReceiver) -> None:
    bench = Bench(tmp_path, receiver, version="2.0")
    receiver.replies += [Reply(400, "bad", {WRITTEN: "1"})]
    bench.append(1)
    bench.run(lambda: bench.counts.refused and bench.is_done())
    assert (bench.counts.sent, bench.counts.refused) == (1, 1)
    bench.append(2)
    bench.run(bench.has(2))
    assert {asked.headers["x-prometheus-remote-write-version"] for asked in receiver.asked} == {"2.0.0"}
    bench.history.close()


def test_a_token_in_the_headers_and_a_password_in_the_url_are_sent(tmp_path: Path, receiver: MetricReceiver) -> None:
    bench = Bench(tmp_path, receiver, headers={"X-Scope-OrgID": "me"}, url=f"http://me:pass@127.0.0.1:{receiver.port}/")
    bench.append(1)
    bench.run(bench.has(1))
    headers = receiver.asked[0].headers
    assert (headers["x-scope-orgid"], headers["authorization"]) == ("me", "Basic bWU6cGFzcw==")
    bench.history.close()


def test_two_series_of_one_name_are_reported_and_the_others_sent(tmp_path: Path, receiver: MetricReceiver) -> None:
    bench = Bench(tmp_path, receiver)
    layout = layout_of([CPU, ("a.b", (), ""), ("a_b", (), "")])
    bench.history.append(1, time.time() + 1, layout, np.array([1.0, 2.0, 3.0]))
    bench.history.flush()
    bench.run(lambda: bench.values == [1] and NAMES in bench.problems)
    assert bench.problems[NAMES].message == (
        "a.b and a_b would be one series in Prometheus, where other characters become _: one is not sent: rename it"
    )
    # The name that needs no change.
    assert receiver.series("a_b")[0][1] == 3
    bench.history.close()


def test_a_position_that_cannot_be_kept_is_reported_and_ticks_are_sent(
    tmp_path: Path, receiver: MetricReceiver
) -> None:
    (tmp_path / "h.sqlite-sent").mkdir()
    bench = Bench(tmp_path, receiver)
    bench.append(1)
    bench.run(lambda: bench.values == [1] and POSITION in bench.problems)
    assert "does not keep the position of remote write: Is a directory" in bench.problems[POSITION].message
    bench.history.close()


def test_ticks_that_were_deleted_before_they_were_sent_are_reported(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickboard.history.reading.HistorySnapshot.expired_ms", property(lambda self: 2**45))
    bench.append(1)
    bench.run(lambda: bench.values == [1] and DELETED in bench.problems)
    assert "were deleted before they could be sent: keep them longer" in bench.problems[DELETED].message


def test_a_history_that_cannot_be_read_is_reported_and_retried(bench: Bench) -> None:
    bench.append(1)
    real = bench.history._reader._path
    bench.history._reader._path = real.with_name("gone.sqlite")
    bench.run(lambda: SOURCE in bench.problems)
    assert "the history cannot be read: " in bench.problems[SOURCE].message
    bench.history._reader._path = real
    bench.run(lambda: bench.values == [1] and not bench.problems)


def test_a_backlog_is_sent_at_a_bounded_rate(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.sending.outgoing.MAX_SAMPLES", 100)
    monkeypatch.setattr(module, "RATE", 1000)
    # As if requests took no time.
    monkeypatch.setattr(module, "time", SimpleNamespace(time=time.time, monotonic=lambda: 0.0))
    waited: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        waited.append(seconds)
        await sleep(min(seconds, 0.001))

    monkeypatch.setattr(asyncio, "sleep", note)
    bench.append(*range(500))
    bench.run(bench.has(*range(500)))
    # Nine full batches, of 100 samples each, have more behind them.
    assert [seconds for seconds in waited if seconds > 0.03] == [0.1] * 9
