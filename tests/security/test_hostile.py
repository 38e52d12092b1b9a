"""A short, seeded run of hostile clients: no viewer misses a tick, and every document is served."""

import os
import sys

import pytest
from benchmarks import hostile


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="the viewers use epoll")
def test_no_viewer_misses_a_tick_because_of_hostile_clients() -> None:
    figures = hostile.measure(viewers=50, connections=100, seconds=5, interval_ms=250, seed=7)
    for phase in (figures.control, figures.attacked):
        assert phase.ticks
        assert (phase.missed, phase.ended) == (0, 0)
    assert min(figures.attempts.values()) >= 10
    # Ten bodies of 15 MB each are sent repeatedly.
    assert figures.highest - figures.before < 200 << 20
    refused = figures.refused
    assert refused["too_large"] > 0
    assert refused["bodies"] > 0
