"""``GET /api/history`` and ``board.history``, with a board whose ticks are known."""

import contextlib
import csv
import gzip
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.raw import GUARD_S
from tests.server.routes.past import Past, Waiting, asking, board_of, held, served
from tests.serving import serve_app, wait_for

import tickboard
from tickboard import HistoryData, InputError
from tickboard.client.history_format import decode
from tickboard.errors import NoHistoryError
from tickboard.history.answers import Answer
from tickboard.history.layout import Layout
from tickboard.server.requests.bodies import Budget
from tickboard.server.requests.detail_access import DetailAccess
from tickboard.server.routes import reads
from tickboard.times import parse_time

FROM, TO = "2026-01-31T12:00:00Z", "2026-01-31T12:10:00Z"

START_S = parse_time("from", FROM, 0) // 1000

TICKS = 600

LAYOUT = Layout(
    (("cpu", (), "%"), ("disk", (("mount", "/"),), "GB"), ("disk", (("mount", "/home"),), "GB")),
    np.arange(3),
)

ROWS = np.stack([np.arange(TICKS) % 60, np.full(TICKS, 7.0), np.full(TICKS, np.nan)], axis=1)
ROWS[100:110, 2] = 3.5

RANGE = f"from={FROM}&to={TO}"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    with served(tmp_path_factory.mktemp("past"), START_S, LAYOUT, ROWS, "/api/history", RANGE) as past:
        yield past


def series_of(past: Past, query: str = RANGE) -> list[Any]:
    answer = past.get(query)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["series"]
    return found


# --- the answer ---


def test_ticks_are_returned_as_they_were_recorded(past: Past) -> None:
    answer = past.get(f"{RANGE}&points=1000").json()
    assert (answer["from"], answer["to"]) == ("2026-01-31T12:00:00.000Z", "2026-01-31T12:10:00.000Z")
    assert (answer["resolution_ms"], answer["tier"]) == (1000, "raw")
    cpu, disk, home = answer["series"]
    assert (cpu["name"], cpu["labels"], cpu["unit"]) == ("cpu", {}, "%")
    assert cpu["avg"] == cpu["min"] == cpu["max"] == ROWS[:, 0].tolist()
    assert cpu["times"][0] == "2026-01-31T12:00:00.000Z"
    assert cpu["times"][-1] == "2026-01-31T12:09:59.000Z"
    assert cpu["count"] == [1] * TICKS
    assert disk["labels"] == {"mount": "/"}
    assert (home["times"][0], home["avg"]) == ("2026-01-31T12:01:40.000Z", [3.5] * 10)


def test_a_range_with_more_ticks_than_points_is_returned_in_buckets(past: Past) -> None:
    [cpu] = series_of(past, f"{RANGE}&points=10&metrics=cpu")
    assert len(cpu["times"]) <= 12
    assert sum(cpu["count"]) == TICKS
    assert (min(cpu["min"]), max(cpu["max"])) == (0, 59)
    assert cpu["avg"] == pytest.approx([29.5] * len(cpu["avg"]), abs=0.01)


def test_only_the_stats_that_are_asked_for_are_returned(past: Past) -> None:
    [cpu] = series_of(past, f"{RANGE}&points=10&metrics=cpu&stats=avg&stats=count")
    [full] = series_of(past, f"{RANGE}&points=10&metrics=cpu")
    assert cpu == {name: value for name, value in full.items() if name not in {"min", "max"}}
    lines = past.get(f"{RANGE}&points=1000&metrics=cpu&stats=max&format=csv").text.splitlines()
    assert lines[:2] == ["timestamp,name,labels,unit,max", "2026-01-31T12:00:00.000Z,cpu,,%,0.0"]


def test_from_is_inclusive_and_to_is_exclusive(past: Past) -> None:
    [cpu] = series_of(past, "from=2026-01-31T12:00:01Z&to=2026-01-31T12:00:03Z&metrics=cpu")
    assert cpu["times"] == ["2026-01-31T12:00:01.000Z", "2026-01-31T12:00:02.000Z"]


