"""Recording, reading, tiers, amending, expiry and the bounds of a history."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest
from tests.history.naive import Key, layout_of

from tickboard.errors import BusyError, HistoryError, TooMuchError
from tickboard.expressions.alignment import Floats
from tickboard.history import reader, reading, sealing, waiting
from tickboard.history.answers import Answer, Question
from tickboard.history.codec import Column, encode
from tickboard.history.layout import Layout
from tickboard.history.sealing import block_ms
from tickboard.history.store import History, Retention

START = 1_800_000_000
"""A whole hour."""

DAY_S = 86_400

CPU: Key = ("cpu", (), "%")
MEMORY: Key = ("memory", (), "MB")
DISKS: list[Key] = [("disk", (("device", f"sd{letter}"),), "%") for letter in "abc"]


class Recorded:
    """A history in a file, and the time of the next tick. With a long `commit_s`, chores run only in `settle`."""

    def __init__(self, path: Path, retention: Retention | None = None, commit_s: float = 1.0) -> None:
        self.path = path
        self.commit_s = commit_s
        self.retention = retention or Retention()
        self.problems: list[str | None] = []
        self.now = float(START)
        self.runs = self.seq = 0
        self.history = self.open()

    def open(self) -> History:
        self.history = History(self.path, self.retention, self.problems.append, commit_s=self.commit_s)
        return self.history

    def begin(self, interval_s: float = 1.0, window: int = 60) -> None:
        self.runs += 1
        self.seq = 0
        self.interval_s = interval_s
        self.history.begin(f"run{self.runs}", int(interval_s * 1000), window)

    def append(self, layout: Layout, rows: Floats) -> None:
        """Append a tick for each row, the first of them now."""
        for row in rows:
            self.seq += 1
            self.history.append(self.seq, self.now, layout, row)
            self.now += self.interval_s

    def read(self, *patterns: str, since: float = START, until: float | None = None, points: int = 100_000) -> Answer:
        end = self.now if until is None else until
        # A read does not wait long for a slow machine to commit a whole day.
        with suppress(HistoryError):
            self.history.flush()
        return self.history.read(Question(patterns, int(since * 1000), int(end * 1000), points))


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    found = Recorded(tmp_path / "state" / "history.sqlite")
    yield found
    found.history.close()


def walk(ticks: int, series: int = 1, seed: int = 0) -> Floats:
    """Return rows of percentages with two decimals that wander."""
    steps = np.random.default_rng(seed).normal(0, 1, (ticks, series))
    walked: Floats = np.round(50 + np.cumsum(steps, axis=0), 2)
    return walked


def test_ticks_come_back_as_they_were_recorded(recorded: Recorded) -> None:
    recorded.begin()
    # Columns are in any order, and some belong to no series.
    layout = layout_of([CPU, MEMORY, *DISKS], [4, 0, 6, 1, 2])
    rows = walk(100, 7)
    rows[10:20, 4] = np.nan
    recorded.append(layout, rows)
    answer = recorded.read()
    assert (answer.tier, answer.resolution_ms) == ("raw", 1000)
    assert answer.times.tolist() == [(START + second) * 1000 for second in range(100)]
    assert [(each.name, each.labels, each.unit) for each in answer.series] == [CPU, MEMORY, *DISKS]
    for place, each in enumerate(answer.series):
        column = rows[:, layout.columns[place]]
        for values in (each.min, each.max, each.avg):
            np.testing.assert_array_equal(values, column)
        assert each.count.tolist() == (~np.isnan(column)).astype(int).tolist()


def test_a_shorter_retention_applies_while_the_history_is_open(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU]), walk(4 * 3600))
    recorded.history.settle()
    assert recorded.history.status().raw.oldest_ms == START * 1000
    recorded.history.retain(Retention(raw_s=3600), 0.05)
    recorded.append(layout_of([CPU]), walk(600))
    recorded.history.settle()
    oldest_ms = recorded.history.status().raw.oldest_ms
    assert oldest_ms is not None
    assert oldest_ms > (START + 2 * 3600) * 1000


def test_an_empty_history_answers_with_nothing(recorded: Recorded) -> None:
    answer = recorded.read(until=START + 60)
    assert (len(answer.times), answer.series) == (0, ())
    assert recorded.history.status().raw.oldest_ms is None


def test_the_status_includes_the_first_commit(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU]), walk(3))
    recorded.read()
    kept = recorded.history.status()
    assert kept.raw.oldest_ms == START * 1000
    assert (kept.series, kept.raw.bytes) == (1, 24)


def test_selectors_select_series(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU, MEMORY, *DISKS]), walk(5, 5))
    for patterns, found in {
        ("cpu",): [CPU],
        ("disk",): DISKS,
        ('disk{device="sdb"}', "c*"): [CPU, DISKS[1]],
        ("nothing",): [],
    }.items():
        answer = recorded.read(*patterns)
        assert [(each.name, each.labels, each.unit) for each in answer.series] == found
        assert len(answer.times) == 5


def test_a_reader_sees_ticks_that_are_not_committed_yet(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite", Retention(), lambda problem: None, commit_s=3600)
    history.begin("run", 1000, 60)
    for second in range(10):
        history.append(second, START + second, layout_of([CPU]), np.array([second]))
        answer = history.read(Question((), START * 1000, (START + 100) * 1000, 1000))
        assert len(answer.times) == second + 1
    history.close()


def test_a_restart_leaves_a_gap_and_may_change_the_interval(recorded: Recorded) -> None:
    recorded.begin(1.0)
    recorded.append(layout_of([CPU]), walk(10))
    recorded.history.close()
    recorded.now += 60
    recorded.open()
    recorded.begin(5.0)
    recorded.append(layout_of([MEMORY, CPU]), walk(10, 2))
    answer = recorded.read("cpu")
    assert [time // 1000 - START for time in answer.times.tolist()] == [*range(10), *range(70, 120, 5)]
    # The longest interval, so that five seconds between two ticks is not a gap.
    assert answer.resolution_ms == 5000
    assert answer.series[0].count.tolist() == [1] * 20


def test_a_series_is_identified_by_name_and_labels_not_by_column_or_unit(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU, MEMORY]), np.array([[1.0, 2.0]]))
    recorded.append(layout_of([MEMORY]), np.array([[3.0]]))
    recorded.append(layout_of([("memory", (), "GB"), CPU], [5, 1]), np.array([[0, 4.0, 0, 0, 0, 5.0]]))
    cpu, memory = recorded.read().series
    np.testing.assert_array_equal(cpu.avg, [1, np.nan, 4])
    np.testing.assert_array_equal(memory.avg, [2, 3, 5])
    assert (cpu.unit, memory.unit) == ("%", "GB")


def test_a_series_that_left_the_board_can_still_be_read(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of(DISKS), walk(1000, 3))
    recorded.append(layout_of(DISKS[:1]), walk(1000, 1))
    recorded.history.settle()
    assert len(recorded.read(until=START + 1000).series) == 3
    assert len(recorded.read(since=START + 1000).series) == 1


# --- which tier answers ---


@pytest.mark.parametrize(
    ("hours", "points", "tier", "resolution_s"),
    [
        (1, 3600, "raw", 1),
        (1, 3599, "raw", 2),
        (1, 100, "raw", 36),
        (1, 72, "raw", 50),
        (1, 61, "minutes", 60),
        (1, 60, "minutes", 60),
        (2, 100, "minutes", 120),
        (6, 7, "minutes", 3120),
        (6, 6, "hours", 3600),
        (6, 4, "hours", 7200),
    ],
)
def test_the_requested_resolution_selects_the_tier(
    tmp_path: Path, hours: int, points: int, tier: str, resolution_s: int
) -> None:
    recorded = Recorded(tmp_path / "h.sqlite")
    recorded.begin()
    rows = walk(6 * 3600)
    recorded.append(layout_of([CPU]), rows)
    for _ in range(2):
        answer = recorded.read(until=START + hours * 3600, points=points)
        assert (answer.tier, answer.resolution_ms) == (tier, resolution_s * 1000)
        assert len(answer.times) <= points + 2
        [cpu] = answer.series
        assert cpu.count.sum() == hours * 3600
        assert np.nanmax(cpu.max) == rows[: hours * 3600].max()
        assert np.nanmin(cpu.min) == rows[: hours * 3600].min()
        # The answer is the same before and after sealing and rolling up.
        recorded.history.settle()
    recorded.history.close()


@pytest.mark.parametrize("cut", [0, 60_000])
@pytest.mark.parametrize("together", [700, 200_000])
def test_a_range_has_its_ticks_however_many_blocks_are_read_together(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, cut: int, together: int
) -> None:
    monkeypatch.setattr(reading, "_CUT_VALUES", cut)
    monkeypatch.setattr(reading, "_BATCH_VALUES", together)
    recorded.begin()
    rows = np.arange(4000.0)[:, None]
    recorded.append(layout_of([CPU]), rows)
    recorded.history.settle()
    for first, last in ((0, 4000), (10, 20), (10, 600), (599, 601), (600, 1200), (610, 2500), (1190, 3999), (0, 1801)):
        question = Question((), (START + first) * 1000, (START + last) * 1000, 4000)
        [cpu] = recorded.history.read(question).series
        assert cpu.avg.tolist() == rows[first:last, 0].tolist()
        tenths = recorded.history.read(Question((), START * 1000, (START + last) * 1000, max(last // 10, 1)))
        assert tenths.series[0].count.sum() >= last


def test_min_and_max_of_every_tier_are_recorded_values(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "h.sqlite", Retention(raw_s=30 * DAY_S))
    recorded.begin(60.0, 1)
    rows = np.random.default_rng(0).normal(0, 1, (11 * 24 * 60, 1))
    recorded.append(layout_of([CPU]), rows)
    recorded.history.settle()
    kept = recorded.history.status()
    assert all(tier.bytes for tier in (kept.raw, kept.minutes, kept.hours))
    ticks = recorded.read().series[0].avg
    np.testing.assert_allclose(ticks, rows[:, 0], rtol=1e-5)
    there = set(ticks.tolist())
    for points, tier in ((len(rows) // 2, "minutes"), (100, "hours")):
        answer = recorded.read(points=points)
        assert answer.tier == tier
        assert set(answer.series[0].min.tolist()) <= there
        assert set(answer.series[0].max.tolist()) <= there
    recorded.history.close()


@pytest.mark.parametrize(
    ("interval_s", "ticks", "tier", "entries"),
    [
        (1, 3600 + 719, 1, [60]),
        (1, 2 * 3600 + 720, 1, [120]),
        (1, 4 * 3600 + 720, 1, [240]),
        (60, 28 * 60 + 62, 2, [28]),
    ],
)
def test_rollups_grow_before_they_have_their_length(
    recorded: Recorded, interval_s: float, ticks: int, tier: int, entries: list[int]
) -> None:
    recorded.begin(interval_s)
    rows = np.random.default_rng(0).normal(50, 1, (ticks, 1))
    for some in np.split(rows, [ticks // 3, ticks // 2]):
        recorded.append(layout_of([CPU]), some)
        recorded.history.settle()
    file = sqlite3.connect(recorded.path)
    spans = file.execute("SELECT entries, first FROM spans WHERE tier = ? ORDER BY first", (tier,)).fetchall()
    file.close()
    assert [count for count, _ in spans] == entries
    assert spans[0][1] == START * 1000
    unit = int((60, 3600)[tier - 1] / interval_s)
    answer = recorded.read(until=START + entries[0] * unit * interval_s, points=entries[0])
    averages = rows[: entries[0] * unit, 0].reshape(-1, unit).mean(axis=1)
    # Ticks and averages are rounded once each.
    np.testing.assert_allclose(answer.series[0].avg, averages, rtol=1.1e-5)


def test_buckets_start_at_multiples_of_their_length_and_are_complete(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU]), np.arange(600.0)[:, None])
    answer = recorded.read(since=START + 15, until=START + 95, points=8)
    assert answer.resolution_ms == 10_000
    assert [time // 1000 - START for time in answer.times.tolist()] == list(range(10, 100, 10))
    assert answer.series[0].min.tolist() == list(range(10, 100, 10))
    assert answer.series[0].count.tolist() == [10] * 9


def test_a_coarser_tier_answers_when_the_start_of_the_range_has_expired(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "h.sqlite", Retention(raw_s=6 * 3600, minutes_s=24 * 3600))
    recorded.begin(10.0)
    recorded.append(layout_of([CPU]), walk(6 * 60 * 60))
    recorded.history.settle()
    oldest = recorded.history.status().raw.oldest_ms
    assert oldest is not None
    assert recorded.now * 1000 - oldest < 7 * 3600 * 1000
    assert recorded.read(since=oldest / 1000).tier == "raw"
    answer = recorded.read(since=oldest / 1000 - 60)
    assert (answer.tier, answer.resolution_ms) == ("minutes", 60_000)
    recorded.history.close()


def test_a_peak_of_one_tick_is_still_visible_in_hours(recorded: Recorded) -> None:
    recorded.begin(10.0)
    rows = np.ones((4 * 24 * 360, 1))
    rows[1234] = 97.25
    recorded.append(layout_of([CPU]), rows)
    recorded.history.settle()
    answer = recorded.read(points=10)
    assert answer.tier == "hours"
    assert answer.series[0].max.max() == 97.25


# --- epochs ---


def test_a_later_epoch_hides_earlier_ticks_in_its_range(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU]), np.full((600, 1), 1.0))
    recorded.now = START + 200.5
    recorded.begin()
    recorded.append(layout_of([CPU]), np.full((100, 1), 2.0))
    answer = recorded.read(until=START + 600)
    expected = {START * 1000 + 1000 * second: 1.0 for second in [*range(201), *range(300, 600)]}
    expected |= {START * 1000 + 500 + 1000 * second: 2.0 for second in range(200, 300)}
    assert dict(zip(answer.times.tolist(), answer.series[0].avg.tolist(), strict=True)) == dict(
        sorted(expected.items())
    )


def test_a_selector_without_a_series_is_answered_across_overlapping_epochs(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU]), np.full((1400, 1), 1.0))
    recorded.now = START + 1350
    recorded.begin()
    recorded.append(layout_of([CPU]), np.full((200, 1), 2.0))
    recorded.history.settle()
    for since in (START, START + 100):
        answer = recorded.read("nothing_*", since=since, until=START + 1400)
        assert answer.series == ()
        assert len(answer.times) == START + 1400 - since


def test_epochs_that_do_not_overlap_share_a_bucket(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU]), np.full((30, 1), 1.0))
    recorded.begin()
    recorded.append(layout_of([CPU]), np.full((30, 1), 2.0))
    [cpu] = recorded.read(points=1).series
    assert (cpu.count.tolist(), cpu.min.tolist(), cpu.max.tolist(), cpu.avg.tolist()) == ([60], [1], [2], [1.5])


# --- a window to be filled ---


def test_newest_returns_ticks_in_the_columns_of_the_layout(recorded: Recorded) -> None:
    recorded.begin()
    rows = walk(100, 2)
    recorded.append(layout_of([CPU, MEMORY]), rows)
    wanted = layout_of([DISKS[0], MEMORY, CPU], [0, 3, 1])
    times, found = recorded.history.newest((START + 90) * 1000, (START + 50) * 1000, wanted, 10)
    assert times.tolist() == [(START + second) * 1000 for second in range(80, 90)]
    np.testing.assert_array_equal(found[:, [1, 3]], rows[80:90])
    assert np.isnan(found[:, [0, 2]]).all()


# --- amended ---


@pytest.mark.parametrize("settled", [False, True])
def test_an_amended_value_reaches_every_tier(tmp_path: Path, settled: bool) -> None:
    recorded = Recorded(tmp_path / "h.sqlite", Retention(raw_s=30 * DAY_S))
    recorded.begin(60.0, 1)
    rows = walk(11 * 24 * 60)
    layout = layout_of([CPU, MEMORY])
    recorded.append(layout, np.hstack([rows, rows]))
    if settled:
        recorded.history.settle()
    recorded.history.amend(START + 600, layout, np.array([0, 1]), np.array([250.5, np.nan]))
    # A time between two ticks means the later tick.
    recorded.history.amend(START + 630, layout, np.array([0]), np.array([-250.5]))
    recorded.history.flush()
    cpu, memory = recorded.read(points=10**6).series
    assert cpu.avg[9:13].tolist() == [rows[9, 0], 250.5, -250.5, rows[12, 0]]
    assert memory.count[9:12].tolist() == [1, 0, 1]
    minutes = recorded.read(points=10_000, until=START + 3600 * 200)
    assert minutes.tier == "minutes"
    assert minutes.series[0].max.max() == 250.5
    hours = recorded.read(points=100)
    assert hours.tier == "hours"
    assert (hours.series[0].min.min(), hours.series[0].max.max()) == (-250.5, 250.5)
    assert hours.series[1].count.sum() == len(rows) - 1
    assert recorded.history.status().dropped == 0
    recorded.history.close()


def test_amending_can_add_a_series_to_a_tick(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU]), walk(1000))
    recorded.history.settle()
    layout = layout_of([CPU, *DISKS])
    for second in (10, 990):
        recorded.history.amend(START + second, layout, np.array([2]), np.array([7.5]))
    recorded.history.flush()
    [disk] = recorded.read("disk").series
    assert disk.labels == DISKS[1][1]
    assert np.flatnonzero(disk.count).tolist() == [10, 990]
    assert disk.avg[[10, 990]].tolist() == [7.5, 7.5]


@pytest.mark.parametrize("fails", [False, True])
def test_a_value_that_is_amended_while_its_block_is_written_is_kept(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    recorded.begin()
    layout = layout_of([CPU])
    rows = walk(1000)
    recorded.append(layout, rows)
    calls: list[Floats] = []

    def amend_and_encode(values: Floats, bits: int) -> Iterator[list[Column]]:
        """Amend a tick of the block after its rows were read, in the thread that writes it."""
        calls.append(values)
        if len(calls) == 1:
            recorded.history.amend(START + 10, layout, np.array([0]), np.array([250.5]))
            assert recorded.history._writing.writer is not None
            recorded.history._writing.writer.commit(through=False)
            if fails:
                raise HistoryError("the block cannot be written")
        return encode(values, bits)

    monkeypatch.setattr(sealing, "encode", amend_and_encode)
    with pytest.raises(HistoryError, match="cannot be written") if fails else nullcontext():
        recorded.history.settle()
    recorded.history.settle()
    [cpu] = recorded.read().series
    assert cpu.avg[9:12].tolist() == [rows[9, 0], 250.5, rows[11, 0]]
    status = recorded.history.status()
    assert (status.dropped, len(calls)) == (0, 2 if fails else 1)


def test_an_amended_value_without_a_tick_is_counted_as_dropped(recorded: Recorded) -> None:
    recorded.begin()
    layout = layout_of([CPU])
    recorded.append(layout, walk(1000))
    recorded.history.settle()
    for second in (-100, 5000):
        recorded.history.amend(START + second, layout, np.array([0]), np.array([1.0]))
    recorded.history.flush()
    assert recorded.history.status().dropped == 2


# --- what is kept ---


def test_each_tier_expires_by_age(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "h.sqlite", Retention(2 * DAY_S, 12 * DAY_S, 30 * DAY_S))
    recorded.begin(300.0, 1)
    for _ in range(6):
        recorded.append(layout_of([CPU]), walk(10 * 288))
        recorded.history.settle()
    kept = recorded.history.status()
    ages = []
    for tier in (kept.raw, kept.minutes, kept.hours):
        assert tier.oldest_ms is not None
        ages.append((recorded.now - tier.oldest_ms / 1000) / DAY_S)
    # A span is deleted as a whole, and only after it is in the tier above.
    assert 2 <= ages[0] <= 3
    assert 12 <= ages[1] <= 22.5
    assert 30 <= ages[2] <= 41
    recorded.history.close()


def test_a_file_over_its_size_limit_deletes_the_oldest_ticks_first(tmp_path: Path) -> None:
    size = 1_000_000
    recorded = Recorded(tmp_path / "h.sqlite", Retention(size_bytes=size))
    recorded.begin(10.0, 10)
    layout = layout_of([(f"m{number}", (), "") for number in range(20)])
    random = np.random.default_rng(0)
    for _ in range(12):
        recorded.append(layout, random.normal(0, 1, (1440, 20)))
        recorded.history.settle()
    kept = recorded.history.status()
    assert kept.raw.oldest_ms is not None
    assert kept.raw.oldest_ms > START * 1000
    assert kept.minutes.oldest_ms == START * 1000
    used = sum(tier.bytes for tier in (kept.raw, kept.minutes, kept.hours))
    assert size / 3 < used < size * 1.05
    recorded.history.close()
    # Free pages are returned to the file system.
    assert recorded.path.stat().st_size < size * 1.3


def test_a_clock_that_jumps_ahead_does_not_expire_anything_for_an_hour(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "h.sqlite", Retention(raw_s=DAY_S, minutes_s=DAY_S, hours_s=DAY_S))
    recorded.begin(10.0, 1)
    recorded.append(layout_of([CPU]), walk(10_000))
    recorded.now += 365 * DAY_S
    recorded.append(layout_of([CPU]), walk(100))
    recorded.history.settle()
    assert recorded.read(until=START + 100_000).series[0].count.sum() == 10_000
    recorded.append(layout_of([CPU]), walk(2000))
    recorded.history.settle()
    assert not recorded.read(until=START + 80_000).series
    recorded.history.close()


def test_series_are_deleted_when_their_last_values_expire(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "h.sqlite", Retention(DAY_S, DAY_S, DAY_S))
    recorded.begin(3600.0, 1)
    recorded.append(layout_of([(f"m{number}", (), "") for number in range(256)]), walk(24, 256))
    recorded.append(layout_of([CPU]), walk(30 * 24))
    recorded.history.settle()
    # The 256 ids of a stripe are deleted together. m255 is in the next stripe.
    assert recorded.history.status().series == 2
    recorded.append(layout_of([CPU, MEMORY]), walk(24, 2))
    assert [each.name for each in recorded.read(since=recorded.now - DAY_S).series] == ["cpu", "memory"]
    recorded.history.close()


def test_kept_reports_tiers_bytes_and_series(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU, MEMORY]), walk(5 * 3600, 2))
    recorded.history.settle()
    kept = recorded.history.status()
    assert (kept.series, kept.queued, kept.dropped, kept.lost) == (2, 0, 0, 0)
    assert kept.raw.oldest_ms == kept.minutes.oldest_ms == START * 1000
    assert kept.file_bytes > kept.raw.bytes > kept.minutes.bytes > 0 == kept.hours.bytes
    file = sqlite3.connect(recorded.path)
    assert file.execute("SELECT count(*) FROM ticks").fetchone()[0] < 900
    assert file.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    file.close()


@pytest.mark.parametrize(
    ("interval_s", "series", "minutes"),
    [(1, 100, 10), (1, 5000, 8), (0.05, 10, 1), (0.1, 10, 1), (10, 10, 80), (60, 10, 240), (3600, 10, 240)],
)
def test_a_block_has_whole_minutes_and_about_600_ticks(interval_s: float, series: int, minutes: int) -> None:
    assert block_ms(int(interval_s * 1000), series) == minutes * 60_000


# --- bounds ---


def test_an_answer_that_is_too_large_is_refused(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded.begin()
    recorded.append(layout_of(DISKS), walk(100, 3))
    monkeypatch.setattr(reading, "MAX_VALUES", 120)
    assert len(recorded.read(points=40).series) == 3
    with pytest.raises(TooMuchError, match="ask for fewer series or fewer points"):
        recorded.read(points=60)
    monkeypatch.setattr(reading, "MAX_WORK", 200)
    with pytest.raises(TooMuchError, match="a shorter range"):
        recorded.read(points=40)


@pytest.fixture
def held(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Block the reader thread until the returned function is called."""
    go = threading.Event()
    begun = threading.Event()
    answer = reading.HistorySnapshot.answer

    def wait(self: reading.HistorySnapshot, question: Question) -> Answer:
        begun.set()
        go.wait(30)
        return answer(self, question)

    monkeypatch.setattr(reading.HistorySnapshot, "answer", wait)
    yield go.set
    go.set()


