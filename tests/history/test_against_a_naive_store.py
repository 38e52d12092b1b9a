"""A history answers as a naive store does, whatever the order of appends, amendments, sealing, expiry and restarts."""

import math
import shutil
import sqlite3
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.history.naive import Key, Naive, check, layout_of

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Question
from tickboard.history.encodings import PIECES
from tickboard.history.layout import Layout
from tickboard.history.store import History, Retention

NAMES = ["whole", "percent", "float", "level", "rare", "coordinate", "counter"]
EXACT = {"whole", "level", "counter"}
START = 1_800_000_000_000

RETENTION = Retention(raw_s=2 * 86_400, minutes_s=15 * 86_400, hours_s=40 * 86_400)


def key(name: str, host: str) -> Key:
    return name, (("host", host),), "unit"


class Histories(RuleBasedStateMachine):
    """A history and a naive store that receive the same calls."""

    @initialize(interval_s=st.sampled_from([1, 7, 60, 300]), window=st.integers(1, 30))
    def start(self, interval_s: int, window: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.problems: list[str | None] = []
        self.naive = Naive()
        self.hosts = ["a"]
        self.now = START
        self.interval_ms, self.window = interval_s * 1000, window
        self.epochs = self.named = 0
        self.open()
        self.append(300, 30, seed=0)

    def open(self) -> None:
        self.history = History(self.folder / "h.sqlite", RETENTION, self.problems.append)
        self.begin()

    def begin(self) -> None:
        self.epochs += 1
        self.seq = 0
        self.history.begin(f"e{self.epochs}", self.interval_ms, self.window)
        self.naive.begin(self.interval_ms)
        self.layout = self.make_layout()

    def make_layout(self) -> Layout:
        keys = [key(name, host) for host in self.hosts for name in NAMES]
        # Columns are in any order, and some are unused.
        columns = np.random.default_rng(len(keys)).permutation(len(keys) + 3)[: len(keys)]
        return layout_of(keys, columns.tolist())

    def row(self, random: np.random.Generator) -> Floats:
        row = np.full(int(self.layout.columns.max()) + 1, 12.5)
        for place, (name, *_) in enumerate(self.layout.keys):
            value = {
                "whole": float(random.integers(-1000, 2**40)),
                "percent": round(float(random.uniform(0, 100)), 2),
                "float": float(random.normal(0, 1) * 10.0 ** random.integers(-30, 30)),
                "level": 42.0,
                "rare": float(random.random()) if random.random() < 0.1 else math.nan,
                "coordinate": 48.2 + float(random.random()) / 1e6,
                "counter": float(self.now // 1000 + random.integers(0, 3)),
            }[name]
            row[self.layout.columns[place]] = math.nan if random.random() < 0.02 else value
        return row

    @rule(
        ticks=st.integers(1, 400),
        step=st.sampled_from([1, 1, 1, 3, 30, 200]),
        seed=st.integers(0, 2**20),
    )
    def append(self, ticks: int, step: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(ticks):
            self.now += min(self.interval_ms * step, 7_200_000) + int(random.integers(0, 5))
            self.seq += int(random.integers(1, 3))
            row = self.row(random)
            self.history.append(self.seq, self.now / 1000, self.layout, row)
            self.naive.append(self.now, self.layout, row)

    @rule()
    def more_series(self) -> None:
        self.named += 1
        self.hosts.append(f"h{self.named}")
        self.layout = self.make_layout()

    @precondition(lambda self: len(self.hosts) > 1)
    @rule()
    def fewer_series(self) -> None:
        self.hosts.pop(0)
        self.layout = self.make_layout()

    @rule(forward_ms=st.integers(-4 * 3_600_000, 20 * 3_600_000), interval_s=st.sampled_from([1, 7, 60, 300]))
    def restart(self, forward_ms: int, interval_s: int) -> None:
        self.history.close()
        self.now += forward_ms
        self.interval_ms = interval_s * 1000
        self.open()

    @rule(back_ms=st.integers(1, 6 * 3_600_000))
    def set_clock_back(self, back_ms: int) -> None:
        self.now -= back_ms
        self.begin()

    @rule()
    def settle(self) -> None:
        self.check_all()
        self.history.settle()
        self.check_all()

    @rule(where=st.floats(0, 1), name=st.sampled_from(NAMES), seed=st.integers(0, 2**20), several=st.integers(1, 9))
    def amend(self, where: float, name: str, seed: int, several: int) -> None:
        random = np.random.default_rng(seed)
        # Expired ticks cannot be amended, and hidden ones are not meant.
        times = [time for time in self.naive.times() if time > self.now - 86_400_000]
        for time in times[int(where * len(times)) :][:several]:
            wanted = key(name, self.hosts[-1])
            place = self.layout.keys.index(wanted)
            value = self.row(random)[self.layout.columns[place]]
            self.history.amend(time / 1000, self.layout, self.layout.columns[[place]], np.array([value]))
            self.naive.amend(time, wanted, float(value))

    @rule(
        start=st.floats(-0.1, 1),
        length=st.floats(0, 1.1),
        points=st.sampled_from([1, 7, 60, 400, 1500, 5000]),
        pattern=st.sampled_from(["", "whole", '*{host="a"}', "f*", "nothing"]),
        recent=st.booleans(),
    )
    def read(self, start: float, length: float, points: int, pattern: str, recent: bool) -> None:
        oldest = self.now - 6 * 3_600_000 if recent else START
        whole = max(self.now - oldest, 1000)
        start_ms = oldest + int(whole * start)
        end_ms = start_ms + 1 + int(whole * length)
        self.check(start_ms, end_ms, points, pattern)
        # What was read may be kept.
        self.check(start_ms + (end_ms - start_ms) // 3, end_ms, points, pattern)

    @rule(
        ticks=st.integers(1, 90),
        end=st.integers(-50, 20),
        points=st.sampled_from([3, 7, 20, 60, 400]),
        pattern=st.sampled_from(["", "whole", '*{host="a"}', "f*", "nothing"]),
    )
    def read_newest(self, ticks: int, end: int, points: int, pattern: str) -> None:
        start_ms = self.now - ticks * self.interval_ms
        self.check(start_ms, max(start_ms, self.now + end * self.interval_ms) + 1, points, pattern)

    def check_all(self) -> None:
        """Ask each tier for everything, and for a part that begins and ends in the middle of buckets."""
        start = min([START, *self.naive.times()]) - 3_600_000
        end = max([self.now, *self.naive.times()]) + 3_600_000
        for points in (1, 30, 1000, 5000):
            self.check(start, end, points, "")
            self.check(start + (end - start) // 3 + 12_345, end - (end - start) // 7 - 1, points, "")

    def check(self, start_ms: int, end_ms: int, points: int, pattern: str) -> None:
        """Ask both stores the same."""
        self.history.flush()
        question = Question((pattern,) if pattern else (), start_ms, end_ms, points)
        expired, kept, answer = self.expired(), self.history.answer_from_memory(question), self.history.read(question)
        # Entries may expire meanwhile.
        while expired != (expired := self.expired()):
            kept, answer = self.history.answer_from_memory(question), self.history.read(question)
        if (remembered := self.history.answer_from_memory(question)) is not None:
            assert [list(pieces(remembered)) for pieces in PIECES.values()] == [
                list(pieces(answer)) for pieces in PIECES.values()
            ]
        keys = {each for epoch in self.naive.epochs for row in epoch.ticks.values() for each in row}
        wanted = [each for each in keys if is_wanted(each, pattern)]
        expected = self.naive.answer(question, wanted, expired)
        for found in (answer, kept):
            if found is not None:
                check(found, expected, {each for each in wanted if each[0] in EXACT})

    @rule(back=st.integers(1, 500), most=st.integers(1, 300))
    def newest(self, back: int, most: int) -> None:
        self.history.flush()
        since, before = self.now - back * self.interval_ms, self.now + 1
        times, rows = self.history.newest(before, since, self.layout, most)
        ticks = [tick for tick in self.naive.shown(1) if since <= tick[0] < before][-most:]
        assert times.tolist() == [time for time, _ in ticks]
        for got, (_, right) in zip(rows, ticks, strict=True):
            for place, each in enumerate(self.layout.keys):
                value = right.get(each, math.nan)
                assert np.isclose(got[self.layout.columns[place]], value, rtol=2e-5, atol=0, equal_nan=True)

    def expired(self) -> list[int]:
        file = sqlite3.connect(self.folder / "h.sqlite")
        values = dict(file.execute("SELECT name, value FROM state"))
        file.close()
        return [values[f"expired{tier}"] for tier in range(3)]

    def teardown(self) -> None:
        if hasattr(self, "history"):
            self.settle()
            self.history.close()
            assert self.problems == []
            assert self.history.status().dropped == 0
            shutil.rmtree(self.folder)


def is_wanted(each: Key, pattern: str) -> bool:
    name, labels, _ = each
    if pattern == '*{host="a"}':
        return dict(labels)["host"] == "a"
    return name.startswith("f") if pattern == "f*" else pattern in ("", name)


TestHistories = pytest.mark.slow(pytest.mark.timeout(300)(Histories.TestCase))
TestHistories.settings = settings(
    max_examples=8, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
