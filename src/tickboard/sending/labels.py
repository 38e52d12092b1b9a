"""The labels of series for Prometheus: valid names, ``__name__``, ``job`` and ``instance``.

Names are the same as in an OpenMetrics export. Two series whose names and labels become the same are found here: a
receiver would refuse a request with both.
"""

import platform
from collections.abc import Iterable

from tickboard.expressions.alignment import Labels
from tickboard.history.catalogue import Entry
from tickboard.metrics.openmetrics import braces, label_name, metric_name
from tickboard.sending.messages import OutgoingSeries

NAME = "__name__"

JOB = "tickboard"


def added_labels(configured: Labels | None) -> Labels:
    """Return the labels to add to each series that does not have them itself.

    Args:
        configured: the labels from the options; ``job`` and ``instance`` (this machine's name) are added.
    """
    return tuple(({"job": JOB, "instance": platform.node() or "localhost"} | dict(configured or ())).items())


def written_labels(name: str, labels: Labels, added: Labels) -> Labels | None:
    """Return all labels of a series, sorted by name; None if two of its own would have the same name in Prometheus.

    Args:
        name: the metric's name.
        labels: the series' own labels.
        added: labels to add unless it has them itself.
    """
    own = [(label_name(label), value) for label, value in labels]
    if len({NAME, *(label for label, _ in own)}) <= len(own):
        return None
    found = dict(added) | dict(own) | {NAME: metric_name(name)}
    return tuple(sorted((label, value) for label, value in found.items() if value))


class WrittenNames:
    """Converts all series to the form in which they are sent, and finds those that cannot be sent.

    Args:
        added: labels for each series.

    Attributes:
        clash: why a series cannot be sent, in one sentence; empty if all can.
    """

    def __init__(self, added: Labels) -> None:
        self._added = added
        # Reused, because its labels are encoded already.
        self._known: dict[Entry, OutgoingSeries | None] = {}
        self.clash = ""

    def of(self, entries: Iterable[Entry]) -> list[OutgoingSeries | None]:
        """Return each series as it is sent; None if it cannot be, and `clash` says why.

        Of series that would be one, the one whose names are valid as they are is sent, or else the first: so a sender
        of ``cpu.usage`` cannot put its series in the place of the board's ``cpu_usage``.
        """
        taken: dict[Labels, tuple[int, Entry]] = {}
        found: list[OutgoingSeries | None] = []
        known: dict[Entry, OutgoingSeries | None] = {}
        self.clash = ""
        for at, entry in enumerate(entries):
            known[entry] = series = self._known[entry] if entry in self._known else self._written(entry)
            found.append(series)
            if series is None:
                self.clash = f"{_shown(entry)} would have two labels with one name"
                continue
            first, other = taken.setdefault(series.labels, (at, entry))
            if first != at:
                self.clash = f"{_shown(other)} and {_shown(entry)} would be one series"
                wins = _is_valid(entry) and not _is_valid(other)
                found[first if wins else at] = None
                if wins:
                    taken[series.labels] = at, entry
        self._known = known
        return found

    def _written(self, entry: Entry) -> OutgoingSeries | None:
        labels = written_labels(entry.name, entry.labels, self._added)
        return None if labels is None else OutgoingSeries(labels, entry.unit)


def _is_valid(entry: Entry) -> bool:
    """Return whether a series' names are those that it is sent with."""
    return metric_name(entry.name) == entry.name and all(label_name(label) == label for label, _ in entry.labels)


def _shown(entry: Entry) -> str:
    return f"{entry.name}{braces(entry.labels)}"[:200]
