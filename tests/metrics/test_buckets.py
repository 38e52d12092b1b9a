"""The buckets of a heat map: how many values per second lie in each, at every tick."""

from collections.abc import Iterable
from math import inf, nan

import numpy as np
import pytest
from tests.metrics.sending import Bench

from tickboard.engine import Engine
from tickboard.errors import InputError
from tickboard.metrics.buckets import BOUND, MAX_COLUMNS, is_bucket
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.earlier import EarlierTicks, Key
from tickboard.metrics.handles import Histogram
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.metrics.source import STATE_S

SECOND = 1.0
Found = dict[str, float | None]


def shown(bench: Bench, name: str = "took", *, bounds: Iterable[float] = (), labels: tuple[str, ...] = ()) -> Histogram:
    histogram = bench.registry.histogram(name, labels=labels)
    bench.registry.buckets.show(histogram, bounds)
    return histogram


def buckets(row: Found, before: str = "took.buckets{") -> Found:
    """Return the values of the buckets by their bound."""
    found = {key.split('le="')[1][:-2]: value for key, value in row.items() if key.startswith(before)}
    return dict(sorted(found.items(), key=lambda pair: float(pair[0])))


# --- single values ---


def test_a_tick_has_the_number_of_values_per_second_in_each_bucket() -> None:
    bench = Bench()
    took = shown(bench)
    took.observe_all([17, 18, 20, 90])
    assert buckets(bench.tick()) == {"15": 0, "20": 3, "80": 0, "100": 1}
    took.observe_all([17, 17])
    assert buckets(bench.tick(2)) == {"15": 0, "20": 1, "80": 0, "100": 0}


def test_a_tick_without_values_has_none_in_each_bucket() -> None:
    bench = Bench()
    shown(bench).observe(17)
    bench.tick()
    row = bench.tick()
    assert buckets(row) == {"15": 0, "20": 0}
    assert row["took"] is None


def test_there_are_no_buckets_before_the_first_value() -> None:
    bench = Bench()
    shown(bench)
    assert buckets(bench.tick()) == {}


def test_a_tick_in_no_time_has_no_rate() -> None:
    bench = Bench()
    shown(bench).observe(17)
    bench.time += 1
    bench.engine.tick(bench.time, 0)
    assert buckets(bench.row()) == {"15": None, "20": None}


def test_a_histogram_that_no_heat_map_shows_has_no_buckets() -> None:
    bench = Bench()
    shown(bench)
    other = bench.registry.histogram("other")
    other.observe(17)
    assert not [key for key in bench.tick() if key.startswith("other.b")]


def test_a_sample_of_very_many_values_counts_for_all_of_them() -> None:
    bench = Bench()
    shown(bench, bounds=[10]).observe_all([5.0] * 15_000 + [15.0] * 15_000)
    found = buckets(bench.tick())
    assert found["10"] == pytest.approx(15_000, rel=0.05)
    assert sum(value or 0 for value in found.values()) == pytest.approx(30_000)


def test_buckets_of_a_coarser_ladder_replace_finer_ones() -> None:
    bench = Bench()
    took = shown(bench)
    took.observe_all([17, 18])
    bench.tick()
    took.observe_all(np.geomspace(1, 1e6, 1_000).tolist())
    found = buckets(bench.tick())
    # The finer buckets have no value from now on, so those that have one cover the whole range.
    assert found["15"] is None
    assert (found["10"], found["20"]) != (None, None)
    assert sum(value for value in found.values() if value is not None) == 1_000
    assert buckets(bench.row(1))["20"] == 2
    assert buckets(bench.tick())["15"] is None


# --- distributions of senders ---


def classic(*counts: float) -> Distribution:
    return Distribution.explicit([10, 20], counts, nan)


def test_a_sender_s_own_bounds_are_those_of_the_buckets() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    shown(bench)
    column = source.histogram("t", "took")
    source.merge_totals(column, classic(0, 0, 0), bench.time)
    bench.tick()
    source.merge_totals(column, classic(4, 8, 2), bench.time + 0.5)
    bench.tick()
    assert buckets(bench.row()) == {"10": 4 / 1.5, "20": 8 / 1.5, "+Inf": 2 / 1.5}