@pytest.mark.parametrize(
    ("metrics", "names"),
    [
        ("", ["cpu", "disk", "disk"]),
        ("metrics=cpu&metrics=nothing", ["cpu"]),
        ("metrics=d*", ["disk", "disk"]),
        ("metrics=cpu&metrics=disk%7Bmount%3D%22/h*%22%7D", ["cpu", "disk"]),
        ("metrics=", []),
    ],
)
def test_selectors_choose_the_series(past: Past, metrics: str, names: list[str]) -> None:
    assert [series["name"] for series in series_of(past, f"{RANGE}&{metrics}")] == names


def test_the_default_range_is_the_last_hour(past: Past) -> None:
    answer = past.get("").json()
    start, end = (parse_time("from", answer[name], 0) for name in ("from", "to"))
    assert end - start == 3_600_000
    assert answer["series"] == []


def test_an_unknown_parameter_is_ignored(past: Past) -> None:
    assert past.get(f"{RANGE}&colour=red").status_code == 200


@pytest.mark.parametrize(
    ("query", "accept", "form"),
    [
        ("", "", "application/json"),
        ("", "*/*", "application/json"),
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("", "text/csv", "text/csv; charset=utf-8; header=present"),
        ("", "application/json;q=0.5, TEXT/CSV;q=0.6", "text/csv; charset=utf-8; header=present"),
        ("", "text/csv;q=0, application/json", "application/json"),
        ("", "application/vnd.tickboard.history.v1, application/json;q=0.1", "application/vnd.tickboard.history.v1"),
        ("&format=json", "text/csv", "application/json"),
        ("&format=csv", "application/json", "text/csv; charset=utf-8; header=present"),
        ("&format=binary", "", "application/vnd.tickboard.history.v1"),
    ],
)
def test_the_format_comes_from_the_parameter_or_from_accept(past: Past, query: str, accept: str, form: str) -> None:
    answer = past.get(RANGE + query, Accept=accept)
    assert answer.headers["content-type"] == form
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert answer.headers["cache-control"] == "no-store"


def test_all_formats_have_the_same_values(past: Past) -> None:
    query = f"{RANGE}&points=7"
    found = series_of(past, query)
    rows = list(csv.DictReader(io.StringIO(past.get(f"{query}&format=csv").text, newline="")))
    data = decode(past.get(f"{query}&format=binary").content)
    at = 0
    for series, one in zip(found, data.series, strict=True):
        assert (series["name"], series["labels"], series["unit"]) == (one.name, one.labels, one.unit)
        assert [parse_time("times", text, 0) for text in series["times"]] == one.times.astype(int).tolist()
        for name in ("min", "max", "avg", "count"):
            assert series[name] == getattr(one, name).tolist()
        mine, at = rows[at : at + len(one)], at + len(one)
        assert [row["timestamp"] for row in mine] == series["times"]
        assert [float(row["avg"]) for row in mine] == series["avg"]
        assert [json.loads(row["labels"] or "{}") for row in mine] == [series["labels"]] * len(one)
    assert at == len(rows)


