"""Handles write values; the registry gives each series a column and hands out one row a tick."""

import math
import threading

import numpy as np
import pytest

from tickboard.errors import InputError, LimitError
from tickboard.series import MAX_OBSERVATIONS, Registry


@pytest.fixture
def registry() -> Registry:
    return Registry()


def collected(registry: Registry, elapsed_s: float = 1.0) -> dict[str, float | None]:
    row = registry.collect(elapsed_s)
    return {series.key: None if math.isnan(row[series.column]) else row[series.column] for series in registry.series}


def test_a_gauge_holds_its_last_value_and_has_none_before(registry: Registry) -> None:
    cpu = registry.gauge("cpu")
    assert collected(registry) == {"cpu": None}
    cpu.set(1)
    cpu.set(41.5)
    assert collected(registry) == {"cpu": 41.5}
    assert collected(registry) == {"cpu": 41.5}


@pytest.mark.parametrize("nothing", [math.nan, math.inf, -math.inf, None])
def test_a_gauge_can_be_without_a_value_again(registry: Registry, nothing: float | None) -> None:
    cpu = registry.gauge("cpu")
    cpu.set(1)
    cpu.set(nothing)
    assert collected(registry) == {"cpu": None}


def test_a_gauge_goes_up_and_down(registry: Registry) -> None:
    jobs = registry.gauge("jobs")
    jobs.inc()
    jobs.inc(4)
    jobs.dec(2)
    assert collected(registry) == {"jobs": 3}


def test_a_counter_shows_its_rate_a_second_and_starts_anew(registry: Registry) -> None:
    errors = registry.counter("errors")
    for _ in range(6):
        errors.inc()
    assert collected(registry, 2.0) == {"errors": 3}
    assert collected(registry, 2.0) == {"errors": 0}
    errors.inc(5)
    assert collected(registry, 0.0) == {"errors": None}


@pytest.mark.parametrize("wrong", [-1, math.nan, math.inf])
def test_a_counter_only_grows(registry: Registry, wrong: float) -> None:
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


def test_a_histogram_gives_average_and_percentiles_of_each_tick(registry: Registry) -> None:
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


def test_in_conditions_a_histogram_s_percentiles_are_the_newest_tick_s(registry: Registry) -> None:
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


def test_a_labelled_metric_is_written_through_its_labels(registry: Registry) -> None:
    disk = registry.gauge("disk", labels=["device"])
    with pytest.raises(InputError, match=r"write \.labels\(device=…\)"):
        disk.set(1)
    with pytest.raises(InputError, match="has the labels device, not host"):
        disk.labels(host="a")
    with pytest.raises(InputError, match="has the labels none"):
        registry.gauge("cpu").labels(core=1)


def test_what_cannot_be_sent_becomes_a_question_mark(registry: Registry) -> None:
    size = registry.gauge("size", "Size \udcff", unit="\udcff", labels=["file"])
    assert (size.metric.title, size.metric.unit) == ("Size ?", "?")
    series = size.labels(file="log-\udcff.txt")
    series.set(1)
    assert [one.key for one in registry.series] == ['size{file="log-?.txt"}']
    assert size.labels(file="log-\udcff.txt") is series
    assert registry.gauge("size", "Size \udcff", unit="\udcff", labels=["file"]) is size


@pytest.mark.parametrize("name", ["", "1cpu", "cpu usage", 'a"b', "a{b}", "é"])
def test_a_malformed_name_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(InputError, match="start with a letter"):
        registry.gauge(name)


def test_malformed_labels_are_refused(registry: Registry) -> None:
    with pytest.raises(InputError, match="write labels="):
        registry.gauge("cpu", labels="core")
    with pytest.raises(InputError, match="label name 'a b'"):
        registry.gauge("cpu", labels=["a b"])


