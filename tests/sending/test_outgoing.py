"""What is sent next, from a real history."""

import asyncio
import math
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cramjam
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.history.naive import Key, layout_of
from tests.prompb import V1, V2

from tickboard.history.answers import TimePosition
from tickboard.history.file import FOREVER
from tickboard.history.layout import Layout
from tickboard.history.store import History, Retention
from tickboard.sending import outgoing as module
from tickboard.sending.options import RemoteWriteOptions, Version
from tickboard.sending.outgoing import Outgoing, TickBatch
from tickboard.sending.position import PositionFile

START = 1_800_000_000
"""A whole hour, POSIX seconds."""

CPU: Key = ("cpu.usage", (), "%")
DISKS: list[Key] = [("disk", (("device", f"sd{letter}"),), "%") for letter in "abc"]
LAYOUT = layout_of([CPU, *DISKS])

Sample = tuple[str, int, float]


class Bench:
    """A history, and what is sent of it."""

    def __init__(self, path: Path, options: RemoteWriteOptions | None = None, start_ms: int = 0) -> None:
        self.path = path / "h.sqlite"
        self.options = options or RemoteWriteOptions()
        self.start_ms = start_ms
        self.now = float(START)
        self.runs = self.seq = 0
        self.history = History(self.path, Retention(), lambda problem: None)
        self.restart()

    def restart(self) -> None:
        """Go on as another process would."""
        self.outgoing = Outgoing(self.options, PositionFile(self.path, "http://localhost/"), self.start_ms)

    def begin(self, window: int = 60) -> None:
        self.runs += 1
        self.history.begin(f"run{self.runs}", 1000, window)

    def append(self, *rows: list[float], layout: Layout = LAYOUT) -> None:
        for row in rows:
            self.seq += 1
            self.history.append(self.seq, self.now, layout, np.array(row))
            self.now += 1
        self.history.flush()

    def next(
        self,
        version: Version = "1.0",
        most: int = 1000,
        done: TimePosition | None = None,
        until_ms: int = FOREVER,
        *,
        in_doubt: bool = False,
    ) -> TickBatch | None:
        look = partial(self.outgoing.next, version=version, most=most, done=done, in_doubt=in_doubt, until_ms=until_ms)
        return asyncio.run(self.history.read_committed(look))

    def all(self, most: int = 1000) -> list[TickBatch]:
        """Settle all batches, and return them."""
        found: list[TickBatch] = []
        while (batch := self.next(most=most, done=found[-1].until if found else None)) is not None:
            found.append(batch)
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    bench.begin()
    yield bench
    bench.history.close()


def samples(*batches: TickBatch) -> list[Sample]:
    """Return name and device, time and value of each sample in some batches of version 1.0."""
    found: list[Sample] = []
    for batch in batches:
        for request in batch.requests:
            for one in V1["WriteRequest"].FromString(bytes(cramjam.snappy.decompress_raw(request.body))).timeseries:
                labels = {label.name: label.value for label in one.labels}
                name = f"{labels['__name__']}{labels.get('device', '')}"
                found += [(name, sample.timestamp, sample.value) for sample in one.samples]
    return found


def of(found: list[Sample], name: str) -> list[tuple[int, float]]:
    return [(time - 1000 * START, value) for each, time, value in found if each == name]


def test_all_ticks_are_sent_once_and_in_order(bench: Bench) -> None:
    bench.append(*([float(tick), tick + 0.1, math.nan, tick + 0.3] for tick in range(50)))
    [batch] = bench.all()
    assert (batch.ticks, batch.samples, batch.waiting) == (50, 150, 150)
    assert (batch.since_ms, batch.until) == (1000 * START, TimePosition("run1", 1000 * (START + 49)))
    assert of(samples(batch), "cpu_usage") == [(1000 * tick, float(tick)) for tick in range(50)]
    assert of(samples(batch), "disksdb") == []
    bench.append([7.0, 8.0, 9.0, 10.0])
    [batch] = bench.all()
    assert samples(batch) == [
        (name, 1000 * START + 50_000, value)
        for name, value in zip(("cpu_usage", "disksda", "disksdb", "disksdc"), (7.0, 8.0, 9.0, 10.0), strict=True)
    ]
    assert bench.all() == []


