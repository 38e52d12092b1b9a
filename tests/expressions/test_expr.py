"""Conditions are written as Python expressions, and are unknown if a value is missing."""

import math

import numpy as np
import pytest

from tickboard.errors import InputError
from tickboard.expressions.alignment import Columns, Floats
from tickboard.expressions.expr import Condition, Operand, condition, operand
from tickboard.expressions.functions import absent, metric, total
from tickboard.metrics.handles import Counter
from tickboard.metrics.registry import Registry


class Row:
    """A row of values, and stats that are ten times as large."""

    def __init__(self, *values: float) -> None:
        self._values = np.array(values)

    def read(self, stat: str, columns: Columns, span_s: float | None = None) -> Floats:
        known = np.array([np.nan if column < 0 else self._values[column] for column in columns])
        return known if stat == "value" else known * 10 + (span_s or 0)


@pytest.fixture
def registry() -> Registry:
    return Registry()


def evaluate(registry: Registry, expression: Operand, *values: float) -> list[float | None]:
    tree = operand(expression)
    found = tree.evaluate(Row(*values), iter(tree.align(registry.binding()).leaves))
    return [None if math.isnan(value) else value for value in found.tolist()]


@pytest.mark.parametrize(
    ("value", "above", "at_least"), [(89.0, 0, 0), (90.0, 0, 1), (91.0, 1, 1), (math.nan, None, None)]
)
def test_strict_and_non_strict_comparisons_differ_at_the_threshold(
    registry: Registry, value: float, above: float | None, at_least: float | None
) -> None:
    cpu = registry.gauge("cpu")
    assert evaluate(registry, cpu > 90, value) == [above]
    assert evaluate(registry, cpu >= 90, value) == [at_least]
    assert evaluate(registry, cpu <= 90, value) == [None if above is None else 1 - above]
    assert evaluate(registry, cpu < 90, value) == [None if at_least is None else 1 - at_least]


def test_stats_of_the_window_can_be_used_in_conditions(registry: Registry) -> None:
    latency = registry.gauge("latency")
    assert evaluate(registry, latency.p95 > 80, 9.0) == [1]
    assert evaluate(registry, latency > 80, 9.0) == [0]


def test_arithmetic_works_with_numbers_on_both_sides(registry: Registry) -> None:
    a, b = registry.gauge("a"), registry.gauge("b")
    assert evaluate(registry, (a + b) * 2 - 1, 3.0, 4.0) == [13]
    assert evaluate(registry, 100 - a, 3.0, 4.0) == [97]
    assert evaluate(registry, 2 * a + (1 + b), 3.0, 4.0) == [11]
    assert evaluate(registry, 12 / b, 3.0, 4.0) == [3]


def test_division_by_zero_is_unknown_not_infinite(registry: Registry) -> None:
    errors, requests = registry.counter("errors"), registry.counter("requests")
    ratio = errors.rate / requests.rate > 0.05
    assert evaluate(registry, ratio, 1.0, 10.0) == [1]
    assert evaluate(registry, ratio, 0.0, 0.0) == [None]
    assert evaluate(registry, ratio, 1.0, 0.0) == [None]


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (1, 1, 1, 1),
        (1, 0, 0, 1),
        (0, 0, 0, 0),
        (1, None, None, 1),
        (0, None, 0, None),
        (None, None, None, None),
    ],
)
def test_and_and_or_follow_kleene(
    registry: Registry, left: float | None, right: float | None, both: float | None, either: float | None
) -> None:
    a, b = registry.gauge("a"), registry.gauge("b")
    values = [math.nan if value is None else value for value in (left, right)]
    for one, other in ((a, b), (b, a)):
        assert evaluate(registry, (one > 0.5) & (other > 0.5), *values) == [both]
        assert evaluate(registry, (one > 0.5) | (other > 0.5), *values) == [either]


