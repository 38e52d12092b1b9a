"""Marks on the real server: made over HTTP and by the board's program, sent on the alert stream, and kept."""

import json
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import RawStream, Served, Server, event_number, serve, serve_app, wait_for

from tickboard import Board, InputError, LimitError
from tickboard.settings import Settings

EMPTY = Path(__file__).parents[1] / "boards" / "empty.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    state = tmp_path_factory.mktemp("marks") / "state" / "alerts.sqlite"
    with serve("run", str(EMPTY), "--interval", "50", "--state", str(state)) as running:
        yield running


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "alerts.sqlite"


def post(server: Server, **body: object) -> httpx.Response:
    return httpx.post(f"{server.url}api/marks", json=body)


def make(server: Server, text: str, **more: object) -> dict[str, Any]:
    """Make a mark, and wait while the rate of marks does not allow it."""
    answer = post(server, text=text, **more)
    while answer.status_code == 429:
        assert answer.headers["retry-after"] == "1"
        answer = post(server, text=text, **more)
    assert answer.status_code == 200, answer.text
    mark: dict[str, Any] = answer.json()
    return mark


def marks(server: Server, **query: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{server.url}api/marks", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def texts(server: Server, **query: str) -> list[str]:
    return [mark["text"] for mark in marks(server, **query)]


def test_a_mark_has_an_id_a_text_a_time_and_an_author(server: Server) -> None:
    mark = make(server, "deployed 1.4", by="ci")
    assert list(mark) == ["id", "text", "timestamp", "by"]
    assert (mark["text"], mark["by"]) == ("deployed 1.4", "ci")
    span = make(server, "backup", timestamp="2026-01-31T13:00:00+01:00", until="2026-01-31T12:30:00Z")
    assert (span["timestamp"], span["until"], span["by"]) == (
        "2026-01-31T12:00:00.000Z",
        "2026-01-31T12:30:00.000Z",
        "",
    )
    assert mark in marks(server)
    assert span in marks(server)


def test_the_marks_of_a_range_are_those_that_overlap_it(server: Server) -> None:
    make(server, "first", timestamp="2026-02-01T12:00:00Z")
    make(server, "span", timestamp="2026-02-01T11:00:00Z", until="2026-02-01T13:00:00Z")
    make(server, "last", timestamp="2026-02-01T12:30:00Z")
    whole = {"from": "2026-02-01T00:00:00Z", "to": "2026-02-02T00:00:00Z"}
    assert texts(server, **whole) == ["span", "first", "last"]
    assert texts(server, **whole | {"from": "2026-02-01T12:10:00Z"}) == ["span", "last"]
    assert texts(server, **whole | {"from": "2026-02-01T13:00:00Z"}) == ["span"]
    assert texts(server, **whole | {"to": "2026-02-01T12:00:00Z"}) == ["span"]
    assert texts(server, to="2026-01-01T00:00:00Z") == []
    later = make(server, "later", timestamp="-2h")
    assert later in marks(server, **{"from": "-3h", "to": "-1h"})
    assert later not in marks(server, **{"from": "-1h"})


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("from=yesterday", "from=yesterday: give a time such as 2026"),
        ("to=", "to=: give a time such as"),
        ("from=now&to=-1h", "from=now is not before to=-1h: give an earlier from"),
    ],
)
def test_an_invalid_range_gets_422_and_the_error_names_it(server: Server, query: str, told: str) -> None:
    answer = httpx.get(f"{server.url}api/marks?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(told)


BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 422, "missing required field `text`"),
    "not JSON": (b"{", 400, "the body is not JSON"),
    "half a surrogate pair": (b'{"text":"\\ud800"}', 400, "the body is not JSON"),
    "too much": (b'"' + b"x" * 70_000, 413, "the body has more than 65536 bytes"),
    "an unknown field": (b'{"text":"x","at":"now"}', 422, "unknown field `at`"),
    "an empty text": (b'{"text":" "}', 422, "text is empty: say what happened"),
    "a long text": (
        json.dumps({"text": "x" * 201}).encode(),
        422,
        "text=xxxxxxxxxxxxxxxxxxx… has 201 characters: give 200 at most",
    ),
    "a long name": (
        json.dumps({"text": "x", "by": "x" * 201}).encode(),
        422,
        "by=xxxxxxxxxxxxxxxxxxx… has 201 characters",
    ),
    "no time": (b'{"text":"x","timestamp":"soon"}', 422, "timestamp=soon: give a time such as"),
    "an end before the beginning": (b'{"text":"x","until":"-1h"}', 422, "until=-1h is before timestamp=now"),
    "a time that is not kept": (
        b'{"text":"x","timestamp":"1970-01-01T00:00:00Z"}',
        422,
        "timestamp=1970-01-01T00:00:00Z is longer ago than the 730 days that marks are kept",
    ),
    "a number as a time": (b'{"text":"x","timestamp":7}', 422, "Expected `str`, got `int`"),
}


