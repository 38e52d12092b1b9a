"""The REST endpoints of alerts on the real server: list alerts, acknowledge and silence them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import Server, serve

BOARDS = Path(__file__).parents[1] / "boards"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve("run", str(BOARDS / "alarms.py"), "--interval", "30", env={"ALERT_CHECK_SEC": "1"}) as running:
        yield running


def push(server: Server, **values: float) -> None:
    """Push the disk usage of hosts, or the load."""
    metrics = [
        {"name": "load", "value": value}
        if name == "load"
        else {"name": "disk", "value": value, "labels": {"host": name}}
        for name, value in values.items()
    ]
    httpx.post(f"{server.url}api/metrics", json=metrics).raise_for_status()


def page(server: Server, **query: Any) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}api/alerts", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def messages(server: Server, **query: Any) -> list[str]:
    return [alert["message"] for alert in page(server, **query)["alerts"]]


def fire(server: Server, **values: float) -> None:
    """Push values one by one and wait until each one fires an alert."""
    for name, value in values.items():
        before = page(server)["total"]
        push(server, **{name: value})
        server.wait_for(lambda before=before: page(server)["total"] > before)  # type: ignore[misc]


def only_alert(server: Server, **query: Any) -> dict[str, Any]:
    [alert] = page(server, **query)["alerts"]
    found: dict[str, Any] = alert
    return found


def post(server: Server, path: str, body: dict[str, object] | None = None, **options: Any) -> httpx.Response:
    return httpx.post(f"{server.url}api/alerts/{path}", json=body, **options)


def test_the_page_is_empty_without_alerts(server: Server) -> None:
    assert page(server) == {"alerts": [], "total": 0}
    assert server.json("/api/silences") == []


def test_alerts_are_listed_newest_first_and_can_be_filtered(server: Server) -> None:
    fire(server, a=91, b=92, load=5)
    push(server, a=10)
    server.wait_for(lambda: messages(server, state="resolved"))
    everything = ["load 5.0", "b: disk 92%", "a: disk 91%"]
    assert messages(server) == messages(server, state="all") == everything
    assert messages(server, state="active") == everything[:2]
    assert messages(server, state="resolved") == everything[2:]
    assert messages(server, severity="warning") == everything[:1]
    assert messages(server, severity=["warning", "critical"]) == everything
    assert messages(server, severity="critical", state="active") == everything[1:2]
    assert messages(server, rule="busy") == everything[:1]
    assert messages(server, rule=["busy", "disk"], metric="disk") == everything[1:]
    assert messages(server, metric="nothing") == []
    firing = only_alert(server, rule="busy")
    assert (firing["value"], firing["peak"], firing["threshold"], firing["rule"]) == (5, 5, 4, "busy")
    assert "resolved" in only_alert(server, state="resolved")
    # In its current state, not as it was when it began.
    push(server, load=7)
    server.wait_for(lambda: only_alert(server, rule="busy")["peak"] == 7)
    assert only_alert(server, rule="busy")["seen"] > firing["seen"]


def test_consecutive_pages_miss_and_repeat_no_alert(server: Server) -> None:
    names = [f"h{number}" for number in range(7)]
    fire(server, **dict.fromkeys(names, 95.0))
    seen: list[str] = []
    pages = 0
    following: int | None = 10**15
    while following is not None:
        found = page(server, limit=3, before=following)
        assert found["total"] == 7
        seen += [alert["labels"]["host"] for alert in found["alerts"]]
        # Acknowledging an alert in between does not shift the pages.
        post(server, f"{found['alerts'][0]['id']}/ack").raise_for_status()
        following = found.get("next")
        pages += 1
    assert (pages, seen) == (3, names[::-1])
    assert len(page(server, limit=7)["alerts"]) == 7
    assert "next" not in page(server, limit=7)
    assert page(server, before=1)["alerts"] == []


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("state=firing", "state=firing: give one of all, active, resolved"),
        ("state=", "state=: give one of"),
        ("severity=fatal", "severity=fatal: give one of info, warning, critical"),
        ("severity=info&severity=x", "severity=x: give one of"),
        ("limit=0", "limit=0: give a whole number from 1 to 1000"),
        ("limit=1001", "limit=1001: give a whole number from 1 to 1000"),
        ("limit=ten", "limit=ten: give a whole number"),
        ("limit=%D9%A1", "limit=\u0661: give a whole number"),
        ("before=-1", "before=-1: give a whole number from 1 to"),
        ("before=" + "9" * 5000, "before=9999999999999999999999999999999999999999: give"),
    ],
)
def test_an_invalid_query_gets_422_and_the_error_names_it(server: Server, query: str, told: str) -> None:
    answer = httpx.get(f"{server.url}api/alerts?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(told)


def test_acknowledging_an_alert_is_sent_to_every_reader(server: Server) -> None:
    fire(server, a=91)
    id = only_alert(server)["id"]
    answer = post(server, f"{id}/ack", {"note": "on it", "by": "me"})
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["acknowledged"]["note"]) == (id, "on it")
    assert only_alert(server)["acknowledged"] == answer.json()["acknowledged"]
    assert first_event(server, "changed")["acknowledged"]["by"] == "me"
    # A later acknowledgement, without a note.
    answer = post(server, f"{id}/ack")
    assert "note" not in answer.json()["acknowledged"]
    push(server, a=1)
    server.wait_for(lambda: not messages(server, state="active"))
    assert "acknowledged" in only_alert(server)
    answer = post(server, f"{id}/ack", {})
    assert answer.status_code == 409
    assert "is over since" in answer.json()["error"]


def first_event(server: Server, name: str) -> dict[str, Any]:
    """Return the data of the first event with a name, from the whole stream so far."""
    with httpx.stream("GET", f"{server.url}events/alerts?last_event_id=0", timeout=10) as stream:
        lines = iter(stream.iter_lines())
        for line in lines:
            if line == f"event: {name}":
                found: dict[str, Any] = json.loads(next(lines).removeprefix("data: "))
                return found
    raise AssertionError("the stream ended")


def test_a_silence_covers_its_rule_and_series_until_it_ends(server: Server) -> None:
    fire(server, a=91, b=91)
    id = next(alert["id"] for alert in page(server)["alerts"] if alert["labels"]["host"] == "a")
    silenced = post(server, f"{id}/silence", {"duration": "1h", "reason": "moving it", "by": "me"})
    assert silenced.status_code == 200
    [silence] = server.json("/api/silences")
    assert silenced.json()["silenced"] == silence
    assert (silence["rule"], silence["labels"], silence["reason"], silence["by"]) == (
        "disk",
        {"host": "a"},
        "moving it",
        "me",
    )
    assert silence["until"] > silence["timestamp"]
    assert [bool(alert.get("silenced")) for alert in page(server)["alerts"]] == [False, True]
    assert first_event(server, "changed")["silenced"]["reason"] == "moving it"
    # The next alert of that series is silenced from the start. A resolved alert can be silenced too.
    push(server, a=1)
    server.wait_for(lambda: messages(server, state="resolved"))
    fire(server, a=99)
    newest = page(server)["alerts"][0]
    assert (newest["labels"], newest["silenced"]["reason"]) == ({"host": "a"}, "moving it")
    again = post(server, f"{id}/silence", {"duration": "2h", "reason": "still"})
    assert again.status_code == 200
    assert [each["reason"] for each in server.json("/api/silences")] == ["still"]
    ended = post(server, f"{newest['id']}/silence", {"duration": "0s", "reason": ""})
    assert "silenced" not in ended.json()
    assert server.json("/api/silences") == []


def test_a_silence_ends_by_itself(server: Server) -> None:
    fire(server, a=91)
    post(server, f"{only_alert(server)['id']}/silence", {"duration": "200ms", "reason": "a moment"}).raise_for_status()
    server.wait_for(lambda: server.json("/api/silences") == [])
    server.wait_for(lambda: "silenced" not in only_alert(server))


BODIES: dict[str, tuple[str, bytes, int, str]] = {
    "not JSON": ("ack", b"{", 400, "the body is not JSON"),
    "not UTF-8": ("ack", b'{"note":"\xff"}', 400, "the body is not JSON"),
    "NaN": ("ack", b'{"note": NaN}', 400, "NaN is no JSON: send null"),
    "deep nesting": ("ack", b'{"note":' + b"[" * 5000, 422, "Expected `str`"),
    "too much": ("ack", b'"' + b"x" * 70_000, 413, "the body is more than 65536 bytes"),
    "a list": ("ack", b"[]", 422, "Expected `object`, got `array`"),
    "an unknown field": ("ack", b'{"nota":"x"}', 422, "unknown field `nota`"),
    "a long note": ("ack", json.dumps({"note": "x" * 1001}).encode(), 422, "note has 1001 characters"),
    "nothing": ("silence", b"", 422, "missing required field `duration`"),
    "no reason": ("silence", b'{"duration":"1h"}', 422, "missing required field `reason`"),
    "an empty reason": ("silence", b'{"duration":"1h","reason":" "}', 422, "reason: say why"),
    "not a duration": (
        "silence",
        b'{"duration":"soon","reason":"x"}',
        422,
        "duration 'soon': write a number and its unit",
    ),
    "no unit": ("silence", b'{"duration":60,"reason":"x"}', 422, "Expected `str`, got `int`"),
    "too long a duration": ("silence", b'{"duration":"3660d","reason":"x"}', 422, "the longest silence is 366d"),
}


@pytest.fixture(scope="module")
def quiet() -> Iterator[Server]:
    with serve("run", str(BOARDS / "alarms.py")) as running:
        yield running


@pytest.mark.parametrize(("verb", "body", "status", "told"), BODIES.values(), ids=BODIES)
def test_an_invalid_body_is_refused_with_the_reason(
    quiet: Server, verb: str, body: bytes, status: int, told: str
) -> None:
    answer = httpx.post(f"{quiet.url}api/alerts/x/{verb}", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, told in answer.json()["error"]) == (status, True), answer.text


@pytest.mark.parametrize("verb", ["ack", "silence"])
def test_an_unknown_alert_gets_404(quiet: Server, verb: str) -> None:
    answer = post(quiet, f"no-such-alert/{verb}", {"duration": "1h", "reason": "x"} if verb == "silence" else {})
    assert answer.status_code == 404
    assert answer.json()["error"] == "there is no alert 'no-such-alert': see GET /api/alerts?state=all"


def test_requests_from_other_sites_and_forms_are_refused(quiet: Server) -> None:
    foreign = post(quiet, "x/ack", {}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    form = httpx.post(f"{quiet.url}api/alerts/x/ack", data={"note": "x"})
    assert form.status_code == 415
    assert "send application/json" in form.json()["error"]
    untyped = httpx.post(f"{quiet.url}api/alerts/x/ack", content=b'{"note":"x"}')
    assert untyped.status_code == 415
    assert untyped.json()["error"].startswith("Content-Type is missing: send application/json")
    for path in ("api/alerts/x/ack", "api/alerts/x/silence"):
        assert httpx.get(f"{quiet.url}{path}").status_code == 405
