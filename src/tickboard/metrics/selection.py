"""The selection: the series of a subscription, and the encoding of their metrics.

The constant parts of a Metric are encoded when its series appears. Encoding a tick then takes one replacement of the
time, one encoding of a list of numbers, and one join.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import cast
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
from numpy.typing import NDArray

from tickboard.metrics.buckets import is_bucket
from tickboard.metrics.registry import Registry
from tickboard.metrics.selectors import Selectors
from tickboard.metrics.series import Series
from tickboard.metrics.window import Floats
from tickboard.wire import SeriesInfo, encode

STEP_COST = 5_000
"""How many look-ups of selectors are done in one step before others may run: about 2 ms."""


STEP_SERIES = 2_000
"""How many series are described in one step before others may run: about 4 ms."""


ALL = slice(None)


# Placeholders in a template. JSON escapes control characters, so neither can occur in a name, a unit or a label.
_VALUE, _TIME = b"\x00", b"\x01"


class Selection:
    """The series of a subscription and the encoding of their metrics, bound to one revision of a registry.

    Args:
        registry: the registry of the series.
        patterns: selectors; empty: every series.
        before: the same subscription bound to an earlier revision, to reuse the metrics that it selects. If it is bound
            to another registry, only its selectors are reused.
        buckets: whether it may have the buckets of heat maps.

    Attributes:
        series: the selected series, in the order declared.
        columns: intp [series].
        width: how many columns a row must have.
        looked_up: how many look-ups of selectors it took to find them.
        buckets: as given.
    """

    def __init__(
        self,
        registry: Registry,
        patterns: tuple[str, ...] = (),
        before: "Selection | None" = None,
        *,
        buckets: bool = False,
    ) -> None:
        for _ in self._bind(registry, patterns, before, buckets=buckets):
            pass

    @classmethod
    def steps(
        cls,
        registry: Registry,
        patterns: tuple[str, ...],
        before: "Selection | None" = None,
        *,
        buckets: bool = False,
    ) -> "Generator[None, None, Selection]":
        """Make a selection in steps, between which others may run, and return it."""
        found = cls.__new__(cls)
        yield from found._bind(registry, patterns, before, buckets=buckets)  # noqa: SLF001  # of this class
        return found

    def _bind(
        self, registry: Registry, patterns: tuple[str, ...], before: "Selection | None", *, buckets: bool
    ) -> Iterator[None]:
        self.buckets = buckets
        self._registry, self._revision, self._added = registry, registry.revision, registry.added
        self.looked_up = 0
        self._verdicts: dict[str, bool | None] = {}
        self._templates, self._infos = _texts_of(registry)
        self._objects: list[bytes] | None = None
        self._joined: bytes | None = None
        self._selectors: Selectors = Selectors(patterns) if before is None else before._selectors  # noqa: SLF001
        if patterns:
            yield from self._selectors.read()
            self.series = yield from self._chosen(registry, before)
        else:
            self.series = registry.in_order(buckets=buckets)
        self.columns: NDArray[np.intp] = np.array([one.column for one in self.series], np.intp)
        self.width = int(self.columns.max()) + 1 if len(self.series) else 0

    def _chosen(self, registry: Registry, before: "Selection | None") -> "Generator[None, None, list[Series]]":
        """Return the selected series, in order."""
        selectors = self._selectors
        new = None
        if before is not None and before._registry is registry and before.buckets == self.buckets:  # noqa: SLF001
            new = registry.added_since(before._added)  # noqa: SLF001
        # By metric that may be selected: True for all series, None if it depends on their labels.
        verdicts: dict[str, bool | None] = {}
        if before is not None and new is not None:
            known = before._verdicts  # noqa: SLF001
            verdicts = {name: verdict for name, verdict in known.items() if name in registry.metrics}
        cost = self.looked_up = 0
        for name in list(registry.metrics) if new is None else new:
            # A metric that was added again goes last.
            verdicts.pop(name, None)
            metric = registry.metrics.get(name)
            if metric is None or (is_bucket(name, metric.labels) and not self.buckets):
                continue
            if (verdict := selectors.metric(name)) is not False:
                verdicts[name] = verdict
            self.looked_up += selectors.cost
            if (cost := cost + selectors.cost) >= STEP_COST:
                cost = 0
                yield
        chosen: list[Series] = []
        for name, verdict in verdicts.items():
            for one in registry.of_metric(name):
                if verdict or selectors.match(name, dict(one.labels)):
                    chosen.append(one)
                cost += 1 if verdict else selectors.cost
                if cost >= STEP_COST:
                    cost = 0
                    yield
        self._verdicts = verdicts
        return chosen

    def is_current(self, registry: Registry) -> bool:
        """Return whether it is bound to the current revision of this registry."""
        return self._registry is registry and self._revision == registry.revision

    @property
    def glob_cost(self) -> int:
        """The cost of trying the globs on one new series."""
        return self._selectors.glob_cost

    def infos(self, series: Sequence[Series]) -> list[SeriesInfo]:
        """Return the descriptions of some series, encoded as JSON."""
        # The encoder inserts a Raw value as it is.
        return cast("list[SeriesInfo]", [msgspec.Raw(text) for text in self._infos.of(series)])

    def write_infos(self) -> Iterator[None]:
        """Encode the results of `infos` in steps; otherwise that happens on demand."""
        for start in range(0, len(self.series), STEP_SERIES):
            if start:
                yield
            self._infos.of(self.series[start : start + STEP_SERIES])

    def write(self) -> Iterator[None]:
        """Encode the constant part of each Metric in steps; otherwise that happens on demand."""
        if self._objects is not None:
            return
        objects: list[bytes] = []
        for start in range(0, len(self.series), STEP_SERIES):
            if start:
                yield
            objects += self._templates.of(self.series[start : start + STEP_SERIES])
        self._objects = objects

    @property
    def objects(self) -> list[bytes]:
        """The constant part of each Metric."""
        if self._objects is None:
            self._objects = self._templates.of(self.series)
        return self._objects

    @property
    def _all_objects(self) -> bytes:
        if self._joined is None:
            self._joined = b",".join(self.objects)
        return self._joined

    def metrics(self, row: Floats, time_text: bytes) -> tuple[bytes, int]:
        """Return the Metrics of one tick, comma-separated, and their number; series without a value are left out.

        Args:
            row: float64 [series of the registry].
            time_text: the tick's timestamp.
        """
        if not self.series:
            return b"", 0
        values = encode(row[self.columns].tolist())[1:-1].split(b",")
        if b"null" in values:
            # NaN encodes as null, which marks a missing value.
            present = self.each(row, time_text)
            return b",".join(present), len(present)
        around = self._all_objects.replace(_TIME, time_text).split(_VALUE)
        parts = [b""] * (2 * len(values) + 1)
        parts[::2] = around
        parts[1::2] = values
        return b"".join(parts), len(values)

    def each(self, row: Floats, time_text: bytes, some: slice = ALL) -> list[bytes]:
        """Return a list of the Metrics of one tick, of some series; those without a value are left out."""
        values = row[self.columns[some]].tolist()
        return [
            template.replace(_VALUE, encode(value)).replace(_TIME, time_text)
            for template, value in zip(self.objects[some], values, strict=True)
            if value == value  # noqa: PLR0124  # NaN alone differs from itself
        ]


class _Texts:
    """An encoded text for each series, made once for all subscriptions.

    Args:
        write: makes the text.
    """

    def __init__(self, write: Callable[[Series], bytes]) -> None:
        self._write = write
        # By column, which may belong to another series by now.
        self._known: dict[int, tuple[Series, bytes]] = {}

    def of(self, series: Iterable[Series]) -> list[bytes]:
        """Return the texts of some series."""
        found: list[bytes] = []
        for one in series:
            known = self._known.get(one.column)
            if known is None or known[0] is not one:
                known = self._known[one.column] = one, self._write(one)
            found.append(known[1])
        return found


_texts: WeakKeyDictionary[Registry, tuple[_Texts, _Texts]] = WeakKeyDictionary()


def _texts_of(registry: Registry) -> tuple[_Texts, _Texts]:
    """Return the templates of the series' Metrics, and their SeriesInfo messages."""
    found = _texts.get(registry)
    if found is None:
        found = _texts[registry] = _Texts(_metric_template), _Texts(_series_info)
    return found


def _metric_template(series: Series) -> bytes:
    labels = b',"labels":' + encode(dict(series.labels)) if series.labels else b""
    return b'{"name":%b,"value":%b,"unit":%b,"timestamp":"%b"%b}' % (
        encode(series.metric.name),
        _VALUE,
        encode(series.metric.unit),
        _TIME,
        labels,
    )


def _series_info(series: Series) -> bytes:
    return encode(SeriesInfo(series.metric.name, series.metric.unit, dict(series.labels)))
