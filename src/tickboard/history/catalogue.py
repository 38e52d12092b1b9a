"""The catalogue: all series in the history, and which of them selectors match.

A series is identified by its name and labels; its unit may change. This module knows no values.
"""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec
import numpy as np
from msgspec import Struct

from tickboard.expressions.alignment import Labels
from tickboard.history.answers import Integers
from tickboard.history.file import Database
from tickboard.metrics.buckets import is_bucket
from tickboard.metrics.selectors import Selectors

_CHOICES = 64
"""How many results of `Catalogue.choose` are cached."""

encode_labels = msgspec.json.Encoder().encode
_decode_labels = msgspec.json.Decoder(Labels).decode


class Entry(Struct, frozen=True):
    """One series.

    Attributes:
        id: the id of its row.
        name: the name of its metric.
        labels: its labels.
        unit: the newest unit of its metric.
    """

    id: int
    name: str
    labels: Labels
    unit: str


class Catalogue:
    """The series in a file, as of the last `refresh`.

    Args:
        entries: the series without a file, in any order.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._revision = -1
        self._choices: OrderedDict[tuple[tuple[str, ...], bool], Integers] = OrderedDict()
        self._fill(entries)

    def refresh(self, database: Database) -> bool:
        """Read the series again if they have changed. Return whether they have."""
        revision = database.one("SELECT value FROM state WHERE name = 'series'")
        if revision == self._revision:
            return False
        self._choices.clear()
        rows = database.each("SELECT id, name, labels, unit FROM series ORDER BY id")
        self._fill(Entry(id, name, _decode_labels(labels), unit) for id, name, labels, unit in rows)
        self._revision = revision
        return True

    def _fill(self, entries: Iterable[Entry]) -> None:
        self.entries: dict[int, Entry] = {}
        self._names: dict[str, list[Entry]] = {}
        self._ids: dict[tuple[str, Labels], int] = {}
        for entry in entries:
            self.entries[entry.id] = entry
            self._names.setdefault(entry.name, []).append(entry)
            self._ids[entry.name, entry.labels] = entry.id

    def id_of(self, name: str, labels: Labels) -> int:
        """Return the id of a series, or -1 if there is none."""
        return self._ids.get((name, labels), -1)

    def choose(self, patterns: tuple[str, ...], *, buckets: bool = True) -> Integers:
        """Return the ids of the series that selectors match, ascending. No selectors match all series.

        Args:
            patterns: the selectors.
            buckets: whether the buckets of heat maps may be among them.
        """
        found = self._choices.get((patterns, buckets))
        if found is None:
            selectors = Selectors(patterns)
            ids: list[int] = []
            for name, named in self._names.items():
                entries = named if buckets else [entry for entry in named if not is_bucket(name, dict(entry.labels))]
                wanted = selectors.metric(name)
                if wanted is None:
                    ids += [entry.id for entry in entries if selectors.match(name, dict(entry.labels))]
                elif wanted:
                    ids += [entry.id for entry in entries]
            found = np.array(sorted(ids), np.int64)
            self._choices[patterns, buckets] = found
            if len(self._choices) > _CHOICES:
                self._choices.popitem(last=False)
        return found
