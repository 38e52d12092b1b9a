"""Panels are what the page draws: declared, or a card and a chart for every metric."""

import pytest

from tickboard import panels
from tickboard.errors import InputError
from tickboard.series import Registry
from tickboard.types import Card, Chart, Row


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.gauge("cpu", "CPU", unit="%", min=0, max=100)
    registry.gauge("load", "Load")
    registry.histogram("lat", "Latency", unit="ms")
    return registry


def test_with_none_declared_every_metric_has_a_card_and_a_chart(registry: Registry) -> None:
    cards, charts = panels.default_panels(registry)
    assert cards == Row([Card("cpu", "CPU"), Card("load", "Load"), Card("lat", "Latency")])
    assert charts == Row(
        [
            Chart(["cpu"], "CPU (%)", "%", 0, 100),
            Chart(["load"], "Load"),
            Chart(["lat", "lat.p50", "lat.p95", "lat.p99"], "Latency (ms)", "ms"),
        ]
    )


def test_a_board_without_metrics_has_no_panels() -> None:
    assert panels.default_panels(Registry()) == []


def test_a_title_is_not_given_its_unit_twice() -> None:
    registry = Registry()
    cpu = registry.gauge("cpu", "CPU in %", unit="%")
    assert panels.chart(registry, [cpu]).title == "CPU in %"
    assert panels.chart(registry, [cpu], "Mine", min=-1, max=1, stacked=True) == Chart(
        ["cpu"], "Mine", "%", -1, 1, True
    )


def test_what_cannot_be_drawn_is_refused(registry: Registry) -> None:
    with pytest.raises(InputError, match="several units: cpu in %, load in no unit"):
        panels.chart(registry, ["cpu", "load"])
    with pytest.raises(InputError, match="at least one metric"):
        panels.chart(registry, [])
    with pytest.raises(InputError, match="'mem' is not a metric of this board; it has cpu, load"):
        panels.card(registry, "mem")
    with pytest.raises(InputError, match="it has none"):
        panels.card(Registry(), "mem")
