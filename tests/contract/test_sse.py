"""SSE /events/alerts on the real server: alerts, resolutions, ids and reconnecting."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from tests.serving import Server, serve

BOARDS = Path(__file__).parents[1] / "boards"


@dataclass
class Event:
    """A block of a stream."""

    fields: dict[str, str] = field(default_factory=dict)

    @property
    def number(self) -> int:
        return int(self.fields["id"].rpartition("-")[2])

    @property
    def alert(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.fields["data"])
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("run", str(BOARDS / "waves.py"), "--interval", "40") as running:
        yield running


def events(server: Server, count: int, last_event_id: str | None = None, query: str = "") -> list[Event]:
    """Return the first blocks of a stream."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    found: list[Event] = []
    with httpx.stream("GET", f"{server.url}events/alerts{query}", headers=headers, timeout=10) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        current = Event()
        for line in stream.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                current.fields[name] = value
                continue
            found.append(current)
            current = Event()
            if len(found) == count:
                return found
    return found


def with_data(blocks: list[Event]) -> list[Event]:
    return [block for block in blocks if "data" in block.fields and block.fields.get("event") != "position"]


def test_the_stream_sends_a_retry_delay_and_every_event_has_an_id(server: Server) -> None:
    blocks = events(server, 5)
    assert any(block.fields.get("retry") == "2000" for block in blocks)
    assert all("id" in block.fields for block in blocks)


def test_an_episode_is_one_alert_and_one_named_resolution(server: Server) -> None:
    blocks = with_data(events(server, 8, query="?last_event_id=0"))
    fired, resolved = blocks[0], blocks[1]
    assert "event" not in fired.fields
    assert resolved.fields["event"] == "resolved"
    assert {"id", "message", "severity", "timestamp"} <= set(fired.alert)
    assert fired.alert["message"] == "Value critical: 95.2%"
    assert fired.alert["severity"] == "critical"
    assert fired.alert["metric"] == "value"
    assert resolved.alert["id"] == fired.alert["id"]
    assert "resolved" in resolved.alert
    assert [block.number for block in blocks] == list(range(1, len(blocks) + 1))
    kinds = [block.fields.get("event", "alert") for block in blocks]
    assert kinds == (["alert", "resolved"] * len(blocks))[: len(blocks)]


@pytest.mark.parametrize("way", ["header", "query"])
def test_a_returning_reader_gets_every_event_after_its_last_once(server: Server, way: str) -> None:
    seen = with_data(events(server, 3, query="?last_event_id=0"))[1]
    position = seen.fields["id"]
    server.wait_for(lambda: len(events(server, 6, query="?last_event_id=0")) == 6)
    back = events(server, 4, position) if way == "header" else events(server, 4, query=f"?last_event_id={position}")
    numbers = [block.number for block in with_data(back)]
    assert numbers == list(range(seen.number + 1, seen.number + 1 + len(numbers)))


def test_the_stream_starts_with_its_position_and_whether_it_is_whole(server: Server) -> None:
    [start] = [block for block in events(server, 3) if block.fields.get("event") == "position"]
    epoch, _, number = start.fields["id"].rpartition("-")
    assert start.alert == {"type": "position", "epoch": epoch, "number": int(number), "whole": True}
    [again, *_] = events(server, 1, start.fields["id"])
    assert again.alert["whole"] is False


@pytest.mark.parametrize("position", ["other-5", "nonsense", "-", "e-1e3", "x" * 3000])
def test_a_position_of_another_epoch_gets_the_alerts_firing_now(server: Server, position: str) -> None:
    for block in with_data(events(server, 2, position)):
        assert block.number > 0
    assert server.json("/api/health")["status"] == "ok"


def test_a_reader_that_has_left_is_removed(server: Server) -> None:
    events(server, 1)
    server.wait_for(lambda: server.json("/api/health")["subscribers"] == 0)