def test_sealed_ticks_are_sent_with_the_values_in_history(bench: Bench) -> None:
    bench.append(*([random.random() * 100, 1.0, float(tick), math.nan] for tick in range(2000)))
    bench.history.settle()
    answer = bench.history.newest(FOREVER, 0, LAYOUT, 5000)
    found = samples(*bench.all(most=77))
    wanted = list(zip(answer[0] - 1000 * START, answer[1][:, 0].tolist(), strict=True))
    assert of(found, "cpu_usage") == wanted
    assert of(found, "disksdb") == [(1000 * tick, float(tick)) for tick in range(2000)]


def test_a_restart_continues_at_the_position_of_the_receiver(bench: Bench) -> None:
    bench.append(*([float(tick)] * 4 for tick in range(10)))
    first = bench.next(most=4)
    assert first is not None
    second = bench.next(most=4, done=first.until)
    assert second is not None
    bench.restart()
    again = bench.next()
    assert again is not None
    # The second was under way: it comes again, and nothing else with it.
    assert (again.until, again.is_doubtful) == (second.until, True)
    rest = bench.next(done=again.until)
    assert rest is not None
    assert (rest.ticks, rest.is_doubtful) == (2, False)
    assert bench.next(done=rest.until) is None
    bench.restart()
    assert bench.next() is None


def test_ticks_in_doubt_are_not_mixed_with_new_ones(bench: Bench) -> None:
    bench.append(*([float(tick)] * 4 for tick in range(5)))
    first = bench.next()
    assert first is not None
    bench.append(*([float(tick)] * 4 for tick in range(5, 9)))
    again = bench.next(in_doubt=True)
    assert again is not None
    assert (again.ticks, again.is_doubtful) == (5, True)
    single = bench.next(most=1)
    assert single is not None
    assert (single.ticks, single.is_doubtful) == (1, True)
    # A kill while single ticks are sent leaves all of them in doubt.
    bench.restart()
    again = bench.next(most=1)
    assert again is not None
    [*doubtful, new] = [again, *_settled(bench, again)]
    assert [batch.ticks for batch in doubtful] == [1, 4]
    assert all(batch.is_doubtful for batch in doubtful)
    assert (new.ticks, new.is_doubtful) == (4, False)


def _settled(bench: Bench, batch: TickBatch) -> Iterator[TickBatch]:
    found: TickBatch | None = batch
    while found is not None and (found := bench.next(done=found.until)) is not None:
        yield found


def test_an_unsettled_batch_is_repeated_and_later_samples_count_as_waiting(bench: Bench) -> None:
    bench.append([1.0, 2.0, 3.0, 4.0])
    first = bench.next()
    bench.append(*[[1.0, 2.0, 3.0, 4.0]] * 9)
    again = bench.next()
    assert first is not None
    assert again is not None
    assert (first.waiting, again.waiting) == (4, 40)
    assert samples(first) == samples(again)


def test_the_next_epoch_follows_even_if_its_times_are_earlier(bench: Bench) -> None:
    bench.append(*([float(tick)] * 4 for tick in range(10)))
    bench.now -= 5
    bench.begin()
    bench.append(*([100.0 + tick] * 4 for tick in range(10)))
    batches = bench.all()
    assert [batch.until.epoch for batch in batches] == ["run1", "run2"]
    found = of(samples(*batches), "cpu_usage")
    assert [value for _, value in found] == [*map(float, range(10)), *(100.0 + tick for tick in range(10))]
    assert found[10][0] == 5000


def test_a_new_receiver_is_sent_only_new_ticks(tmp_path: Path) -> None:
    bench = Bench(tmp_path, start_ms=1000 * START + 4500)
    bench.begin()
    bench.append(*([float(tick)] * 4 for tick in range(10)))
    assert [value for _, value in of(samples(*bench.all()), "cpu_usage")] == [5.0, 6.0, 7.0, 8.0, 9.0]
    bench.history.close()


