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
remote_write:
  - url: {url}
    write_relabel_configs: [{{source_labels: [__name__], regex: "{only}", action: keep}}]
    metadata_config: {{send_interval: 1s}}
    queue_config: {{batch_send_deadline: 100ms}}
"""


@contextlib.contextmanager
def prometheus(writes_to: str, only: str = ".+") -> Iterator[int]:
    """Run Prometheus, which scrapes itself and writes the metrics with matching names to a URL; yield its port."""
    program = debian.unpacked("prometheus") / "usr" / "bin" / "prometheus"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "prometheus.yml"
        configuration.write_text(CONFIGURATION.format(port=port, url=writes_to, only=only))
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [
                    str(program),
                    f"--config.file={configuration}",
                    f"--storage.tsdb.path={folder}/data",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(lambda: _is_ready(port), log.read_text)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_ready(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/-/ready").is_success
    return False
