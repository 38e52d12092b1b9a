"""Debian's Prometheus as a subprocess for tests: it scrapes each second and writes to a given URL."""

import contextlib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
from tests.serving import wait_for

import debian

CONFIGURATION = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: itself
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
{scraped}remote_write:
  - url: {url}
    {login}write_relabel_configs: [{{source_labels: [__name__], regex: "{only}", action: keep}}]
    metadata_config: {{send_interval: 1s}}
    queue_config: {{batch_send_deadline: 100ms}}
"""

SCRAPED = """  - job_name: board
    authorization: {{credentials: {token}}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""

RETENTION = "--storage.tsdb.retention.time=100y"


def program(name: str) -> Path:
    """Return Debian's ``prometheus`` or ``promtool``."""
    return debian.unpacked("prometheus") / "usr" / "bin" / name


@contextlib.contextmanager
def prometheus(writes_to: str, only: str = ".+") -> Iterator[int]:
    """Run Prometheus, which scrapes itself and writes the metrics with matching names to a URL; yield its port."""
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        configuration = CONFIGURATION.format(port=port, url=writes_to, only=only, scraped="", login="")
        with _running(port, configuration, Path(folder) / "data"):
            yield port


@contextlib.contextmanager
def prometheus_with_tokens(board: int, scrapes_with: str, writes_with: str) -> Iterator[tuple[int, Path]]:
    """Run Prometheus, which scrapes the board at a port, and writes to it whether it could; yield its port and log."""
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        configuration = CONFIGURATION.format(
            port=port,
            url=f"http://127.0.0.1:{board}/api/v1/write",
            only="up",
            scraped=SCRAPED.format(port=board, token=scrapes_with),
            login=f"authorization: {{credentials: {writes_with}}}\n    ",
        )
        with _running(port, configuration, Path(folder) / "data") as log:
            yield port, log


@contextlib.contextmanager
def prometheus_with(data: Path) -> Iterator[int]:
    """Run Prometheus, which answers from the blocks in a folder and scrapes nothing, and return its port."""
    port = _free_port()
    with _running(port, "scrape_configs: []\n", data):
        yield port


@contextlib.contextmanager
def receiving_prometheus(data: Path, port: int = 0) -> Iterator[int]:
    """Run Prometheus, which takes remote write into a folder and scrapes nothing, and return its port."""
    port = port or _free_port()
    with _running(port, "scrape_configs: []\n", data, "--web.enable-remote-write-receiver"):
        yield port


@contextlib.contextmanager
def _running(port: int, configuration: str, data: Path, *flags: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prometheus.yml"
        file.write_text(configuration)
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    str(program("prometheus")),
                    f"--config.file={file}",
                    f"--storage.tsdb.path={data}",
                    RETENTION,
                    f"--web.listen-address=127.0.0.1:{port}",
                    *flags,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(lambda: _is_ready(port), log.read_text)
            yield log
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_ready(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/-/ready").is_success
    return False
