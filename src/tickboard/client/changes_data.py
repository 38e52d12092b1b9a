"""What changed on a board: the result of `tickboard.changes` and of ``board.history.changes``."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from tickboard.client.decoder import WatchedSeries
from tickboard.times import parse_time
from tickboard.wire import ChangesAnswer, HistoryTier


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """How one series differs between a range of time and a baseline.

    Attributes:
        name: the metric's name.
        unit: the unit of its values.
        labels: by name.
        score: above 0; 1 for ranges that have no values in common and are far apart.
        before: the average in the baseline; None if the series has no value there.
        after: the average in the range; None if the series has no value there.
        factor: `after` divided by `before`; None if one of them is None or 0, or their signs differ.
        key: the name with its labels, ``disk_usage{mount="/"}``: unique on a board.
    """

    name: str
    unit: str
    labels: Mapping[str, str] = field(hash=False)
    score: float
    before: float | None
    after: float | None
    factor: float | None
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", WatchedSeries(self.name, self.unit, self.labels).key)

    def __repr__(self) -> str:
        return f"<Change {self.key}: {_shown(self.before)} to {_shown(self.after)}, score {self.score:g}>"


@dataclass(frozen=True, slots=True, repr=False)
class Changes(Sequence[Change]):
    """What changed on a board: a sequence of series, the highest score first.

    Attributes:
        start: the beginning of the range, inclusive; in UTC.
        end: its end, exclusive.
        baseline_start: the beginning of the baseline.
        baseline_end: its end, exclusive.
        tier: what was compared: raw (ticks), or the averages of minutes or hours.
        compared: how many series have enough values to be compared; 0 if one of the ranges is empty.
        changed: how many of them differ; the sequence has ``limit`` of them at most.
    """

    start: dt.datetime
    end: dt.datetime
    baseline_start: dt.datetime
    baseline_end: dt.datetime
    tier: HistoryTier
    compared: int
    changed: int
    _changes: tuple[Change, ...]

    @overload
    def __getitem__(self, place: int) -> Change: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Change]: ...

    def __getitem__(self, place: int | slice) -> Change | Sequence[Change]:
        return self._changes[place]

    def __len__(self) -> int:
        return len(self._changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self._changes)

    def __repr__(self) -> str:
        return f"<Changes {self.start} to {self.end}: {self.changed} of {self.compared} series>"


def changes_of(answer: ChangesAnswer) -> Changes:
    """Return the changes in a board's answer.

    Raises:
        InputError: the answer contains an invalid time.
    """
    return Changes(
        _datetime("from", answer.start),
        _datetime("to", answer.end),
        _datetime("baseline_from", answer.baseline_start),
        _datetime("baseline_to", answer.baseline_end),
        answer.tier,
        answer.compared,
        answer.changed,
        tuple(
            Change(one.name, one.unit, one.labels, one.score, one.before, one.after, one.factor)
            for one in answer.changes
        ),
    )


def _datetime(name: str, text: str) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=parse_time(name, text, 0))


def _shown(value: float | None) -> str:
    return "no value" if value is None else f"{value:.6g}"
