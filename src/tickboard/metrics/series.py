"""Series: one metric with one set of labels, and its column in every row."""

from msgspec import Struct

from tickboard.expressions.alignment import Labels
from tickboard.wire import MetricInfo


class Series(Struct, frozen=True):
    """One metric with one set of labels, and its column in every row."""

    metric: MetricInfo
    labels: Labels
    column: int

    @property
    def key(self) -> str:
        """The name with its labels, ``disk_usage{device="sda"}``: unique in a registry."""
        if not self.labels:
            return self.metric.name
        pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in self.labels)
        return f"{self.metric.name}{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
