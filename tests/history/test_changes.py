"""What changed in a history: which values are compared, and the ranking."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.history.naive import Key, layout_of

from tickboard.errors import TooMuchError
from tickboard.expressions.alignment import Floats
from tickboard.history import changes as changes_module
from tickboard.history import reading
from tickboard.history.answers import ChangesQuestion, FoundChanges
from tickboard.history.comparing import ONE_RANGE
from tickboard.history.store import History, Retention

START = 1_800_000_000
"""A whole hour."""

HOUR_S = 3600


class Board:
    """A board with a history.

    Attributes:
        history: of the board.
        now: the time of the next tick.
    """

    def __init__(self, path: Path, keys: list[Key], retention: Retention | None = None) -> None:
        self.history = History(path, retention or Retention(), lambda problem: None)
        self.now = float(START)
        self._layout = layout_of(keys)
        self._seq = 0
        self._interval_s = 1.0

    def begin(self, interval_s: float = 1.0) -> None:
        self._interval_s = interval_s
        self._seq = 0
        self.history.begin(f"run at {self.now}", int(interval_s * 1000), 60)

    def append(self, rows: Floats) -> None:
        """Append a tick for each row, the first of them now."""
        for each in rows:
            self._seq += 1
            self.history.append(self._seq, self.now, self._layout, each)
            self.now += self._interval_s
        self.history.flush()

    def compare(
        self,
        length_s: float,
        *patterns: str,
        end: float = 0,
        baseline: tuple[float, float] | None = None,
        limit: int = 100,
    ) -> FoundChanges:
        """Compare a range that ends some seconds before now with the one before it, or with a baseline."""
        until, since = self.now - end, self.now - end - length_s
        first, last = baseline or (since - length_s, since)
        start, stop, old, new = (int(time * 1000) for time in (since, until, first, last))
        return self.history.compare(ChangesQuestion(patterns, start, stop, old, new, limit))


def names(found: FoundChanges) -> list[str]:
    return [one.name for one in found.changed]


def key(name: str) -> Key:
    return (name, (), "%")


KINDS = ["stepped", "drifts", "noise", "constant", "appeared", "vanished", "seldom", "errors"]


def kinds(ticks: int) -> Floats:
    """Return rows of series of every kind, twice as many as `ticks`."""
    random = np.random.default_rng(0)
    late = np.arange(2 * ticks) >= ticks
    count = np.arange(2 * ticks)
    columns = [
        np.where(late, 80.0, 20.0) + random.normal(0, 1, 2 * ticks),
        count / 10,
        random.normal(50, 5, 2 * ticks),
        np.full(2 * ticks, 42.0),
        np.where(late, 5.0, np.nan),
        np.where(late, np.nan, 6.0),
        np.where(count % ticks < 4, np.where(late, 1e6, 0.0), np.nan),
        np.where(late & (count % 4 == 0), 3.0, 0.0),
    ]
    return np.stack(columns, axis=1)


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path / "history.sqlite", [key(name) for name in KINDS])
    board.begin()
    yield board
    board.history.close()


def test_series_are_ranked_by_how_much_they_changed(board: Board) -> None:
    board.append(kinds(600))
    found = board.compare(600)
    assert names(found) == ["stepped", "appeared", "vanished", "drifts", "errors"]
    # "seldom" has four values in each range.
    assert (found.compared, found.count, found.tier) == (len(KINDS) - 1, 5, "raw")
    scores = [one.score for one in found.changed]
    assert scores == sorted(scores, reverse=True)
    stepped, appeared, vanished, _, errors = found.changed
    assert [stepped.before, stepped.after] == pytest.approx([20, 80], abs=0.5)
    assert (appeared.score, vanished.score) == (ONE_RANGE, ONE_RANGE)
    assert (appeared.after, vanished.before) == (5, 6)
    assert np.isnan([appeared.before, vanished.after]).all()
    assert (errors.before, errors.after, errors.score) == (0, 0.75, 0.125)


@pytest.mark.parametrize("ticks", [5, 200, 600])
def test_the_result_is_the_same_before_and_after_sealing(board: Board, ticks: int) -> None:
    board.append(kinds(ticks))
    found = board.compare(ticks)
    board.append(np.full((1_500, len(KINDS)), np.nan))
    board.history.settle()
    again = board.compare(ticks, end=1_500)
    assert names(again) == names(found) != []
    for one, other in zip(found.changed, again.changed, strict=True):
        np.testing.assert_allclose([one.before, one.after], [other.before, other.after], rtol=1e-5)
        assert one.score == pytest.approx(other.score, abs=1e-3)


def test_rounding_in_blocks_is_not_a_change(tmp_path: Path) -> None:
    board = Board(tmp_path / "history.sqlite", [key("thirds"), key("tenths")])
    board.begin()
    thirds = np.array([[1 / 3, 0.1], [2 / 3, 0.2]] * 900)
    board.append(thirds)
    board.history.settle()
    board.append(thirds[:300])
    assert board.compare(300).changed == ()
    assert board.compare(300).compared == 2
    board.history.close()


def test_selectors_and_the_limit_choose_series(board: Board) -> None:
    board.append(kinds(60))
    assert names(board.compare(60, "d*", "stepped", "noise")) == ["stepped", "drifts"]
    assert board.compare(60, "d*", "stepped", "noise").compared == 3
    whole, first = board.compare(60), board.compare(60, limit=2)
    assert names(first) == ["stepped", "appeared"]
    assert (first.compared, first.count) == (len(KINDS) - 1, len(whole.changed))
    found = board.compare(60, "nothing")
    assert (found.compared, found.count, found.changed) == (0, 0, ())


def test_the_buckets_of_heat_maps_are_not_compared(tmp_path: Path) -> None:
    board = Board(tmp_path / "h", [("took", (), "ms"), ("took.buckets", (("le", "10"),), "/s")])
    board.begin()
    board.append(np.array([[1.0, 1.0]] * 60 + [[9.0, 9.0]] * 60))
    with closing(board.history):
        for patterns in ((), ("took*",), ('took.buckets{le="10"}', "took")):
            assert names(board.compare(60, *patterns)) == ["took"]


def test_the_baseline_may_be_anywhere(board: Board) -> None:
    rows = kinds(300)
    board.append(rows[:300])
    board.append(np.full((500, len(KINDS)), np.nan))
    board.append(rows[300:])
    apart = board.compare(300, baseline=(START, START + 300))
    assert names(apart) == ["stepped", "appeared", "vanished", "drifts", "errors"]
    # The baseline may be later than the range, and of another length.
    back = board.compare(300, end=800, baseline=(board.now - 200, board.now))
    assert sorted(names(back)) == ["appeared", "drifts", "errors", "stepped", "vanished"]
    [appeared] = [one for one in back.changed if one.name == "appeared"]
    assert (appeared.before, np.isnan(appeared.after)) == (5, True)


def test_a_range_in_which_nothing_was_recorded_compares_nothing(board: Board) -> None:
    board.append(kinds(60))
    assert board.compare(200).compared == 0
    assert board.compare(60, end=-3600).compared == 0
    assert board.compare(60, end=-60).changed == ()


def test_equal_scores_are_in_the_order_of_the_first_record(tmp_path: Path) -> None:
    keys = [key(f"m{7 * number % 50}") for number in range(50)]
    board = Board(tmp_path / "history.sqlite", keys)
    board.begin()
    board.append(np.repeat([1.0, 5.0], 10)[:, None].repeat(50, axis=1))
    assert names(board.compare(10)) == [name for name, _, _ in keys]
    board.history.close()


def test_series_are_compared_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    series = 700
    board = Board(tmp_path / "history.sqlite", [key(f"m{number}") for number in range(series)])
    board.begin()
    steps: Floats = np.arange(1.0, series + 1)
    board.append(np.repeat([0.0, 1.0], 400)[:, None] * steps + 100)
    board.history.settle()
    whole = board.compare(400, limit=1_000)
    assert (whole.compared, set(names(whole))) == (series, {f"m{number}" for number in range(series)})
    # The more it steps, the higher it scores.
    scores = {one.name: one.score for one in whole.changed}
    assert scores["m699"] > scores["m300"] > scores["m0"]
    monkeypatch.setattr(changes_module, "_GROUP_VALUES", 800 * 256)
    assert board.compare(400, limit=1_000) == whole
    board.history.close()


# --- which tier ---


def test_the_averages_of_minutes_answer_for_long_ranges(tmp_path: Path) -> None:
    board = Board(tmp_path / "history.sqlite", [key("peaks"), key("same")])
    board.begin()
    peaks: Floats = np.zeros((4 * HOUR_S, 2))
    peaks[2 * HOUR_S :: 30, 0] = 60
    board.append(peaks)
    assert board.compare(1_800).tier == "raw"
    for _ in range(2):
        found = board.compare(2 * HOUR_S)
        assert found.tier == "minutes"
        [change] = found.changed
        # Two of 60 ticks: 2 on average, in every minute.
        assert (change.name, change.before, change.after, found.compared) == ("peaks", 0, 2, 2)
        assert change.score == pytest.approx((1 + 100 / 103) / 2, abs=1e-4)
        board.history.settle()
    board.history.close()


def test_a_minute_belongs_to_the_range_that_it_begins_in(tmp_path: Path) -> None:
    board = Board(tmp_path / "history.sqlite", [key("stepped")])
    board.begin()
    rows = np.where(np.arange(4 * HOUR_S) < 2 * HOUR_S + 30, 1.0, 2.0)[:, None]
    rows[:60] = 9
    board.append(rows)
    [change] = board.compare(2 * HOUR_S - 30).changed
    # The minute that is cut begins in the baseline: 119 of 1 and one of 1.5.
    assert [change.before, change.after] == pytest.approx([1 + 0.5 / 120, 2])
    # The first minute begins before the baseline.
    [change] = board.compare(2 * HOUR_S, baseline=(START + 30, START + 2 * HOUR_S)).changed
    assert [change.before, change.after] == pytest.approx([1, 2 - 0.5 / 120])
    board.history.close()


def test_minutes_answer_where_ticks_have_expired(tmp_path: Path) -> None:
    board = Board(tmp_path / "history.sqlite", [key("stepped")], Retention(raw_s=2 * HOUR_S, minutes_s=24 * HOUR_S))
    board.begin(10.0)
    ticks = 24 * 360
    board.append(np.where(np.arange(ticks) < 300, 1.0, 2.0)[:, None])
    board.history.settle()
    oldest = board.history.status().raw.oldest_ms
    assert oldest is not None
    assert oldest > (START + 6000) * 1000
    found = board.compare(600, end=24 * HOUR_S - 3600)
    assert found.tier == "minutes"
    assert [(one.before, one.after) for one in found.changed] == [(1, 2)]
    # One range is as old: both are compared by the minute.
    assert board.compare(600, baseline=(START, START + 600)).tier == "minutes"
    assert board.compare(600).tier == "raw"
    board.history.close()


def test_the_averages_of_hours_answer_for_days(tmp_path: Path) -> None:
    board = Board(tmp_path / "history.sqlite", [key("stepped")], Retention(raw_s=1e8))
    board.begin(300.0)
    day = 288
    board.append(np.where(np.arange(8 * day) < 4 * day, 1.0, 2.0)[:, None])
    board.history.settle()
    # 1,152 ticks are not too many.
    assert board.compare(4 * 24 * HOUR_S).tier == "raw"
    found = board.compare(8 * 24 * HOUR_S, baseline=(START, START + 4 * 24 * HOUR_S))
    assert found.tier == "hours"
    assert [(one.before, one.after) for one in found.changed] == [(1, 1.5)]
    board.history.close()


def test_ticks_that_a_later_run_hides_are_not_compared(board: Board) -> None:
    board.append(np.full((400, len(KINDS)), 1.0))
    board.now = START + 200
    board.begin()
    board.append(np.full((200, len(KINDS)), 1.0))
    assert board.compare(200).compared == len(KINDS)
    assert board.compare(200).changed == ()


def test_a_question_for_too_many_values_is_refused(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    board.append(kinds(60))
    monkeypatch.setattr(reading, "MAX_WORK", 100)
    with pytest.raises(TooMuchError, match="ask for fewer series, a shorter range"):
        board.compare(60)