@pytest.mark.parametrize("form", ["json", "csv", "binary"])
def test_an_answer_is_compressed_if_the_client_accepts_gzip(past: Past, form: str) -> None:
    query = f"{RANGE}&format={form}"
    plain = past.get(query, **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    with httpx.stream("GET", f"{past.url}/api/history?{query}", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(answer.iter_raw())) == plain.content


SMALL = "from=2026-01-31T12:00:01Z&to=2026-01-31T12:00:03Z&metrics=cpu"


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_small_answer_is_sent_with_its_length(past: Past, coding: str) -> None:
    for query in (RANGE, SMALL):
        answer = past.get(query, **{"Accept-Encoding": coding})
        assert "transfer-encoding" not in answer.headers
        assert int(answer.headers["content-length"]) == answer.num_bytes_downloaded


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_a_large_answer_is_sent_in_pieces(past: Past, monkeypatch: pytest.MonkeyPatch, coding: str) -> None:
    whole = past.get(RANGE)
    monkeypatch.setattr(reads, "WHOLE_BYTES", 1_000)
    answer = past.get(RANGE, **{"Accept-Encoding": coding})
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers.get("content-encoding", "identity") == coding
    assert answer.content == whole.content


def test_a_small_answer_is_compressed_only_if_nothing_else_is_accepted(past: Past) -> None:
    for accepted, coding in (("gzip", None), ("gzip, identity;q=0", "gzip")):
        answer = past.get(SMALL, **{"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == coding
        assert answer.json()["series"][0]["avg"] == [1, 2]


@pytest.mark.parametrize("coding", ["gzip", "identity"])
def test_head_returns_the_headers_of_get(past: Past, coding: str) -> None:
    url, headers = f"{past.url}/api/history?{RANGE}", {"Accept-Encoding": coding}
    head, get = httpx.head(url, headers=headers), httpx.get(url, headers=headers)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-encoding", "vary", "cache-control"):
        assert head.headers.get(name) == get.headers.get(name)
    assert httpx.head(f"{past.url}/api/history?points=0").status_code == 422


# --- refusals ---


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("from=yesterday", "from=yesterday: give a time such as"),
        ("to=", "to=: give a time such as"),
        ("from=2026-01-31T12:00:00+01:00", 'write "+" as %2B'),
        ("from=now", "from=now is not before to=now: give an earlier time"),
        ("from=-1h&to=-2h", "from=-1h is not before to=-2h"),
        ("points=0", "points=0: give a whole number from 1 to 5000"),
        ("points=5001", "points=5001: give a whole number from 1 to 5000"),
        ("points=1.5", "points=1.5"),
        ("format=xml", "format=xml: give one of json, csv, binary"),
        ("stats=mean", "stats=mean: give one of min, max, avg, count"),
        ("stats=avg&stats=", "stats=: give one of"),
        ("stats=avg&format=binary", "stats: the binary format always has all"),
        ("&".join(["metrics=a"] * 1_001), "metrics has 1001 selectors: send 1000 at most"),
        ("&".join(["metrics=a*"] * 101), "metrics has 101 globs"),
        ("metrics=" + "a" * 4_097, "has 4097 characters"),
    ],
)
def test_the_error_names_an_invalid_parameter(past: Past, query: str, why: str) -> None:
    answer = past.get(query)
    assert answer.status_code == 422
    assert why in answer.json()["error"]


def test_a_board_without_history_answers_404_and_says_how_to_keep_one() -> None:
    with serve_app(board_of(None)) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/api/history")
    assert answer.status_code == 404
    assert "start it with --history FILE" in answer.json()["error"]


def test_an_answer_that_would_be_too_large_is_refused(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.history.reading.MAX_VALUES", 100)
    answer = past.get()
    assert answer.status_code == 422
    assert "ask for fewer series or fewer points" in answer.json()["error"]


@pytest.mark.parametrize(("bound", "shown"), [("127.0.0.1", True), ("192.0.2.1", False)])
def test_only_local_viewers_see_the_path_of_an_unreadable_history(tmp_path: Path, bound: str, shown: bool) -> None:
    history = Waiting(tmp_path / "closed")
    history.close()
    with serve_app(DetailAccess(board_of(history), bound)) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/api/history")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert ("closed" in answer.json()["error"]) == shown


def test_concurrent_reads_from_one_address_are_limited(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    # Half of it is for one address.
    budget = Budget(4)
    monkeypatch.setattr(reads, "READS", budget)
    with held(past), asking(past), asking(past):
        wait_for(lambda: budget._taken["127.0.0.1"] == 2)
        refused = past.get()
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert "ask again later" in refused.json()["error"]
    wait_for(lambda: past.get().status_code == 200)


def test_many_questions_of_one_address_delay_those_of_another_by_one_at_most(past: Past) -> None:
    asked = past.history.asked
    with held(past), asking(past):
        wait_for(lambda: past.history.asked == asked + 1)
        with asking(past), asking(past):
            wait_for(lambda: reads.READS._taken["127.0.0.1"] == 3)
            with asking(past, source="127.0.0.2"):
                # It is read though two wait that came before it.
                wait_for(lambda: past.history.asked == asked + 2)
                assert reads.READS._taken["127.0.0.2"] == 1
    wait_for(lambda: not reads.READS._taken["127.0.0.1"] and not reads._TURNS)


def test_a_request_with_a_body_is_answered(past: Past) -> None:
    answer = httpx.request("GET", f"{past.url}/api/history?{RANGE}", content=b"x" * 100_000)
    assert (answer.status_code, len(answer.json()["series"])) == (200, 3)


def test_a_read_is_cancelled_when_its_client_disconnects(past: Past) -> None:
    given_up, asked = past.history.given_up, past.history.asked
    with held(past):
        with asking(past):
            wait_for(lambda: past.history.asked == asked + 1)
            assert past.history.given_up == given_up
        wait_for(lambda: past.history.given_up == given_up + 1)
    assert past.get().status_code == 200


def test_unread_answers_from_one_address_are_limited(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    query = f"{RANGE}&points=5000"
    size = 3 * TICKS * 32
    # Half of it is for one address: two of these answers.
    monkeypatch.setattr("tickboard.server.routes.large.DOCUMENTS", Budget(4 * size))
    monkeypatch.setattr("tickboard.server.routes.large.PIECE_BYTES", size - 1)
    monkeypatch.setattr("tickboard.history.encodings.PIECES", {"json": endless})
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(asking(past, query)) for _ in range(4)]
        statuses = sorted(int(client.recv(12).split()[1]) for client in clients)
        assert statuses == [200, 200, 503, 503]
    monkeypatch.undo()
    wait_for(lambda: past.get(query).status_code == 200)


def endless(answer: Answer, stats: object) -> Iterator[bytes]:
    """Yield pieces without end."""
    while answer.times is not None:
        yield bytes(2**16)


# --- Python ---


def test_the_board_and_a_client_return_the_same_data(past: Past) -> None:
    arguments: dict[str, Any] = {"start": FROM, "end": TO, "points": 7}
    read = past.board.history.read("cpu", "disk", **arguments)
    fetched = tickboard.history(past.url, "cpu", "disk", **arguments)
    for data in (read, fetched):
        assert isinstance(data, HistoryData)
        assert list(data) == ["cpu", 'disk{mount="/"}', 'disk{mount="/home"}']
    assert (read.start, read.end, read.resolution_s, read.tier) == (
        fetched.start,
        fetched.end,
        fetched.resolution_s,
        fetched.tier,
    )
    for one, other in zip(read.series, fetched.series, strict=True):
        for name in ("times", "min", "max", "avg", "count"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_client_raises_the_error_of_the_board(past: Past) -> None:
    with pytest.raises(tickboard.RefusedError, match="answered 422: points=5001: give a whole number from 1 to 5000"):
        tickboard.history(past.url, points=5_001)
    with pytest.raises(tickboard.RefusedError, match="answered 422: start=-1h is not before end=-2h"):
        tickboard.history(past.url, end="-2h")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"start": "soon"}, "start=soon"),
        ({"end": "-2h"}, "start=-1h is not before end=-2h: give an earlier time"),
        ({"points": 5_001}, "points=5001"),
        ({"points": "many"}, "points='many'"),
        ({"points": True}, "points=True"),
    ],
)
def test_the_error_names_an_invalid_argument(past: Past, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        past.board.history.read(**arguments)


def test_metrics_that_are_not_strings_are_refused(past: Past) -> None:
    metrics: Any = 5
    with pytest.raises(InputError, match=r'metrics \(5,\): give selectors, as "cpu_usage"'):
        past.board.history.read(metrics)


def test_reading_a_board_without_history_raises_an_error() -> None:
    with pytest.raises(NoHistoryError, match=r"declare Board\(history=FILE\)"):
        board_of(None).history.read("cpu")


def test_requests_are_answered_while_another_thread_reads(past: Past) -> None:
    found: list[HistoryData] = []
    thread = threading.Thread(target=lambda: found.append(past.board.history.read("cpu", start=FROM, end=TO)))
    thread.start()
    assert past.get().status_code == 200
    thread.join(GUARD_S)
    assert len(found) == 1


def test_health_and_metrics_report_the_history(past: Past) -> None:
    kept = httpx.get(f"{past.url}/api/health").json()["history"]
    assert kept["raw"]["oldest"] == "2026-01-31T12:00:00.000Z"
    assert (kept["series"], kept["dropped"], kept["lost"]) == (3, 0, 0)
    assert kept["file_bytes"] > kept["raw"]["bytes"] > 0
    assert "tickboard_history_series 3" in httpx.get(f"{past.url}/metrics").text
    with serve_app(board_of(None)) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/api/health").json()["history"] is None
