"""Handles write values. The registry assigns each series a column and returns one row per tick."""

import math
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import numpy as np
import pytest

from tickboard.engine import Engine
from tickboard.errors import InputError, LimitError
from tickboard.metrics import handles as handles_module
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.handles import MAX_OBSERVATIONS, Gauge, written_by
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.wire import MetricInfo, Stats


@pytest.fixture
def registry() -> Registry:
    return Registry()


def collected(registry: Registry, elapsed_s: float = 1.0) -> dict[str, float | None]:
    row = registry.collect(elapsed_s)
    return {series.key: None if math.isnan(row[series.column]) else row[series.column] for series in registry.series}


def test_a_gauge_holds_its_last_value_and_starts_without_one(registry: Registry) -> None:
    cpu = registry.gauge("cpu")
    assert collected(registry) == {"cpu": None}
    cpu.set(1)
    cpu.set(41.5)
    assert collected(registry) == {"cpu": 41.5}
    assert collected(registry) == {"cpu": 41.5}


@pytest.mark.parametrize("nothing", [math.nan, math.inf, -math.inf, None])
def test_a_gauge_can_be_set_to_no_value(registry: Registry, nothing: float | None) -> None:
    cpu = registry.gauge("cpu")
    cpu.set(1)
    cpu.set(nothing)
    assert collected(registry) == {"cpu": None}


def test_a_gauge_can_be_increased_and_decreased(registry: Registry) -> None:
    jobs = registry.gauge("jobs")
    jobs.inc()
    jobs.inc(4)
    jobs.dec(2)
    assert collected(registry) == {"jobs": 3}


def test_a_counter_shows_the_rate_since_the_last_tick(registry: Registry) -> None:
    errors = registry.counter("errors")
    for _ in range(6):
        errors.inc()
    assert collected(registry, 2.0) == {"errors": 3}
    assert collected(registry, 2.0) == {"errors": 0}
    errors.inc(5)
    assert collected(registry, 0.0) == {"errors": None}


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf])
def test_a_counter_refuses_decrements_and_non_finite_values(registry: Registry, wrong: float) -> None:
    with pytest.raises(InputError, match=r"'errors' cannot grow by"):
        registry.counter("errors").inc(wrong)


def test_counting_from_many_threads_loses_nothing(registry: Registry) -> None:
    errors = registry.counter("errors")

    def count() -> None:
        for _ in range(5_000):
            errors.inc()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert collected(registry) == {"errors": 40_000}


def test_a_histogram_has_the_average_and_percentiles_of_each_tick(registry: Registry) -> None:
    latency = registry.histogram("latency", "Latency", unit="ms")
    for value in range(1, 101):
        latency.observe(value)
    latency.observe(math.nan)
    found = collected(registry)
    assert found["latency"] == 50.5
    assert found["latency.p50"] == 50.5
    assert found["latency.p95"] == pytest.approx(95.05)
    assert found["latency.p99"] == pytest.approx(99.01)
    assert set(collected(registry).values()) == {None}
    assert registry.metrics["latency.p95"].title == "Latency p95"


def test_conditions_use_the_percentiles_of_a_histogram_as_metrics(registry: Registry) -> None:
    latency = registry.histogram("latency")
    assert (latency.p95 > 80).text() == "latency.p95 > 80"
    assert (latency.p95 > 80).metric_name() == "latency.p95"
    assert (latency.avg > 80).metric_name() == "latency"


def test_a_busy_histogram_keeps_a_fair_sample_and_the_exact_average(registry: Registry) -> None:
    latency = registry.histogram("latency")
    many = MAX_OBSERVATIONS * 5
    for value in range(many):
        latency.observe(value)
    found = collected(registry)
    assert found["latency"] == (many - 1) / 2
    assert found["latency.p50"] == pytest.approx(many / 2, rel=0.05)


def test_each_set_of_labels_is_a_series(registry: Registry) -> None:
    disk = registry.gauge("disk", labels=("host", "device"))
    disk.labels(host="a", device="sda").set(1)
    disk.labels(device="sdb", host="a").set(2)
    disk.labels(host="a", device="sda").inc()
    assert collected(registry) == {'disk{host="a",device="sda"}': 2, 'disk{host="a",device="sdb"}': 2}


