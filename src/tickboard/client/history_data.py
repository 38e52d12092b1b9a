"""History as NumPy arrays and as tables: the result of `tickboard.history` and of ``board.history.read``.

NumPy, pandas and polars are imported when they are needed.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tickboard.client.decoder import WatchedSeries, unknown_series
from tickboard.wire import HistoryTier

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import polars as pl
    from numpy.typing import NDArray

TABLE = ("time", "series", "name", "unit", "min", "max", "avg", "count")
"""The columns of a table, before those of the labels."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HistorySeries:
    """One series over a range of time, from its first value to its last. The arrays are read-only and equally long.

    Attributes:
        name: the metric's name.
        unit: the unit of its values.
        labels: by name.
        key: the name with its labels, ``disk_usage{mount="/"}``: unique on a board.
        times: datetime64[ms] in UTC; when each bucket begins, ascending.
        min, max, avg: float64; NaN where the series has no value.
        count: int64; how many values are in the bucket, 0 for none.
    """

    name: str
    unit: str
    labels: Mapping[str, str]
    times: "NDArray[np.datetime64]"
    min: "NDArray[np.float64]"
    max: "NDArray[np.float64]"
    avg: "NDArray[np.float64]"
    count: "NDArray[np.int64]"
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", WatchedSeries(self.name, self.unit, self.labels).key)
        for array in (self.times, self.min, self.max, self.avg, self.count):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        return f"<HistorySeries {self.key}: {len(self)} buckets>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HistoryData(Mapping[str, HistorySeries]):
    """What a board recorded in a range of time: a mapping from the key of each series to its buckets.

    Keys are ``cpu_usage`` or ``disk_usage{mount="/"}``. A single tick is a bucket of one. Series without a value in the
    range are left out.

    Attributes:
        start: the beginning of the range, inclusive; in UTC.
        end: its end, exclusive.
        resolution_s: the length of a bucket in seconds; of single ticks, their interval.
        tier: what the buckets were made from: raw (ticks), minutes or hours.
        series: all of them, by name and labels.
    """

    start: dt.datetime
    end: dt.datetime
    resolution_s: float
    tier: HistoryTier
    series: tuple[HistorySeries, ...]
    places: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {one.key: place for place, one in enumerate(self.series)})

    def __getitem__(self, key: str) -> HistorySeries:
        try:
            return self.series[self.places[key]]
        except KeyError:
            raise KeyError(unknown_series(key, self.places, "this range")) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.series)

    def __repr__(self) -> str:
        return f"<HistoryData {self.start} to {self.end}: {len(self)} series, buckets of {self.resolution_s:g} s>"

    def to_pandas(self) -> "pd.DataFrame":
        """Return a table with a row for each bucket of each series, as a pandas DataFrame.

        Its columns are ``time`` (in UTC), ``series`` (the key), ``name``, ``unit``, ``min``, ``max``, ``avg``,
        ``count`` and one for each label. If a label has the name of another column, ``label_`` is put before it.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise _not_installed("pandas", error) from error
        columns: dict[str, Any] = {}
        for name, values in self._columns().items():
            if isinstance(values, tuple):
                places, texts = values
                columns[name] = pd.Categorical.from_codes(places, categories=pd.Index(texts, dtype="str"))
            else:
                columns[name] = values
        return pd.DataFrame(columns).assign(time=lambda table: table["time"].dt.tz_localize("UTC"))

    def to_polars(self) -> "pl.DataFrame":
        """Return a table with a row for each bucket of each series, as a polars DataFrame, like `to_pandas`.

        Raises:
            ModuleNotFoundError: polars is not installed.
        """
        try:
            import polars as pl
        except ModuleNotFoundError as error:
            raise _not_installed("polars", error) from error
        columns: list[Any] = []
        for name, values in self._columns().items():
            if isinstance(values, tuple):
                places, texts = values
                # Place -1 is the None at the end.
                known = pl.Series(name, [*texts, None], pl.Categorical)
                columns.append(known.gather(places % len(known)))
            else:
                columns.append(pl.Series(name, values))
        return pl.DataFrame(columns).with_columns(pl.col("time").dt.replace_time_zone("UTC"))

    def _columns(self) -> "dict[str, NDArray[Any] | tuple[NDArray[np.int64], list[str]]]":
        """Return the columns of a table: an array, or for texts an array of places in a list; -1: no text."""
        import numpy as np

        of_series = np.repeat(np.arange(len(self)), [len(one) for one in self.series])

        def texts(values: list[str | None]) -> "tuple[NDArray[np.int64], list[str]]":
            known = {value: place for place, value in enumerate(dict.fromkeys(v for v in values if v is not None))}
            places = np.array([-1 if value is None else known[value] for value in values], dtype=np.int64)
            return places[of_series], list(known)

        def joined(name: str, dtype: str) -> "NDArray[Any]":
            return np.concatenate([np.empty(0, dtype), *(getattr(one, name) for one in self.series)])

        labels = sorted({label for one in self.series for label in one.labels})
        return {
            "time": joined("times", "datetime64[ms]"),
            "series": texts([one.key for one in self.series]),
            "name": texts([one.name for one in self.series]),
            "unit": texts([one.unit for one in self.series]),
            **{name: joined(name, "float64") for name in ("min", "max", "avg")},
            "count": joined("count", "int64"),
            **{
                f"label_{label}" if label in TABLE else label: texts([one.labels.get(label) for one in self.series])
                for label in labels
            },
        }


def _not_installed(name: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    if error.name != name:
        return error
    return ModuleNotFoundError(f"to_{name}() needs {name}, which is not installed: pip install {name}", name=name)
