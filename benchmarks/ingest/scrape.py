"""A scrape of 10,000 lines into an intake, beside prometheus_client's parser on the same bytes."""

import time

from prometheus_client.parser import text_string_to_metric_families

from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources.prometheus.exposition import Exposition

LINES = 10_000
ROUNDS = 7
NOW = 1_795_514_400.0


def payload(lines: int, turn: int = 0) -> bytes:
    """Return a text as exporters say it: families of 50 series, half of them counters."""
    said = []
    for number in range(lines // 50):
        name = f"node_thing_{number}_{'bytes_total' if number % 2 else 'ratio'}"
        said.append(f"# HELP {name} What it is.\n# TYPE {name} {'counter' if number % 2 else 'gauge'}\n")
        said += [
            f'{name}{{cpu="{place}",mode="user",device="eth{place}"}} {turn * 100 + place * 1.5!r}\n'
            for place in range(50)
        ]
    return "".join(said).encode()


def rate() -> tuple[float, float]:
    """Return lines a second: ours of known series into an intake, and of the library's parser."""
    exposition = Exposition(Intake(Registry(2 * LINES)).source("scrape"), (("instance", "localhost:9100"),))
    best = theirs = float("inf")
    for turn in range(ROUNDS + 1):
        text = payload(LINES, turn)
        began = time.perf_counter()
        for _ in exposition.receive(text, NOW + turn):
            pass
        if turn:
            best = min(best, time.perf_counter() - began)
    text = payload(LINES)
    for _ in range(3):
        began = time.perf_counter()
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                _ = sample.value
        theirs = min(theirs, time.perf_counter() - began)
    return LINES / best, LINES / theirs