@pytest.mark.parametrize(("body", "status", "told"), BODIES.values(), ids=BODIES)
def test_an_invalid_body_is_refused_with_the_reason(server: Server, body: bytes, status: int, told: str) -> None:
    answer = httpx.post(f"{server.url}api/marks", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, told in answer.json()["error"]) == (status, True), answer.text


def test_pages_of_other_sites_and_forms_make_no_mark(server: Server) -> None:
    before = marks(server)
    foreign = httpx.post(f"{server.url}api/marks", json={"text": "x"}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    rebound = httpx.post(f"{server.url}api/marks", json={"text": "x"}, headers={"Host": "evil.example"})
    assert rebound.status_code == 421
    assert httpx.post(f"{server.url}api/marks", data={"text": "x"}).status_code == 415
    assert httpx.post(f"{server.url}api/marks", content=b'{"text":"x"}').status_code == 415
    assert httpx.put(f"{server.url}api/marks", json={"text": "x"}).status_code == 405
    assert marks(server) == before


def test_control_characters_in_a_mark_are_escaped(server: Server) -> None:
    assert make(server, "a\n\x1b[31m\u202eb", by="\x07")["text"] == "a \\x1b[31m\\u202eb"


def test_a_mark_is_sent_on_the_alert_stream_and_a_client_that_returns_gets_it_once(server: Server) -> None:
    with RawStream(server.port) as stream:
        while (position := stream.event()).get("event") != "position":
            pass
        mark = make(server, "seen")
        event = stream.event()
        assert (event["event"], json.loads(event["data"])) == ("mark", mark)
        assert event_number(event) == event_number(position) + 1
    missed = make(server, "missed")
    with RawStream(server.port, path=f"/events/alerts?last_event_id={event['id']}") as stream:
        assert stream.event()["event"] == "position"
        assert json.loads(stream.event()["data"]) == missed


def test_a_mark_made_twice_is_one_mark(server: Server) -> None:
    at = "2026-03-01T00:00:00Z"
    mark = make(server, "twice", timestamp=at, by="ci")
    with RawStream(server.port) as stream:
        while stream.event().get("event") != "position":
            pass
        # The same again needs no permission, however often.
        for _ in range(30):
            again = post(server, text="twice", timestamp=at, by="ci")
            assert (again.status_code, again.json()) == (200, mark)
        other = make(server, "twice", timestamp="2026-03-01T00:00:02Z", by="ci")
        assert json.loads(stream.event()["data"]) == other
    assert [each["id"] for each in marks(server, **{"from": at})].count(mark["id"]) == 1


def test_too_many_marks_get_429_with_retry_after() -> None:
    # A server of its own: other tests have used what an address may send at once.
    with serve("run", str(EMPTY), "--state", "none") as server, ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda number: post(server, text=f"mark {number}"), range(40)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.status_code for answer in answers} == {200, 429}
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].json()["error"] == (
        "too many marks: 10 at once, then 1 a second, from one address: try again in 1 s"
    )


# --- what is kept ---


