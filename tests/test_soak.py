"""Short, seeded runs of the soak test: churn leaks nothing."""

import httpx
import pytest
from benchmarks import soak
from tests.serving import wait_for


def test_simulated_hours_of_churn_leak_no_series() -> None:
    simulation, slopes = soak.simulate(days=0.05, seed=7, looks=10)
    assert simulation.came > 500
    assert simulation.fired > 50
    assert simulation.watched > 100
    registry = simulation.board.registry
    # The current series, and removed ones that have not been forgotten yet.
    assert len(registry.series) <= 2 * soak.JOBS
    assert registry.width <= 3 * soak.JOBS
    assert simulation.board.hub.viewers <= 20
    assert slopes.quarter("descriptors", 3) <= slopes.quarter("descriptors", 0)
    assert slopes.quarter("threads", 3) <= slopes.quarter("threads", 0)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_clients_and_reloads_leak_no_descriptors_threads_or_files() -> None:
    with soak.soaking(seed=7) as running:
        # One-time resources, such as threads and the journal's connection, exist after the first clients.
        soak.run(running, 4, look_s=0.5, edit_s=1.5)
        wait_for(lambda: httpx.get(f"{running.url}/api/health").json()["viewers"] == 0)
        # The first failure is logged, which takes a thread.
        wait_for(lambda: 'failures_total{source="sampler fails"}' in httpx.get(f"{running.url}/metrics").text)
        before = running.look(0.0)
        soak.run(running, 12, look_s=0.5, edit_s=1.5)
        assert running.errors == []
        assert running.counts["viewers"] > 20
        assert running.counts["reloads"] >= 6
        wait_for(lambda: running.look(0.0).descriptors <= before.descriptors)
        wait_for(lambda: running.look(0.0).threads <= before.threads)
        assert running.look(0.0).files <= before.files
        assert httpx.get(f"{running.url}/api/health").status_code == 200
        assert running.stop() == 0
