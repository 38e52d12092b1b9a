"""Tickboard's own metrics, read by the parsers of prometheus_client and by ours."""

from collections.abc import Callable, Iterable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.outlets import Inbox
from tests.serving import serve_app, wait_for

from tickboard import Board
from tickboard.history.layout import HistoryStatus
from tickboard.hub.health import Vitals
from tickboard.hub.traffic import DELIVERY_BOUNDS_S, Notified
from tickboard.server.routes.metrics_endpoint import OPENMETRICS, TEXT, exposition, families, wants_openmetrics
from tickboard.settings import Settings
from tickboard.sources.prometheus.scrape import ACCEPT

PARSERS: dict[bool, Callable[[str], Iterable[Metric]]] = {False: parse_text, True: parse_openmetrics}

# The Accept headers of Prometheus 2.42 and 3.
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def read(text: str, *, openmetrics: bool = False) -> dict[str, float]:
    """Return every sample by its name and labels. Fail for an incomplete family."""
    found = list(PARSERS[openmetrics](text))
    assert all(family.documentation and family.type != "unknown" for family in found)
    return {
        sample.name + "".join(f",{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in found
        for sample in family.samples
    }


def busy_board() -> Board:
    """Return a board that has had a viewer, ticks, and a source with an awkward name."""
    board = Board(max_series_per_source=1)
    board.gauge("a").set(1)
    board.prepare(Settings())
    hub = board.hub
    hub.join(Inbox())
    source = board.intake.source('otlp "\\\n')
    one, two = source.gauge("one", "one"), source.gauge("two", "two")
    source.set([one, two, two], [1, 2, 3])
    for now in (1.0, 2.0):
        for _ in hub.publish(hub.engine.tick(now, 1.0)):
            pass
    source.set([one, one], [1, 2], [1.5, -1_000])
    source.malformed += 7
    for seconds in (0.0005, 0.002, 7.0):
        hub.traffic.delivered(seconds)
    hub.traffic.viewers_silent = 3
    hub.problems.report("sampler x", "fails")
    hub.problems.report("sampler x", "fails")
    hub.traffic.notified["ops"] = Notified(5, 2, 1)
    return board


@pytest.mark.parametrize("openmetrics", [False, True])
def test_the_counters_match_the_events(openmetrics: bool) -> None:
    board = busy_board()
    hub = board.hub
    text = exposition(families(hub, board.intake, Vitals(4, 10.0)), openmetrics=openmetrics)
    samples = read(text, openmetrics=openmetrics)
    assert samples["tickboard_viewers"] == samples["tickboard_subscriptions"] == 1
    assert samples["tickboard_ticks_total"] == 2
    assert samples["tickboard_frames_sent_total"] == hub.traffic.frames > 2
    assert samples["tickboard_sent_bytes_total"] == hub.traffic.bytes > 0
    assert samples["tickboard_ticks_skipped_total"] == 4
    assert samples["tickboard_failing"] == samples["tickboard_problem,source=sampler x"] == 1
    assert samples["tickboard_failures_total,source=sampler x"] == 2
    assert samples["tickboard_viewers_dropped_total,reason=silent"] == 3
    assert samples["tickboard_viewers_dropped_total,reason=stalled"] == 0
    assert samples["tickboard_notifications_total,notifier=ops,result=sent"] == 5
    assert samples["tickboard_notifications_total,notifier=ops,result=failed"] == 2
    assert samples["tickboard_notifications_dropped_total,notifier=ops"] == 1
    buckets = [samples[f"tickboard_delivery_seconds_bucket,le={bound}"] for bound in DELIVERY_BOUNDS_S]
    assert buckets == [1, *[2] * (len(buckets) - 1)]
    assert samples["tickboard_delivery_seconds_bucket,le=+Inf"] == samples["tickboard_delivery_seconds_count"] == 3
    assert samples["tickboard_delivery_seconds_sum"] == 7.0025
    of_source = {
        name: samples[f'tickboard_{name},source=otlp "\\\n']
        for name in (
            "source_series",
            "samples_total",
            "samples_late_total",
            "samples_too_old_total",
            "samples_refused_total",
            "samples_malformed_total",
        )
    }
    assert list(of_source.values()) == [1, 2, 1, 1, 2, 7]
    assert ("# UNIT tickboard_sent_bytes bytes\n" in text) is openmetrics


def test_a_board_without_sources_has_no_sample_counters() -> None:
    board = Board()
    board.prepare(Settings())
    assert "tickboard_samples" not in exposition(families(board.hub, board.intake, Vitals()))


async def test_the_late_values_of_hosts_that_had_no_tick_are_counted_on_a_wall() -> None:
    for hosts, dropped in (["http://127.0.0.1:9"], 7), ([], None):
        board = Board()
        if hosts:
            board.follow(*hosts)
        board.prepare(Settings())
        running = board._require_live()
        if running.fleet is not None:
            running.fleet.follower.dropped = 7
        async with httpx.AsyncClient(transport=httpx.ASGITransport(running.app), base_url="http://wall") as client:
            assert (await client.get("/api/health")).json()["host_values_dropped"] == dropped
            text = (await client.get("/metrics")).text
        assert ("\ntickboard_host_values_dropped_total 7\n" in text) is bool(hosts)


@pytest.mark.parametrize("openmetrics", [False, True])
def test_the_metrics_of_history_are_exposed_if_there_is_one(openmetrics: bool) -> None:
    board = Board()
    board.prepare(Settings())
    kept = HistoryStatus(file_bytes=5_000, series=3, queued=2, dropped=7, lost=1)
    text = exposition(families(board.hub, board.intake, Vitals(), kept), openmetrics=openmetrics)
    found = {name: value for name, value in read(text, openmetrics=openmetrics).items() if "_history_" in name}
    assert found == {
        "tickboard_history_bytes": 5_000,
        "tickboard_history_series": 3,
        "tickboard_history_queued": 2,
        "tickboard_history_dropped_total": 7,
        "tickboard_history_lost_total": 1,
    }
    assert "_history_" not in exposition(families(board.hub, board.intake, Vitals()))


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ('Application/OpenMetrics-Text; Version="1.0.0"', True),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=much", False),
        ("text/plain;q=0.9,application/openmetrics-text;q=0.5", False),
        (PROMETHEUS_2, True),
        (PROMETHEUS_3, True),
        (ACCEPT, True),
    ],
)
def test_the_format_follows_the_accept_header(accept: str, openmetrics: bool) -> None:
    assert wants_openmetrics([accept] if accept else []) is openmetrics


