"""How series are written in OpenMetrics and in the Prometheus text format: valid names, and labels in braces."""

import re
from collections.abc import Iterable

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")


def metric_name(name: str) -> str:
    """Return a metric's name as Prometheus accepts it: every other character becomes ``_``."""
    return _not_with_a_digit(_NOT_IN_NAMES.sub("_", name))


def label_name(name: str) -> str:
    """Return the name of a label as Prometheus accepts it: every other character becomes ``_``."""
    return _not_with_a_digit(_NOT_IN_LABELS.sub("_", name))


def braces(labels: Iterable[tuple[str, str]]) -> str:
    """Return labels, with valid names, in braces; nothing if there are none."""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{pairs}}}" if pairs else ""


def _not_with_a_digit(name: str) -> str:
    return f"_{name}" if name[:1].isdigit() else name


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