def test_a_labelled_histogram_has_its_percentiles_for_each_series(registry: Registry) -> None:
    latency = registry.histogram("latency", labels=["route"])
    latency.labels(route="/").observe(4)
    assert collected(registry)['latency.p99{route="/"}'] == 4


def test_a_labelled_metric_cannot_be_written_without_its_labels(registry: Registry) -> None:
    disk = registry.gauge("disk", labels=["device"])
    with pytest.raises(InputError, match=r"write \.labels\(device=…\)"):
        disk.set(1)
    with pytest.raises(InputError, match="has the labels device, not host"):
        disk.labels(host="a")
    with pytest.raises(InputError, match="has no labels"):
        registry.gauge("cpu").labels(core=1)


def test_only_an_identical_declaration_can_be_repeated(registry: Registry) -> None:
    cpu = registry.gauge("cpu", unit="%")
    assert registry.gauge("cpu", unit="%") is cpu
    with pytest.raises(InputError, match="already declared as a gauge"):
        registry.counter("cpu")
    with pytest.raises(InputError, match="key 'cpu' is taken"):
        registry.gauge("cpu_usage")
    registry.gauge("lat.p95")
    with pytest.raises(InputError, match="needs it for its p95"):
        registry.histogram("lat")


def test_the_metrics_of_the_specification_have_its_keys(registry: Registry) -> None:
    for name in ("cpu_usage", "memory_usage", "requests_per_sec", "avg_latency", "other"):
        registry.gauge(name)
    registry.gauge("more", key="m")
    assert list(registry.keys.values()) == ["cpu", "memory", "requests", "latency", "other", "m"]


def test_the_number_of_series_is_limited_and_existing_ones_continue() -> None:
    registry = Registry(max_series=2)
    core = registry.gauge("core", labels=["core"])
    core.labels(core=0).set(1)
    core.labels(core=1).set(2)
    with pytest.raises(LimitError, match="is at its limit of 2 series"):
        core.labels(core=2)
    core.labels(core=1).set(3)
    assert collected(registry) == {'core{core="0"}': 1, 'core{core="1"}': 3}


def test_many_series_keep_their_values_as_the_registry_grows(registry: Registry) -> None:
    core = registry.gauge("core", labels=["core"])
    for index in range(300):
        core.labels(core=index).set(index)
    assert registry.collect(1.0).tolist() == list(np.arange(300.0))


def test_series_are_in_the_order_in_which_their_metrics_were_declared(registry: Registry) -> None:
    core = registry.gauge("core", labels=["core"])
    registry.gauge("cpu")
    core.labels(core=0)
    assert [series.key for series in registry.in_order()] == ['core{core="0"}', "cpu"]


def test_an_unknown_stat_is_an_error_that_lists_them(registry: Registry) -> None:
    cpu = registry.gauge("cpu")
    with pytest.raises(AttributeError, match="its stats are last, avg"):
        _ = cpu.p96
    assert repr(cpu) == "<gauge cpu>"


def test_a_metric_is_found_by_its_name(registry: Registry) -> None:
    cpu = registry.gauge("cpu")
    assert registry.handle("cpu") is cpu
    with pytest.raises(InputError, match="'load' is not a metric of this board: use one of cpu"):
        registry.handle("load")


def test_the_column_of_a_removed_series_is_reused(registry: Registry) -> None:
    core = registry.gauge("core", labels=["core"])
    took = registry.histogram("took", labels=["route"])
    gone = core.labels(core=0)
    gone.set(1)
    took.labels(route="/").observe(1)
    core.labels(core=1).set(2)
    registry.remove(gone, took.labels(route="/"))
    registry.remove(gone)
    assert collected(registry) == {'core{core="1"}': 2}
    left = registry.take_left()
    assert sorted(left) == [0, 1, 2, 3, 4]
    assert registry.take_left() == []
    width = registry.width
    core.labels(core=2).set(5)
    assert registry.width == width + 1
    registry.recycle(left)
    core.labels(core=0).set(4)
    assert registry.width == width + 1
    assert collected(registry) == {'core{core="1"}': 2, 'core{core="2"}': 5, 'core{core="0"}': 4}


