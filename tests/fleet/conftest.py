"""Fixtures of the tests of hosts and walls."""

from collections.abc import Iterator

import pytest
from tests.nats_servers import NatsServer, nats_server


@pytest.fixture(scope="module", autouse=True)
def boards_unmeasured(unmeasured: None) -> None:
    """Measure only what is in the process of the tests."""


@pytest.fixture
def server() -> Iterator[NatsServer]:
    """Run a NATS server as it comes."""
    with nats_server() as server:
        yield server
