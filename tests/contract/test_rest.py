"""The REST documents and the page, against the real server."""

import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from tests.serving import Server, serve

BOARDS = Path(__file__).parents[1] / "boards"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    history = str(tmp_path_factory.mktemp("history") / "history.sqlite")
    options = ("--interval", "50", "--window", "30", "--history", history)
    with serve("run", str(BOARDS / "rising.py"), *options) as running:
        running.wait_for(lambda: running.json("/api/health")["seq"] > 32)
        yield running


def get(server: Server, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", headers=headers)


def whole(server: Server) -> bool:
    """Return whether the window has a value of each tick."""
    names = [each["name"] for each in server.json("/api/metrics/recent?count=1000")]
    return names.count("first.a") == 30


def of_whole_window(server: Server, path: str) -> Any:
    """Return a document that was read while the window had a value of each tick: a busy machine misses some."""
    found: list[Any] = []

    def read() -> bool:
        before = whole(server)
        found.append(server.json(path))
        return before and whole(server)

    server.wait_for(read)
    return found[-1]


def test_an_empty_window_has_zero_stats_under_the_keys_of_the_specification() -> None:
    with serve("run", str(BOARDS / "empty.py")) as empty:
        zero = {"avg": 0.0, "max": 0.0, "min": 0.0, "count": 0}
        assert empty.json("/api/stats") == dict.fromkeys(("cpu", "memory", "requests", "latency"), zero)


def test_stats_cover_the_window(server: Server) -> None:
    stats = of_whole_window(server, "/api/stats")
    assert list(stats) == ["first.a", "two", "odd"]
    first = stats["first.a"]
    assert (first["count"], first["max"] - first["min"]) == (30, 29)
    assert first["avg"] == statistics.mean([first["min"], first["max"]])
    assert first["last"] == first["max"]
    assert first["p50"] == first["avg"]
    assert stats["odd"]["count"] == 15
    assert set(first) == {"avg", "max", "min", "count", "last", "p50", "p95", "p99"}


@pytest.mark.parametrize(
    ("query", "count"), [("", 60), ("?count=0", 0), ("?count=7", 7), ("?count=99999999999999999999999", 75)]
)
def test_recent_metrics_are_the_newest_points_oldest_first(server: Server, query: str, count: int) -> None:
    found = of_whole_window(server, f"/api/metrics/recent{query}")
    assert len(found) == count
    firsts = [metric["value"] for metric in found if metric["name"] == "first.a"]
    assert firsts == sorted(firsts)
    times = [metric["timestamp"] for metric in found]
    assert times == sorted(times)


@pytest.mark.parametrize("count", ["abc", "-1", "1.5", "", "1e3", "%00", "%D9%A1"])
def test_an_invalid_count_gets_422_and_the_error_names_it(server: Server, count: str) -> None:
    answer = get(server, f"/api/metrics/recent?count={count}")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("count=")
    assert "whole number of 0 or more" in answer.json()["error"]


def test_the_board_describes_itself(server: Server) -> None:
    board = server.json("/api/board")
    assert (board["title"], board["interval_ms"], board["window_size"]) == ("Rising", 50, 30)
    assert [metric["name"] for metric in board["metrics"]] == ["first.a", "second", "odd"]
    assert [panel["type"] for panel in board["panels"]] == ["row", "row"]
    assert board["epoch"] == server.json("/api/health")["epoch"]


def resolved(schema: Any, document: dict[str, Any]) -> Any:
    """Return a schema with the document's components beside it, as JSON Schema needs it."""
    return {**schema, "components": document["components"]}


def test_the_openapi_document_is_valid_and_the_answers_match_it(server: Server) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = server.json("/api/openapi.json")
    validate(document)
    assert len(document["paths"]) >= 4
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue
        content = operations["get"]["responses"]["200"]["content"]
        assert get(server, path).headers["content-type"].partition(";")[0] in content
        if "application/json" in content:
            schema = content["application/json"]["schema"]
            jsonschema.validate(server.json(path), resolved(schema, document))
    refused = document["paths"]["/api/metrics/recent"]["get"]["responses"]["422"]["content"]["application/json"]
    jsonschema.validate(get(server, "/api/metrics/recent?count=x").json(), resolved(refused["schema"], document))


def test_every_document_is_in_the_openapi_document(server: Server) -> None:
    protocol = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    told = set(re.findall(r"^\| `(?:GET|POST|DELETE) (/[^`?]+)", protocol, re.MULTILINE))
    assert "/api/stats" in told
    assert set(server.json("/api/openapi.json")["paths"]) == told


def test_the_page_is_html_that_loads_nothing_from_other_hosts(server: Server) -> None:
    answer = get(server, "/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "http://" not in answer.text
    assert "https://" not in answer.text


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/assets/../app.py", "/assets/%2e%2e/app.py"])
def test_an_unknown_path_gets_404_as_json(server: Server, path: str) -> None:
    answer = get(server, path)
    assert answer.status_code == 404
    assert path.rpartition("/")[2] in answer.json()["error"] or "Not Found" in answer.json()["error"]


def test_a_wrong_method_gets_405(server: Server) -> None:
    answer = httpx.post(f"{server.url}api/stats")
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert "error" in answer.json()


def test_a_foreign_host_is_refused_and_no_cors_headers_are_sent(server: Server) -> None:
    refused = get(server, "/api/stats", Host="evil.example")
    assert refused.status_code == 421
    assert "--allow-host" in refused.text
    allowed = get(server, "/api/stats", Origin="https://evil.example")
    assert not [name for name in allowed.headers if name.startswith("access-control")]
    for name in ("localhost", "127.0.0.1", "[::1]"):
        assert get(server, "/api/health", Host=f"{name}:{server.port}").status_code == 200
    assert get(server, "/api/health", Host="[").status_code == 421


def test_an_allowed_host_is_answered() -> None:
    with serve("run", str(BOARDS / "empty.py"), "--allow-host", "Dash.example") as server:
        assert get(server, "/api/health", Host="dash.example").status_code == 200
        assert get(server, "/api/health", Host="other.example").status_code == 421