def test_not_inverts_known_values_and_keeps_unknown_ones(registry: Registry) -> None:
    a = registry.gauge("a")
    assert evaluate(registry, ~(a > 1), 0.0) == [1]
    assert evaluate(registry, ~(a > 1), 2.0) == [0]
    assert evaluate(registry, ~(a > 1), math.nan) == [None]


def test_series_of_two_metrics_are_paired_by_their_labels(registry: Registry) -> None:
    used, size = registry.gauge("used", labels=["disk"]), registry.gauge("size", labels=["disk"])
    for disk in ("a", "b"):
        used.labels(disk=disk)
    for disk in ("b", "c", "a"):
        size.labels(disk=disk)
    assert (used / size > 0.5).align(registry.binding()).labels == ((("disk", "a"),), (("disk", "b"),))
    # used a, used b, size b, size c, size a
    assert evaluate(registry, used / size > 0.5, 9.0, 1.0, 10.0, 10.0, 10.0) == [1, 0]


def test_a_metric_without_labels_is_paired_with_every_series(registry: Registry) -> None:
    core, limit = registry.gauge("core", labels=["core"]), registry.gauge("limit")
    core.labels(core=0)
    core.labels(core=1)
    assert evaluate(registry, core > limit, 60.0, 50.0, 70.0) == [0, 1]
    assert evaluate(registry, limit < core, 60.0, 50.0, 70.0) == [0, 1]


def test_a_metric_without_series_gives_no_values(registry: Registry) -> None:
    core = registry.gauge("core", labels=["core"])
    assert evaluate(registry, core > 1) == []


def test_a_condition_is_shown_as_it_was_written(registry: Registry) -> None:
    cpu, load = registry.gauge("cpu"), registry.gauge("load")
    assert (cpu > 90).text() == "cpu > 90"
    assert ((cpu > 80) & ~(load.last >= 4)).text() == "(cpu > 80) & (~(load.last >= 4))"
    assert ((cpu + 1) * 2 < load - 1).text() == "((cpu + 1) * 2) < (load - 1)"
    assert ((cpu > 80) & (load > 4)).subject().text() == "cpu"
    first = (~(load > 4)).first()
    assert first is not None
    assert first.text() == "load > 4"
    assert (~(load > 4)).subject().text() == "load"


def test_a_condition_is_about_its_first_metric(registry: Registry) -> None:
    cpu, load = registry.gauge("cpu"), registry.gauge("load")
    assert ((100 - cpu.avg > 90) & (load > 1)).metric_name() == "cpu"
    assert operand(3).metric_name() == ""


def test_pythons_own_and_is_refused_and_the_error_says_how_to_fix_it(registry: Registry) -> None:
    cpu = registry.gauge("cpu")
    with pytest.raises(InputError, match="combine conditions with &"):
        bool(cpu > 1 and cpu < 2)
    with pytest.raises(InputError, match="1 < x < 2"):
        assert 1 < cpu < 2


@pytest.mark.parametrize("wrong", ["90", None, math.nan, math.inf, True, [1]])
def test_only_numbers_and_metrics_can_be_compared(registry: Registry, wrong: object) -> None:
    with pytest.raises(InputError, match="is not allowed in a condition"):
        operand(wrong)


def test_a_value_that_is_not_a_condition_is_refused(registry: Registry) -> None:
    cpu = registry.gauge("cpu")
    with pytest.raises(InputError, match="cpu is not a condition"):
        condition(cpu)
    with pytest.raises(InputError, match="False is not a condition"):
        condition(False)
    assert isinstance(condition(cpu > 1), Condition)


def test_a_stat_can_be_over_a_span(registry: Registry) -> None:
    cpu = registry.gauge("cpu")
    assert evaluate(registry, cpu.avg("10s"), 4.0) == [50]
    assert (cpu.avg("10s") > 80).text() == 'cpu.avg("10s") > 80'
    assert [reading.span_s for reading in (~(cpu.max("2m") > cpu.min)).readings()] == [120, None]