def test_a_recreated_file_continues_by_time(bench: Bench) -> None:
    bench.append(*([float(tick)] * 4 for tick in range(10)))
    bench.all()
    bench.history.close()
    for file in bench.path.parent.glob("h.sqlite*"):
        if not file.name.endswith("-sent"):
            file.unlink()
    bench.history = History(bench.path, Retention(), lambda problem: None)
    bench.restart()
    bench.now -= 3
    bench.runs += 5
    bench.begin()
    bench.append(*([100.0 + tick] * 4 for tick in range(6)))
    assert [value for _, value in of(samples(*bench.all()), "cpu_usage")] == [103.0, 104.0, 105.0]


def test_a_series_that_ends_gets_a_stale_marker_once(bench: Bench) -> None:
    nan = math.nan
    bench.append([1.0, nan, nan, nan], [nan, 2.0, nan, nan])
    bench.append([nan, nan, nan, nan], [nan, 3.0, nan, nan])
    found = samples(*bench.all(most=1))
    assert [time for time, _ in of(found, "cpu_usage")] == [0, 1000]
    assert math.isnan(of(found, "cpu_usage")[1][1])
    assert [math.isnan(value) for _, value in of(found, "disksda")] == [False, True, False]
    bench.append([nan, nan, nan, nan])
    # Also where the last value was in an earlier batch.
    [(name, _, value)] = samples(*bench.all())
    assert (name, math.isnan(value)) == ("disksda", True)


def test_a_new_series_is_sent_from_its_first_value_on(bench: Bench) -> None:
    bench.append([1.0] * 4)
    bench.all()
    more = layout_of([CPU, *DISKS, ("disk", (("device", "sdd"),), "%")])
    bench.append([2.0] * 5, layout=more)
    assert len(samples(*bench.all())) == 5


def test_only_the_series_that_are_asked_for_are_sent(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RemoteWriteOptions(metrics=('disk{device="sdb"}', "cpu*"), labels=(("env", "prod"),)))
    bench.begin()
    bench.append([1.0, 2.0, 3.0, 4.0])
    assert {name for name, _, _ in samples(*bench.all())} == {"cpu_usage", "disksdb"}
    bench.history.close()


