"""The catalogue: all series that the history has, and which of them selectors ask for.

A series is its name and labels; its unit may change. It knows no values.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import msgspec
import numpy as np

from tickboard.expressions.alignment import Labels
from tickboard.history.answers import Integers
from tickboard.history.file import Database
from tickboard.metrics.selectors import Selectors

_CHOICES = 64
"""Choices that are remembered, so that who asks again is answered at once."""

encode_labels = msgspec.json.Encoder().encode
_decode_labels = msgspec.json.Decoder(Labels).decode


@dataclass(frozen=True, slots=True)
class Entry:
    """One series.

    Attributes:
        id: in the file.
        name: the metric's.
        labels: its own.
        unit: the metric's, as of late.
    """

    id: int
    name: str
    labels: Labels
    unit: str


class Catalogue:
    """The series in a file, as of its last reading; it is read again when it has changed."""

    def __init__(self) -> None:
        self._revision = -1
        self.entries: dict[int, Entry] = {}
        self._names: dict[str, list[Entry]] = {}
        self._ids: dict[tuple[str, Labels], int] = {}
        self._choices: OrderedDict[tuple[str, ...], Integers] = OrderedDict()
        self._lock = threading.Lock()

    def refresh(self, database: Database) -> None:
        """Read what has changed in the file."""
        revision = database.one("SELECT value FROM state WHERE name = 'series'")
        if revision == self._revision:
            return
        self.entries, self._names, self._ids = {}, {}, {}
        self._choices.clear()
        for id, name, labels, unit in database.each("SELECT id, name, labels, unit FROM series ORDER BY id"):
            entry = Entry(id, name, _decode_labels(labels), unit)
            self.entries[id] = entry
            self._names.setdefault(name, []).append(entry)
            self._ids[name, entry.labels] = id
        self._revision = revision

    def id_of(self, name: str, labels: Labels) -> int:
        """Return the id of a series; -1: there is none."""
        return self._ids.get((name, labels), -1)

    def choose(self, patterns: tuple[str, ...]) -> Integers:
        """Return the ids of the series that selectors ask for, ascending; no selectors: all."""
        found = self._choices.get(patterns)
        if found is None:
            selectors = Selectors(patterns)
            ids: list[int] = []
            for name, entries in self._names.items():
                wanted = selectors.metric(name)
                if wanted is None:
                    ids += [entry.id for entry in entries if selectors.match(name, dict(entry.labels))]
                elif wanted:
                    ids += [entry.id for entry in entries]
            found = np.array(sorted(ids), np.int64)
            self._choices[patterns] = found
            if len(self._choices) > _CHOICES:
                self._choices.popitem(last=False)
        return found
