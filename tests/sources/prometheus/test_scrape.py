"""Scraping real targets: their metrics are on the board, and targets that are down or slow are reported."""

import asyncio
import contextlib
import gzip
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import prometheus_client
import pytest
from tests.serving import serve

from tickboard.engine import Engine
from tickboard.errors import InputError
from tickboard.metrics import intake
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources.prometheus import scrape as module
from tickboard.sources.prometheus.scrape import Scrape


class Target:
    """A real HTTP server that answers as a test wants."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b"up 1\n"
        self.headers: dict[str, str] = {"Content-Type": "text/plain; version=0.0.4"}
        self.asked: list[dict[str, str]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                target.asked.append({name.lower(): value for name, value in self.headers.items()})
                target.go_on.wait(20)
                self.send_response(target.status)
                for name, value in target.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(target.body)))
                self.end_headers()
                self.wfile.write(target.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/metrics"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    yield target
    target.close()


class Bench:
    """A board's core and one scrape target.

    Attributes:
        told: the problem of the target, or None.
    """

    def __init__(self, max_series: int = 1_000) -> None:
        self.registry = Registry(max_series)
        self.intake = Intake(self.registry)
        self.engine = Engine(self.registry, [], 60, "e", lambda: "id", self.intake)
        self.told: str | None = ""

    @contextlib.asynccontextmanager
    async def scraping(self, url: str, **arguments: Any) -> AsyncIterator[Scrape]:
        scrape = Scrape(self.intake, url, self.tell, **arguments)
        await scrape.start()
        try:
            yield scrape
        finally:
            await scrape.close()
            await scrape.close()

    def tell(self, name: str, message: str | None) -> None:
        assert name in self.intake.sources
        self.told = message

    def values(self) -> dict[str, float]:
        row = self.engine.tick(time.time(), 1.0).row
        return {
            one.metric.name: float(row[one.column])
            for one in self.registry.series
            if row[one.column] == row[one.column]
        }


async def test_scraped_series_are_labelled_with_instance_and_job(target: Target) -> None:
    bench = Bench()
    async with bench.scraping(target.url, job="test", headers={"X-Key": "secret"}, timeout="1500ms") as scrape:
        await scrape.sample()
        await scrape.sample()
    values = bench.values()
    assert (values["up"], values["scrape_up"]) == (1, 1)
    assert values["scrape_duration"] > 0
    labels = {one.metric.name: dict(one.labels) for one in bench.registry.series}
    assert labels["up"] == labels["scrape_up"] == {"instance": f"127.0.0.1:{target.port}", "job": "test"}
    asked = target.asked[0]
    assert asked["x-key"] == "secret"
    assert asked["accept"].startswith("application/openmetrics-text")
    assert asked["x-prometheus-scrape-timeout-seconds"] == "1.5"
    assert bench.told is None


async def test_cookies_are_neither_kept_nor_sent_back(target: Target) -> None:
    target.headers["Set-Cookie"] = "id=1"
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        await scrape.sample()
        await scrape.sample()
    assert [asked.get("cookie") for asked in target.asked] == [None, None]


async def test_openmetrics_and_gzip_are_read(target: Target) -> None:
    target.headers = {"Content-Type": "application/openmetrics-text; version=1.0.0", "Content-Encoding": "gzip"}
    target.body = gzip.compress(b"# TYPE heat gauge\nheat 3\n# EOF\n")
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        await scrape.sample()
        assert bench.values()["heat"] == 3
        target.body = gzip.compress(b"# TYPE heat gauge\nheat 4\n")
        await scrape.sample()
        assert "incomplete" in str(bench.told)
        assert bench.values()["heat"] == 4


async def test_a_target_that_fails_has_no_values_until_it_answers_again(target: Target) -> None:
    histogram = b'# TYPE took histogram\ntook_bucket{le="1"} %d\ntook_bucket{le="+Inf"} %d\ntook_sum %d\n'
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        for count in (0, 5):
            target.body = b"up 1\n" + histogram % (count, count, count)
            await scrape.sample()
        assert bench.values().keys() >= {"up", "took", "took.p50"}
        target.status = 503
        await scrape.sample()
        assert bench.told == "it answers 503 Service Unavailable"
        assert bench.values().keys() == {"scrape_up", "scrape_duration"}
        assert bench.values()["scrape_up"] == 0
        target.status = 200
        await scrape.sample()
        assert bench.told is None
        assert bench.values()["up"] == 1


async def test_a_slow_target_times_out(target: Target) -> None:
    target.go_on.clear()
    bench = Bench()
    async with bench.scraping(target.url, timeout="200ms") as scrape:
        await scrape.sample()
        assert bench.told == "it did not answer within 0.2 s"
        target.go_on.set()
    # With enough time, it answers again.
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        await scrape.sample()
        assert bench.values()["up"] == 1


async def test_a_slow_target_does_not_delay_others(target: Target) -> None:
    other = Target()
    target.go_on.clear()
    bench = Bench()
    async with bench.scraping(target.url) as slow, bench.scraping(other.url) as quick:
        waiting = asyncio.create_task(slow.sample())
        await quick.sample()
        assert bench.values()["up"] == 1
        assert not waiting.done()
        target.go_on.set()
        await waiting
    other.close()


async def test_a_target_that_is_down_is_reported_without_its_password() -> None:
    bench = Bench()
    async with bench.scraping("http://me:secret@127.0.0.1:1/metrics") as scrape:
        await scrape.sample()
    assert str(bench.told).startswith("it cannot be scraped: ")
    assert "secret" not in str(bench.told)
    assert list(bench.intake.sources) == ["scrape http://127.0.0.1:1/metrics"]


async def test_a_name_and_a_password_are_sent(target: Target) -> None:
    async with Bench().scraping(f"http://me:secret@127.0.0.1:{target.port}/") as scrape:
        await scrape.sample()
    assert target.asked[0]["authorization"] == "Basic bWU6c2VjcmV0"


async def test_proxies_of_the_environment_are_ignored(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        await scrape.sample()
    assert bench.values()["up"] == 1


async def test_a_document_without_metrics_is_reported(target: Target) -> None:
    target.body, target.headers = b"<html>\n<body>\n</html>\n", {"Content-Type": "text/html"}
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        await scrape.sample()
    assert "text/html that has no metrics" in str(bench.told)
    assert bench.values()["scrape_up"] == 0


async def test_the_target_of_a_redirect_is_reported(target: Target) -> None:
    target.status, target.headers["Location"] = 301, "http://me:secret@127.0.0.1:9100/metrics"
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        await scrape.sample()
    assert str(bench.told).endswith("use the address that it redirects to, http://127.0.0.1:9100/metrics")


@pytest.mark.parametrize(
    ("body", "headers"), [(b"", {}), (b"# EOF\n", {"Content-Type": "application/openmetrics-text"})]
)
async def test_a_target_may_have_no_metrics(target: Target, body: bytes, headers: dict[str, str]) -> None:
    target.body, target.headers = body, headers
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        await scrape.sample()
    assert bench.told is None
    assert bench.values()["scrape_up"] == 1


async def test_a_malformed_line_is_reported_once_and_the_others_are_recorded(target: Target) -> None:
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        for said in (b"what is this", b"what is that"):
            target.body = b"up 1\n" + said
            await scrape.sample()
            assert "line 2, 'what is this'" in str(bench.told)
            assert bench.values()["up"] == 1
        target.body = b"up 1\n"
        await scrape.sample()
        assert bench.told is None


async def test_targets_at_one_host_and_port_stay_separate(target: Target) -> None:
    target.body = b"up 1\n"
    bench = Bench()
    base = target.url.removesuffix("/metrics")
    urls = [f"{base}/a?token=secret", f"{base}/b?token=secret", f"{base}/b?token=other"]
    async with contextlib.AsyncExitStack() as targets:
        for url in urls:
            await (await targets.enter_async_context(bench.scraping(url))).sample()
        await (await targets.enter_async_context(bench.scraping(f"{base}/c", job="j"))).sample()
    bench.values()
    more = [dict(one.labels) for one in bench.registry.series if one.metric.name == "scrape_up"]
    instance = f"127.0.0.1:{target.port}"
    assert more == [
        {"instance": instance},
        {"instance": instance, "path": "/b"},
        {"instance": instance, "target": "2"},
        {"instance": instance, "job": "j"},
    ]
    assert len([one for one in bench.registry.series if one.metric.name == "up"]) == 4


async def test_the_size_of_an_answer_is_bounded(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1_000)
    target.headers["Content-Encoding"] = "gzip"
    target.body = gzip.compress(b"up 1\n" * 1_000)
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        await scrape.sample()
    assert "more than 1000 bytes" in str(bench.told)


async def test_every_member_of_a_gzip_answer_is_read_and_junk_after_it_is_reported(target: Target) -> None:
    target.headers["Content-Encoding"] = "gzip"
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        target.body = gzip.compress(b"up 1\n") + gzip.compress(b"heat 2\n")
        await scrape.sample()
        assert bench.told is None
        values = bench.values()
        assert (values["up"], values["heat"]) == (1, 2)
        target.body = gzip.compress(b"up 0\n") + b"xx"
        await scrape.sample()
        assert "continues after the end of its gzip data" in str(bench.told)
        assert "up" not in bench.values()


async def test_series_beyond_the_limit_are_reported_and_the_others_are_recorded(target: Target) -> None:
    target.body = b"a 1\nb 2\nc 3\n"
    bench = Bench(max_series=4)
    async with bench.scraping(target.url) as scrape:
        for _ in range(2):
            await scrape.sample()
            assert "1 samples were refused" in str(bench.told)
            values = bench.values()
            assert (values["a"], values["b"], values["scrape_up"]) == (1, 2, 1)
            assert "c" not in values


async def test_removed_series_come_back(target: Target) -> None:
    bench = Bench()
    async with bench.scraping(target.url) as scrape:
        await scrape.sample()
        bench.engine.tick(time.time(), 1.0)
        bench.engine.tick(time.time() + 1_000, 1_000.0)
        bench.intake.forget()
        assert not bench.intake.sources[scrape.name].known
        await scrape.sample()
        assert bench.intake.sources[scrape.name].known.keys() == {b"up", "scrape_up", "scrape_duration"}


def test_a_duplicate_target_is_refused() -> None:
    bench = Bench()
    Scrape(bench.intake, "http://a:b@127.0.0.1/", bench.tell)
    with pytest.raises(InputError, match=re.escape("scrape http://127.0.0.1/ is already scraped")):
        Scrape(bench.intake, "http://127.0.0.1/", bench.tell)


def test_one_target_too_many_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_SOURCES", 1)
    bench = Bench()
    Scrape(bench.intake, "http://a/", bench.tell)
    with pytest.raises(InputError, match="one too many"):
        Scrape(bench.intake, "http://b/", bench.tell)


def test_a_timeout_must_be_positive() -> None:
    bench = Bench()
    with pytest.raises(InputError, match="give more than 0"):
        Scrape(bench.intake, "http://a/", bench.tell, timeout="0s")


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "cannot be scraped"),
        (b"what is this\r\n\r\n", "cannot be scraped"),
        (b"HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n", "answers 301 Moved"),
        (b"HTTP/1.1 302 Found\r\nLocation: \xff[\r\nContent-Length: 0\r\n\r\n", "the address that it redirects to"),
        (b"HTTP/1.1 204\r\n\r\n", "answers 204"),
        (OK + b"Content-Length: 10\r\n\r\nup 1\n", "cannot be scraped"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nup 1\n", "cannot be scraped"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "cannot be scraped"),
        (OK + b"Content-Type: \xff\xfe\r\nContent-Length: 4\r\n\r\n\xff\xfe\x00\n", "has no metrics"),
    ],
)
async def test_an_invalid_answer_is_reported(said: bytes, why: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    bench = Bench()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with bench.scraping(f"http://{host}:{port}/") as scrape:
            await scrape.sample()
    assert why in str(bench.told)
    assert bench.values()["scrape_up"] == 0


@pytest.mark.parametrize("url", ["localhost:9100", "ftp://a/b", "http://", "", "http://[", "http://a:b/"])
def test_an_invalid_url_is_an_error(url: str) -> None:
    with pytest.raises(InputError, match="give a URL"):
        Scrape(Bench().intake, url, Bench().tell)


def test_a_board_scrapes_a_program_that_uses_the_client_library(tmp_path: Path) -> None:
    registry = prometheus_client.CollectorRegistry()
    jobs = prometheus_client.Counter("jobs", "h", registry=registry)
    server, thread = prometheus_client.start_http_server(0, "127.0.0.1", registry)
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    file = tmp_path / "board.py"
    file.write_text(
        "from tickboard import Board\nboard = Board(interval_ms=100)\n"
        f"board.scrape({url!r}, every='100ms')\nboard.scrape('http://127.0.0.1:1/metrics', every='100ms')\n"
        "board.alert(board.metric('scrape_up') < 1, '{instance} is down')\n"
    )
    try:
        with serve("run", str(file)) as running:

            def counted() -> bool:
                jobs.inc(5)
                stats = running.json("/api/stats")
                return any(key.startswith("jobs_total{") and each["max"] > 0 for key, each in stats.items())

            running.wait_for(counted)
            [problem] = running.json("/api/board")["problems"]
            assert problem["source"] == "scrape http://127.0.0.1:1/metrics"
            assert problem["message"].startswith("it cannot be scraped")
            assert "detail" not in problem
            with httpx.stream("GET", f"{running.url}events/alerts") as events:
                told = next(line for line in events.iter_lines() if line.startswith("data:"))
            assert "127.0.0.1:1 is down" in told
            assert "Traceback" not in running.output()
        with serve("--scrape", url, "--interval", "100") as running:
            running.wait_for(lambda: "jobs_total{" in str(running.json("/api/stats")))
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
