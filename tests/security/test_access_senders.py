"""A sender writes undeclared metrics and the declared ones that its token lists, whatever the protocol."""

import json
import time
from collections.abc import Iterator
from typing import Any

import cramjam
import httpx
import pytest
from tests.prompb import write_request
from tests.security.access import Accounts
from tests.security.test_access_routes import BOARD
from tests.serving import Server, serve

SENT = "declared by the board, and this token does not list it"


class Sender:
    """Sends one sample in each protocol."""

    def __init__(self, server: Server, token: str) -> None:
        self._url, self._headers = server.url, {"Authorization": f"Bearer {token}"}
        server.wait_for(lambda: token == "ignored" or self._post("api/metrics", json=[]).status_code != 401)

    def _post(self, path: str, **sent: Any) -> httpx.Response:
        headers = self._headers | sent.pop("headers", {})
        return httpx.post(self._url + path, headers=headers, trust_env=False, **sent)

    def push(self, name: str, labels: dict[str, str]) -> str:
        return self._post("api/metrics", json={"name": name, "value": 1, "labels": labels}).text

    def otlp(self, name: str, labels: dict[str, str]) -> str:
        attributes = [{"key": key, "value": {"stringValue": value}} for key, value in labels.items()]
        point = {"asInt": "1", "timeUnixNano": str(time.time_ns()), "attributes": attributes}
        metrics = [{"name": name, "gauge": {"dataPoints": [point]}}]
        body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}
        return self._post("v1/metrics", json=body).text

    def remote_write(self, name: str, labels: dict[str, str]) -> str:
        body = write_request(({"__name__": name, **labels}, [(time.time(), 1.0)])).SerializeToString()
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
        return self._post("api/v1/write", content=bytes(cramjam.snappy.compress_raw(body)), headers=headers).text


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    return Accounts(tmp_path_factory.mktemp("access") / "access.json")


@pytest.fixture(scope="module")
def server(accounts: Accounts) -> Iterator[Server]:
    accounts.token("sender", name="plain")
    with serve("run", BOARD, "--auth", "required", *accounts.flags) as running:
        yield running


PROTOCOLS = ("push", "otlp", "remote_write")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_declared_metric_needs_to_be_listed(server: Server, accounts: Accounts, protocol: str) -> None:
    plain, listed = (Sender(server, accounts.token("sender", *metrics)) for metrics in ((), ("lo?d", "other_*")))
    for sender, name, labels, is_refused in (
        (plain, "cpu", {}, True),
        (plain, "load", {"host": "a"}, True),
        (plain, f"own_{protocol}", {}, False),
        (listed, "load", {"host": f"by {protocol}"}, False),
        (listed, "cpu", {}, True),
        # Not by what another token from the same address may write.
        (plain, "load", {"host": f"by {protocol}"}, True),
        (listed, "load", {"host": f"by {protocol}"}, False),
        (plain, "cpu", {}, True),
    ):
        answer = getattr(sender, protocol)(name, labels)
        assert (SENT in answer) is is_refused, (name, answer)


def test_a_board_has_a_source_for_each_token(server: Server, accounts: Accounts) -> None:
    one, other = (Sender(server, accounts.token("sender", name="twin")) for _ in range(2))
    for sender in (one, other):
        sender.push("twins", {})
    viewer = {"Authorization": f"Bearer {accounts.token('viewer')}"}
    server.wait_for(lambda: httpx.get(f"{server.url}metrics", headers=viewer).status_code == 200)
    metrics = httpx.get(f"{server.url}metrics", headers=viewer).text
    assert len({line for line in metrics.splitlines() if "as twin " in line and "samples_total" in line}) == 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_on_loopback_without_a_login_everything_may_be_written(protocol: str) -> None:
    with serve("run", BOARD) as running:
        assert SENT not in getattr(Sender(running, "ignored"), protocol)("cpu", {})
        assert SENT not in getattr(Sender(running, "ignored"), protocol)("load", {"host": "a"})


def test_a_sender_cannot_mask_an_alert(server: Server, accounts: Accounts) -> None:
    token = accounts.token("sender")
    sender, viewer = Sender(server, token), {"Authorization": f"Bearer {accounts.token('viewer')}"}

    def firing() -> list[str]:
        answer = httpx.get(f"{server.url}api/alerts?state=active", headers=viewer, trust_env=False)
        return [each["rule"] for each in json.loads(answer.text).get("alerts", [])]

    server.wait_for(lambda: firing() == ["cpu"])
    for protocol in PROTOCOLS:
        for _ in range(5):
            getattr(sender, protocol)("cpu", {})
    assert firing() == ["cpu"]
    ended = httpx.get(f"{server.url}api/alerts?state=resolved", headers=viewer, trust_env=False).json()
    assert ended["alerts"] == []