def test_marks_survive_a_restart_and_kill_9(state: Path) -> None:
    with serve("run", str(EMPTY), "--state", str(state)) as server:
        made = [make(server, "before", timestamp="-10m"), make(server, "after")]
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(10)
    with serve("run", str(EMPTY), "--state", str(state)) as server:
        assert marks(server) == made
        again = post(server, text="after", timestamp=made[1]["timestamp"])
        assert (again.status_code, again.json()) == (200, made[1])
        made.append(make(server, "another"))
    with serve("run", str(EMPTY), "--state", str(state)) as server:
        assert marks(server) == made
        with RawStream(server.port, path="/events/alerts?last_event_id=0") as stream:
            assert stream.event()["event"] == "position"
            assert [json.loads(stream.event()["data"]) for _ in made] == made


def test_without_a_journal_marks_are_in_memory(tmp_path: Path) -> None:
    with serve("run", str(EMPTY), "--state", "none") as server:
        mark = make(server, "here")
        assert marks(server) == [mark]
    with serve("run", str(EMPTY), "--state", "none") as server:
        assert marks(server) == []


def test_marks_survive_a_reload_of_the_dashboard_file(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text('from tickboard import Board\nboard = Board("first")\n')
    with serve("dev", str(file)) as server:
        mark = make(server, "here")
        file.write_text('from tickboard import Board\nboard = Board("second")\nboard.mark("reloaded")\n')
        server.wait_for(lambda: server.json("/api/board")["title"] == "second")
        server.wait_for(lambda: texts(server) == ["here", "reloaded"])
        assert marks(server)[0] == mark


def test_marks_survive_the_loss_of_the_journal(state: Path) -> None:
    with serve("run", str(EMPTY), "--state", str(state)) as server:
        mark = make(server, "here")
        state.unlink()
        server.wait_for(lambda: server.json("/api/health")["reasons"])
        other = make(server, "there")
        server.process.kill()
        server.process.wait(10)
    with serve("run", str(EMPTY), "--state", str(state)) as server:
        assert marks(server) == [mark, other]


# --- the board's program ---


def test_a_board_marks_from_any_thread(state: Path) -> None:
    board = Board(state=state, interval_ms=20)
    board.mark("before it is served", at="-1m", by="me")
    served = Served(board)
    with serve_app(served) as port:

        def found() -> list[str]:
            return [mark["text"] for mark in httpx.get(f"http://127.0.0.1:{port}/api/marks").json()]

        wait_for(lambda: found() == ["before it is served"])
        thread = threading.Thread(target=board.mark, args=("from a thread",))
        thread.start()
        thread.join()
        wait_for(lambda: found() == ["before it is served", "from a thread"])
        served.run(lambda: board.mark("from the loop"))
        wait_for(lambda: len(found()) == 3)
    with sqlite3.connect(state) as file:
        kept = [text for (text,) in file.execute("SELECT json_extract(mark, '$.text') FROM marks ORDER BY number")]
    file.close()
    assert kept == ["before it is served", "from a thread", "from the loop"]


def test_an_invalid_mark_by_the_program_is_refused_at_once() -> None:
    board = Board(keep_minutes="1d", keep_hours="2d")
    with pytest.raises(InputError, match="text is empty"):
        board.mark("")
    with pytest.raises(InputError, match="at=-8d is longer ago than the 7 days that marks are kept"):
        board.mark("x", at="-8d")
    board.prepare(Settings())
    with pytest.raises(InputError, match="at=-8d is longer ago than the 7 days that marks are kept"):
        board.mark("x", at="-8d")
    for _ in range(10):
        board.mark("x")

    def mark_more() -> None:
        # On a busy machine, some may be allowed meanwhile.
        for _ in range(100):
            board.mark("x")

    with pytest.raises(LimitError, match="too many marks: 10 at once, then 1 a second, by the board's program"):
        mark_more()


def test_a_mark_made_after_the_end_of_the_board_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    board = Board(interval_ms=20)
    with serve_app(Served(board)) as port:
        httpx.get(f"http://127.0.0.1:{port}/api/health").raise_for_status()
    board.mark("too late")
    assert "the board has ended: this mark was not made: 'too late'" in caplog.text
