"""History of a real server, as a client reads it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.serving import Server, serve

import tickboard

BOARDS = Path(__file__).parents[1] / "boards"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("history") / "history.sqlite"
    with serve("run", str(BOARDS / "rising.py"), "--interval", "50", "--history", str(file)) as running:
        running.wait_for(lambda: running.json("/api/health")["seq"] > 80)
        yield running


def test_history_has_the_ticks_of_the_window(server: Server) -> None:
    recent = [one for one in server.json("/api/metrics/recent?count=60") if one["name"] == "first.a"]
    start, end = recent[0]["timestamp"], recent[-1]["timestamp"]
    data = tickboard.history(server.url, "first.a", start=start, end=end, points=5_000)
    assert data["first.a"].avg.tolist() == [one["value"] for one in recent[:-1]]
    assert data["first.a"].count.tolist() == [1] * (len(recent) - 1)
    assert [f"{time}Z" for time in np.datetime_as_string(data["first.a"].times)] == [
        one["timestamp"] for one in recent[:-1]
    ]
    assert data.tier == "raw"


def test_a_range_that_ends_now_has_the_newest_tick(server: Server) -> None:
    [before] = [one for one in server.json("/api/metrics/recent?count=3") if one["name"] == "first.a"][-1:]
    found = tickboard.history(server.url, "first.a", start="-1m")["first.a"]
    assert found.max[-1] >= before["value"]


def test_a_series_has_gaps_where_it_has_no_value(server: Server) -> None:
    odd = tickboard.history(server.url, "odd", start="-2s", points=5_000)["odd"]
    assert {*odd.count.tolist()} == {0, 1}
    assert np.isnan(odd.avg).tolist() == (odd.count == 0).tolist()


def test_a_gauge_that_rises_has_changed(server: Server) -> None:
    recent = [one for one in server.json("/api/metrics/recent?count=60") if one["name"] == "first.a"]
    values = [one["value"] for one in recent]
    middle = len(recent) // 2
    start, end, baseline_start = (recent[place]["timestamp"] for place in (middle, -1, 0))
    found = tickboard.changes(server.url, "first.a", "odd", start=start, end=end, baseline_start=baseline_start)
    assert (found.tier, found.compared, found.changed) == ("raw", 2, 2)
    assert {change.name for change in found} == {"first.a", "odd"}
    [first] = [change for change in found if change.name == "first.a"]
    assert [first.before, first.after] == pytest.approx([np.mean(values[:middle]), np.mean(values[middle:-1])])
    assert first.score > 0.5


def test_the_guard_checks_requests_for_history(server: Server) -> None:
    url = f"{server.url}api/history"
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 421
    foreign = httpx.get(url, headers={"Origin": "https://evil.example"})
    assert foreign.headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in foreign.headers if name.startswith("access-control")]
    assert httpx.post(url).status_code == 405