def test_a_name_is_declared_once_but_may_be_said_again(registry: Registry) -> None:
    cpu = registry.gauge("cpu", unit="%")
    assert registry.gauge("cpu", unit="%") is cpu
    with pytest.raises(InputError, match="declared already, as a gauge"):
        registry.counter("cpu")
    with pytest.raises(InputError, match="the key 'cpu' is taken"):
        registry.gauge("cpu_usage")
    registry.gauge("lat.p95")
    with pytest.raises(InputError, match="needs it for its p95"):
        registry.histogram("lat")


def test_the_specifications_metrics_have_its_keys(registry: Registry) -> None:
    for name in ("cpu_usage", "memory_usage", "requests_per_sec", "avg_latency", "other"):
        registry.gauge(name)
    registry.gauge("more", key="m")
    assert list(registry.keys.values()) == ["cpu", "memory", "requests", "latency", "other", "m"]


def test_the_number_of_series_has_a_limit_and_what_was_there_goes_on() -> None:
    registry = Registry(max_series=2)
    core = registry.gauge("core", labels=["core"])
    core.labels(core=0).set(1)
    core.labels(core=1).set(2)
    with pytest.raises(LimitError, match="has its 2 series"):
        core.labels(core=2)
    core.labels(core=1).set(3)
    assert collected(registry) == {'core{core="0"}': 1, 'core{core="1"}': 3}


def test_many_series_keep_their_values_as_the_registry_grows(registry: Registry) -> None:
    core = registry.gauge("core", labels=["core"])
    for index in range(300):
        core.labels(core=index).set(index)
    assert registry.collect(1.0).tolist() == list(np.arange(300.0))


def test_series_go_in_the_order_in_which_their_metrics_were_declared(registry: Registry) -> None:
    core = registry.gauge("core", labels=["core"])
    registry.gauge("cpu")
    core.labels(core=0)
    assert [series.key for series in registry.in_order()] == ['core{core="0"}', "cpu"]


def test_an_unknown_stat_is_an_error_that_lists_them(registry: Registry) -> None:
    cpu = registry.gauge("cpu")
    with pytest.raises(AttributeError, match="its stats are last, avg"):
        _ = cpu.p96
    assert repr(cpu) == "<gauge cpu>"


def test_a_metric_is_found_again_by_its_name(registry: Registry) -> None:
    cpu = registry.gauge("cpu")
    assert registry.handle("cpu") is cpu
    with pytest.raises(InputError, match="'load' is not a metric of this board; it has cpu"):
        registry.handle("load")


def test_a_series_that_is_removed_leaves_its_column_to_another(registry: Registry) -> None:
    core = registry.gauge("core", labels=["core"])
    took = registry.histogram("took", labels=["route"])
    gone = core.labels(core=0)
    gone.set(1)
    took.labels(route="/").observe(1)
    core.labels(core=1).set(2)
    registry.remove(gone, took.labels(route="/"))
    registry.remove(gone)
    assert collected(registry) == {'core{core="1"}': 2}
    with pytest.raises(InputError, match="was removed"):
        gone.set(3)
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


def test_a_counter_that_is_removed_is_no_longer_counted(registry: Registry) -> None:
    hits = registry.counter("hits", labels=["route"])
    child = hits.labels(route="/")
    child.inc(5)
    registry.remove(child)
    registry.recycle(registry.take_left())
    registry.gauge("other").set(1)
    assert collected(registry) == {"other": 1}


def test_a_histogram_that_has_no_room_takes_none() -> None:
    registry = Registry(max_series=3)
    took = registry.histogram("took", labels=["route"])
    with pytest.raises(LimitError, match="3 series"):
        took.labels(route="/")
    assert not registry.series
    assert not registry.histograms
    registry.gauge("a")


def test_a_metric_that_has_no_room_is_not_declared() -> None:
    registry = Registry(max_series=1)
    for _ in range(2):
        with pytest.raises(LimitError, match="1 series"):
            registry.histogram("took")
    assert not registry.metrics
    registry.gauge("a")
