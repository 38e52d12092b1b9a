"""``GET /api/changes``, ``board.history.changes`` and ``tickboard.changes``, with a board whose ticks are known."""

import datetime as dt
import gzip
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from tests.server.routes.past import Past, asking, board_of, held, served
from tests.serving import serve_app, wait_for

import tickboard
from tickboard import Changes, InputError, RefusedError
from tickboard.errors import NoHistoryError
from tickboard.history.layout import Layout
from tickboard.server.requests.bodies import Budget
from tickboard.times import parse_time

FROM, TO = "2026-01-31T12:05:00Z", "2026-01-31T12:10:00Z"

START_S = parse_time("from", "2026-01-31T12:00:00Z", 0) // 1000

LAYOUT = Layout(
    (("cpu", (), "%"), ("disk", (("mount", "/"),), "GB"), ("disk", (("mount", "/new"),), "GB"), ("load", (), "")),
    np.arange(4),
)

ROWS = np.stack([[20.0] * 300 + [80.0] * 300, [7.0] * 600, [np.nan] * 300 + [3.0] * 300, [0.0] * 300 + [0.5] * 300], 1)

RANGE = f"from={FROM}&to={TO}"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    with served(tmp_path_factory.mktemp("past"), START_S, LAYOUT, ROWS, "/api/changes", RANGE) as past:
        yield past


# --- the answer ---


def test_the_series_that_changed_are_listed_with_the_highest_score_first(past: Past) -> None:
    assert past.get().json() == {
        "from": "2026-01-31T12:05:00.000Z",
        "to": "2026-01-31T12:10:00.000Z",
        "baseline_from": "2026-01-31T12:00:00.000Z",
        "baseline_to": "2026-01-31T12:05:00.000Z",
        "tier": "raw",
        "compared": 4,
        "changed": 3,
        "changes": [
            {"name": "load", "labels": {}, "unit": "", "score": 0.9854, "before": 0.0, "after": 0.5, "factor": None},
            {"name": "cpu", "labels": {}, "unit": "%", "score": 0.9808, "before": 20.0, "after": 80.0, "factor": 4.0},
            {
                "name": "disk",
                "labels": {"mount": "/new"},
                "unit": "GB",
                "score": 0.75,
                "before": None,
                "after": 3.0,
                "factor": None,
            },
        ],
    }


@pytest.mark.parametrize(
    ("query", "compared", "names"),
    [
        (RANGE, 4, ["load", "cpu", "disk"]),
        (f"{RANGE}&limit=1", 4, ["load"]),
        (f"{RANGE}&metrics=disk", 2, ["disk"]),
        (f"{RANGE}&metrics=c*&metrics=l*", 2, ["load", "cpu"]),
        (f"{RANGE}&metrics=nothing", 0, []),
        (f"{RANGE}&colour=red", 4, ["load", "cpu", "disk"]),
        # The baseline is as long as the range, just before it, and its length may be given.
        ("from=2026-01-31T12:01:00Z&to=2026-01-31T12:02:00Z", 3, []),
        (
            "from=2026-01-31T12:01:00Z&to=2026-01-31T12:02:00Z&baseline_to=2026-01-31T12:07:00Z",
            4,
            ["load", "cpu", "disk"],
        ),
        (f"{RANGE}&baseline_from=2026-01-31T12:04:58Z", 0, []),
        (f"{RANGE}&baseline_from={FROM}&baseline_to={TO}", 4, []),
        ("", 0, []),
    ],
)
def test_parameters_choose_ranges_and_series(past: Past, query: str, compared: int, names: list[str]) -> None:
    answer = past.get(query).json()
    assert [change["name"] for change in answer["changes"]] == names
    assert answer["compared"] == compared


def test_the_default_is_the_last_ten_minutes_and_the_ten_before(past: Past) -> None:
    answer = past.get("").json()
    times = [parse_time(name, answer[name], 0) for name in ("baseline_from", "baseline_to", "from", "to")]
    assert np.diff(times).tolist() == [600_000, 0, 600_000]


def test_an_answer_is_compressed_if_the_client_accepts_gzip(past: Past) -> None:
    plain = past.get(**{"Accept-Encoding": "identity"})
    assert (plain.headers["vary"], plain.headers["cache-control"]) == ("Accept-Encoding", "no-store")
    with httpx.stream("GET", f"{past.url}/api/changes?{RANGE}", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(answer.iter_raw())) == plain.content


def test_head_returns_the_headers_of_get(past: Past) -> None:
    head = httpx.head(f"{past.url}/api/changes?{RANGE}")
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "application/json")