@given(st.lists(st.text()))
def test_no_accept_header_raises_an_exception(accept: list[str]) -> None:
    assert wants_openmetrics(accept) in {False, True}


def test_both_formats_are_served_at_metrics() -> None:
    board = Board(interval_ms=20)
    with serve_app(board) as port:
        url = f"http://127.0.0.1:{port}/metrics"
        for accept, kind in (("*/*", TEXT), (PROMETHEUS_2, OPENMETRICS)):
            answer = httpx.get(url, headers={"Accept": accept})
            assert answer.headers["content-type"] == kind
            assert answer.headers["vary"] == "Accept"
            assert "tickboard_viewers" in read(answer.text, openmetrics=kind == OPENMETRICS)


def test_a_board_can_scrape_another() -> None:
    watched, watching = Board(interval_ms=50), Board(interval_ms=50)
    with serve_app(watched) as port:
        watching.scrape(f"http://127.0.0.1:{port}/metrics", every="50ms")
        with serve_app(watching) as other:

            def is_there() -> bool:
                stats = httpx.get(f"http://127.0.0.1:{other}/api/stats").json()
                return any(key.startswith("tickboard_ticks_total{") and each["max"] > 0 for key, each in stats.items())

            wait_for(is_there)
            assert "problems" not in httpx.get(f"http://127.0.0.1:{other}/api/board").json()