def test_rates_of_a_sender_hold_until_its_next_distribution_and_then_may_be_zero() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    shown(bench)
    column = source.histogram("t", "took")
    for counts in ((0, 0, 0), (20, 0, 10), (20, 0, 10)):
        source.merge_totals(column, classic(*counts), bench.time + 0.1)
        for _ in range(10):
            bench.tick()
        if counts[0] and buckets(bench.row())["10"]:
            assert buckets(bench.row()) == buckets(bench.row(3)) == {"10": 2, "20": 0, "+Inf": 1}
    row = bench.row()
    assert buckets(row) == {"10": 0, "20": 0, "+Inf": 0}
    # The average stays: there was no newer value.
    assert row["took"] == pytest.approx(10)


def test_values_since_the_last_tick_are_shown_in_one_tick() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    shown(bench)
    source.merge(source.histogram("t", "took"), Distribution.of([17, 18]))
    assert buckets(bench.tick())["20"] == 2
    row = bench.tick()
    assert buckets(row)["20"] == 0
    assert row["took"] == 17.5


def test_a_distribution_that_is_a_state_is_shown_as_it_is() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    shown(bench)
    source.merge(source.histogram("t", "took"), classic(3, 0, 1), over_s=STATE_S)
    bench.tick()
    assert buckets(bench.tick()) == {"10": 3, "20": 0, "+Inf": 1}


def test_values_from_elsewhere_and_observed_ones_add_up() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    took = shown(bench, bounds=[10, 20])
    took.observe(15)
    source.merge(source.histogram("t", "took"), classic(1, 0, 2))
    assert buckets(bench.tick()) == {"10": 1, "20": 1, "+Inf": 2}


def test_other_bounds_of_a_sender_replace_its_first_ones() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    shown(bench)
    column = source.histogram("t", "took")
    source.merge(column, classic(1, 2, 3), over_s=SECOND)
    bench.tick()
    source.merge(column, Distribution.explicit([10, 15], [1, 2, 3], nan), over_s=SECOND)
    assert buckets(bench.tick()) == {"10": 1, "15": 2, "20": None, "+Inf": 3}


def test_bounds_that_change_all_the_time_do_not_add_up() -> None:
    bench = Bench(max_series=MAX_COLUMNS + 4)
    source = bench.intake.source("test")
    shown(bench)
    column = source.histogram("t", "took")
    for shift in range(20):
        bounds = (np.arange(1.0, 20) + shift / 100).tolist()
        source.merge(column, Distribution.explicit(bounds, [1.0] * 20, nan), over_s=SECOND)
        row = bench.tick()
        assert sum(value or 0 for value in buckets(row).values()) == 20
        assert len(buckets(row)) <= MAX_COLUMNS
    assert bench.registry.buckets.refused == ""


def test_cleared_buckets_have_no_value() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    shown(bench)
    column = source.histogram("t", "took")
    source.merge(column, classic(1, 2, 3), over_s=SECOND)
    bench.tick()
    source.clear([column])
    assert buckets(bench.tick()) == {"10": None, "20": None, "+Inf": None}


# --- late values ---


def test_a_late_distribution_is_in_its_own_tick_and_those_after_it() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    shown(bench)
    column = source.histogram("t", "took")
    for _ in range(4):
        bench.tick()
    source.merge(column, classic(2, 4, 0), bench.time - 1, over_s=2.0)
    bench.tick()
    assert [buckets(bench.row(back)).get("20") for back in range(4, -1, -1)] == [None, None, 2, 2, 2]


def test_a_late_distribution_without_values_changes_only_the_buckets() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    shown(bench)
    column = source.histogram("t", "took")
    source.merge(column, classic(2, 4, 0), over_s=SECOND)
    bench.tick()
    bench.tick()
    source.merge(column, classic(0, 0, 0), bench.time, over_s=SECOND)
    row = bench.tick()
    assert buckets(row) == {"10": 0, "20": 0, "+Inf": 0}
    assert row["took"] is not None


