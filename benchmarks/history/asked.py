"""The same question to several programs over HTTP, and how long each takes."""

import contextlib
import http.client
import json
import statistics
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.history.programs import get

ROUNDS = 25

MEAN = "Tickboard's mean"
"""Tickboard again, asked for the mean of each bucket alone."""


def timed(asked: Mapping[str, tuple[int, str]]) -> tuple[dict[str, float], dict[str, int]]:
    """Return the median milliseconds of each answer, and how many series it has.

    Args:
        asked: the port and the path for each program.
    """
    times: dict[str, list[float]] = {name: [] for name in asked}
    with contextlib.ExitStack() as stack:
        connections = {
            name: stack.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)))
            for name, (port, _) in asked.items()
        }
        series = {name: series_in(json.loads(get(connections[name], path))) for name, (_, path) in asked.items()}
        for _ in range(ROUNDS):
            for name, (_, path) in asked.items():
                began = time.perf_counter()
                get(connections[name], path)
                times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(each) for name, each in times.items()}, series


def compared(took: Mapping[str, float]) -> list[str]:
    """Return the cells of Tickboard, of its mean alone, of Prometheus, and how many times as long Tickboard takes."""
    ours, mean, other = took["Tickboard"], took[MEAN], took["Prometheus"]
    return [
        *(f"{milliseconds:.2f} ms" for milliseconds in (ours, mean, other)),
        f"{ours / other:.2f}",
        f"{mean / other:.2f}",
    ]


def series_in(answer: Any) -> int:
    """Return how many series an answer has."""
    if "series" in answer:
        return len(answer["series"])
    if "labels" in answer:
        return len(answer["labels"]) - 1
    return len(answer["data"]["result"])


def stamp(seconds: int) -> str:
    """Return an instant as RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
