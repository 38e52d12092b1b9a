"""Gauges that take their value from a function: each function is a sampler that runs at every tick."""

from collections.abc import Callable

from tickboard.errors import InputError
from tickboard.expressions.alignment import Labels
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry
from tickboard.running.sampling import Sampler, check_function, function_name, is_async

GaugeFunction = Callable[[], float | None]
"""Returns the value of a gauge; None if it has none at the moment."""


class GaugeFunctions:
    """The functions of a board's gauges, at most one for each series.

    Args:
        registry: the gauges' registry.
        samplers: the board's samplers, to which the functions are added.
    """

    def __init__(self, registry: Registry, samplers: list[Sampler]) -> None:
        self._registry = registry
        self._samplers = samplers
        self._by_series: dict[tuple[str, Labels | None], Sampler] = {}

    def set(self, gauge: Gauge, function: GaugeFunction) -> None:
        """Make a gauge take its value from a function at every tick, in place of an earlier function.

        Raises:
            InputError: it is not a plain function without arguments, or the gauge has labels and is not one series.
        """
        what = f"function of gauge {gauge.metric.name}"
        check_function(what, function, "return the value")
        if is_async(function):
            raise InputError(
                f"{what}: {function_name(function)} is async: set the gauge in a function with @board.every()"
            )
        _, labels = gauge.key
        if labels is None:
            raise InputError(
                f"{what}: the metric has labels: set the function of one series, with "
                f".labels({', '.join(f'{label}=…' for label in gauge.metric.labels)}).set_function(…)"
            )
        series = gauge.labels(**dict(labels)) if labels else gauge
        # Its function may fail for a long time. Do not forget the series then: it would not come back.
        self._registry.leaving.pop(series.columns[0], None)
        sampler = Sampler(function_name(function), _follow(series, function), None)
        if (before := self._by_series.get(gauge.key)) is not None:
            self._samplers.remove(before)
        self._by_series[gauge.key] = sampler
        self._samplers.append(sampler)


def _follow(series: Gauge, function: GaugeFunction) -> Callable[[], None]:
    """Return a sampler that sets a series from a function until the series is removed."""
    [column] = series.columns
    removed = False

    def sample() -> None:
        nonlocal removed
        # A series that comes back before the next tick has another column.
        removed = removed or series.columns != [column]
        if not removed:
            series.set_at(column, function())

    return sample
