"""A shop's board. `values_at` says what its metrics are at any time, with the incident of a night; see tests.e2e.night.

``INCIDENT`` and ``INTERVAL_MS`` are read from the environment: when the incident began, in POSIX seconds.
"""

import math
import os
import random
import time
from collections.abc import Iterator

from tickboard import Board
from tickboard.metrics.handles import Handle

INCIDENT_S = float(os.environ.get("INCIDENT", "0"))
LENGTH_S = 46 * 60.0
"""How long the incident lasted."""

SERVICES = {"checkout": 130, "payments": 98, "search": 84, "catalog": 72, "identity": 61, "cart": 55, "mailer": 49}
"""The usual latency of each service in milliseconds."""

PODS = 12

board = Board("Shop · production", interval_ms=int(os.environ.get("INTERVAL_MS", "1000")))

orders = board.gauge("orders_per_min", "Orders", unit="/min")
requests = board.gauge("requests_per_sec", "Requests", unit="req/s")
cpu = board.gauge("cpu_usage", "CPU", unit="%", min=0, max=100)
memory = board.gauge("memory_used", "Memory", unit="%", min=0, max=100)
latency = board.gauge("latency_p95", "Latency p95", unit="ms", labels=["service"])
errors = board.gauge("errors_per_sec", "Errors", unit="/s", labels=["service"])
connections = board.gauge("db_connections", "Database connections", labels=["pool"])
hits = board.gauge("cache_hits", "Cache hits", unit="%", labels=["cache"], min=0, max=100)
queries = board.gauge("db_queries", "Database queries", unit="/s")
pods = board.gauge("pod_cpu", "Pod CPU", unit="%", labels=["pod"], min=0, max=100)

board.row(board.card(orders), board.card(requests), board.card(cpu, note="8 cores"), board.card(memory))
board.row(board.chart(latency), board.chart(orders), title="Services")
board.row(board.chart(connections), board.chart(errors), title="Database and errors")
board.row(board.chart(pods), title="Pods")

board.alert(latency > 300, "Latency of {service}: {value:.0f} ms", severity="critical", for_="30s")
board.alert(orders < 20, "Few orders: {value:.0f} /min", for_="60s")


def values_at(now: float) -> Iterator[tuple[Handle, float]]:
    """Yield each series with its value at a time. The same time always gives the same values."""
    noise = random.Random(int(now))
    since = now - INCIDENT_S
    # It comes within a minute and a half, and is over within one.
    bad = max(0.0, min(1.0, since / 90, (LENGTH_S - since) / 60))
    day = math.sin((now % 86_400) / 86_400 * 2 * math.pi - 2)

    def near(value: float, spread: float) -> float:
        return max(0.0, value + noise.gauss(0, spread))

    yield orders, near(38 + 6 * day - 30 * bad, 1.5)
    yield requests, near(230 + 60 * day, 6)
    yield cpu, near(41 + 6 * day, 2.2)
    yield memory, near(61, 0.2)
    for service, usual in SERVICES.items():
        slow = {"checkout": 3.1, "cart": 0.9}.get(service, 0.0) * bad
        yield latency.labels(service=service), near(usual * (1 + slow), usual / 25)
        yield errors.labels(service=service), near(0.2 + (4.4 * bad if service == "checkout" else 0), 0.05)
    yield connections.labels(pool="orders"), near(22 + 73 * bad, 1.5)
    yield connections.labels(pool="catalog"), near(14, 1.2)
    yield hits.labels(cache="prices"), near(94 - 71 * bad, 0.8)
    yield hits.labels(cache="sessions"), near(97, 0.4)
    yield queries, near(310 + 900 * bad, 12)
    for number in range(PODS):
        yield pods.labels(pod=f"shop-7f9c{number:02x}"), near(36 + 1.1 * number, 2.5)


@board.every()
def measure() -> None:
    """Set all values."""
    for series, value in values_at(time.time()):
        series.set(value)