# --- refusals ---


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("from=yesterday", "from=yesterday: give a time such as"),
        ("from=-1h&to=-2h", "from=-1h is not before to=-2h"),
        ("from=-32d", "from=-32d makes a range of 32.0 days: compare 31 days at most"),
        ("baseline_from=-40d", "baseline_from=-40d makes a baseline of 40.0 days: compare 31 days at most"),
        ("baseline_from=soon", "baseline_from=soon: give a time such as"),
        ("baseline_to=", "baseline_to=: give a time such as"),
        (
            "baseline_from=now",
            "the baseline is empty: baseline_from=now is not before from=-10m: give an earlier time",
        ),
        (
            "baseline_from=-1h&baseline_to=-2h",
            "the baseline is empty: baseline_from=-1h is not before baseline_to=-2h",
        ),
        (
            "from=1970-01-01T00:00:00Z&to=1970-01-01T00:01:00Z",
            "the baseline is empty: there is no time before from=1970-01-01T00:00:00Z: give a later time",
        ),
        ("limit=0", "limit=0: give a whole number from 1 to 10000"),
        ("limit=10001", "limit=10001"),
        ("limit=many", "limit=many"),
        ("&".join(["metrics=a"] * 1_001), "metrics has 1001 selectors: send 1000 at most"),
        ("&".join(["metrics=a*"] * 101), "metrics has 101 globs"),
    ],
)
def test_the_error_names_an_invalid_parameter(past: Past, query: str, why: str) -> None:
    answer = past.get(query)
    assert answer.status_code == 422
    assert why in answer.json()["error"]


def test_a_board_without_history_answers_404_and_says_how_to_keep_one() -> None:
    with serve_app(board_of(None)) as port:
        answer = httpx.get(f"http://127.0.0.1:{port}/api/changes")
    assert answer.status_code == 404
    assert "start it with --history FILE" in answer.json()["error"]
    with pytest.raises(NoHistoryError, match=r"declare Board\(history=FILE\)"):
        board_of(None).history.changes()


def test_a_question_for_too_many_values_is_refused(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.history.reading.MAX_WORK", 100)
    answer = past.get()
    assert answer.status_code == 422
    assert "ask for fewer series, a shorter range" in answer.json()["error"]


def test_concurrent_comparisons_and_reads_are_limited_together(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    # Half of it is for one address.
    reads = Budget(4)
    monkeypatch.setattr("tickboard.server.routes.reads.READS", reads)
    with held(past), asking(past), asking(past):
        wait_for(lambda: reads._taken["127.0.0.1"] == 2)
        for path in ("changes", "history"):
            refused = httpx.get(f"{past.url}/api/{path}")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    wait_for(lambda: past.get().status_code == 200)


def test_a_comparison_is_cancelled_when_its_client_disconnects(past: Past) -> None:
    asked, given_up = past.history.asked, past.history.given_up
    with held(past):
        with asking(past):
            wait_for(lambda: past.history.asked == asked + 1)
        wait_for(lambda: past.history.given_up == given_up + 1)


# --- Python ---


def test_the_board_and_a_client_return_the_same(past: Past) -> None:
    arguments: dict[str, Any] = {"start": FROM, "end": TO, "limit": 2}
    read = past.board.history.changes("cpu", "disk", "load", **arguments)
    assert tickboard.changes(past.url, "cpu", "disk", "load", **arguments) == read
    assert isinstance(read, Changes)
    assert [change.key for change in read] == ["load", "cpu"]
    assert (read.compared, read.changed, read.tier, len(read)) == (4, 3, "raw", 2)
    assert (read.start, read.end) == tuple(dt.datetime.fromisoformat(text) for text in (FROM, TO))
    assert (read.baseline_start, read.baseline_end) == (dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC), read.start)
    assert (read[1].before, read[1].after, read[1].factor, read[1].unit, read[1].labels) == (20, 80, 4, "%", {})
    assert tickboard.changes(past.url, 'disk{mount="/new"}', **arguments)[0].key == 'disk{mount="/new"}'
    later = tickboard.changes(past.url, start=FROM, end=TO, baseline_start=FROM, baseline_end=TO)
    assert (later.baseline_start, later.baseline_end, list(later)) == (read.start, read.end, [])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"start": "soon"}, "start=soon"),
        ({"end": "-2h"}, "start=-10m is not before end=-2h: give an earlier time"),
        ({"start": "-99d"}, "start=-99d makes a range of 99.0 days"),
        ({"baseline_start": "now"}, "baseline_start=now is not before start=-10m"),
        ({"baseline_end": "later"}, "baseline_end=later"),
        ({"limit": 10_001}, "limit=10001"),
        ({"limit": True}, "limit=True"),
    ],
)
def test_the_error_names_an_invalid_argument(past: Past, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        past.board.history.changes(**arguments)


def test_the_client_raises_the_error_of_the_board(past: Past) -> None:
    with pytest.raises(RefusedError, match="answered 422: limit=10001: give a whole number from 1 to 10000"):
        tickboard.changes(past.url, limit=10_001)
    with pytest.raises(RefusedError, match="answered 422: the baseline is empty: baseline_start=now is not before st"):
        tickboard.changes(past.url, baseline_start="now")
