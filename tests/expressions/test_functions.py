"""`metric`, `absent`, `anomaly` and `total` express what handles cannot."""

import pytest

from tickboard.errors import InputError
from tickboard.expressions.expr import Reading, operand
from tickboard.expressions.functions import absent, anomaly, metric, total
from tickboard.metrics.registry import Registry


def test_metric_may_name_an_undeclared_metric() -> None:
    registry = Registry()
    depth = metric("queue.depth")
    assert depth.align(registry.binding()).labels == ()
    registry.gauge("queue.depth")
    assert depth.align(registry.binding()).labels == ((),)
    assert (depth.avg > 1).text() == "queue.depth.avg > 1"


def test_labels_select_series() -> None:
    registry = Registry()
    disk = registry.gauge("disk", labels=["host", "mount"])
    for host, mount in (("a", "/"), ("a", "/home"), ("b", "/")):
        disk.labels(host=host, mount=mount)
    picked = metric("disk", mount="/")
    assert [dict(labels)["host"] for labels in picked.align(registry.binding()).labels] == ["a", "b"]
    assert picked.max.text() == 'metric("disk", mount="/").max'
    assert metric("disk", name="x").labels == (("name", "x"),)


def test_names_that_are_not_identifiers_are_quoted() -> None:
    assert metric('a:b"c').text() == 'metric("a:b\\"c")'


def test_absent_accepts_only_metrics() -> None:
    cpu = Registry().gauge("cpu")
    assert absent(cpu.avg("10s")).text() == 'absent(cpu.avg("10s"))'
    for wrong in (cpu > 1, 5):
        with pytest.raises(InputError, match="give a metric, as absent"):
            absent(wrong)  # type: ignore[arg-type]


def test_anomaly_accepts_only_a_metric_and_a_positive_span() -> None:
    cpu = Registry().gauge("cpu")
    assert (anomaly(cpu) > 5).text() == "anomaly(cpu) > 5"
    assert anomaly(cpu, " 5m ").text() == 'anomaly(cpu, "5m")'
    assert anomaly(cpu, "5m").span_s == 300
    with pytest.raises(InputError, match="give a metric, as anomaly"):
        anomaly(cpu.avg)
    with pytest.raises(InputError, match="give a span above 0"):
        anomaly(cpu, "0s")


@pytest.mark.parametrize("wrong", ["", 5, None])
def test_a_metric_name_must_be_a_nonempty_string(wrong: object) -> None:
    with pytest.raises(InputError, match="give a metric's name"):
        metric(wrong)  # type: ignore[arg-type]


def test_the_values_of_labels_may_be_globs() -> None:
    registry = Registry()
    cpu = registry.gauge("cpu", labels=["host", "core"])
    for host in ("web-1", "web-2", "db-1"):
        for core in ("0", "1"):
            cpu.labels(host=host, core=core)

    def hosts(picked: Reading) -> list[str]:
        return ["/".join(value for _, value in labels) for labels in picked.align(registry.binding()).labels]

    assert hosts(metric("cpu", host="web-*")) == ["web-1/0", "web-1/1", "web-2/0", "web-2/1"]
    assert hosts(metric("cpu", host="*-1", core="1")) == ["web-1/1", "db-1/1"]
    assert hosts(metric("cpu", host="*b-[2-9]", core="?")) == ["web-2/0", "web-2/1"]
    assert hosts(metric("cpu", host="web")) == hosts(metric("cpu", zone="*")) == []
    assert metric("cpu", host="web-*").avg("10s").text() == 'metric("cpu", host="web-*").avg("10s")'
    assert hosts(anomaly(metric("cpu", host="db-*"), "5m")) == ["db-1/0", "db-1/1"]


def test_the_series_of_a_handle_is_never_a_glob() -> None:
    registry = Registry()
    disk = registry.gauge("disk", labels=["mount"])
    latency = registry.histogram("latency", labels=["mount"])
    for mount in ("/a*", "/abc"):
        disk.labels(mount=mount)
        latency.labels(mount=mount)
    for handle in (disk, latency):
        one = handle.labels(mount="/a*")
        p95 = one.p95.max("10s") if handle is latency else one.p95("10s")
        for reading in (one.expression(), one.max("10s"), one.p95, p95, anomaly(one)):
            assert [dict(labels)["mount"] for labels in operand(reading).align(registry.binding()).labels] == ["/a*"]
    both = metric("disk", mount="/a*").align(registry.binding())
    assert len(both.labels) == 2


def test_a_total_is_of_a_metric_by_some_labels() -> None:
    registry = Registry()
    requests = registry.counter("requests", labels=["env", "host"])
    assert (total(requests) > 5).text() == "total(requests) > 5"
    assert (total(requests.avg("10s"), by="env") > 5).text() == 'total(requests.avg("10s"), by="env") > 5'
    assert repr(total(1 - requests, by=["env", "host", "env"])) == 'total(1 - requests, by=("env", "host"))'
    assert total(total(requests, by="env")).metric_name() == "requests"
    for wrong in (requests > 1, 5):
        with pytest.raises(InputError, match="give a metric, as total"):
            total(wrong)  # type: ignore[arg-type]
    for by in ("", ["env", ""], [5], 5):
        with pytest.raises(InputError, match='give the name of a label, as by="env"'):
            total(requests, by)  # type: ignore[arg-type]


def test_a_stat_is_inside_of_a_total() -> None:
    with pytest.raises(AttributeError, match=r"total\(q\) has no 'max'; write the stat inside, as total\(requests.avg"):
        total(metric("q")).max  # noqa: B018
    with pytest.raises(AttributeError, match=r"total\(q\) has no 'mean'$"):
        total(metric("q")).mean  # noqa: B018
