"""The OpenAPI document against the server, asked as schemathesis makes it up."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from tests.serving import serve

CHECKS = (not_a_server_error, status_code_conformance, response_schema_conformance)


@schemathesis.serializer("application/x-protobuf")
def protobuf(_: Any, value: Any) -> bytes:
    """Send what schemathesis has made up as it is."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("boards") / "board.py"
    file.write_text(
        "from tickboard import Board, absent, metric\n"
        "board = Board(interval_ms=200, max_series=300)\n"
        'board.alert(absent(metric("nothing.comes")), "nothing comes", severity="info")\n'
    )
    with serve("run", str(file), "--history", str(file.parent / "history.sqlite")) as running:
        running.wait_for(lambda: running.json("/api/alerts")["alerts"])
        yield running.url.rstrip("/")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/stats"),
        ("GET", "/api/metrics/recent"),
        ("GET", "/api/board"),
        ("GET", "/api/health"),
        ("GET", "/metrics"),
        ("GET", "/api/alerts"),
        ("GET", "/api/silences"),
        ("GET", "/api/history"),
        ("POST", "/api/alerts/{id}/ack"),
        ("POST", "/api/alerts/{id}/silence"),
        ("POST", "/api/metrics"),
        ("POST", "/v1/metrics"),
        ("POST", "/api/v1/write"),
    ],
)
def test_the_server_answers_as_the_document_says(url: str, method: str, path: str) -> None:
    schema = schemathesis.openapi.from_dict(httpx.get(f"{url}/api/openapi.json").json())
    alerts = httpx.get(f"{url}/api/alerts").json()["alerts"]
    assert method.lower() in schema.raw_schema["paths"][path]

    @given(schema[path][method].as_strategy(), st.booleans())
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def answers(case: Any, known: bool) -> None:
        if known and "{id}" in path:
            case.path_parameters["id"] = alerts[0]["id"]
        case.call_and_validate(base_url=url, checks=CHECKS)

    answers()