def test_a_removed_counter_is_no_longer_collected(registry: Registry) -> None:
    hits = registry.counter("hits", labels=["route"])
    child = hits.labels(route="/")
    child.inc(5)
    registry.remove(child)
    registry.recycle(registry.take_left())
    registry.gauge("other").set(1)
    assert collected(registry) == {"other": 1}


def test_a_histogram_without_room_for_all_its_series_adds_none() -> None:
    registry = Registry(max_series=3)
    took = registry.histogram("took", labels=["route"])
    with pytest.raises(LimitError, match="3 series"):
        took.labels(route="/")
    assert not registry.series
    assert not registry.histograms
    registry.gauge("a")


def test_a_metric_without_room_for_its_series_is_not_declared() -> None:
    registry = Registry(max_series=1)
    for _ in range(2):
        with pytest.raises(LimitError, match="1 series"):
            registry.histogram("took")
    assert not registry.metrics
    registry.gauge("a")


# --- removing series ---


def test_a_removed_series_comes_back_when_it_is_written_to(registry: Registry) -> None:
    heat = registry.gauge("heat", labels=["host"])
    hits = registry.counter("hits", labels=["host"])
    took = registry.histogram("took", labels=["host"])
    kept = heat.labels(host="a"), hits.labels(host="a"), took.labels(host="a")
    heat.labels(host="b").set(1)

    def write() -> None:
        kept[0].set(2)
        kept[1].inc(3)
        kept[2].observe(4)
        kept[2].observe_all([4, 4])

    write()
    before = collected(registry)
    assert (before['heat{host="a"}'], before['hits{host="a"}'], before['took.p99{host="a"}']) == (2, 3, 4)
    for metric in (heat, hits, took):
        metric.remove(host="a")
        metric.remove(host="a")
        metric.remove(host="never was")
    assert collected(registry) == {'heat{host="b"}': 1}
    write()
    assert collected(registry) == before
    assert heat.labels(host="a") is kept[0]


def test_remove_requires_the_declared_labels(registry: Registry) -> None:
    heat = registry.gauge("heat", labels=["host"])
    with pytest.raises(InputError, match="has the labels host, not none"):
        heat.remove()
    with pytest.raises(InputError, match="has the labels host, not hots"):
        heat.remove(hots="a")
    for labels in ({}, {"host": "a"}):
        with pytest.raises(InputError, match="'load' has no labels: it has one series, which always stays"):
            registry.gauge("load").remove(**labels)


@pytest.mark.parametrize("kind", ["gauge", "counter", "histogram"])
def test_old_and_new_handles_of_a_series_that_came_back_share_one_column(registry: Registry, kind: str) -> None:
    metric = {"gauge": registry.gauge, "counter": registry.counter, "histogram": registry.histogram}[kind](
        "m", labels=["host"]
    )

    def write(handle: object, value: float) -> None:
        {
            "gauge": lambda: handle.inc(value),  # type: ignore[attr-defined]
            "counter": lambda: handle.inc(value),  # type: ignore[attr-defined]
            "histogram": lambda: handle.observe(value),  # type: ignore[attr-defined]
        }[kind]()

    kept = metric.labels(host="a")
    metric.remove(host="a")
    again = metric.labels(host="a")
    assert again is not kept
    write(again, 4)
    write(kept, 2)
    assert collected(registry)['m{host="a"}'] == (3 if kind == "histogram" else 6)
    metric.remove(host="a")
    registry.recycle(registry.take_left())
    registry.gauge("other").set(7)
    write(kept, 2)
    write(again, 2)
    found = collected(registry)
    assert (found["other"], found['m{host="a"}']) == (7, 2 if kind == "histogram" else 4)


def test_a_merged_distribution_brings_its_series_back(registry: Registry) -> None:
    took = registry.histogram("took", labels=["host"])
    kept = took.labels(host="a")
    took.remove(host="a")
    took.labels(host="a")
    kept.merge(Distribution.of([3.0]))
    assert collected(registry)['took{host="a"}'] == 3


