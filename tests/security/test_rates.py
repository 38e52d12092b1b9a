"""Acknowledgements and silences are rate-limited, and never displace firing and resolved events in the log."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.serving import RawStream, Server, event_number, serve

from tickboard.alerting.log import LOG_EVENTS, MAX_CHANGES, AlertEvent, AlertLog
from tickboard.errors import RateError
from tickboard.journal.change import JournalChange
from tickboard.journal.file import JournalFile
from tickboard.server.routes import rates
from tickboard.server.routes.rates import BURST, ChangeRates
from tickboard.wire import Acknowledgement, Alert

DASHBOARD = """
from tickboard import Board

board = Board("Alarms", interval_ms=50)
load = board.gauge("load", labels=["host"])

@board.every()
def measure():
    for host in "abc":
        load.labels(host=host).set(99)

board.alert(load > 90, "{host} is busy", severity="critical")
"""


@pytest.fixture
def dashboard(tmp_path: Path) -> Path:
    path = tmp_path / "dashboard.py"
    path.write_text(DASHBOARD)
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def server(dashboard: Path, state: Path) -> Iterator[Server]:
    with serve("run", str(dashboard), "--state", str(state)) as running:
        running.wait_for(lambda: running.json("/api/alerts")["total"] == 3)
        yield running


def events(server: Server) -> list[tuple[str, int]]:
    """Return the kind and the number of every event in the log."""
    with RawStream(server.port) as stream:
        while (event := stream.event()).get("event") != "position":
            pass
        newest = json.loads(event["data"])["number"]
    found: list[tuple[str, int]] = []
    with RawStream(server.port, path="/events/alerts?last_event_id=0") as stream:
        while not found or found[-1][1] < newest:
            event = stream.event()
            if "id" in event and event.get("event") != "position":
                found.append((event.get("event", "firing"), event_number(event)))
    return found


def alerts(server: Server) -> list[dict[str, object]]:
    found: list[dict[str, object]] = server.json("/api/alerts")["alerts"]
    return sorted(found, key=lambda alert: str(alert["labels"]))


def post(server: Server, id: object, what: str, **body: object) -> httpx.Response:
    return httpx.post(f"{server.url}api/alerts/{id}/{what}", json=body)


def test_repeating_an_acknowledgement_or_silence_logs_no_event(server: Server) -> None:
    first = alerts(server)[0]["id"]
    for what, body in (
        ("ack", {"note": "on it", "by": "me"}),
        ("silence", {"duration": "1h", "reason": "known", "by": "me"}),
    ):
        done = post(server, first, what, **body)
        assert done.status_code == 200
        before = events(server)
        for _ in range(3 * BURST):
            again = post(server, first, what, **body)
            assert again.status_code == 200
            assert {**again.json(), "seen": ""} == {**done.json(), "seen": ""}
            if what == "silence":
                break  # a new end time, once a second has passed
        assert events(server) == before
    assert len(events(server)) == 5, "three began, and one was changed twice"


def test_unsilencing_an_alert_that_is_not_silenced_logs_no_event(server: Server) -> None:
    first = alerts(server)[0]["id"]
    before = events(server)
    for _ in range(2 * BURST):
        assert post(server, first, "silence", duration="0s", reason="").status_code == 200
    assert events(server) == before


def test_too_many_changes_get_429_with_retry_after(server: Server) -> None:
    first, second, _ = (alert["id"] for alert in alerts(server))
    answers = [post(server, first, "ack", note=f"note {number}") for number in range(5 * BURST)]
    others = {post(server, second, "silence", duration="1h", reason=f"{number}").status_code for number in range(5)}
    assert 429 in others, "the same address has used up what it may"
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(refused) >= BURST
    assert refused
    assert {answer.status_code for answer in answers} == {200, 429}
    for answer in refused:
        assert answer.headers["retry-after"] == "1"
        assert "try again in 1 s" in answer.json()["error"]
    assert alerts(server)[0]["acknowledged"]
    kinds = [kind for kind, _ in events(server)]
    assert kinds.count("firing") == 3
    assert kinds.count("changed") >= len(answers) - len(refused) >= BURST
    assert post(server, "nobody", "ack").status_code == 404


def test_requests_for_several_alerts_are_limited_apart(server: Server) -> None:
    ids = [alert["id"] for alert in alerts(server)]
    url = f"{server.url}api/alerts/ack"
    answers = [httpx.post(url, json={"ids": ids, "note": f"{number}"}) for number in range(BURST + 1)]
    assert [answer.status_code for answer in answers] == [200] * BURST + [429]
    assert answers[-1].json()["error"].startswith("too many requests for several alerts: 10 at once, then 0.1 a second")
    assert int(answers[-1].headers["retry-after"]) > 5
    # Repeating the last one changes nothing.
    assert httpx.post(url, json={"ids": ids, "note": f"{BURST - 1}"}).status_code == 200
    assert post(server, ids[0], "ack", note="alone").status_code == 200


def test_after_a_restart_the_log_has_the_firing_events_and_the_last_change(
    server: Server, dashboard: Path, state: Path
) -> None:
    first = alerts(server)[0]["id"]
    notes = [f"note {number}" for number in range(3 * BURST)]
    taken = [note for note in notes if post(server, first, "ack", note=note).status_code == 200]
    before = events(server)
    server.stop()
    with serve("run", str(dashboard), "--state", str(state)) as again:
        again.wait_for(lambda: len(alerts(again)) == 3)
        assert events(again) == before
        acknowledged = alerts(again)[0]["acknowledged"]
        assert isinstance(acknowledged, dict)
        assert acknowledged["note"] == taken[-1]
        assert post(again, first, "ack", note=taken[-1]).status_code == 200
        assert events(again) == before


# --- buckets ---


def test_a_bucket_refills_by_one_per_second() -> None:
    buckets = ChangeRates()
    for _ in range(BURST):
        buckets.take(0.0, "address a", "alert 1")
    with pytest.raises(RateError) as caught:
        buckets.take(0.0, "address a", "alert 2")
    assert caught.value.retry_after_s == 1
    with pytest.raises(RateError):
        buckets.take(0.0, "address b", "alert 1")
    buckets.take(0.0, "address b", "alert 2")
    buckets.take(1.0, "address a", "alert 1")
    with pytest.raises(RateError):
        buckets.take(1.5, "address a", "alert 3")
    for _ in range(BURST - 1):
        buckets.take(1_000.0, "address b", "alert 3")


def test_the_number_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_BUCKETS", 100)
    buckets = ChangeRates()
    for number in range(1_000):
        buckets.take(0.0, f"address {number}")
    assert len(buckets._buckets) == 100


# --- the log ---


def alert(id: str, note: str = "") -> Alert:
    made = Alert(id, f"message {id}", "critical", "T")
    return msgspec.structs.replace(made, acknowledged=Acknowledgement("T", note=note)) if note else made


def test_no_number_of_changes_displaces_firing_and_resolved_events() -> None:
    log = AlertLog("e")
    for number in range(LOG_EVENTS // 2):
        log.append("firing", alert(f"{number}"), 0.0)
        log.append("resolved", alert(f"{number}"), 0.0)
    for number in range(2 * LOG_EVENTS):
        log.append("changed", alert(f"{number % 3}", f"note {number}"), 0.0)
    log.publish(log.number)
    kept = log.events()
    assert len(kept) == LOG_EVENTS + MAX_CHANGES
    assert [event.number for event in kept[:LOG_EVENTS]] == list(range(1, LOG_EVENTS + 1))
    assert log.can_resume_after(0), "a reader has missed nothing that is still so"
    log.append("firing", alert("new"), 0.0)
    assert log.events()[0].number == 2
    assert not log.can_resume_after(0)
    assert log.can_resume_after(1)


def test_the_last_change_of_each_alert_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.alerting.log.MAX_CHANGES", 5)
    log = AlertLog("e")
    for id in "abc":
        log.append("firing", alert(id), 0.0)
    log.append("changed", alert("a", "stays"), 0.0)
    for number in range(100):
        log.append("changed", alert("bc"[number % 2], f"{number}"), 0.0)
    log.publish(log.number)
    assert len(log.events()) == 3 + 5
    for number in range(log.number + 1):
        assert log.can_resume_after(number)
        last = {event.alert.id: event.alert for event in log.since(number) if isinstance(event, AlertEvent)}
        assert number >= 4 or last["a"].acknowledged == Acknowledgement("T", note="stays")
        assert number >= log.number or last["c"].acknowledged == Acknowledgement("T", note="99")


def numbers_in_file(file: JournalFile) -> list[int]:
    return [event.number for event in file.read().events]


def test_the_file_keeps_the_same_events_as_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.alerting.log.MAX_CHANGES", 50)
    file = JournalFile(tmp_path / "state.db")
    log = AlertLog(file.read().epoch)
    waiting = JournalChange()
    for batch in range(20):
        made = []
        for number in range(10):
            id = f"{batch}-{number}"
            made.append(log.append("firing", alert(id), 0.0))
            made += [log.append("changed", alert(kept, f"{batch} {number}"), 0.0) for kept in ("0-0", "0-1", id)]
            made.append(log.append("resolved", alert(id), 0.0))
        newer = JournalChange()
        newer.append(made)
        waiting.add(newer)
        if batch % 3:
            file.write(waiting)
            assert numbers_in_file(file) == [event.number for event in log.events()]
            assert [event.number for event in AlertLog("e", file.read().events).events()] == numbers_in_file(file)
            waiting = JournalChange()
    file.close()


def test_the_file_is_trimmed_to_as_many_firing_and_resolved_events_as_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickboard.alerting.log.LOG_EVENTS", 10)
    monkeypatch.setattr("tickboard.alerting.log.MAX_CHANGES", 5)
    monkeypatch.setattr("tickboard.journal.file.LOG_EVENTS", 10)
    file = JournalFile(tmp_path / "state.db")
    log = AlertLog(file.read().epoch)
    for number in range(30):
        change = JournalChange()
        change.append(
            [
                log.append("firing", alert(f"{number}"), 0.0),
                *(log.append("changed", alert(f"{number % 2}", f"{number} {note}"), 0.0) for note in range(4)),
            ]
        )
        file.write(change)
        assert numbers_in_file(file) == [event.number for event in log.events()]
    assert len(log.events()) == 15
    file.close()


def test_events_queued_for_a_failing_disk_keep_every_firing_event(tmp_path: Path) -> None:
    file = JournalFile(tmp_path / "state.db")
    log = AlertLog(file.read().epoch)
    first = JournalChange()
    first.append([log.append("firing", alert("a"), 0.0), log.append("changed", alert("a", "kept"), 0.0)])
    file.write(first)
    waiting = JournalChange()
    waiting.append([log.append("firing", alert("b"), 0.0)])
    for number in range(LOG_EVENTS + 5):
        newer = JournalChange()
        newer.append([log.append("changed", alert("a", f"{number}"), 0.0)])
        waiting.add(newer)
    assert len(waiting.events) == 1 + MAX_CHANGES
    assert len(waiting.dropped) == 1
    file.write(waiting)
    assert numbers_in_file(file) == [event.number for event in log.events()]
    file.close()


def test_the_log_knows_which_events_it_no_longer_has() -> None:
    log = AlertLog("e", number=7)
    assert log.can_resume_after(7)
    assert not log.can_resume_after(6)