def test_a_late_distribution_with_other_bounds_has_only_those() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    shown(bench)
    column = source.histogram("t", "took")
    source.merge(column, classic(2, 4, 0), over_s=SECOND)
    bench.tick()
    bench.tick()
    source.merge(column, Distribution.explicit([15], [1, 2], nan), bench.time)
    assert buckets(bench.tick()) == {"10": None, "15": 1, "20": None, "+Inf": 2}


# --- labels, and series that leave ---


def test_each_series_of_a_histogram_has_buckets() -> None:
    bench = Bench()
    took = shown(bench, labels=("route",))
    took.labels(route="/").observe(17)
    took.labels(route="/x").observe(300)
    row = bench.tick()
    assert buckets(row, 'took.buckets{route="/",') == {"15": 0, "20": 1}
    assert buckets(row, 'took.buckets{route="/x",') == {"250": 0, "300": 1}


def test_only_the_shown_series_have_buckets() -> None:
    bench = Bench()
    took = bench.registry.histogram("took", labels=("route",))
    for route in ("/", "/x", "/y"):
        took.labels(route=route)
    bench.registry.buckets.show(took.labels(route="/"), ())
    bench.registry.buckets.show(took.labels(route="/x"), ())

    def with_buckets() -> set[str]:
        for route in ("/", "/x", "/y"):
            took.labels(route=route).observe(17)
        return {key.split('"')[1] for key in bench.tick() if key.startswith("took.buckets")}

    assert with_buckets() == {"/", "/x"}
    bench.registry.buckets.show(took, ())
    assert with_buckets() == {"/", "/x", "/y"}
    # The series that is shown already is among them.
    bench.registry.buckets.show(took.labels(route="/"), ())
    assert with_buckets() == {"/", "/x", "/y"}


def test_the_buckets_of_a_series_leave_and_come_back_with_it() -> None:
    bench = Bench()
    took = shown(bench, labels=("route",))
    took.labels(route="/").observe(17)
    bench.tick()
    took.remove(route="/")
    assert not [key for key in bench.tick() if key.startswith("took")]
    took.labels(route="/").observe(300)
    assert buckets(bench.tick()) == {"250": 0, "300": 1}


def test_without_room_values_are_in_a_wider_bucket_and_that_is_said() -> None:
    bench = Bench(max_series=4 + 2)
    took = shown(bench)
    took.observe(17)
    bench.tick()
    assert bench.registry.buckets.refused == ""
    took.observe_all([3, 17, 300])
    assert buckets(bench.tick()) == {"15": 1, "20": 2}
    assert bench.registry.buckets.refused == (
        "metric 'took.buckets': the board is at its limit of 6 series: use fewer labels"
    )
    bench.registry.max_series = 100
    took.observe(300)
    bench.tick()
    assert bench.registry.buckets.refused == ""


def test_a_bucket_of_earlier_ticks_that_is_there_already_stays_as_it_is() -> None:
    bench = Bench()
    shown(bench).observe(17)
    before = bench.tick()
    series = bench.registry.width
    bench.registry.buckets.recall([("took.buckets", ((BOUND, "15"),)), ("took.buckets", ((BOUND, "5"),))])
    assert bench.registry.width == series + 1
    assert buckets(bench.tick()).keys() == buckets(before).keys() | {"5"}


def test_without_any_room_there_are_no_buckets() -> None:
    bench = Bench(max_series=4)
    took = shown(bench)
    took.observe(17)
    row = bench.tick()
    assert (row["took"], buckets(row)) == (17, {})


# --- what cannot be shown ---


def test_two_heat_maps_of_a_histogram_have_the_same_bounds() -> None:
    bench = Bench()
    took = shown(bench, bounds=[10, 20])
    bench.registry.buckets.show(took, [10, 20])
    with pytest.raises(InputError, match="another heat map of it has other bounds: give both the same"):
        bench.registry.buckets.show(took, ())


def test_the_name_and_the_label_of_the_buckets_must_be_free() -> None:
    registry = Registry()
    registry.gauge("took.buckets")
    with pytest.raises(InputError, match=r"'took.buckets' is already declared: a heat map of 'took' needs"):
        registry.buckets.show(registry.histogram("took"), ())
    with pytest.raises(InputError, match="has the label 'le', which its buckets need: rename it"):
        registry.buckets.show(registry.histogram("sizes", labels=("le",)), ())


