"""Hostile input about alerts: bodies of acknowledge and silence, and positions of the stream."""

from collections.abc import Iterator

import httpx
import pytest
from tests.serving import RawStream, Served, serve_app

from tickboard import Board


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, Served]]:
    """Serve a board with one alert."""
    served = Served(Board("Alerts", interval_ms=50))
    with serve_app(served) as port:
        httpx.get(f"http://127.0.0.1:{port}/api/health").raise_for_status()
        served.fire()
        yield port, served


DEEP = b"[" * 30_000

BODIES: dict[str, bytes] = {
    "nested": b'{"note":' + DEEP + b"}",
    "nested in an ignored field": b'{"x":' + DEEP + b"}",
    "not UTF-8": b'{"note":"\xff"}',
    "half a surrogate pair": b'{"note":"\\ud800"}',
    "NaN": b'{"duration":NaN,"reason":"x"}',
    "a number": b'{"duration":1e400,"reason":1}',
    "a large number": b'{"duration":' + b"9" * 50_000 + b"}",
    "a list": b"[1]",
    "a text": b'"1h"',
    "nothing": b"null",
    "a wrong type": b'{"note":{"a":1},"reason":["x"],"duration":true,"by":1}',
    "a long duration": b'{"duration":"' + b"9" * 50_000 + b'h","reason":"x"}',
    "ids of another type": b'{"ids":[1,{"a":2}],"duration":"1h","reason":"x"}',
    "ids that are no list": b'{"ids":"id1"}',
    "a long text": b'{"note":"' + b"a" * 60_000 + b'","reason":"' + b"a" * 1_001 + b'","duration":"1h"}',
    "too much": b'{"note":"' + b"a" * 70_000 + b'"}',
    "a duration with odd digits": '{"duration":"\u0661h","reason":"x","note":1}'.encode(),
    "a negative duration": b'{"duration":"-1h","reason":"x","note":1}',
    "junk": bytes(range(256)) * 100,
}


@pytest.mark.parametrize("what", ["id1/ack", "id1/silence", "ack", "silence"])
@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_is_refused_with_a_one_line_error(served: tuple[int, Served], what: str, name: str) -> None:
    port, board = served
    url = f"http://127.0.0.1:{port}/api/alerts/{what}"
    answer = httpx.post(url, content=BODIES[name], headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 413, 422}
    assert answer.json()["error"].isprintable()
    assert len(answer.content) < 3_000
    assert board.log.number == 1


PLACES = {
    "digits": "1" * 10_000,
    "a large number": "EPOCH-" + "9" * 19,
    "too large a number": "EPOCH-" + "9" * 10_000,
    "a negative number": "EPOCH--5",
    "digits of another script": "EPOCH-%D9%A1",
    "dashes": "-" * 10_000,
    "another epoch": "e" * 10_000 + "-1",
    "a line": "EPOCH-1%0D%0AX:y",
    "NUL": "EPOCH-1%00",
    "not UTF-8": "EPOCH-%FF",
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("header", [True, False], ids=["header", "parameter"])
def test_a_stream_from_an_invalid_position_begins_with_all_firing_alerts(
    served: tuple[int, Served], name: str, header: bool
) -> None:
    port, board = served
    place = PLACES[name].replace("EPOCH", board.log.epoch)
    path, more = "/events/alerts", f"Last-Event-ID: {place}\r\n"
    if not header:
        path, more = f"{path}?last_event_id={place}", ""
    with RawStream(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n") as stream:
        assert "200 ok" in stream.head
        first, second = stream.event(), stream.event()
    assert '"id":"id1"' in first["data"]
    assert second["event"] == "position"
