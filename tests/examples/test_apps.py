"""The examples of measured applications, run as a user would: a separate process, the real framework and sockets."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import wait_for

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass
class App:
    """A running example.

    Attributes:
        url: the URL of the application.
        dashboard: the URL of its board.
        item: its route for an item, as the framework writes it.
        orders: its route for orders.
        log: the file with its output.
    """

    url: str
    dashboard: str
    item: str
    orders: str
    log: Path

    def stats(self) -> dict[str, Any]:
        with contextlib.suppress(httpx.TransportError):
            found: dict[str, Any] = httpx.get(f"{self.dashboard}/api/stats").json()
            return found
        return {}

    def seen(self, key: str) -> bool:
        return bool(self.stats().get(key, {}).get("max", 0) > 0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@contextlib.contextmanager
def running(command: list[str], log: Path, dashboard_port: int) -> Iterator[None]:
    env = os.environ | {"METRIC_INTERVAL_MS": "50", "WINDOW_SIZE": "10000", "DASHBOARD_PORT": str(dashboard_port)}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=EXAMPLES, env=env, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


@pytest.fixture(params=["fastapi", "starlette", "django", "flask"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[App]:
    port, dashboard_port = free_port(), free_port()
    url, log = f"http://127.0.0.1:{port}", tmp_path / "log"
    if request.param == "flask":
        command = ["flask", "--app", "flask_app", "run", "--port", str(port)]
        example = App(url, f"http://127.0.0.1:{dashboard_port}", "/items/<int:item_id>", "/orders", log)
    else:
        command = ["uvicorn", f"{request.param}_app:app", "--port", str(port)]
        item = "/items/<int:item_id>" if request.param == "django" else "/items/{item_id}"
        example = App(url, f"{url}/live", item, "/orders", log)
    with running(command, log, dashboard_port):
        wait_for(lambda: "requests" in example.stats() and answers(url), log.read_text)
        yield example


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url).status_code == 404
    return False


def test_the_dashboard_shows_the_requests_of_the_application_by_route(app: App) -> None:
    with httpx.Client(base_url=app.url) as client:
        assert [client.get(f"/items/{number}").json() for number in (17, 18)] == [{"item": 17}, {"item": 18}]
        assert client.post("/orders").json() == {"status": "taken"}
        assert client.get("/wp-login.php").status_code == 404
    expected = [
        "requests",
        "latency",
        "orders",
        f'http_requests{{route="GET {app.item}",status="2xx"}}',
        f'http_requests{{route="POST {app.orders}",status="2xx"}}',
        'http_requests{route="other",status="4xx"}',
        f'http_latency{{route="GET {app.item}"}}',
        f'http_latency.p95{{route="POST {app.orders}"}}',
    ]
    wait_for(lambda: all(app.seen(key) for key in expected), lambda: f"{app.stats()} {app.log.read_text()[-2000:]}")
    # A path never becomes a label.
    assert not any("17" in key or "wp-login" in key for key in app.stats())
    assert app.stats()["requests_in_flight"]["min"] >= 0


def test_the_page_and_the_metrics_are_served(app: App) -> None:
    page = httpx.get(f"{app.dashboard}/")
    assert page.headers["content-type"].startswith("text/html")
    names = [metric["name"] for metric in httpx.get(f"{app.dashboard}/api/board").json()["metrics"]]
    assert {"orders", "requests_per_sec", "http_requests", "http_latency.p99"} <= set(names)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*_app.py")), ids=lambda path: path.stem)
def test_an_example_is_short_enough_to_copy(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 40
