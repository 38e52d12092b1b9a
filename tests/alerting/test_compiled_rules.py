"""Rules of one shape are evaluated together, and each series gets the result of its own rule."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tickboard.alerting.compiled_rules import CompiledRules, compile_rules
from tickboard.alerting.rules import Rule
from tickboard.expressions.alignment import Columns, Floats
from tickboard.expressions.expr import Condition
from tickboard.expressions.functions import total
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry


class Row:
    """A row of values."""

    def __init__(self, values: Floats) -> None:
        self._values = values

    def read(self, stat: str, columns: Columns, span_s: float | None = None) -> Floats:
        return np.where(columns < 0, np.nan, self._values[columns])


def make(*rules: Rule, registry: Registry) -> list[CompiledRules]:
    return compile_rules(rules, registry.binding())


def rule(name: str, condition: Condition, clear: Condition | None = None) -> Rule:
    return Rule(name, condition, "m", "info", clear=clear)


def test_rules_of_one_shape_share_one_watch() -> None:
    registry = Registry()
    a, b = registry.gauge("a"), registry.gauge("b", labels=["n"])
    for n in (0, 1):
        b.labels(n=n)
    one, other = make(rule("r", a > 1), rule("s", a < 1), rule("t", b > 5), registry=registry)
    assert [each.name for each in one.rules] == ["r", "t"]
    assert (one.counts, one.place, other.place) == ([1, 2], slice(0, 3), slice(3, 4))
    row = Row(np.array([3.0, 4.0, 6.0]))
    assert one.evaluate(row).tolist() == [1, 0, 1]
    assert other.evaluate(row).tolist() == [0]
    assert one.subject_values(row, np.array([2, 0])).tolist() == [6, 3]


def test_a_clear_condition_is_nan_for_series_that_it_does_not_cover() -> None:
    registry = Registry()
    core, ok = registry.gauge("core", labels=["n"]), registry.gauge("ok", labels=["n"])
    for n in (0, 1):
        core.labels(n=n)
    ok.labels(n=1)
    [watch] = make(rule("r", core > 90, ok > 0), registry=registry)
    found = watch.evaluate_clear(Row(np.array([95.0, 95.0, 1.0]))).tolist()
    assert math.isnan(found[0])
    assert found[1] == 1


def test_totals_of_several_rules_are_added_up_together() -> None:
    registry = Registry()
    a, b = (registry.gauge(name, labels=["host", "env"]) for name in "ab")
    for gauge in (a, b):
        for host, env in (("x", "prod"), ("y", "test"), ("z", "prod")):
            gauge.labels(host=host, env=env)
    [watch, alone] = make(
        rule("r", total(a, by="env") > 4, total(b) > 30),
        rule("s", total(b, by="host") > 15, a < 1),
        rule("t", total(a) > 6, total(a, by="env") > 0),
        registry=registry,
    )
    assert ([each.name for each in watch.rules], watch.counts) == (["r", "t"], [2, 1])
    row = Row(np.array([1.0, 2.0, 4.0, 10.0, 20.0, 30.0]))
    assert watch.evaluate(row).tolist() == [1, 0, 1]
    assert watch.subject_values(row, np.array([2, 1])).tolist() == [7, 2]
    cleared = watch.evaluate_clear(row)
    assert (cleared[:2].tolist(), math.isnan(cleared[2])) == ([1, 1], True)
    assert alone.evaluate(row).tolist() == [0, 1, 1]


def test_rules_with_and_without_a_clear_condition_are_separate_watches() -> None:
    registry = Registry()
    a = registry.gauge("a")
    assert [watch.clears for watch in make(rule("r", a > 1), rule("s", a > 1, a < 0), registry=registry)] == [
        False,
        True,
    ]


def test_no_rules_make_no_watches() -> None:
    assert make(registry=Registry()) == []


VALUES = st.lists(st.one_of(st.sampled_from([0.0, 1.0, 2.0]), st.just(math.nan)), min_size=6, max_size=6)


@given(values=VALUES, thresholds=st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=4, max_size=4))
def test_rules_evaluated_together_give_the_same_results_as_alone(values: list[float], thresholds: list[float]) -> None:
    registry = Registry()
    metrics: list[Gauge] = [registry.gauge(name, labels=["n"]) for name in ("a", "b", "c")]
    for metric in metrics:
        for n in (0, 1):
            metric.labels(n=n)
    a, b, c = metrics
    rules = [
        rule("r", (a + b > thresholds[0]) & (c < thresholds[1])),
        rule("s", (c + a > thresholds[2]) & (b < thresholds[3])),
        rule("t", a > thresholds[0]),
        rule("u", ~(b / c >= thresholds[1])),
        rule("v", c > thresholds[2]),
    ]
    row = Row(np.array(values))
    together = {
        name: found
        for watch in make(*rules, registry=registry)
        for name, found in zip(
            [(one.name, n) for one, count in zip(watch.rules, watch.counts, strict=True) for n in range(count)],
            watch.evaluate(row).tolist(),
            strict=True,
        )
    }
    for one in rules:
        [alone] = make(one, registry=registry)
        for n, expected in enumerate(alone.evaluate(row).tolist()):
            found = together[one.name, n]
            assert found == expected or (math.isnan(found) and math.isnan(expected))
