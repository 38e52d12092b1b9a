"""A receiver of remote write for tests: it decodes by the published schemas, and takes samples as Prometheus does.

It refuses a request as a whole if one of its samples is not later than the newest one of its series, unless it is the
same. It can be told to answer anything else.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cramjam
from tests.prompb import V1, V2

WRITTEN = "X-Prometheus-Remote-Write-Samples-Written"
TYPE_V2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"

STALE = 0x7FF0000000000002

Key = frozenset[tuple[str, str]]


@dataclass
class Asked:
    """One request.

    Attributes:
        headers: by name in lower case.
        samples: by the labels of their series: time in milliseconds and value.
        units: of the series, by their labels; 2.0 only.
    """

    headers: dict[str, str]
    samples: dict[Key, list[tuple[int, float]]]
    units: dict[Key, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What to answer to one request.

    Attributes:
        status: of HTTP.
        body: the text.
        headers: further ones.
        takes: whether the samples are taken, whatever the answer says.
        closes: whether the connection is closed without an answer.
    """

    status: int = 204
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    takes: bool = False
    closes: bool = False


class MetricReceiver:
    """The receiver.

    Attributes:
        port: the port that it listens on; the same after a restart.
        knows_v2: whether it takes 2.0.
        checks_type: whether it answers 415 to 2.0 if it does not know it; else it takes that for an empty 1.0.
        replies: what to answer to the next requests; when there are none, it answers as it should.
        always: what to answer to every request; None: as it should.
        asked: all requests, in order.
        taken: the samples that it has, by the labels of their series: time in milliseconds and value.
    """

    def __init__(self) -> None:
        self.port = 0
        self.knows_v2 = self.checks_type = True
        self.replies: deque[Reply] = deque()
        self.always: Reply | None = None
        self.asked: list[Asked] = []
        self.taken: dict[Key, list[tuple[int, float]]] = {}
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it takes requests."""
        return f"http://127.0.0.1:{self.port}/api/v1/write"

    def series(self, name: str, **labels: str) -> list[tuple[int, float]]:
        """Return the samples of the one series that has a name and some labels."""
        wanted = {("__name__", name), *labels.items()}
        found = [samples for key, samples in list(self.taken.items()) if wanted <= key]
        assert len(found) <= 1, f"several series have {wanted}"
        return list(found[0]) if found else []

    def start(self) -> None:
        """Start listening."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # the name that http.server requires
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with receiver._lock:
                    reply = receiver._answer(headers, body)
                if reply.closes:
                    self.close_connection = True
                    return
                text = reply.body.encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if reply.status != 204:
                    self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Say nothing of a sender that was cancelled."""

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening, so that connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, headers: dict[str, str], body: bytes) -> Reply:
        is_v2 = headers["content-type"] == TYPE_V2
        asked = decoded(headers, body)
        self.asked.append(asked)
        reply = self.replies.popleft() if self.replies else self.always
        if reply is not None:
            if reply.takes:
                self._take(asked)
            return reply
        if is_v2 and not self.knows_v2:
            return Reply(415, "unknown") if self.checks_type else Reply()
        count = sum(map(len, asked.samples.values()))
        if (refusal := self._refusal(asked)) is not None:
            return Reply(400, refusal, {WRITTEN: "0"} if is_v2 else {})
        self._take(asked)
        return Reply(204, headers={WRITTEN: str(count)} if is_v2 else {})

    def _refusal(self, asked: Asked) -> str | None:
        for key, samples in asked.samples.items():
            known = self.taken.get(key, [])
            if known and (samples[0][0] < known[-1][0] or (samples[0][0] == known[-1][0] and samples[0] != known[-1])):
                return f"out of order sample of {sorted(key)}"
        return None

    def _take(self, asked: Asked) -> None:
        for key, samples in asked.samples.items():
            known = self.taken.setdefault(key, [])
            known += [sample for sample in samples if not known or sample[0] > known[-1][0]]


def decoded(headers: dict[str, str], body: bytes) -> Asked:
    """Return a request as its headers say that it is to be read, and check what the specification demands of it."""
    assert headers["content-encoding"] == "snappy"
    assert headers["user-agent"].startswith("tickboard/")
    data = bytes(cramjam.snappy.decompress_raw(body))
    samples: dict[Key, list[tuple[int, float]]] = {}
    units: dict[Key, str] = {}
    if headers["content-type"] == TYPE_V2:
        assert headers["x-prometheus-remote-write-version"] == "2.0.0"
        request = V2["Request"].FromString(data)
        symbols = list(request.symbols)
        assert symbols[0] == ""
        assert len(symbols) == len(set(symbols))
        for one in request.timeseries:
            texts = [symbols[ref] for ref in one.labels_refs]
            key = _add(list(zip(texts[::2], texts[1::2], strict=True)), one, samples)
            assert one.metadata.type == 2
            units[key] = symbols[one.metadata.unit_ref]
    else:
        assert headers["content-type"] == "application/x-protobuf"
        assert headers["x-prometheus-remote-write-version"] == "0.1.0"
        for one in V1["WriteRequest"].FromString(data).timeseries:
            _add([(label.name, label.value) for label in one.labels], one, samples)
    return Asked(headers, samples, units)


def _add(labels: list[tuple[str, str]], one: Any, samples: dict[Key, list[tuple[int, float]]]) -> Key:
    names = [name for name, _ in labels]
    assert names == sorted(set(names))
    assert all(value for _, value in labels)
    found = [(sample.timestamp, sample.value) for sample in one.samples]
    assert found
    assert found == sorted(found, key=lambda each: each[0])
    key = frozenset(labels)
    assert key not in samples, "a series twice in one request"
    samples[key] = found
    return key


@contextlib.contextmanager
def metric_receiver() -> Iterator[MetricReceiver]:
    """Run a receiver while the context is open."""
    receiver = MetricReceiver()
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()
