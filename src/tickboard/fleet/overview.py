"""The overview: the metrics of a board that a wall keeps of each host.

They are those declared with ``overview=True``. If there are none, they are the metrics of the board's first cards, and
if it has no cards, its first metrics.
"""

from collections.abc import Iterable, Iterator, Mapping

from tickboard.wire import Card, MetricInfo, Panel, Row

MAX_CARDS = 6
"""How many cards make the overview of a board that declares none."""


def overview(metrics: Mapping[str, MetricInfo], panels: Iterable[Panel]) -> list[MetricInfo]:
    """Return the overview metrics of a board, in the order in which they are declared or shown.

    Args:
        metrics: the board's, by name.
        panels: the board's, in the order of the page.
    """
    declared = [info for info in metrics.values() if info.overview]
    if declared:
        return declared
    names = dict.fromkeys(card.metric for card in _cards(panels))
    return [metrics[name] for name in [*(name for name in names if name in metrics)][:MAX_CARDS]] or list(
        metrics.values()
    )[:MAX_CARDS]


def _cards(panels: Iterable[Panel]) -> Iterator[Card]:
    for panel in panels:
        if isinstance(panel, Card):
            yield panel
        elif isinstance(panel, Row):
            yield from _cards(panel.panels)