def test_the_buckets_of_heat_maps_are_not_sent(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.begin()
    bench.append([1.0, 2.0], layout=layout_of([CPU, ("cpu.usage.buckets", (("le", "10"),), "/s")]))
    assert {name for name, _, _ in samples(*bench.all())} == {"cpu_usage"}
    bench.history.close()


def test_ticks_without_a_requested_series_are_skipped(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RemoteWriteOptions(metrics=("nothing",)))
    bench.begin()
    bench.append(*[[1.0] * 4] * 1000)
    bench.history.settle()
    bench.append(*[[1.0] * 4] * 10)
    assert [(batch.requests, batch.waiting) for batch in bench.all()] == [((), 0), ((), 0)]
    bench.history.close()


def test_ticks_that_are_not_old_enough_wait(bench: Bench) -> None:
    bench.append(*([float(tick)] * 4 for tick in range(10)))
    batch = bench.next(until_ms=1000 * START + 4000)
    assert batch is not None
    assert batch.ticks == 4
    assert bench.next(done=batch.until, until_ms=1000 * START + 4000) is None


def test_waiting_ticks_do_not_block_all_others_after_the_clock_was_set_back(bench: Bench) -> None:
    bench.append(*([float(tick)] * 4 for tick in range(10)))
    bench.now -= 3600
    bench.begin()
    bench.append(*([100.0 + tick] * 4 for tick in range(10)))
    # By the clock, five ticks after it was set back.
    until_ms = 1000 * (START + 10 - 3600 + 5)
    batches: list[TickBatch] = []
    while (batch := bench.next(done=batches[-1].until if batches else None, until_ms=until_ms)) is not None:
        batches.append(batch)
    values = [value for _, value in of(samples(*batches), "cpu_usage")]
    assert values == [*map(float, range(10)), *(100.0 + tick for tick in range(5))]


def test_requests_are_bounded_in_samples_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SAMPLES", 10)
    bench = Bench(tmp_path)
    bench.begin()
    bench.append(*([float(tick)] * 4 for tick in range(10)))
    batches = bench.all()
    assert [batch.ticks for batch in batches] == [2] * 5
    wide = layout_of([("wide", (("n", f"{number:02}"),), "") for number in range(25)])
    bench.append([1.0] * 25, [2.0] * 25, layout=wide)
    batches = bench.all()
    # Those of the first layout end; with their markers, the first tick has 29 samples.
    assert [[request.samples for request in batch.requests] for batch in batches] == [[10, 10, 9], [6, 10, 9]]
    monkeypatch.setattr(module, "MAX_SAMPLES", 1000)
    monkeypatch.setattr(module, "MAX_BYTES", 2000)
    bench.restart()
    long = layout_of([("long", (("text", "x" * 900 + str(number)),), "") for number in range(3)])
    bench.append([1.0] * 3, layout=long)
    [batch] = bench.all()
    assert len(batch.requests) >= 2
    assert all(len(cramjam.snappy.decompress_raw(request.body)) <= 2000 for request in batch.requests)
    bench.history.close()


def test_deleted_ticks_are_noticed(bench: Bench) -> None:
    bench.append([1.0] * 4)
    [first] = bench.all()
    assert first.deleted_ms is None
    bench.append(*[[1.0] * 4] * 2000)
    bench.history.close()
    bench.history = History(bench.path, Retention(raw_s=3600, minutes_s=3600), lambda problem: None)
    bench.begin()
    bench.now += 5 * 3600
    bench.append([2.0] * 4)
    bench.now += 3600
    bench.append(*[[2.0] * 4] * 700)
    bench.history.settle()
    batch = bench.next()
    assert batch is not None
    assert batch.deleted_ms is not None
    assert batch.deleted_ms[0] == 1000 * START


def test_the_version_may_change_between_two_batches(bench: Bench) -> None:
    bench.append([1.0, math.nan, math.nan, math.nan])
    batch = bench.next("2.0")
    assert batch is not None
    request: Any = V2["Request"].FromString(bytes(cramjam.snappy.decompress_raw(batch.requests[0].body)))
    [one] = request.timeseries
    assert (one.samples[0].value, request.symbols[one.metadata.unit_ref]) == (1.0, "%")
    again = bench.next("1.0")
    assert again is not None
    assert of(samples(again), "cpu_usage") == [(0, 1.0)]


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_whatever_happens_every_tick_is_settled_once(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    choose = random.Random(seed)
    bench = Bench(tmp_path_factory.mktemp("any"))
    bench.begin()
    settled: list[Sample] = []
    last: TickBatch | None = None
    done: TimePosition | None = None
    ticks = 0
    for _ in range(choose.randrange(5, 40)):
        what = choose.randrange(6)
        if what == 0:
            rows = choose.choice([1, 3, 40, 700])
            bench.append(*([float(ticks + number)] * 4 for number in range(rows)))
            ticks += rows
        elif what == 1 and choose.random() < 0.3:
            bench.history.settle()
        elif what == 2 and choose.random() < 0.3:
            bench.now += choose.choice([1, 100])
            bench.begin()
        elif what == 3 and choose.random() < 0.3:
            bench.restart()
            last = done = None
        elif last is not None and choose.random() < 0.7:
            if done is None:
                settled += samples(last)
            done = last.until
            last = bench.next(most=choose.choice([1, 10, 1000]), done=done)
            done = None
        else:
            last = bench.next(most=choose.choice([1, 10, 1000]), in_doubt=choose.random() < 0.5)
    while last is not None or (last := bench.next()) is not None:
        settled += samples(last)
        last = bench.next(done=last.until)
    found = of(settled, "cpu_usage")
    # A restart after a batch was settled, and before the next was asked for, sends it again.
    assert [value for _, value in found] == [float(tick) for tick in range(ticks)]
    bench.history.close()
