"""The functions for conditions: `metric`, `absent`, `anomaly` and `total`."""

from collections.abc import Sequence
from dataclasses import replace

from tickboard import schedule
from tickboard.errors import InputError
from tickboard.expressions.absence import Absence
from tickboard.expressions.expr import Condition, Measured, Operand, Reading, operand
from tickboard.expressions.total import Total


def metric(name: str, /, **labels: object) -> Reading:
    """Return a metric by its name, for conditions. The metric need not exist yet.

    Args:
        name: the metric's name.
        labels: select some of its series, by a value or a glob: ``host="web-*"``; none: all of them.

    Raises:
        InputError: the name is empty or not a string.
    """
    if not name or not isinstance(name, str):
        raise InputError(f'metric({name!r}): give a metric\'s name, as metric("queue.depth")')
    return Reading(name, labels=tuple((label, str(value)) for label, value in labels.items()))


def absent(what: Operand) -> Condition:
    """Return the condition that a metric has no value: ``absent(metric("queue.depth"))``.

    For a metric with labels, each of its series is watched; if it has no series, the metric itself is.

    Raises:
        InputError: it is not a metric.
    """
    inner = operand(what)
    if not inner.metric_name() or isinstance(inner, Condition):
        raise InputError(f"absent({inner.text()}): give a metric, as absent(cpu)")
    return Absence(inner)


def anomaly(what: Measured, span: schedule.Duration = "") -> Reading:
    """Return how far a metric is from its median, in robust deviations: ``anomaly(cpu) > 5``.

    It is ``|value - median| / (1.4826 * MAD)`` over the window or a span of it. MAD is the median of the distances from
    the median; for normally distributed values, the standard deviation is 1.4826 times as large (Iglewicz and Hoaglin,
    "How to detect and handle outliers", 1993). If more than half of the values are the same, 1.2533 times the mean
    distance is used instead. With fewer than ten values there is no result.

    Raises:
        InputError: it is not a metric, or the span is not a duration.
    """
    read = operand(what)
    if not isinstance(read, Reading) or read.stat != "value":
        raise InputError(f"anomaly({read.text()}): give a metric, as anomaly(cpu)")
    if span != "" and schedule.duration(span) <= 0:
        raise InputError(f'anomaly({read.text()}, "{span}"): give a span above 0, as "5m"')
    return replace(read, stat="anomaly", span=schedule.written(span), spanned="")


def total(what: Operand, by: str | Sequence[str] = ()) -> Total:
    """Return the sum over all series of a metric: ``total(requests) > 1000``, ``total(requests, by="env") > 1000``.

    Series without a value are left out; if none has one, there is no sum. Two sides are matched by their labels, and a
    total is matched with every series of its group: ``requests / total(requests, by="env")`` is the share of each
    series in its environment.

    Args:
        what: a metric, one of its stats, or an expression: ``total(requests.avg("1m"))``.
        by: a label, or several: there is a sum for each of their values. None: one sum of all.

    Raises:
        InputError: it is not a metric or an expression over metrics, or a label is not a name.
    """
    inner = operand(what)
    if not inner.metric_name() or isinstance(inner, Condition):
        raise InputError(f"total({inner.text()}): give a metric, as total(requests), or an expression, as 1 - host_up")
    given: object = (by,) if isinstance(by, str) else by
    if not isinstance(given, Sequence) or not all(name and isinstance(name, str) for name in given):
        raise InputError(f'total({inner.text()}, by={by!r}): give the name of a label, as by="env", or several')
    return Total(inner, tuple(dict.fromkeys(given)))