def test_a_series_comes_back_only_if_there_is_room() -> None:
    registry = Registry(max_series=1)
    heat = registry.gauge("heat", labels=["host"])
    kept = heat.labels(host="a")
    heat.remove(host="a")
    heat.labels(host="b").set(1)
    with pytest.raises(LimitError, match="1 series"):
        kept.set(2)
    assert collected(registry) == {'heat{host="b"}': 1}


def test_a_series_of_a_withdrawn_metric_does_not_come_back(registry: Registry) -> None:
    lead = registry.discover(Gauge, MetricInfo("queue", "Queue", "", "gauge", ["host"]))
    kept = registry.open(lead, (("host", "a"),))
    registry.remove(kept)
    registry.withdraw("queue")
    for write in (lambda: kept.set(1), lambda: lead.labels(host="a")):
        with pytest.raises(InputError, match="'queue' has left the board"):
            write()
    assert not registry.series


def test_writing_and_removing_from_many_threads_never_reaches_another_series(registry: Registry) -> None:
    heat = registry.gauge("heat", labels=["host"])
    other = registry.gauge("other", labels=["host"])
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(500):
                heat.labels(host=number).set(number)
                heat.remove(host=number)
                other.labels(host=f"{number} {turn % 7}").set(-1)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        registry.collect(1.0)
        registry.recycle(registry.take_left())
    for thread in threads:
        thread.join()
    assert not failures
    found = collected(registry)
    assert {value for key, value in found.items() if key.startswith("other")} == {-1}
    assert len({series.column for series in registry.series}) == len(registry.series) == 28


def test_series_stay_in_the_order_of_their_metrics_after_removals() -> None:
    registry = Registry()
    first, second = (registry.gauge(name, labels=["n"]) for name in ("first", "second"))
    for number in range(3):
        second.labels(n=str(number)).set(0)
        first.labels(n=str(number)).set(0)
    registry.remove(second.labels(n="1"), first.labels(n="0"))
    registry.recycle(registry.take_left())
    first.labels(n="3").set(0)
    keys = [series.key for series in registry.in_order()]
    assert sorted(keys[:3]) == ['first{n="1"}', 'first{n="2"}', 'first{n="3"}']
    assert keys[3:] == ['second{n="0"}', 'second{n="2"}']
    assert [series.column for series in registry.of_metric("first")] == sorted(
        series.column for series in registry.of_metric("first")
    )
    registry.remove(*(second.labels(n=n) for n in ("0", "2")))
    assert registry.of_metric("second") == []


def test_add_records_values_while_the_lock_is_held(registry: Registry) -> None:
    hits, took = registry.counter("hits"), registry.histogram("took")
    with registry.lock:
        hits.add(3)
        hits.add(-1)
        for value in (2.0, 4.0, math.nan):
            took.add(value)
    assert collected(registry) == {"hits": 2, "took": 3, "took.p50": 3, "took.p95": 3.9, "took.p99": 3.98}


def test_written_by_collects_the_names_of_written_metrics(registry: Registry) -> None:
    cpu, hits, took = registry.gauge("cpu"), registry.counter("hits"), registry.histogram("took")
    disk = registry.gauge("disk", labels=["device"])
    outer: set[str] = set()
    inner: set[str] = set()
    cpu.set(1)
    with written_by(outer):
        hits.inc()
        with written_by(inner):
            disk.labels(device="sda").set(1)
            with pytest.raises(InputError):
                hits.inc(-1)
        took.observe(1)
    cpu.set(2)
    assert (outer, inner) == ({"hits", "took", "took.p50", "took.p95", "took.p99"}, {"disk"})


def test_name_of_returns_the_metric_of_a_column(registry: Registry) -> None:
    registry.gauge("cpu")
    disk = registry.gauge("disk", labels=["device"]).labels(device="sda")
    [column] = disk.columns
    assert registry.name_of(column) == "disk"
    registry.remove(disk)
    assert not registry.name_of(column)


