"""What the tests of panels share."""

import pytest

from tickboard.metrics.registry import Registry


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.gauge("cpu", "CPU", unit="%", min=0, max=100)
    registry.gauge("load", "Load")
    registry.histogram("lat", "Latency", unit="ms")
    return registry
