"""The REST endpoints of alerts on the real server: list alerts, acknowledge and silence them."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from tests.serving import Server, serve

from tickboard.alerting.log import AlertLog
from tickboard.journal.journal import Journal
from tickboard.times import parse_time, time_text
from tickboard.wire import Alert, timestamp

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
    assert "was resolved at" in answer.json()["error"]


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


def test_a_silence_until_resolved_ends_with_its_alert(server: Server) -> None:
    fire(server, a=91, b=91)
    id = next(alert["id"] for alert in page(server)["alerts"] if alert["labels"]["host"] == "a")
    silenced = post(server, f"{id}/silence", {"until": "resolved", "reason": "moving it"})
    assert silenced.json()["silenced"]["until_resolved"] is True
    push(server, b=1)
    server.wait_for(lambda: messages(server, state="resolved"))
    assert server.json("/api/silences") == [silenced.json()["silenced"]]
    push(server, a=1)
    server.wait_for(lambda: server.json("/api/silences") == [])
    fire(server, a=99)
    assert "silenced" not in page(server)["alerts"][0]
    refused = post(server, f"{id}/silence", {"until": "resolved", "reason": "again"})
    assert refused.status_code == 409
    assert refused.json()["error"].endswith("silence it for a duration")


def test_a_silence_of_a_rule_covers_all_its_series(server: Server) -> None:
    fire(server, a=91, b=91, load=5)
    id = next(alert["id"] for alert in page(server)["alerts"] if alert.get("labels") == {"host": "a"})
    silenced = post(server, f"{id}/silence", {"duration": "1h", "scope": "rule", "reason": "new disks"})
    [silence] = server.json("/api/silences")
    assert silenced.json()["silenced"] == silence
    assert (silence["rule"], silence["scope"], silence.get("labels")) == ("disk", "rule", None)
    fire(server, c=91)
    assert {alert["message"]: "silenced" in alert for alert in page(server)["alerts"]} == {
        "c: disk 91%": True,
        "load 5.0": False,
        "b: disk 91%": True,
        "a: disk 91%": True,
    }
    post(server, f"{id}/silence", {"duration": "0s", "scope": "rule"}).raise_for_status()
    assert server.json("/api/silences") == []
    assert not any("silenced" in alert for alert in page(server)["alerts"])


# --- several at once ---


def test_several_alerts_are_acknowledged_and_silenced_at_once(server: Server) -> None:
    fire(server, a=91, b=91, c=91)
    ids = [alert["id"] for alert in page(server)["alerts"]]
    answer = post(server, "ack", {"ids": [*ids[:2], "no-such-alert"], "note": "on it"})
    assert answer.status_code == 200
    done = answer.json()
    assert [alert["id"] for alert in done["alerts"]] == ids[:2]
    assert [alert["acknowledged"]["note"] for alert in done["alerts"]] == ["on it", "on it"]
    unknown = "there is no alert 'no-such-alert': see GET /api/alerts?state=all"
    assert done["refused"] == [{"id": "no-such-alert", "error": unknown}]
    assert ["acknowledged" in alert for alert in page(server)["alerts"]] == [True, True, False]
    answer = post(server, "silence", {"ids": ids, "duration": "1h", "reason": "new disks"})
    assert len(answer.json()["alerts"]) == len(server.json("/api/silences")) == 3
    assert answer.json()["refused"] == []


@pytest.mark.parametrize(("ids", "said"), [([], "ids has 0 entries"), (["x"] * 1001, "ids has 1001 entries")])
@pytest.mark.parametrize("verb", ["ack", "silence"])
def test_the_number_of_alerts_in_a_request_is_bounded(quiet: Server, verb: str, ids: list[str], said: str) -> None:
    answer = post(quiet, verb, {"ids": ids} | ({"duration": "1h", "reason": "x"} if verb == "silence" else {}))
    assert (answer.status_code, answer.json()["error"]) == (422, f"{said}: send 1 to 1000")


@pytest.mark.parametrize("verb", ["ack", "silence"])
def test_a_request_of_which_nothing_can_be_done_is_an_error(quiet: Server, verb: str) -> None:
    answer = post(
        quiet, verb, {"ids": ["one", "two"]} | ({"duration": "1h", "reason": "x"} if verb == "silence" else {})
    )
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("there is no alert 'one'")
    missing = post(quiet, verb, {})
    assert missing.status_code == 422
    assert 'missing required field `ids`: send JSON as in {"ids": ["…"], "' in missing.json()["error"]


BODIES: dict[str, tuple[str, bytes, int, str]] = {
    "not JSON": ("ack", b"{", 400, "the body is not JSON"),
    "not UTF-8": ("ack", b'{"note":"\xff"}', 400, "the body is not JSON"),
    "NaN": ("ack", b'{"note": NaN}', 400, "NaN is not JSON: send null"),
    "deep nesting": ("ack", b'{"note":' + b"[" * 5000, 422, "Expected `str`"),
    "too much": ("ack", b'"' + b"x" * 70_000, 413, "the body has more than 65536 bytes"),
    "a list": ("ack", b"[]", 422, "Expected `object`, got `array`"),
    "an unknown field": ("ack", b'{"nota":"x"}', 422, "unknown field `nota`"),
    "a long note": ("ack", json.dumps({"note": "x" * 1001}).encode(), 422, "note has 1001 characters"),
    "nothing": ("silence", b"", 422, 'a silence has either a duration, such as "1h", or "until": "resolved"'),
    "two ends": (
        "silence",
        b'{"duration":"1h","until":"resolved","reason":"x"}',
        422,
        "a silence has either a duration",
    ),
    "an unknown end": ("silence", b'{"until":"tomorrow","reason":"x"}', 422, "Invalid enum value 'tomorrow'"),
    "an unknown scope": ("silence", b'{"duration":"1h","scope":"all","reason":"x"}', 422, "Invalid enum value 'all'"),
    "no reason": ("silence", b'{"duration":"1h"}', 422, "reason is empty: say why"),
    "no reason until resolved": ("silence", b'{"until":"resolved"}', 422, "reason is empty: say why"),
    "an empty reason": ("silence", b'{"duration":"1h","reason":" "}', 422, "reason is empty: say why"),
    "not a duration": (
        "silence",
        b'{"duration":"soon","reason":"x"}',
        422,
        "duration 'soon': write a number and its unit",
    ),
    "no unit": ("silence", b'{"duration":60,"reason":"x"}', 422, "Expected `str`, got `int`"),
    "too long a duration": ("silence", b'{"duration":"31d","reason":"x"}', 422, "the longest silence is 30d"),
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


# --- ranges of time ---


def test_alerts_of_a_range_of_time_are_those_that_fire_in_it(server: Server) -> None:
    fire(server, a=91, b=92)
    push(server, a=10)
    server.wait_for(lambda: messages(server, state="resolved"))
    [over] = page(server, state="resolved")["alerts"]
    assert messages(server, **{"from": "-1h"}) == messages(server, to="now") == ["b: disk 92%", "a: disk 91%"]
    assert messages(server, **{"from": "-1h", "to": over["timestamp"]}) == []
    assert messages(server, **{"from": over["resolved"], "to": "now"}) == ["b: disk 92%", "a: disk 91%"]
    after = time_text(parse_time("resolved", over["resolved"], 0) + 1)
    assert messages(server, **{"from": after}) == ["b: disk 92%"]
    assert messages(server, **{"from": "-1h", "state": "active", "severity": "critical"}) == ["b: disk 92%"]
    first = page(server, **{"from": "-1h", "limit": 1})
    assert (first["total"], [alert["labels"]["host"] for alert in first["alerts"]]) == (2, ["b"])
    second = page(server, **{"from": "-1h", "limit": 1, "before": first["next"]})
    assert (second["total"], "next" in second, second["alerts"]) == (2, False, [over])


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("from=yesterday", "from=yesterday: give a time such as 2026"),
        ("from=2026-01-31", "from=2026-01-31: give a time such as 2026"),
        ("from=now&to=now", "from=now is not before to=now: give an earlier from"),
        ("to=2026-01-31T12:00:00+01:00", "to=2026-01-31T12:00:00 01:00: give a time"),
    ],
)
def test_an_invalid_range_gets_422_and_the_error_names_it(quiet: Server, query: str, told: str) -> None:
    answer = httpx.get(f"{quiet.url}api/alerts?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(told)


def write_past(state: Path, alerts: int) -> None:
    """Write a journal with alerts that left the log long ago: one each minute, for half a minute."""

    async def write() -> None:
        journal = Journal(state)
        log = AlertLog(journal.load().epoch, kept=True)
        start = 1_769_860_800.0
        for number in range(alerts):
            began = start + 60 * number
            old = Alert(f"old{number}", f"old {number}", "info", timestamp(began), "old", rule="old")
            log.append("firing", old, began)
            log.append("resolved", msgspec.structs.replace(old, resolved=timestamp(began + 30)), began + 30)
        await journal.commit(log.events())
        # All of them are older than the log.
        await journal.commit([], oldest=log.number + 1)
        await journal.close()

    asyncio.run(write())


def test_alerts_that_have_left_the_log_are_found_in_the_journal(tmp_path: Path) -> None:
    state = tmp_path / "state" / "alerts.sqlite"
    write_past(state, 100)
    with serve("run", str(BOARDS / "alarms.py"), "--interval", "30", "--state", str(state)) as server:
        fire(server, a=91)
        assert messages(server) == ["a: disk 91%"], "without a range, what the log has"
        assert page(server, to="now")["total"] == 101
        found = page(server, **{"from": "2026-01-31T12:00:00Z", "limit": 60})
        seen = [alert["message"] for alert in found["alerts"]]
        assert (found["total"], seen[:2], len(seen)) == (101, ["a: disk 91%", "old 99"], 60)
        rest = page(server, **{"from": "2026-01-31T12:00:00Z", "limit": 60, "before": found["next"]})
        assert (rest["total"], "next" in rest) == (101, False)
        assert seen + [alert["message"] for alert in rest["alerts"]] == [
            "a: disk 91%",
            *(f"old {number}" for number in reversed(range(100))),
        ]
        half = {"from": "2026-01-31T12:10:15Z", "to": "2026-01-31T12:12:00Z"}
        assert messages(server, **half) == ["old 11", "old 10"]
        assert messages(server, **half, rule="old", severity=["info", "warning"], state="resolved") == [
            "old 11",
            "old 10",
        ]
        assert messages(server, **half, rule="busy") == messages(server, **half, state="active") == []


def test_spans_are_of_alerts_in_the_log_and_in_the_journal(tmp_path: Path) -> None:
    state = tmp_path / "state" / "alerts.sqlite"
    write_past(state, 100)
    with serve("run", str(BOARDS / "alarms.py"), "--interval", "30", "--state", str(state)) as server:
        fire(server, a=91)
        range_of = {"from": "2026-01-31T12:10:15Z", "to": "2026-01-31T14:10:00Z"}
        answer = httpx.get(f"{server.url}api/alerts/spans", params={**range_of, "points": 10}).json()
        assert answer == {
            "from": "2026-01-31T12:10:15.000Z",
            "to": "2026-01-31T14:10:00.000Z",
            "step_ms": 3_600_000,
            "spans": [
                # The first one has begun before.
                {
                    "severity": "info",
                    "from": "2026-01-31T12:10:15.000Z",
                    "to": "2026-01-31T12:59:30.000Z",
                    "alerts": 50,
                },
                {
                    "severity": "info",
                    "from": "2026-01-31T13:00:00.000Z",
                    "to": "2026-01-31T13:39:30.000Z",
                    "alerts": 40,
                },
            ],
        }
        [alert] = page(server)["alerts"]
        answer = httpx.get(f"{server.url}api/alerts/spans").json()
        assert answer["spans"] == [{"severity": alert["severity"], "from": alert["timestamp"], "alerts": 1}]
        assert answer["step_ms"] == 600_000


def test_spans_without_a_journal_are_of_the_log(server: Server) -> None:
    fire(server, a=91, b=92)
    [span] = httpx.get(f"{server.url}api/alerts/spans?points=1").json()["spans"]
    assert (span["alerts"], "to" in span) == (2, False)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("from=2999-01-01T00:00:00Z", "from=2999-01-01T00:00:00Z is not before to=now"),
        ("points=0", "points=0: give a whole number from 1 to 5000"),
        ("to=soon", "to=soon: give a time"),
    ],
)
def test_an_invalid_question_for_spans_gets_422_and_the_error_names_it(quiet: Server, query: str, told: str) -> None:
    answer = httpx.get(f"{quiet.url}api/alerts/spans?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(told)


def test_an_unreadable_journal_gets_503_but_the_log_is_still_answered(tmp_path: Path) -> None:
    state = tmp_path / "state" / "alerts.sqlite"
    write_past(state, 3)
    with sqlite3.connect(state) as file:
        file.execute("UPDATE resolved SET alert = '{'")
    file.close()
    with serve("run", str(BOARDS / "alarms.py"), "--interval", "30", "--state", str(state)) as server:
        fire(server, a=91)
        assert messages(server, **{"from": "-15m"}) == ["a: disk 91%"]
        answer = httpx.get(f"{server.url}api/alerts?from=2026-01-31T12:00:00Z")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert str(state) in answer.json()["error"]
