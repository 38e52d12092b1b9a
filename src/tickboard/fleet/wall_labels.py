"""The labels that a host's series and alerts have on a wall."""

from collections.abc import Mapping

from tickboard.expressions.alignment import Labels

HOST = "host"
"""The label with the host's name."""

MAX_OWN_LABELS = 20
"""The most labels of a host's own."""


def wall_labels(host: str, own: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels on a wall of what has these labels on its host.

    First the host's name, then the host's own labels, then those of the series. If a name is taken, the later label is
    named ``exported_NAME``, as in Prometheus.

    Args:
        host: the host's name.
        own: the host's own labels, such as ``env=prod``.
        labels: the labels there.
    """
    found = {HOST: host}
    for name, value in (*own.items(), *labels.items()):
        free = name
        while free in found:
            free = f"exported_{free}"
        found[free] = value
    return found


def comes_back(labels: Labels) -> bool:
    """Return whether a series was on the wall of its host before, since walls follow each other in a circle.

    The hosts that it has come through are its labels ``host``, ``exported_host`` and so on. A wall and a host that it
    follows may have one name.
    """
    path = [value for name, value in labels if name.endswith(HOST) and not name[: -len(HOST)].replace("exported_", "")]
    return path[0] in path[2:]
