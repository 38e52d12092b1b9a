"""A sender of remote write that costs little: the same series again and again, with new values and times.

Usage: python -m benchmarks.ingest.sender PORT SECONDS; it prints how many samples were taken, and when it began and
ended.
"""

import socket
import sys
import time

import cramjam
import numpy as np
from tests.prompb import V1

BODIES = 5
SERIES = 2_000
"""In one request, as Prometheus sends them."""

CONNECTIONS = 2
_HEAD = (
    "POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/x-protobuf\r\n"
    "Content-Encoding: snappy\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {size}\r\n\r\n"
)
_SHIFTS = np.arange(6) * 7


class Body:
    """A request whose values and times are put in place of those it was made with."""

    def __init__(self, data: bytes) -> None:
        self._bytes = np.frombuffer(bytearray(data), np.uint8)
        self._ends = np.array(_ends(data))
        self._values = self._ends[:, None] + np.arange(-15, -7)
        self._times = self._ends[:, None] + np.arange(-6, 0)

    def at(self, time_ms: int) -> bytes:
        """Return it with this time, compressed."""
        values = np.random.default_rng(time_ms).uniform(1, 100, len(self._ends))
        self._bytes[self._values] = values.view(np.uint8).reshape(-1, 8)
        digits = (time_ms >> _SHIFTS & 127) | np.array([128, 128, 128, 128, 128, 0])
        self._bytes[self._times] = digits.astype(np.uint8)
        return bytes(cramjam.snappy.compress_raw(self._bytes.tobytes()))


def _ends(data: bytes) -> list[int]:
    """Return where each series ends; all have one sample, and it is not 0."""
    ends = []
    at = 0
    while at < len(data):
        size, at = data[at + 1], at + 2
        if size > 127:
            size, at = (size & 127) | data[at] << 7, at + 1
        at += size
        ends.append(at)
    return ends


def bodies() -> list[Body]:
    """Return the requests; none of their values is 0, so that all samples have the same size."""
    made = []
    for first in range(0, BODIES * SERIES, SERIES):
        request = V1["WriteRequest"]()
        for number in range(first, first + SERIES):
            series = request.timeseries.add()
            for name, value in labels(number):
                series.labels.add(name=name, value=value)
            series.samples.add(value=1.5, timestamp=int(time.time() * 1000))
        made.append(Body(request.SerializeToString()))
    return made


def labels(number: int) -> list[tuple[str, str]]:
    """Return ten labels, as a node exporter's series have them in a cluster."""
    which = number // 100
    return [
        ("__name__", f"node_metric_{number % 100}"),
        ("cluster", "eu-west-1-production"),
        ("container", "node-exporter"),
        ("endpoint", "http-metrics"),
        ("instance", f"10.{which % 250}.3.17:9100"),
        ("job", "node-exporter"),
        ("namespace", "monitoring"),
        ("node", f"ip-10-0-{which}-17.internal"),
        ("pod", f"node-exporter-{which:05d}"),
        ("service", "node-exporter"),
    ]


def send(port: int, seconds: float) -> tuple[int, float, float]:
    """Send for so long; return the samples taken, and when it began and ended, POSIX seconds."""
    requests = bodies()
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    waiting = [False] * CONNECTIONS
    taken = 0
    began = time.time()
    now_ms = turn = 0
    while (now := time.time()) < began + seconds:
        place = turn % CONNECTIONS
        connection = connections[place]
        now_ms = max(now_ms + 1, int(now * 1000))
        body = requests[turn % BODIES].at(now_ms)
        if waiting[place]:
            _check(connection)
            taken += SERIES
        connection.sendall(_HEAD.format(port=port, size=len(body)).encode() + body)
        waiting[place] = True
        turn += 1
    for connection in connections:
        connection.close()
    return taken, began, now


def _check(connection: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        got = connection.recv(65_536)
        answer += got
        if not got or not answer.startswith(b"HTTP/1.1 20"[: len(answer)]):
            raise RuntimeError(f"the request was not taken: {answer[:300]!r}")


if __name__ == "__main__":
    print(*send(int(sys.argv[1]), float(sys.argv[2])))