def test_a_bucket_is_known_by_its_name_and_its_label() -> None:
    assert is_bucket("took.buckets", ["route", "le"])
    assert not is_bucket("took.buckets", ["route"])
    assert not is_bucket("took", ["le"])


# --- after a restart, and after a change of the file ---

EARLIER: list[Key] = [
    ("took", ()),
    ("took.buckets", (("le", "20"),)),
    ("took.buckets", (("le", "+Inf"),)),
    ("took.buckets", (("le", "much"),)),
    ("took.buckets", ()),
    ("took.buckets", (("route", "/"),)),
]


def test_a_window_begins_with_the_buckets_of_an_earlier_run() -> None:
    bench = Bench()
    took = shown(bench)
    bench.engine.refill(EarlierTicks(np.array([100.0, 101.0]), EARLIER, np.array([[15.0, 2, 1, 9, 9, 9]] * 2)))
    assert buckets(bench.row()) == {"20": 2, "+Inf": 1}
    took.observe(17)
    assert buckets(bench.tick()) == {"15": 0, "20": 1, "+Inf": None}
    assert [buckets(bench.row(back))["+Inf"] for back in range(3)] == [None, 1, 1]


def test_the_buckets_of_a_series_with_labels_come_with_their_past() -> None:
    bench = Bench()
    took = shown(bench, labels=("route",))
    keys: list[Key] = [("took.buckets", (("route", "/"), ("le", "90")))]
    bench.engine.refill(EarlierTicks(np.array([100.0, 101.0]), keys, np.array([[2.0], [3.0]])))
    assert buckets(bench.tick()) == {}
    took.labels(route="/").observe(17)
    bench.tick()
    bench.tick()
    assert bench.history('took.buckets{route="/",le="90"}') == [2, 3, None, None, None]


def replacing(old: Bench) -> Bench:
    new = Bench()
    new.time = old.time
    return new


def test_a_board_that_replaces_another_keeps_the_buckets() -> None:
    old = Bench()
    source = old.intake.source("test")
    shown(old)
    source.merge(source.histogram("t", "took"), classic(1, 2, 3), over_s=SECOND)
    old.tick()
    new = replacing(old)
    shown(new)
    new.engine.inherit(old.engine)
    # They hold, as on the board before.
    assert buckets(new.tick()) == buckets(new.row(1)) == {"10": 1, "20": 2, "+Inf": 3}
    # The file was changed: no heat map shows them any more.
    last = replacing(new)
    last.registry.histogram("took")
    last.engine.inherit(new.engine)
    assert buckets(last.tick()) == {}


def test_buckets_that_have_not_come_back_are_kept_over_two_changes_in_a_row() -> None:
    boards = [Bench()]
    shown(boards[0], labels=("route",)).labels(route="/").observe(17)
    boards[0].tick()
    for _ in range(2):
        board = replacing(boards[-1])
        shown(board, labels=("route",))
        board.engine.inherit(boards[-1].engine)
        boards.append(board)
    boards[-1].registry.find("took").labels(route="/").observe(90)  # type: ignore[union-attr]
    boards[-1].tick()
    boards[-1].tick()
    assert boards[-1].history('took.buckets{route="/",le="20"}') == [1, None, None]


def test_a_bucket_that_the_new_board_lacks_has_no_column() -> None:
    old = Bench()
    source = old.intake.source("test")
    shown(old)
    source.merge(source.histogram("t", "took"), classic(1, 2, 3), over_s=SECOND)
    old.tick()
    new = Registry(max_series=5)
    new.buckets.show(new.histogram("took"), ())
    engine = Engine(new, [], 10, "e", lambda: "id", Intake(new))
    engine.inherit(old.engine)
    engine.tick(old.time + 1, 1.0)
    assert [one.key for one in new.of_metric("took.buckets")] == ['took.buckets{le="10"}']


def test_an_infinite_bound_is_the_last() -> None:
    bench = Bench()
    shown(bench, bounds=[10, inf]).observe_all([5, 50, 500])
    assert buckets(bench.tick()) == {"10": 1, "+Inf": 2}