def test_the_rate_of_a_counter_over_a_span_is_its_average(registry: Registry) -> None:
    requests = registry.counter("requests")
    assert requests.rate.text() == "requests"
    assert requests.rate("30s").text() == 'requests.avg("30s")'
    assert registry.gauge("level").rate("30s").text() == 'level.rate("30s")'


def test_a_percentile_of_a_histogram_is_a_value_of_the_tick_with_its_own_stats(registry: Registry) -> None:
    latency = registry.histogram("latency")
    assert latency.p95.text() == "latency.p95"
    assert latency.p95.max("30s").text() == 'latency.p95.max("30s")'
    assert latency.avg("30s").text() == 'latency.avg("30s")'
    with pytest.raises(
        InputError, match=r'latency.p95 is a value of one tick: name a stat, as latency.p95.max\("10s"\)'
    ):
        latency.p95("30s")


def test_invalid_stats_and_spans_are_refused(registry: Registry) -> None:
    cpu = registry.gauge("cpu")
    with pytest.raises(InputError, match=r"cpu.avg is already a stat: it has no max"):
        cpu.avg.max  # noqa: B018
    with pytest.raises(InputError, match="is a value of one tick"):
        cpu.avg("10s")("5s")
    with pytest.raises(InputError, match="give a span above 0"):
        cpu.avg("0s")
    with pytest.raises(InputError, match="duration 'soon'"):
        cpu.avg("soon")
    for thing, shown in ((cpu, "<gauge cpu>"), (cpu.avg, "cpu.avg")):
        with pytest.raises(AttributeError, match=f"{shown} has no 'mean'; its stats are last, avg"):
            thing.mean  # noqa: B018


def test_a_handle_of_one_series_means_only_that_series(registry: Registry) -> None:
    core = registry.gauge("core", labels=["n"])
    first, second = core.labels(n=0), core.labels(n=1)
    assert evaluate(registry, second > 50, 60.0, 70.0) == [1]
    assert (first.avg > 50).text() == 'metric("core", n="0").avg > 50'
    alone = registry.gauge("alone", labels=["n"]).labels(n=0)
    assert evaluate(registry, alone > 50, 60.0, 70.0, 80.0) == [1]


def test_absent_gives_one_value_per_series_and_one_for_a_metric_without_series(registry: Registry) -> None:
    core, other = registry.gauge("core", labels=["n"]), registry.gauge("other")
    assert evaluate(registry, absent(core), 1.0) == [1]
    core.labels(n=0)
    core.labels(n=1)
    assert evaluate(registry, absent(core), 1.0, 5.0, math.nan) == [0, 1]
    assert evaluate(registry, absent(core) & (other > 0), 1.0, math.nan, 5.0) == [1, 0]
    gone = absent(core)
    assert (gone.text(), gone.first(), gone.rises(), gone.subject().text()) == ("absent(core)", None, True, "core")


def test_conditions_of_one_shape_differ_only_in_metrics_and_numbers(registry: Registry) -> None:
    a, b = registry.gauge("a"), registry.gauge("b")
    alike = [a > 1, b > 2, a > 3.5]
    assert len({one.shape() for one in alike}) == 1
    other = [a >= 1, a.avg > 1, a.avg("10s") > 1, ~(a > 1), absent(a), (a > 1) & (b > 1), (a > 1) | (b > 1), a + 1 > 1]
    assert len({one.shape() for one in [*alike, *other]}) == 1 + len(other)


@pytest.mark.parametrize(
    ("expression", "worse_is_higher"),
    [("a > 1", True), ("a <= 1", False), ("~(a < 1)", True), ("(a < 1) & (b > 1)", False)],
)
def test_a_condition_knows_whether_higher_is_worse(registry: Registry, expression: str, worse_is_higher: bool) -> None:
    made = eval(expression, {"a": registry.gauge("a"), "b": registry.gauge("b")})
    assert made.rises() is worse_is_higher


