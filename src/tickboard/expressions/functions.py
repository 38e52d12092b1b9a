"""The functions for conditions: `metric`, `absent` and `anomaly`."""

from tickboard import schedule
from tickboard.errors import InputError
from tickboard.expressions.expr import Absence, Condition, Measured, Operand, Reading, operand


def metric(name: str, /, **labels: object) -> Reading:
    """Return a metric by its name, for conditions. The metric need not exist yet.

    Args:
        name: the metric's name.
        labels: select some of its series; none: all of them.

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
    return Reading(read.metric, "anomaly", schedule.written(span), read.labels)
