"""The journal keeps resolved alerts and marks for longer than the log, and finds them as a search in memory would."""

import asyncio
import random
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from tests.journal.test_journal import reopened

from tickboard.alerting import log as alertlog
from tickboard.alerting.log import AlertLog
from tickboard.alerting.marks import MarkEvent
from tickboard.alerting.question import AlertQuestion, FoundAlerts
from tickboard.alerting.spans import span_question, spans_in, thinned
from tickboard.errors import BusyError, JournalError
from tickboard.journal import journal as journal_thread
from tickboard.journal import past
from tickboard.journal.change import JournalContents
from tickboard.journal.file import APPLICATION_ID, VERSION, JournalFile
from tickboard.journal.journal import Journal
from tickboard.times import time_text
from tickboard.wire import Acknowledgement, Alert, Mark

START_MS = 1_769_860_800_000
"""2026-01-31T12:00:00Z."""

EVERYTHING = AlertQuestion("all", {}, 1_000, 10**15)
ALL = 10**15
"""As if all events had left the log."""

VERSION_1 = f"""
CREATE TABLE log (epoch TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TABLE events (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, time REAL NOT NULL, alert TEXT NOT NULL);
CREATE TABLE firing (id TEXT PRIMARY KEY, number INTEGER NOT NULL, time REAL NOT NULL, alert TEXT NOT NULL);
CREATE TABLE episodes (
    rule TEXT NOT NULL, labels TEXT NOT NULL, state INTEGER NOT NULL, lasted_s REAL, unseen_s REAL, started REAL,
    breached REAL, peak REAL, alert TEXT, PRIMARY KEY (rule, labels)
);
CREATE TABLE silences (until REAL NOT NULL, silence TEXT NOT NULL);
CREATE TABLE positions (notifier TEXT PRIMARY KEY, number INTEGER NOT NULL);
INSERT INTO log VALUES ('e', 9);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = 1;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "board.sqlite"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    made = Journal(path)
    yield made
    await made.close()


def at(second: int) -> str:
    return time_text(START_MS + 1000 * second)


def alert(name: str, fired: int, resolved: int | None = None, rule: str = "r", metric: str = "m") -> Alert:
    return Alert(
        name,
        f"{name} ✓",
        "critical" if name[-1] in "02468" else "warning",
        at(fired),
        metric,
        rule=rule,
        resolved=None if resolved is None else at(resolved),
    )


def episode(log: AlertLog, name: str, fired: int, resolved: int, rule: str = "r", metric: str = "m") -> None:
    log.append("firing", alert(name, fired, None, rule, metric), 0.0)
    log.append("resolved", alert(name, fired, resolved, rule, metric), 0.0)


def question(**changes: object) -> AlertQuestion:
    return msgspec.structs.replace(EVERYTHING, **changes)


async def found(journal: Journal, asked: AlertQuestion = EVERYTHING, left: int = ALL) -> list[str]:
    answer = await journal.resolved(asked, left)
    return [alert.id for _, alert in answer.page]


async def test_resolved_alerts_are_found_by_the_range_of_time_in_which_they_fired(journal: Journal) -> None:
    log = AlertLog("e", kept=True)
    episode(log, "a1", 0, 100)
    episode(log, "a2", 50, 60)
    log.append("firing", alert("fires", 0), 0.0)
    episode(log, "a3", 100, 100)
    await journal.commit(log.events())
    assert await found(journal) == ["a3", "a2", "a1"]
    assert await found(journal, question(start=at(60), end=at(100))) == ["a2", "a1"]
    assert await found(journal, question(start=at(61), end=at(100))) == ["a1"]
    assert await found(journal, question(start=at(100))) == ["a3", "a1"]
    assert await found(journal, question(start=at(101))) == []
    assert await found(journal, question(end=at(50))) == ["a1"]
    assert await found(journal, question(end=at(0))) == []
    assert await found(journal, question(state="active")) == []


async def test_resolved_alerts_are_found_by_their_host(journal: Journal) -> None:
    log = AlertLog("e", kept=True)
    episode(log, "a1", 0, 10)
    for host in ("web-1", "web-2"):
        over = msgspec.structs.replace(alert(f"{host}:b2", 0, 10), host=host, labels={"host": "other"})
        log.append("resolved", over, 0.0)
    await journal.commit(log.events())
    assert await found(journal, question(wanted={"host": frozenset({"web-1"})})) == ["web-1:b2"]
    assert await found(journal, question(wanted={"host": frozenset({"web-1", "web-2"})})) == ["web-2:b2", "web-1:b2"]
    assert await found(journal, question(wanted={"host": frozenset({""})})) == ["a1"]
    assert await found(journal, question(wanted={"host": frozenset({"other"})})) == []


async def test_an_alert_that_changes_after_its_end_is_found_in_its_last_state(journal: Journal) -> None:
    log = AlertLog("e", kept=True)
    episode(log, "a1", 0, 10)
    await journal.commit(log.events())
    noted = msgspec.structs.replace(alert("a1", 0, 10), acknowledged=Acknowledgement("T", "me"))
    await journal.commit([log.append("changed", noted, 0.0)])
    answer = await journal.resolved(EVERYTHING, ALL)
    assert (answer.total, answer.page) == (1, [(1, noted)])
    # Until its newest event has left the log, the log has it.
    assert await found(journal, left=2) == []
    assert await found(journal, left=3) == ["a1"]


async def test_pages_of_any_question_equal_those_of_a_search_in_memory(journal: Journal) -> None:
    chance = random.Random(7)
    log = AlertLog("e", kept=True)
    for number in range(300):
        fired = chance.randrange(1_000)
        resolved = fired + chance.randrange(200)
        episode(log, f"a{number}", fired, resolved, rule=chance.choice("rst"), metric=chance.choice("mn"))
    await journal.commit(log.events())
    alerts = log_alerts(log)
    for _ in range(200):
        wanted = {"severity": ["critical"], "rule": ["r", "t"], "metric": ["n"]}
        start, end = sorted(chance.sample(range(1_300), 2))
        asked = question(
            state=chance.choice(["all", "resolved"]),
            wanted={name: frozenset(values) for name, values in wanted.items() if chance.random() < 0.4},
            limit=chance.choice([1, 7, 1_000]),
            before=chance.choice([10**15, 300]),
            start=chance.choice([None, at(start)]),
            end=chance.choice([None, at(end)]),
        )
        left = chance.choice([ALL, 400])
        matching = [(number, each) for number, each in alerts if asked.matches(each) and number + 1 <= left]
        page = [(number, each) for number, each in matching if number < asked.before]
        answer = await journal.resolved(asked, left)
        assert (answer.total, answer.page) == (len(matching), page[: asked.limit + 1])


async def test_spans_of_any_range_equal_those_of_a_search_in_memory(journal: Journal) -> None:
    chance = random.Random(11)
    log = AlertLog("e", kept=True)
    for number in range(300):
        fired = chance.randrange(1_000)
        episode(log, f"a{number}", fired, fired + chance.randrange(200))
    await journal.commit(log.events())
    alerts = log_alerts(log)
    for _ in range(100):
        start, end = sorted(chance.sample(range(1_300), 2))
        asked = span_question(at(start), at(end), chance.choice([1, 10, 500]))
        left = chance.choice([ALL, 400])
        matching = [each for number, each in alerts if number + 1 <= left]
        assert thinned(await journal.spans(asked, left), asked) == thinned(spans_in(matching, asked), asked)


def log_alerts(log: AlertLog) -> list[tuple[int, Alert]]:
    log.publish(log.number)
    return log.alerts()[::-1]


async def test_resolved_alerts_stay_when_their_events_leave_the_log(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 4)
    monkeypatch.setattr("tickboard.journal.file.LOG_EVENTS", 4)
    journal = Journal(path)
    log = AlertLog(journal.load().epoch, kept=True)
    for number in range(10):
        before = log.number
        episode(log, f"a{number}", number, number + 1)
        await journal.commit([event for event in log.events() if event.number > before], oldest=log.oldest)
    assert await found(journal) == [f"a{number}" for number in reversed(range(10))]
    kept = await reopened(journal)
    assert [event.number for event in kept.events] == [17, 18, 19, 20]
    assert kept.older == at(8)
    again = AlertLog(kept.epoch, kept.events, kept.number, older=kept.older)
    assert (again.left, again.older) == (log.left, log.older) == (16, at(8))
    assert [number for number, _ in again.alerts()] == [17, 19]


async def test_the_number_of_resolved_alerts_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "MAX_RESOLVED", 20)
    monkeypatch.setattr(past, "SPARE", 5)
    journal = Journal(path)
    log = AlertLog("e", kept=True)
    most = 0
    for number in range(100):
        before = log.number
        # Those that ended first go first, whenever they began.
        episode(log, f"a{number}", 100 - number, 200 + number)
        await journal.commit([event for event in log.events() if event.number > before])
        most = max(most, (await journal.resolved(EVERYTHING, ALL)).total)
        if number % 30 == 29:
            await journal.close()
            journal = Journal(path)
    assert 20 <= most <= 25
    assert (await found(journal))[:20] == [f"a{number}" for number in reversed(range(80, 100))]
    await journal.close()


async def test_resolved_alerts_and_marks_are_deleted_when_they_are_too_old(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "DELETED", 4)
    journal = Journal(path)
    log = AlertLog("e", kept=True)
    for number in range(10):
        episode(log, f"a{number}", number, number + 1)
        log.mark(mark(number), 0.0)
    await journal.commit(log.events())
    await journal.commit([], since=at(9))
    assert len(await found(journal)) == 6, "a bounded number in each commit"
    await journal.commit([], since=at(9))
    assert await found(journal) == ["a9", "a8"]
    kept = await reopened(journal)
    assert [event.mark.text for event in kept.marks] == ["deployed 9"]
    # The log has them as before.
    assert len(kept.events) == 30


# --- marks ---


def mark(number: int) -> Mark:
    return Mark(f"m{number}", f"deployed {number}", at(number), "ci", at(number) if number % 2 else None)


async def test_marks_are_loaded_unchanged_and_in_order(path: Path) -> None:
    journal = Journal(path)
    log = AlertLog(journal.load().epoch, kept=True)
    log.mark(mark(2), 1.5)
    log.append("firing", alert("a1", 0), 2.5)
    log.mark(mark(1), 3.5)
    await journal.commit(log.events())
    kept = await reopened(journal)
    assert [(event.number, event.mark, event.time) for event in kept.marks] == [(1, mark(2), 1.5), (3, mark(1), 3.5)]
    assert [event.kind for event in kept.events] == ["mark", "firing", "mark"]
    assert [event.mark for event in kept.events if isinstance(event, MarkEvent)] == [mark(2), mark(1)]
    assert kept.number == 3


async def test_the_number_of_marks_is_bounded_in_the_file_and_for_a_failing_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tickboard.alerting.marks", "tickboard.journal.change", "tickboard.journal.past"):
        monkeypatch.setattr(f"{module}.MAX_MARKS", 10)
    monkeypatch.setattr(alertlog, "MAX_LOGGED_MARKS", 3)
    journal = Journal(path)
    log = AlertLog(journal.load().epoch, kept=True)

    def marked(first: int, last: int) -> list[MarkEvent]:
        made = [log.mark(mark(number), 0.0) for number in range(first, last)]
        return [event for event in made if isinstance(event, MarkEvent)]

    for number in range(30):
        await journal.commit(marked(number, number + 1))
    with monkeypatch.context() as failing:
        failing.setattr(JournalFile, "_write", fail)
        for number in range(30, 90):
            with pytest.raises(JournalError):
                await journal.commit(marked(number, number + 1))
        assert (len(journal._waiting.marks), len(journal._waiting.events)) == (10, 3)
    await journal.commit(marked(90, 91))
    kept = await reopened(journal)
    assert [event.mark for event in kept.marks] == [event.mark for event in log.marks.events()]
    assert [event.number for event in kept.events] == [event.number for event in log.events()] == [89, 90, 91]


def delete(path: Path) -> None:
    path.unlink()


def fail(file: JournalFile, taken: object) -> None:
    raise OSError(5, "Input/output error", "disk")


# --- other files ---


def version_1(path: Path, *events: tuple[int, str, Alert]) -> None:
    """Write a file as the version before wrote it."""
    path.parent.mkdir(mode=0o700)
    with sqlite3.connect(path) as file:
        file.executescript(VERSION_1)
        rows = [(number, kind, 1.5 * number, msgspec.json.encode(each).decode()) for number, kind, each in events]
        file.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
        begun = [(each.id, 2, 3.0, msgspec.json.encode(each).decode()) for _, _, each in events if each.id == "old"]
        file.executemany("INSERT OR REPLACE INTO firing VALUES (?, ?, ?, ?)", begun)
        file.execute("PRAGMA journal_mode = WAL")
    file.close()
    path.chmod(0o600)


async def test_a_file_of_the_previous_version_is_upgraded_with_its_contents(path: Path) -> None:
    noted = msgspec.structs.replace(alert("a1", 0, 10), acknowledged=Acknowledgement("T", "me"))
    version_1(
        path,
        (4, "firing", alert("a1", 0)),
        (5, "resolved", alert("a1", 0, 10)),
        (6, "resolved", alert("gone", -50, 20)),
        (7, "changed", noted),
        (8, "changed", alert("old", -90)),
        (9, "firing", alert("new", 30)),
    )
    journal = Journal(path)
    kept = journal.load()
    assert journal.damaged is None
    assert (kept.epoch, kept.number, [event.number for event in kept.events]) == ("e", 9, [4, 5, 6, 7, 8, 9])
    assert [event.begun for event in kept.events if not isinstance(event, MarkEvent)] == [4, 4, 6, 4, 2, 9]
    assert (await journal.resolved(EVERYTHING, ALL)).page == [(6, alert("gone", -50, 20)), (4, noted)]
    log = AlertLog(kept.epoch, kept.events, kept.number, kept=True, firing=kept.firing, marks=kept.marks)
    assert log.alerts()[0] == (2, alert("old", -90))
    log.mark(mark(1), 0.0)
    await journal.commit([*log.events()[-1:], log.append("resolved", alert("old", -90, 40), 0.0)])
    kept = await reopened(journal)
    assert [event.mark for event in kept.marks] == [mark(1)]
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA user_version").fetchall() == [(VERSION,)]
        assert file.execute("SELECT number, newest FROM resolved ORDER BY number").fetchall() == [
            (2, 11),
            (4, 7),
            (6, 6),
        ]
    file.close()


async def test_an_upgrade_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version_1(path, (4, "firing", alert("a1", 0)), (5, "resolved", alert("a1", 0, 10)))

    def full(self: past.Past, events: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as failing:
        failing.setattr(past.Past, "add", full)
        with pytest.raises(JournalError, match="database or disk is full"):
            Journal(path)
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA user_version").fetchall() == [(1,)]
        assert file.execute("SELECT count(*) FROM events").fetchall() == [(2,)]
    file.close()
    journal = Journal(path)
    assert await found(journal) == ["a1"]
    await journal.close()


async def test_resolved_alerts_are_copied_from_a_file_that_was_deleted(path: Path) -> None:
    journal = Journal(path)
    log = AlertLog(journal.load().epoch, kept=True)
    for number in range(5):
        episode(log, f"a{number}", number, number + 1)
    await journal.commit(log.events())
    delete(path)
    with pytest.raises(JournalError, match="was deleted or moved"):
        await journal.check()
    # As if the older ones had left the log.
    await journal.renew(JournalContents(log.epoch, log.number, log.events()[6:], [], [], [], {}))
    assert await found(journal) == ["a4", "a3", "a2", "a1", "a0"]
    assert len((await reopened(journal)).events) == 4


async def test_unreadable_rows_of_a_lost_file_do_not_prevent_a_new_one(path: Path) -> None:
    journal = Journal(path)
    log = AlertLog(journal.load().epoch, kept=True)
    for number in range(5):
        episode(log, f"a{number}", number, number + 1)
    await journal.commit(log.events())
    assert journal._file is not None
    journal._file._do("UPDATE resolved SET alert = '{' WHERE number = 5")
    delete(path)
    with pytest.raises(JournalError):
        await journal.check()
    await journal.renew(JournalContents(log.epoch, log.number, log.events()[8:], [], [], [], {}))
    assert await found(journal) == ["a4", "a1", "a0"]
    await journal.close()


# --- reading ---


async def test_an_alert_that_cannot_be_read_is_an_error_that_names_the_file(journal: Journal, path: Path) -> None:
    log = AlertLog("e", kept=True)
    episode(log, "a1", 0, 10)
    await journal.commit(log.events())
    assert journal._file is not None
    journal._file._do("UPDATE resolved SET alert = '{'")
    journal._file._seen = journal._file._look()
    with pytest.raises(JournalError, match=r"board\.sqlite .*DamageError"):
        await found(journal)
    assert (await journal.resolved(question(limit=1, before=1), ALL)).total == 1


async def test_a_closed_journal_answers_no_question(path: Path) -> None:
    journal = Journal(path)
    await journal.close()
    with pytest.raises(JournalError, match="is closed and can no longer be read"):
        await found(journal)


async def test_writes_go_before_questions_and_too_many_questions_are_refused(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AlertLog("e", kept=True)
    episode(log, "a1", 0, 10)
    read = JournalFile.resolved
    total: list[int] = []

    def reading(file: JournalFile, asked: AlertQuestion, left: int) -> FoundAlerts:
        answer = read(file, asked, left)
        total.append(answer.total)
        return answer

    monkeypatch.setattr(JournalFile, "resolved", reading)
    blocked = threading.Event()
    journal._jobs.put(lambda: (blocked.wait(30), None)[1])
    asked = [asyncio.create_task(found(journal)) for _ in range(journal_thread.MAX_QUESTIONS + 4)]
    await asyncio.sleep(0)
    writing = asyncio.create_task(journal.commit(log.events()))
    await asyncio.sleep(0)
    blocked.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    await writing
    # The write was asked for last, and done first.
    assert total == [1] * journal_thread.MAX_QUESTIONS
    assert [type(answer) for answer in answers] == [list] * journal_thread.MAX_QUESTIONS + [BusyError] * 4


async def test_a_question_to_a_hanging_disk_times_out(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_thread, "WRITE_S", 0.05)
    hanging = threading.Event()
    journal._jobs.put(lambda: (hanging.wait(30), None)[1])
    for _ in range(3):
        with pytest.raises(JournalError, match=r"its disk has not answered for 0\.05 s"):
            await found(journal)
    assert journal._questions == 3
    hanging.set()
    monkeypatch.setattr(journal_thread, "WRITE_S", 30.0)
    assert await found(journal) == []
    assert journal._questions == 0
