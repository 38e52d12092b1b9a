"""Labels, counters and histograms: a small fleet of simulated workers, a line for each in every chart."""

import asyncio
import random

from tickboard import Board

board = Board("Worker fleet", interval_ms=500, window_size=240)

busy = board.gauge("busy", "Busy", unit="%", labels=["worker"], min=0, max=100)
jobs = board.counter("jobs", "Jobs done", unit="jobs/s", labels=["worker"])
failed = board.counter("failed", "Jobs failed", unit="jobs/s")
took = board.histogram("took", "Time per job", unit="ms")

WORKERS = ["ada", "grace", "alan", "edsger"]


@board.every("50ms")
async def work() -> None:
    """Each worker does some jobs; one in fifty fails."""
    for worker in WORKERS:
        await asyncio.sleep(0)
        jobs.labels(worker=worker).inc(random.randrange(3))
        took.observe(random.lognormvariate(3, 0.5))
    if random.random() < 0.02:
        failed.inc()


@board.every()
def measure() -> None:
    """How busy each worker is, at every tick."""
    for worker in WORKERS:
        busy.labels(worker=worker).set(random.gauss(60, 12))


board.row(board.chart(busy, title="Busy workers"), board.chart(jobs, title="Jobs done"))
board.row(board.card(took), board.card(failed), board.chart(took, "took.p50", "took.p95", title="Time per job"))

board.alert(busy > 90, "{worker} is overloaded: {value:.0f}%", severity="critical", for_="1s", clear=busy < 80)
board.alert(took.p95 > 60, "Jobs are slow: p95 is {value:.0f} ms", keep="5s")