def test_distributions_with_too_many_buckets_in_one_tick_are_coarsened(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handles_module, "MAX_BUCKETS", 100)
    took = registry.histogram("took")
    for start in range(100):
        # Ten more values, each in its own bucket.
        took.merge(Distribution.of([float(start + 100 * number) for number in range(10)]))
        assert sum(len(one.counts) for one in took._distributions) <= 100
    took.observe(500.0)
    found = collected(registry)
    assert found["took"] == pytest.approx((sum(range(1_000)) + 500) / 1_001)
    assert found["took.p50"] == pytest.approx(500, abs=25)
    assert found["took.p99"] == pytest.approx(990, abs=25)


# --- reading through a handle ---


def ticking(*values: float, window: int = 10) -> tuple[Gauge, Engine]:
    registry = Registry()
    gauge = registry.gauge("load")
    engine = Engine(registry, [], window, "epoch", str)
    for second, value in enumerate(values):
        gauge.set(value)
        engine.tick(1_000.0 + second, 1.0)
    return gauge, engine


def test_value_is_that_of_the_newest_tick() -> None:
    gauge, engine = ticking(1, 2)
    gauge.set(3)
    assert gauge.value == 2
    engine.tick(1_002.0, 1.0)
    assert gauge.value == 3


def test_before_the_first_tick_there_is_no_value() -> None:
    gauge = Registry().gauge("load")
    assert np.isnan(gauge.value)
    assert gauge.stats() == Stats(0.0, 0.0, 0.0, 0)
    gauge, engine = ticking(1.0)
    newer = engine.registry.gauge("newer")
    assert np.isnan(newer.value)


def test_stats_cover_the_window_or_a_span_of_it() -> None:
    gauge, _ = ticking(9, 1, 2, 3, 4, window=4)
    whole = gauge.stats()
    assert (whole.avg, whole.min, whole.max, whole.count, whole.last, whole.p50) == (2.5, 1, 4, 4, 4, 2.5)
    assert gauge.stats("2s").avg == gauge.stats(2).avg == gauge.stats(timedelta(seconds=2)).avg == 3.5


def test_ticks_without_a_value_are_not_in_the_stats() -> None:
    gauge, _ = ticking(1, 3, np.nan)
    assert np.isnan(gauge.value)
    assert (gauge.stats().avg, gauge.stats().count, gauge.stats().last) == (2, 2, None)


def test_a_labelled_metric_is_read_through_its_labels() -> None:
    registry = Registry()
    size = registry.gauge("size", labels=("disk",))
    engine = Engine(registry, [], 10, "epoch", str)
    first = size.labels(disk="a")
    first.set(5)
    engine.tick(1_000.0, 1.0)
    assert first.value == 5
    for read in (lambda: size.value, size.stats):
        with pytest.raises(InputError, match=r"has labels: write \.labels\(disk=…\) before the value"):
            read()
    size.remove(disk="a")
    assert np.isnan(first.value)
    assert first.stats().count == 0


def test_track_inprogress_counts_the_blocks_in_progress() -> None:
    gauge, engine = ticking(0)
    with gauge.track_inprogress(), gauge.track_inprogress():
        engine.tick(1_001.0, 1.0)
        assert gauge.value == 2
    engine.tick(1_002.0, 1.0)
    assert gauge.value == 0


@pytest.mark.parametrize(("unit", "scale"), [("s", 1), ("ms", 1e3), ("µs", 1e6), ("ns", 1e9), ("", 1), ("req", 1)])
def test_time_observes_the_duration_in_the_unit_of_the_metric(
    monkeypatch: pytest.MonkeyPatch, unit: str, scale: float
) -> None:
    clock = iter([5.0, 5.25])
    monkeypatch.setattr("tickboard.metrics.handles.perf_counter", lambda: next(clock))
    registry = Registry()
    latency = registry.histogram("latency", unit=unit)
    engine = Engine(registry, [], 10, "epoch", str)
    with latency.time():
        pass
    engine.tick(1_000.0, 1.0)
    assert latency.value == 0.25 * scale


def test_a_value_for_the_column_of_a_removed_series_is_dropped() -> None:
    disk = Registry().gauge("disk", labels=("mount",))
    root = disk.labels(mount="/")
    [column] = root.columns
    root.set_at(column, 3)
    assert root.columns == [column]
    disk.remove(mount="/")
    root.set_at(column, 4)
    assert root.columns == []


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_non_finite_numbers_and_none_mean_no_value(value: float | None) -> None:
    gauge = Registry().gauge("load")
    for set_it in (gauge.set, lambda new: gauge.set_at(gauge.columns[0], new)):
        gauge.set(1)
        set_it(value)
        assert math.isnan(gauge._registry.values[gauge.columns[0]])


