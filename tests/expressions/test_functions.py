"""`metric`, `absent` and `anomaly` express what handles cannot."""

import pytest

from tickboard.errors import InputError
from tickboard.expressions.functions import absent, anomaly, metric
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
