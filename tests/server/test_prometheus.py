"""Tickboard's own metrics, read by Prometheus' own parser."""

import httpx
from prometheus_client.parser import text_string_to_metric_families
from tests.outlets import Inbox
from tests.serving import serve_app

from tickboard import Board
from tickboard.server.prometheus import exposition
from tickboard.settings import Settings
from tickboard.traffic import DELIVERY_BOUNDS_S


def read(text: str) -> dict[str, float]:
    """Return every sample by its name and labels; a family that is not whole fails."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation and family.type != "unknown" for family in families)
    return {
        sample.name + "".join(f",{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_counters_are_what_happened() -> None:
    board = Board()
    board.gauge("a").set(1)
    board.prepare(Settings())
    hub = board.hub
    hub.join(Inbox())
    for _ in hub.publish(hub.engine.tick(1.0, 1.0)):
        pass
    for seconds in (0.0005, 0.002, 7.0):
        hub.traffic.delivered(seconds)
    hub.traffic.viewers_silent = 3
    samples = read(exposition(hub, 4))
    assert samples["tickboard_viewers"] == samples["tickboard_subscriptions"] == samples["tickboard_ticks_total"] == 1
    assert samples["tickboard_frames_sent_total"] == 2
    assert samples["tickboard_sent_bytes_total"] == hub.traffic.bytes > 0
    assert samples["tickboard_ticks_skipped_total"] == 4
    assert samples["tickboard_viewers_dropped_total,reason=silent"] == 3
    assert samples["tickboard_viewers_dropped_total,reason=stalled"] == 0
    buckets = [samples[f"tickboard_delivery_seconds_bucket,le={bound}"] for bound in DELIVERY_BOUNDS_S]
    assert buckets == [1, *[2] * (len(buckets) - 1)]
    assert samples["tickboard_delivery_seconds_bucket,le=+Inf"] == samples["tickboard_delivery_seconds_count"] == 3
    assert samples["tickboard_delivery_seconds_sum"] == 7.0025


def test_they_are_at_metrics() -> None:
    board = Board(interval_ms=20)
    with serve_app(board) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "tickboard_viewers" in read(answer.text)
