"""Declarations: the methods that declare a metric, and what they accept.

A board and its registry have the same three methods. They are written once, here.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct

from tickboard.errors import InputError
from tickboard.metrics.handles import Counter, Gauge, Handle, Histogram
from tickboard.output.text import encodable
from tickboard.wire import MetricInfo, MetricKind

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]*")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")

H = TypeVar("H", bound=Handle)


class Declaration(Struct, frozen=True):
    """The arguments of a declaration; see `MetricDeclarations.gauge`."""

    name: str
    title: str
    unit: str
    labels: Iterable[str]
    key: str | None
    min: float | None
    max: float | None
    forget: bool
    overview: bool = False

    def metric(self, kind: MetricKind) -> MetricInfo:
        """Return the declared metric.

        Raises:
            InputError: a name is malformed, `labels` is a string, or `forget` or `overview` is not a bool.
        """
        if isinstance(self.labels, str):
            text = self.labels
            raise InputError(f"metric {self.name!r}: labels={text!r} is a string: write labels=({text!r},)")
        metric = MetricInfo(
            self.name,
            encodable(self.title) or self.name,
            encodable(self.unit),
            kind,
            list(self.labels),
            self.min,
            self.max,
            overview=self.overview,
        )
        check_names(metric)
        if self.forget not in (True, False):
            raise InputError(
                f'metric {self.name!r}: forget={self.forget!r}: give True or False; Board(forget="5m") sets how long'
            )
        if self.overview not in (True, False):
            raise InputError(f"metric {self.name!r}: overview={self.overview!r}: give True or False")
        return metric


class MetricDeclarations(ABC):
    """The methods that declare metrics."""

    def gauge(
        self,
        name: str,
        title: str = "",
        *,
        unit: str = "",
        labels: Iterable[str] = (),
        key: str | None = None,
        min: float | None = None,
        max: float | None = None,
        forget: bool = True,
        overview: bool = False,
    ) -> Gauge:
        """Declare a metric that goes up and down: ``cpu = board.gauge("cpu_usage", "CPU Usage", unit="%")``.

        Args:
            name: its name on the wire and in conditions.
            title: what people read; the name when empty.
            unit: of its values, as shown. A lone surrogate in it or in the title becomes ``?``.
            labels: the names of the labels that distinguish its series: ``labels=("disk",)``.
            key: its key in ``/api/stats``; the name when None.
            min: the lower end of its chart's axis; None: fitted to the values.
            max: the upper end.
            forget: whether a series with labels is removed when nothing is written to it for as long as the board's
                `forget` says. Pass False for series that are written once and keep their value.
            overview: whether walls that follow the board keep it. If no metric has it, they keep those of the first
                six cards.

        Raises:
            InputError: the name is malformed, or declared already as something else.
        """
        return self._declare(Gauge, Declaration(name, title, unit, labels, key, min, max, forget, overview))

    def counter(
        self,
        name: str,
        title: str = "",
        *,
        unit: str = "/s",
        labels: Iterable[str] = (),
        key: str | None = None,
        min: float | None = 0,
        max: float | None = None,
        forget: bool = True,
        overview: bool = False,
    ) -> Counter:
        """Declare a metric that is counted and shown as a rate per second; arguments and errors as for `gauge`."""
        return self._declare(Counter, Declaration(name, title, unit, labels, key, min, max, forget, overview))

    def histogram(
        self,
        name: str,
        title: str = "",
        *,
        unit: str = "",
        labels: Iterable[str] = (),
        key: str | None = None,
        min: float | None = None,
        max: float | None = None,
        forget: bool = True,
        overview: bool = False,
    ) -> Histogram:
        """Declare a metric that is observed many times a tick; arguments and errors as for `gauge`.

        The board shows the average of each tick, and its percentiles as metrics of their own: ``NAME.p50``,
        ``NAME.p95`` and ``NAME.p99``.
        """
        return self._declare(Histogram, Declaration(name, title, unit, labels, key, min, max, forget, overview))

    @abstractmethod
    def _declare(self, handle_class: type[H], declaration: Declaration) -> H:
        """Declare a metric, and return its handle."""


def check_names(metric: MetricInfo) -> None:
    """Check the names of a metric and of its labels.

    Raises:
        InputError: one of them is malformed.
    """
    if not _NAME.fullmatch(metric.name):
        raise InputError(
            f"metric name {metric.name!r}: start with a letter or _, and use letters, digits and _ . : / -"
        )
    for label in metric.labels:
        if not is_label(label):
            raise InputError(f"metric {metric.name!r}: label name {label!r}: use letters, digits, _ and .")


def is_label(name: str) -> bool:
    """Return whether a label may have this name."""
    return _LABEL.fullmatch(name) is not None