async def test_questions_are_refused_when_the_queue_is_full(recorded: Recorded, held: Callable[[], None]) -> None:
    question = Question((), START * 1000, START * 1000 + 1000, 10)
    asked = [asyncio.create_task(recorded.history.ask(question)) for _ in range(reader.MAX_QUESTIONS + 2)]
    await asyncio.sleep(0)
    held()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BusyError)]
    assert 1 <= len(refused) <= 2
    assert "try again" in str(refused[0])
    assert sum(isinstance(answer, Answer) for answer in answers) == len(asked) - len(refused)


async def test_cancelling_a_question_stops_the_read(recorded: Recorded, held: Callable[[], None]) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU]), walk(10))
    question = Question((), START * 1000, START * 1000 + 10_000, 10)
    first = asyncio.create_task(recorded.history.ask(question))
    await asyncio.sleep(0)
    first.cancel()
    held()
    assert len((await recorded.history.ask(question)).times) == 10
    assert first.cancelled()


def test_a_full_write_queue_drops_the_oldest_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layout_of([CPU])
    queue = waiting.Waiting()
    monkeypatch.setattr(waiting, "QUEUE_BYTES", 256 + 10 * (256 + 8))
    queue.put(waiting.BeginEpoch("run", 1000, 60))
    for seq in range(25):
        queue.put(waiting.AppendTick(seq, seq, layout, b"12345678"))
    assert (queue.ticks, queue.dropped) == (10, 15)
    taken = queue.take()
    assert isinstance(taken[0], waiting.BeginEpoch)
    assert [tick.seq for tick in taken if isinstance(tick, waiting.AppendTick)] == list(range(15, 25))
    queue.put(waiting.AppendTick(25, 25, layout, b"12345678"))
    queue.put_back(taken)
    assert [tick.seq for tick in queue.take() if isinstance(tick, waiting.AppendTick)] == list(range(16, 26))


def test_reading_a_closed_history_raises(recorded: Recorded) -> None:
    recorded.begin()
    recorded.append(layout_of([CPU]), walk(10))
    recorded.history.close()
    recorded.history.close()
    for call in (recorded.read, recorded.history.flush, recorded.history.settle):
        with pytest.raises(HistoryError, match="is closed"):
            call()
    recorded.open()
    assert recorded.read().series[0].count.sum() == 10
