"""Programs that nobody here wrote use a token, and learn which role is missing: Prometheus and OpenTelemetry."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from tests.prometheus import prometheus_with_tokens
from tests.security.access import Accounts
from tests.serving import Server, serve, wait_for

BOARD = """
from tickboard import Board
board = Board("Closed", interval_ms=100)
"""

UP = 'up{{instance="127.0.0.1:{port}",job="board"}}'


class Closed:
    """A board on the network, and a token of each of two programs."""

    def __init__(self, server: Server, viewer: str, sender: str) -> None:
        self.server, self.viewer, self.sender = server, viewer, sender
        self.up = UP.format(port=server.port)

    def last(self, series: str) -> float | None:
        """Return the newest value of the series whose key begins with this, as a viewer reads it."""
        headers = {"Authorization": f"Bearer {self.viewer}"}
        answer = httpx.get(f"{self.server.url}api/stats", headers=headers, trust_env=False).raise_for_status()
        values = [stats.get("last") for key, stats in answer.json().items() if key.startswith(series)]
        return values[0] if values else None


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Closed]:
    folder = tmp_path_factory.mktemp("closed")
    (folder / "board.py").write_text(BOARD)
    accounts = Accounts(folder / "access.json")
    viewer, sender = (accounts.token(role, name=f"the {role}") for role in ("viewer", "sender"))
    with serve("run", str(folder / "board.py"), "--host", "0.0.0.0", *accounts.flags) as server:
        yield Closed(server, viewer, sender)


def targets(port: int) -> dict[str, dict[str, Any]]:
    """Return what Prometheus says of its targets, by job."""
    found = httpx.get(f"http://127.0.0.1:{port}/api/v1/targets", trust_env=False).json()["data"]["activeTargets"]
    return {target["labels"]["job"]: target for target in found}


def export(closed: Closed, token: str, name: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Export a gauge with the SDK, which reads the token from the environment, and return the board's answers."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", closed.server.url.rstrip("/"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{token}")
    session, answers = requests.Session(), list[str]()
    session.hooks["response"].append(lambda answer, **_: answers.append(answer.text))
    provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(session=session), 3_600_000)])
    provider.get_meter("test").create_gauge(name).set(3)
    provider.force_flush(60_000)
    provider.shutdown()
    return answers


def test_prometheus_scrapes_as_a_viewer_and_writes_as_a_sender(closed: Closed) -> None:
    with prometheus_with_tokens(closed.server.port, closed.viewer, closed.sender):
        closed.server.wait_for(lambda: closed.last(closed.up) == 1)


def test_prometheus_is_told_which_roles_its_tokens_lack(closed: Closed) -> None:
    with prometheus_with_tokens(closed.server.port, closed.sender, closed.viewer) as (port, log):
        wait_for(lambda: targets(port).get("board", {}).get("health") == "down", log.read_text)
        assert "403" in targets(port)["board"]["lastError"]
        wait_for(lambda: "this needs the role sender, and the viewer is a viewer" in log.read_text(), log.read_text)
    headers = {"Authorization": f"Bearer {closed.sender}"}
    refused = httpx.get(f"{closed.server.url}metrics", headers=headers, trust_env=False)
    assert refused.status_code == 403
    assert "this needs the role viewer, and the sender is a sender" in refused.text


def test_opentelemetry_exports_as_a_sender(closed: Closed, monkeypatch: pytest.MonkeyPatch) -> None:
    export(closed, closed.sender, "exported", monkeypatch)
    closed.server.wait_for(lambda: closed.last("exported") == 3)


def test_opentelemetry_is_told_which_role_its_token_lacks(
    closed: Closed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = export(closed, closed.viewer, "not_exported", monkeypatch)
    # The SDK logs the status alone.
    assert "403" in caplog.text
    assert "this needs the role sender, and the viewer is a viewer" in answers[0]
    assert closed.last("not_exported") is None
