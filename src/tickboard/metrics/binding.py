"""A binding: where rules look up the series of each metric."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tickboard.expressions.alignment import Binding, Columns, Labels
from tickboard.metrics.series import Series


class LazyBinding(Binding):
    """The labels and columns of each metric's series, looked up on demand.

    While thousands of series appear, a tick only looks at those that its rules name. A series that another thread adds
    meanwhile, for which the window has no room yet, waits for the next tick.

    Args:
        metrics: the names of the metrics.
        series_of: returns the series of a metric, in the order of their columns.
        width: how many columns there are; later ones are left out.
    """

    def __init__(self, metrics: Iterable[str], series_of: Callable[[str], list[Series]], width: int) -> None:
        self._names = list(metrics)
        self._series_of = series_of
        self._width = width
        self._found: dict[str, tuple[tuple[Labels, ...], Columns]] = {}

    def __getitem__(self, name: str) -> tuple[tuple[Labels, ...], Columns]:
        if name not in self._found:
            series = [one for one in self._series_of(name) if one.column < self._width]
            if not series:
                raise KeyError(name)
            columns = np.array([one.column for one in series], np.intp)
            self._found[name] = tuple(one.labels for one in series), columns
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
