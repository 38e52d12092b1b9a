"""The labels of series as Prometheus takes them: valid names, ``__name__``, ``job`` and ``instance``.

Names become what they are in an export of OpenMetrics. Two series that would be one are found here: a receiver would
refuse everything that has both.
"""

import platform
from collections.abc import Iterable

from tickboard.expressions.alignment import Labels
from tickboard.history.catalogue import Entry
from tickboard.metrics.openmetrics import braces, label_name, metric_name
from tickboard.sending.messages import OutgoingSeries

NAME = "__name__"

JOB = "tickboard"


def added_labels(given: Labels | None) -> Labels:
    """Return the labels that each series gets unless it has one of that name itself.

    Args:
        given: what the options say; ``job`` and ``instance`` (the name of this machine) unless they are in it.
    """
    return tuple(({"job": JOB, "instance": platform.node() or "localhost"} | dict(given or ())).items())


def written_labels(name: str, labels: Labels, added: Labels) -> Labels | None:
    """Return all labels of a series, sorted by name; None: two of its own have one name in Prometheus.

    Args:
        name: of the metric.
        labels: of the series.
        added: for those names that it does not have itself.
    """
    own = [(label_name(label), value) for label, value in labels]
    if len({NAME, *(label for label, _ in own)}) <= len(own):
        return None
    found = dict(added) | dict(own) | {NAME: metric_name(name)}
    return tuple(sorted((label, value) for label, value in found.items() if value))


class WrittenNames:
    """Knows all series as they are sent, and which of them cannot be.

    Args:
        added: labels for each series.

    Attributes:
        clash: why a series cannot be sent, in one sentence; empty if all can.
    """

    def __init__(self, added: Labels) -> None:
        self._added = added
        # What is known is encoded already.
        self._known: dict[Entry, OutgoingSeries | None] = {}
        self.clash = ""

    def of(self, entries: Iterable[Entry]) -> list[OutgoingSeries | None]:
        """Return each series as it is sent; None: it cannot be, and `clash` says why."""
        taken: dict[Labels, Entry] = {}
        found: list[OutgoingSeries | None] = []
        known: dict[Entry, OutgoingSeries | None] = {}
        self.clash = ""
        for entry in entries:
            known[entry] = series = self._known[entry] if entry in self._known else self._written(entry)
            if series is None:
                self.clash = f"{_shown(entry)} has two labels with one name there"
            elif (other := taken.setdefault(series.labels, entry)) is not entry:
                self.clash = f"{_shown(other)} and {_shown(entry)} would be one series there"
                series = None
            found.append(series)
        self._known = known
        return found

    def _written(self, entry: Entry) -> OutgoingSeries | None:
        labels = written_labels(entry.name, entry.labels, self._added)
        return None if labels is None else OutgoingSeries(labels, entry.unit)


def _shown(entry: Entry) -> str:
    return f"{entry.name}{braces(entry.labels)}"[:200]