def test_converting_a_value_to_float_does_not_hold_the_lock() -> None:
    gauge = Registry().gauge("load")
    free: list[bool] = []

    class Slow:
        def __float__(self) -> float:
            def other() -> None:
                taken = gauge._registry.lock.acquire(timeout=10)
                free.append(taken)
                if taken:
                    gauge._registry.lock.release()

            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            return 2.0

    slow = cast("float", Slow())
    gauge.set(slow)
    gauge.set_at(gauge.columns[0], slow)
    assert free == [True, True]


def test_set_function_needs_a_board() -> None:
    with pytest.raises(InputError, match="only a board calls a function for it"):
        Registry().gauge("load").set_function(lambda: 1.0)


def test_an_iterable_of_values_may_write_to_handles_itself() -> None:
    registry = Registry()
    gauge, histogram = registry.gauge("load"), registry.histogram("latency")

    def values() -> Iterator[float]:
        for value in (1.0, 3.0):
            gauge.inc()
            yield value

    histogram.observe_all(values())
    row = registry.collect(1.0)
    assert (row[gauge.columns[0]], row[histogram.columns[0]]) == (2, 2)


def test_a_write_within_a_write_does_not_deadlock() -> None:
    # As in a signal handler.
    registry = Registry()
    gauge = registry.gauge("load")
    with registry.lock:
        gauge.set(1)
    assert registry.collect(1.0)[0] == 1


def test_inc_counts_from_zero_if_there_is_no_value() -> None:
    registry = Registry()
    gauge = registry.gauge("load")
    gauge.set(math.inf)
    gauge.inc()
    assert registry.collect(1.0)[0] == 1


def jobs() -> tuple[Registry, Engine, Gauge]:
    registry = Registry()
    engine = Engine(registry, [], 10, "epoch", str, Intake(registry, forget_s=5.0))
    return registry, engine, registry.gauge("jobs", labels=("queue",))


def test_a_series_with_a_block_in_progress_is_not_removed() -> None:
    registry, engine, gauge = jobs()
    with gauge.labels(queue="a").track_inprogress(), gauge.labels(queue="a").track_inprogress():
        for second in range(20):
            engine.tick(1_000.0 + second, 1.0)
            engine.check(1_000.0 + second)
        assert gauge.labels(queue="a").value == 2
    engine.tick(1_020.0, 1.0)
    assert gauge.labels(queue="a").value == 0
    for second in range(21, 40):
        engine.tick(1_000.0 + second, 1.0)
        engine.check(1_000.0 + second)
    assert not registry.has_series("jobs")


def test_a_series_removed_during_a_block_stays_removed() -> None:
    registry, engine, gauge = jobs()
    with gauge.labels(queue="a").track_inprogress():
        gauge.remove(queue="a")
    engine.tick(1_000.0, 1.0)
    assert not registry.has_series("jobs")
    assert not registry.busy


def test_an_old_handle_tracks_blocks_of_the_series_that_came_back() -> None:
    _, engine, gauge = jobs()
    kept = gauge.labels(queue="a")
    gauge.remove(queue="a")
    gauge.labels(queue="a").set(3)
    with kept.track_inprogress():
        engine.tick(1_000.0, 1.0)
        assert kept.value == gauge.labels(queue="a").value == 4


def test_a_block_on_a_labelled_metric_is_refused_at_its_start() -> None:
    registry = Registry()
    latency, running = registry.histogram("latency", labels=("path",)), registry.gauge("running", labels=("path",))
    for begin in (latency.time, running.track_inprogress):
        with pytest.raises(InputError, match="has labels"):
            begin()


def test_a_metric_cannot_be_redeclared_with_another_forget(registry: Registry) -> None:
    labelled = registry.gauge("load", labels=("host",))
    assert registry.gauge("load", labels=("host",)) is labelled
    with pytest.raises(InputError, match="already declared"):
        registry.gauge("load", labels=("host",), forget=False)
