"""Values from every source, sent by the real programs, up to the number that a person reads on the page."""

import contextlib
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import prometheus_client
import pytest
import statsd  # type: ignore[import-untyped]
from datadog.dogstatsd.base import DogStatsd
from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from playwright.sync_api import Page, expect
from tests.contract.test_statsd import free_udp_port
from tests.e2e.conftest import Watched
from tests.prometheus import prometheus
from tests.serving import Server, serve, serve_app

from tickboard import Board, TickboardMiddleware, push

EMPTY = Path(__file__).parents[1] / "boards" / "empty.py"

WAIT_MS = 20_000
"""The longest that a value may take to appear on the page on a busy machine."""

BOARD = """
from tickboard import Board
board = Board("Sources", interval_ms=100)
board.statsd(port={port})
board.statsd(path={path!r}, relative=False)
board.scrape({target!r}, every="100ms")
"""


@dataclass
class Sources:
    """A board that receives from many sources.

    Attributes:
        server: the server of the board.
        port: the port that listens for StatsD.
        path: the socket that listens for DogStatsD.
        target: host and port of the scrape target.
    """

    server: Server
    port: int
    path: str
    target: str


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    folder = tmp_path_factory.mktemp("sources")
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("oven_temperature_celsius", "How hot it is.", registry=registry).set(181.5)
    target, thread = prometheus_client.start_http_server(0, "127.0.0.1", registry)
    port, path, place = free_udp_port(), str(folder / "dog.sock"), f"127.0.0.1:{target.server_port}"
    file = folder / "board.py"
    file.write_text(BOARD.format(port=port, path=path, target=f"http://{place}/metrics"))
    try:
        with serve("run", str(file)) as server:
            yield Sources(server, port, path, place)
    finally:
        target.shutdown()
        target.server_close()
        thread.join(5)


@pytest.fixture
def page(watched: Watched) -> Page:
    """A page tall enough to be fully in view, since panels out of view are not updated."""
    watched.page.set_viewport_size({"width": 1280, "height": 6_000})
    return watched.page


def expect_value(page: Page, key: str, value: str | re.Pattern[str], unit: str | None = None) -> None:
    """Expect a value and its unit on the card of a series."""
    card = page.locator(f".metric-card[data-metric='{key}']")
    expect(card.locator(".value")).to_have_text(value, timeout=WAIT_MS)
    if unit is not None:
        expect(card.locator(".unit")).to_have_text(unit)


def until_shown(server: Server, key: str, send: Callable[[], object]) -> None:
    """Send repeatedly until the board has the series, since datagrams may be lost."""

    def has_come() -> bool:
        send()
        return bool(server.json("/api/stats").get(key, {}).get("count"))

    server.wait_for(has_come)


def test_a_gauge_of_the_opentelemetry_sdk_is_on_the_page(page: Page, sources: Sources) -> None:
    page.goto(sources.server.url)
    exporter = OTLPMetricExporter(f"{sources.server.url}v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=60_000)
    provider = MeterProvider([reader], Resource.create({"service.name": "kitchen", "service.instance.id": "1"}))
    try:
        meter = provider.get_meter("kitchen")
        meter.create_observable_gauge("fridge.temperature", [lambda _: [Observation(4.5)]], unit="Cel")
        assert provider.force_flush()
    finally:
        provider.shutdown()
    key = 'fridge.temperature{instance="1",service="kitchen"}'
    expect_value(page, key, "4.5", "°C")


def test_a_remote_write_of_prometheus_is_on_the_page(page: Page) -> None:
    with serve("run", str(EMPTY)) as server, prometheus(f"{server.url}api/v1/write", only="up") as port:
        page.goto(server.url)
        key = f'up{{instance="127.0.0.1:{port}",job="itself"}}'
        expect_value(page, key, "1.0")


def test_a_scraped_gauge_is_on_the_page(page: Page, sources: Sources) -> None:
    page.goto(sources.server.url)
    expect_value(page, f'oven_temperature_celsius{{instance="{sources.target}"}}', "181.5")


def test_a_statsd_gauge_is_on_the_page(page: Page, sources: Sources) -> None:
    page.goto(sources.server.url)
    with contextlib.closing(statsd.StatsClient("127.0.0.1", sources.port)) as client:
        until_shown(sources.server, "plates.clean", lambda: client.gauge("plates.clean", 12.5))
    expect_value(page, "plates.clean", "12.5")


def test_a_dogstatsd_gauge_with_a_tag_is_on_the_page(page: Page, sources: Sources) -> None:
    page.goto(sources.server.url)
    client = DogStatsd(socket_path=sources.path, disable_telemetry=True, disable_buffering=True)
    try:
        key = 'pans{size="large"}'
        until_shown(sources.server, key, lambda: client.gauge("pans", -2.5, tags=["size:large"]))
    finally:
        client.close_socket()
    expect_value(page, key, "-2.5")


def test_values_pushed_by_the_client_and_by_http_are_on_the_page(page: Page, sources: Sources) -> None:
    page.goto(sources.server.url)
    with push(sources.server.url) as numbers:
        numbers.gauge("orders_open", "Open orders", labels=("table",)).labels(table="4").set(2.5)
    expect_value(page, 'orders_open{table="4"}', "2.5")
    lines = b'{"name": "guests", "value": 31}\n{"name": "water_level", "value": 70.5, "unit": "%"}\n'
    answer = httpx.post(
        f"{sources.server.url}api/metrics", content=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.json() == {"accepted": 2}
    expect_value(page, "guests", "31.0")
    expect_value(page, "water_level", "70.5", "%")


def test_piped_output_of_a_command_is_on_the_page(page: Page) -> None:
    with serve("pipe", "--interval", "100", stdin=subprocess.PIPE) as server:
        page.goto(server.url)
        assert server.process.stdin is not None
        server.process.stdin.write("dough 1.5 kg\n")
        server.process.stdin.flush()
        expect_value(page, "dough", "1.5", "kg")


def test_requests_to_an_application_are_on_the_page(page: Page) -> None:
    board = Board("Kitchen", interval_ms=100)
    app = FastAPI(lifespan=board.lifespan)
    app.add_middleware(TickboardMiddleware, registry=board)

    @app.get("/dishes/{dish}")
    def dish(dish: str) -> dict[str, str]:
        return {"dish": dish}

    app.mount("/live", board)
    with serve_app(app) as port:
        page.goto(f"http://127.0.0.1:{port}/live/")
        for name in ("soup", "rice"):
            assert httpx.get(f"http://127.0.0.1:{port}/dishes/{name}").json() == {"dish": name}
        key = 'http_requests{route="GET /dishes/{dish}",status="2xx"}'
        expect_value(page, key, re.compile("[1-9]"))
        latency = 'http_latency{route="GET /dishes/{dish}"}'
        expect_value(page, latency, re.compile("[1-9]"))
        # uvicorn ends only after its last stream.
        page.close()


def test_metrics_of_this_machine_are_on_the_page(page: Page) -> None:
    with serve("--interval", "250") as server:
        page.goto(server.url)
        for metric in ("cpu_usage", "memory_usage", "net_rate"):
            expect_value(page, metric, re.compile(r"\d"))
        expect(page.locator(".live-table tbody th").first).to_have_text(re.compile(r"\w"), timeout=WAIT_MS)
