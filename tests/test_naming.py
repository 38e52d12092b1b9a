"""Titles and units for metrics that came without."""

import pytest

from tickboard.naming import group_of, rate_unit, title_of, unit_of


@pytest.mark.parametrize(
    ("name", "given", "unit"),
    [
        ("http.server.request.duration", "s", "s"),
        ("jvm.memory.used", "By", "B"),
        ("system.network.io", "By/s", "B/s"),
        ("http.server.active_requests", "{request}", "request"),
        ("system.cpu.utilization", "1", ""),
        ("hw.temperature", "Cel", "°C"),
        ("http_request_duration_seconds", "", "s"),
        ("http_request_duration_seconds_bucket", "", "s"),
        ("process_resident_memory_bytes", "", "B"),
        ("node_network_receive_bytes_total", "", "B"),
        ("cache_hit_ratio", "", ""),
        ("job.duration.ms", "", "ms"),
        ("queue_depth", "", ""),
        ("seconds", "", ""),
        ("x", "furlongs per fortnight, more or less", "furlongs per fortnigh"[:20]),
    ],
)
def test_the_unit_is_told_from_metadata_or_from_the_name(name: str, given: str, unit: str) -> None:
    assert unit_of(name, given) == unit


def test_a_rate_is_per_second() -> None:
    assert [rate_unit("B"), rate_unit(""), rate_unit("B/s")] == ["B/s", "/s", "B/s"]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("http_requests_total", "HTTP requests"),
        ("http_request_duration_seconds", "HTTP request duration"),
        ("go_gc_duration_seconds", "Go GC duration"),
        ("jvm.memory.used", "JVM memory used"),
        ("queueDepth", "QueueDepth"),
        ("total", "Total"),
        ("_", "_"),
    ],
)
def test_the_title_is_the_name_in_words(name: str, title: str) -> None:
    assert title_of(name) == title


def test_metrics_that_share_their_first_word_belong_together() -> None:
    assert [group_of("http.server.duration"), group_of("http_requests"), group_of("up")] == ["http", "http", ""]