def test_with_threshold_replaces_the_number_of_the_first_comparison(registry: Registry) -> None:
    a, b = registry.gauge("a"), registry.gauge("b")
    assert (~(a > 1) & (b > 2)).with_threshold(9).text() == "(~(a > 9)) & (b > 2)"
    for without in (a > b, absent(a)):
        with pytest.raises(InputError, match="compares with no number"):
            without.with_threshold(9)
    with pytest.raises(InputError, match="is not allowed in a condition"):
        (a > 1).with_threshold(math.inf)


def test_only_absent_is_true_without_any_series(registry: Registry) -> None:
    a, b = registry.gauge("a"), registry.gauge("b")
    holds = [absent(a), absent(a) | (b > 1), absent(a) & absent(b)]
    assert [one.true_of_nothing() for one in holds] == [True, True, True]
    assert [one.true_of_nothing() for one in (a > 1, ~absent(a), absent(a) & (b > 1))] == [False, False, False]


def served(registry: Registry) -> tuple[Counter, Counter]:
    """Make ``errors`` and ``requests`` of three hosts in two environments."""
    errors, requests = (registry.counter(name, labels=["host", "env"]) for name in ("errors", "requests"))
    for counter in (errors, requests):
        for host, env in (("a", "prod"), ("b", "prod"), ("c", "test")):
            counter.labels(host=host, env=env)
    return errors, requests


def test_a_total_adds_the_series_of_each_value_of_a_label(registry: Registry) -> None:
    errors, requests = served(registry)
    row = [1.0, 2.0, 3.0, 10.0, math.nan, 40.0]
    assert evaluate(registry, total(errors, by="env"), *row) == [3, 3]
    assert evaluate(registry, total(requests), *row) == [50]
    assert evaluate(registry, total(errors, by="env") / total(requests, by="env") > 0.2, *row) == [1, 0]
    assert evaluate(registry, requests / total(requests, by="env"), *row) == [1, None, 1]
    assert evaluate(registry, total(errors / requests, by="env"), *row) == [0.1, 0.075]
    assert evaluate(registry, total(total(requests, by="env") * 2), *row) == [100]
    assert evaluate(registry, total(requests.avg("10s"), by=("env", "host")), *row) == [110, None, 410]
    assert (total(errors, by="env") > 1).align(registry.binding()).labels == ((("env", "prod"),), (("env", "test"),))


def test_a_total_of_no_values_is_unknown_and_absent(registry: Registry) -> None:
    errors, _ = served(registry)
    row = [math.nan, math.nan, 3.0]
    assert evaluate(registry, total(errors, by="env") > 1, *row) == [None, 1]
    assert evaluate(registry, absent(total(errors, by="env")), *row) == [1, 0]
    never = total(metric("never"))
    assert evaluate(registry, never > 1) == []
    assert evaluate(registry, absent(never), *row) == [1]
    assert evaluate(registry, absent(never + 1), *row) == [1]


def test_totals_have_the_shape_of_what_they_add_up(registry: Registry) -> None:
    errors, requests = served(registry)
    assert total(errors, by="env").shape() == total(requests).shape() != total(requests.avg).shape()


def test_an_expression_knows_which_labels_its_values_may_have(registry: Registry) -> None:
    errors, requests = served(registry)
    core = registry.gauge("core", labels=["core"])
    known = {"errors": ["host", "env"], "requests": ["host", "env"], "core": ["core"], "plain": []}
    assert (errors / core > 1).label_names(known) == {"host", "env", "core"}
    assert (total(errors, by="env") / total(requests) > 0.1).label_names(known) == {"env"}
    assert (errors + metric("never") > 1).label_names(known) is None
    assert total(metric("never"), by="zone").label_names(known) == {"zone"}
    assert operand(1).label_names(known) == set()
    with pytest.raises(InputError, match='errors has no label "zone": use one of env, host'):
        (total(errors, by=["env", "zone"]) > 1).label_names(known)
    with pytest.raises(InputError, match='plain has no label "zone": leave by out'):
        total(metric("plain"), by="zone").label_names(known)
