"""The journal returns everything that was written, whatever happened to the process that wrote it."""

import asyncio
import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.journal_writer import SAID, alert, event_of
from tests.long import LONG
from tests.power_cut import Disk

from tickboard.alerting import log as alert_log
from tickboard.alerting.episodes import Episode
from tickboard.alerting.log import LOG_EVENTS, AlertEvent, AlertLog, EventKind, HostPosition, LogEvent
from tickboard.errors import JournalError
from tickboard.journal import file as journal_file
from tickboard.journal.change import JournalChange, JournalContents
from tickboard.journal.file import APPLICATION_ID, VERSION
from tickboard.journal.journal import Journal, default_path
from tickboard.wire import Acknowledgement, Alert, Silence

NOW = 1_800_000_000.0
NOBODY = 65534
"""A user with few permissions."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "board.sqlite"


def event(number: int, kind: EventKind = "firing", time: float = NOW) -> AlertEvent:
    return AlertEvent(number, kind, alert(number), time)


def events(first: int, last: int, time: float = NOW) -> list[AlertEvent]:
    return [event(number, time=time) for number in range(first, last + 1)]


def episode(rule: str, host: str, lasted_s: float = 0.0) -> Episode:
    return Episode(rule, (("host", host),), 2, lasted_s, 0.0, NOW, NOW, 1.5, alert(1))


def numbers(kept: JournalContents) -> list[int]:
    return numbers_of(kept.events)


def numbers_of(found: Sequence[LogEvent]) -> list[int]:
    return [event.number for event in found]


def alert_events(kept: JournalContents) -> list[AlertEvent]:
    return [event for event in kept.events if isinstance(event, AlertEvent)]


async def reopened(journal: Journal) -> JournalContents:
    """Close the journal and return what the next one to open it loads."""
    await journal.close()
    again = Journal(journal.path)
    kept = again.load()
    await again.close()
    return kept


# --- writing and loading ---


async def test_a_new_journal_is_empty_and_has_its_own_epoch(path: Path) -> None:
    journal = Journal(path)
    kept = journal.load()
    assert kept == JournalContents(kept.epoch, 0, [], [], [], [], {})
    assert kept.epoch
    assert "-" not in kept.epoch
    assert journal.damaged is None
    assert (await reopened(journal)).epoch == kept.epoch
    other = Journal(path.with_name("other.sqlite"))
    assert other.load().epoch != kept.epoch
    await other.close()


async def test_committed_data_is_loaded_unchanged(path: Path) -> None:
    journal = Journal(path)
    journal.load()
    full = Alert(
        "id",
        "naïve ✓ 'quoted'",
        "critical",
        "2026-01-31T12:00:00.000Z",
        "disk",
        {"mount": "/ü", "host": "a"},
        1 / 3,
        None,
        "disk_full",
        "2026-01-31T11:59:00.000Z",
        "2026-01-31T12:00:01.000Z",
        1e300,
        90.0,
        "",
        Acknowledgement("2026-01-31T12:00:02.000Z", "me", "on it"),
        Silence("disk_full", "2026-01-31T13:00:00.000Z", "moving", "2026-01-31T12:00:00.000Z", {"host": "a"}, "me"),
    )
    told = [
        AlertEvent(1, "firing", full, NOW + 0.123),
        AlertEvent(2, "changed", full, NOW + 1),
        AlertEvent(3, "resolved", alert(3), NOW + 2),
    ]
    episodes = [
        Episode("disk_full", (("mount", "/ü"), ("host", "a")), 2, 0.1, 0.2, NOW - 60, NOW - 1 / 3, 1e300, full),
        Episode("load", (), 1, 3.5, 0.0, NOW - 3.5, NOW, float("-inf"), None),
    ]
    assert full.silenced is not None
    await journal.commit(told, episodes, [(NOW + 3600.5, full.silenced)])
    await journal.keep_position("mail", 2)
    await journal.keep_position("ntfy", 1)
    await journal.keep_position("mail", 3)
    kept = await reopened(journal)
    assert [(one.number, one.kind, one.alert, one.time) for one in alert_events(kept)] == [
        (one.number, one.kind, one.alert, one.time) for one in told
    ]
    assert (kept.number, kept.episodes, kept.silences) == (3, episodes, [(NOW + 3600.5, full.silenced)])
    assert kept.positions == {"mail": 3, "ntfy": 1}


async def test_a_commit_replaces_only_the_parts_it_contains(path: Path) -> None:
    journal = Journal(path)
    journal.load()
    silence = (NOW, Silence("r", "u", "reason", "t"))
    await journal.commit([], [episode("a", "x"), episode("a", "y"), episode("b", "x")], [silence])
    await journal.commit(events(1, 1))
    await journal.commit([], [episode("b", "x"), episode("a", "y", 5.0), episode("c", "z")])
    kept = await reopened(journal)
    assert kept.silences == [silence]
    assert sorted(kept.episodes, key=lambda one: one.rule) == [
        episode("a", "y", 5.0),
        episode("b", "x"),
        episode("c", "z"),
    ]
    journal = Journal(path)
    # This also holds before the journal has been loaded.
    await journal.commit([], [episode("d", "x")], [])
    kept = await reopened(journal)
    assert (kept.episodes, kept.silences, numbers(kept)) == ([episode("d", "x")], [], [1])


async def test_infinities_and_nan_are_loaded_unchanged(path: Path) -> None:
    journal = Journal(path)
    await journal.commit([], [Episode("r", (), 1, math.inf, math.nan, -math.inf, math.nan, math.nan, None)])
    [found] = (await reopened(journal)).episodes
    assert (found.lasted_s, found.started) == (math.inf, -math.inf)
    assert all(map(math.isnan, (found.unseen_s, found.breached, found.peak)))


async def test_firing_alerts_are_kept_after_their_first_event_has_left_the_log(path: Path) -> None:
    journal = Journal(path)
    first = AlertLog("e", kept=True)
    begun = [first.append("firing", alert(number), NOW + number) for number in range(1, 5)]
    await journal.commit(begun)
    noted = msgspec.structs.replace(alert(1), acknowledged=Acknowledgement("T", "me"))
    await journal.commit([first.append("changed", noted, NOW + 5), first.append("resolved", alert(2), NOW + 6)])
    # Committing the same events again changes nothing.
    await journal.commit(begun)
    await journal.commit([], oldest=4)
    kept = await reopened(journal)
    assert numbers(kept) == [4, 5, 6]
    assert [(one.number, one.kind, one.alert, one.time) for one in kept.firing] == [
        (1, "firing", noted, NOW + 1),
        (3, "firing", alert(3), NOW + 3),
        (4, "firing", alert(4), NOW + 4),
    ]
    log = AlertLog(kept.epoch, kept.events, kept.number, firing=kept.firing)
    assert [(one.number, one.alert) for one in log.firing()] == [(1, noted), (3, alert(3)), (4, alert(4))]
    assert not log.can_resume_after(2)
    assert numbers_of(log.since(0)) == [4, 5, 6]


async def test_an_event_committed_twice_is_stored_once(path: Path) -> None:
    journal = Journal(path)
    await journal.commit(events(1, 3))
    await journal.commit(events(2, 4))
    assert numbers(await reopened(journal)) == [1, 2, 3, 4]


async def test_a_log_continues_from_the_journal(path: Path) -> None:
    journal = Journal(path)
    kept = journal.load()
    log = AlertLog(kept.epoch, kept.events, kept.number, kept=True)
    await journal.commit([log.append("firing", alert(1), NOW), log.append("firing", alert(2), NOW)])
    kept = await reopened(journal)
    log = AlertLog(kept.epoch, kept.events, kept.number, kept=True, firing=kept.firing)
    assert log.published == 2
    assert [one.alert for one in log.firing()] == [alert(1), alert(2)]
    assert log.append("resolved", alert(1), NOW).number == 3


async def test_the_positions_in_the_streams_of_hosts_are_kept_with_the_events(path: Path) -> None:
    journal = Journal(path)
    journal.load()
    web, db = HostPosition("a1", 7, "2026-01-31T12:00:00.000Z"), HostPosition("b2", 1)
    await journal.commit(events(1, 1), followed={"web-1": web, "db-1": db})
    await journal.commit(events(2, 2))
    kept = await reopened(journal)
    assert kept.followed == {"web-1": web, "db-1": db}
    journal = Journal(path)
    journal.load()
    web = HostPosition("c3", 0)
    await journal.commit([], followed={"web-1": web})
    assert (await reopened(journal)).followed == {"web-1": web}
    journal = Journal(path)
    journal.load()
    await journal.commit([], followed={})
    assert (await reopened(journal)).followed == {}


async def test_a_board_that_follows_no_host_has_no_table_of_them(path: Path) -> None:
    journal = Journal(path)
    await journal.commit(events(1, 1), followed={})
    await journal.close()
    with sqlite3.connect(path) as file:
        assert not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'followed'").fetchall()


async def test_a_new_file_gets_the_positions_of_hosts(path: Path) -> None:
    journal = Journal(path)
    await journal.commit(events(1, 1), followed={"web-1": HostPosition("a", 1)})
    path.unlink()  # noqa: ASYNC240  # one file
    with pytest.raises(JournalError):
        await journal.commit(events(2, 2), followed={"web-1": HostPosition("a", 2)})
    whole = JournalContents("e", 3, events(1, 3), [], [], [], {}, followed={"web-1": HostPosition("a", 3)})
    await journal.renew(whole)
    assert (await reopened(journal)).followed == {"web-1": HostPosition("a", 3)}


async def test_commits_made_during_a_write_keep_their_order(path: Path) -> None:
    journal = Journal(path)
    kept = journal.load()
    orders = [journal.commit([event(number)], [episode("r", str(number))]) for number in range(1, 200)]
    await asyncio.gather(*orders, *(journal.keep_position("n", number) for number in range(50)))
    kept = await reopened(journal)
    assert numbers(kept) == list(range(1, 200))
    assert kept.episodes == [episode("r", "199")]
    assert kept.positions == {"n": 49}


async def test_a_cancelled_commit_is_still_written(path: Path) -> None:
    journal = Journal(path)
    waiting = asyncio.create_task(journal.commit(events(1, 1)))
    await asyncio.sleep(0)
    waiting.cancel()
    await journal.commit(events(2, 2))
    assert numbers(await reopened(journal)) == [1, 2]


async def test_a_closed_journal_refuses_commits(path: Path) -> None:
    journal = Journal(path)
    await asyncio.gather(journal.commit(events(1, 5)), journal.close())
    await journal.close()
    for late in (
        journal.commit(events(6, 6)),
        journal.keep_position("n", 1),
        journal.renew(JournalContents("e", 0, [], [], [], [], {})),
    ):
        with pytest.raises(JournalError, match=r"board\.sqlite is closed"):
            await late
    assert numbers(await reopened(journal)) == [1, 2, 3, 4, 5]


def test_a_loop_that_ends_during_a_write_leaves_the_journal_usable(path: Path) -> None:
    journal = Journal(path)

    async def order() -> None:
        asyncio.get_running_loop().call_soon(waiting.append, asyncio.create_task(journal.commit(events(1, 5000))))
        await asyncio.sleep(0.001)

    waiting: list[asyncio.Task[None]] = []
    asyncio.run(order())
    assert len(asyncio.run(reopened(journal)).events) == 5000


# --- bounds ---


async def test_the_number_of_events_in_the_file_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_file, "LOG_EVENTS", 10)
    journal = Journal(path)
    for first in range(1, 30, 4):
        await journal.commit(events(first, first + 3))
    assert rows(journal) == list(range(23, 33))
    await journal.commit(events(33, 60))
    kept = await reopened(journal)
    assert (numbers(kept), kept.number) == (list(range(51, 61)), 60)


async def test_firing_alerts_are_kept_even_if_more_fire_than_the_log_holds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "LOG_EVENTS", 1_000)
    journal = Journal(path)
    log = AlertLog("e", kept=True)
    await journal.commit([log.append("firing", alert(number), NOW) for number in range(1, 30_001)])
    kept = await reopened(journal)
    assert (numbers(kept), kept.number) == (list(range(29_001, 30_001)), 30_000)
    assert numbers_of(kept.firing) == list(range(1, 30_001))
    noted = msgspec.structs.replace(alert(1), acknowledged=Acknowledgement("T", "me"))
    journal = Journal(path)
    changed = [log.append("changed", noted, NOW + 1)]
    changed += [log.append("resolved", alert(number), NOW + 1) for number in range(2, 30_001)]
    await journal.commit(changed)
    kept = await reopened(journal)
    assert [(one.number, one.alert) for one in kept.firing] == [(1, noted)]
    journal = Journal(path)
    await journal.commit(log.append("resolved", alert(number), NOW + 2) for number in range(1, 1_002))
    assert (await reopened(journal)).firing == []


async def test_alerts_that_start_change_and_end_in_one_commit_have_their_last_state(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_file, "LOG_EVENTS", 2)
    journal = Journal(path)
    log = AlertLog("e", kept=True)
    noted = msgspec.structs.replace(alert(1), acknowledged=Acknowledgement("T", "me"))
    await journal.commit([log.append("firing", alert(9), NOW)])
    told = [
        log.append("firing", alert(1), NOW),
        log.append("changed", noted, NOW + 1),
        log.append("firing", alert(2), NOW + 2),
        log.append("resolved", alert(2), NOW + 3),
        log.append("changed", alert(2), NOW + 4),
        log.append("resolved", alert(9), NOW + 5),
        log.append("changed", alert(9), NOW + 6),
        log.append("firing", alert(3), NOW + 7),
        log.append("firing", alert(4), NOW + 8),
    ]
    await journal.commit(told)
    kept = await reopened(journal)
    assert [(one.number, one.alert, one.time) for one in kept.firing] == [
        (2, noted, NOW),
        (9, alert(3), NOW + 7),
        (10, alert(4), NOW + 8),
    ]
    assert numbers(kept) == [8, 9, 10]


def test_resolved_alerts_do_not_pile_up_while_the_disk_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_log, "LOG_EVENTS", 10)
    log, waiting = AlertLog("e", kept=True), JournalChange()
    for number in range(1_000):
        newer = JournalChange()
        newer.append([log.append("firing", alert(number), NOW)])
        waiting.add(newer)
        newer = JournalChange()
        newer.append([log.append("changed", alert(number), NOW), log.append("resolved", alert(number), NOW)])
        waiting.add(newer)
    assert (len(waiting.events), waiting.fates) == (15, {})


async def test_events_dropped_from_the_log_are_deleted_from_the_file(path: Path) -> None:
    journal = Journal(path)
    await journal.commit(events(1, 3))
    await journal.commit(events(4, 4), oldest=2)
    assert rows(journal) == [2, 3, 4]
    await journal.commit([], oldest=6)
    kept = await reopened(journal)
    assert (kept.events, kept.number) == ([], 4)


@pytest.mark.parametrize("step_s", [-1e9, -86_400.0 * 2, -10.0, 10.0, 86_400.0 * 2, 1e9])
async def test_nothing_is_deleted_because_the_wall_clock_steps(
    path: Path, step_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    await journal.commit([event(1, time=NOW), event(2, time=NOW + step_s), event(3, time=NOW)])
    monkeypatch.setattr(time, "time", lambda: NOW + step_s)
    kept = await reopened(journal)
    assert numbers(kept) == [1, 2, 3]
    journal = Journal(path)
    await journal.commit([event(4, time=NOW + 2 * step_s), event(5, time=NOW)])
    assert numbers(await reopened(journal)) == [1, 2, 3, 4, 5]


async def test_the_size_of_the_file_is_bounded(path: Path) -> None:
    journal = Journal(path)
    size: list[int] = []
    for first in range(1, 8 * LOG_EVENTS, LOG_EVENTS // 2):
        kind: EventKind = "resolved" if len(size) % 2 else "firing"
        changed = [AlertEvent(first + place, kind, alert(place), NOW) for place in range(LOG_EVENTS // 2)]
        await journal.commit(changed, [episode("r", str(place), first) for place in range(1000)])
        size.append(sum(file.stat().st_size for file in path.parent.iterdir()))
    await journal.close()
    assert size[-1] <= 1.2 * size[3]


def rows(journal: Journal) -> list[int]:
    """Return the numbers of the events in the file."""
    return [number for (number,) in opened_file(journal)._all("SELECT number FROM events ORDER BY number")]


def opened_file(journal: Journal) -> journal_file.JournalFile:
    assert journal._file is not None
    return journal._file


# --- large commits ---


async def test_a_commit_of_ten_thousand_events_and_episodes_does_not_block_the_loop(path: Path) -> None:
    journal = Journal(path)
    journal.load()
    many = events(1, 10_000)
    episodes = [episode("r", f"host-{number}") for number in range(10_000)]
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    watching = asyncio.create_task(watch())
    await journal.commit(many, episodes)
    # If the loop's own thread wrote them, it would be one.
    assert turns > 10
    watching.cancel()
    await journal.commit([], list(episodes))
    kept = await reopened(journal)
    assert (len(kept.events), len(kept.firing), len(kept.episodes)) == (10_000, 10_000, 10_000)


# --- one process at a time ---


async def test_a_second_process_is_refused_until_the_first_ends(path: Path) -> None:
    journal = Journal(path)
    journal.load()
    await journal.commit(events(1, 1))
    assert "is in use by another tickboard: stop that one, or give this one another file with --state" in opened(path)
    # The same process cannot open it twice either, and trying does not affect the first.
    with pytest.raises(JournalError, match="is in use by another tickboard"):
        Journal(path)
    assert "is in use by another tickboard" in opened(path)
    await journal.commit(events(2, 2))
    await journal.close()
    assert opened(path) == "2"


def opened(path: Path, user: int | None = None) -> str:
    """Open a journal in another process and return the newest number in it, or the error."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom tickboard.journal.journal import Journal\n"
        "print(Journal(Path(sys.argv[1])).load().number)"
    )
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, user=user)
    return (done.stdout or done.stderr.strip().splitlines()[-1]).strip()


# --- kill -9 ---


class Writers:
    """Processes that write a journal, one at a time.

    Args:
        environ: more variables of their environment.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "tests.journal_writer"]
        self.process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **(environ or {})},
        )

    def write_and_die(self, path: Path, seconds: float, least: int = 1) -> int:
        """Kill a writer some seconds after it reported `least` or more. Return the last number it reported."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{path}\n".encode())
        pid, last = self.said(), 0
        while last < least:
            last = self.said()
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        while number := self.said():
            last = number
        return last

    def said(self) -> int:
        assert self.process.stdout is not None
        said = self.process.stdout.read(SAID)
        assert len(said or b"") == SAID
        return int.from_bytes(said, "big")


@pytest.fixture
def writers() -> Iterator[Writers]:
    made = Writers()
    with made.process:
        yield made
        made.process.kill()


@pytest.mark.slow
async def test_a_hundred_kills_lose_nothing_that_was_committed(path: Path, writers: Writers) -> None:
    chance = random.Random(1)
    epochs = set()
    newest = 0
    for _ in range(100):
        last = writers.write_and_die(path, chance.uniform(0, 0.03))
        assert last > newest
        journal = Journal(path)
        kept = journal.load()
        assert journal.damaged is None
        await journal.close()
        epochs.add(kept.epoch)
        check_whole(kept)
        # Everything it reported is there. One more transaction may be, which it had no time to report.
        assert last <= kept.number <= last + 4
        newest = kept.number
    assert len(epochs) == 1


@pytest.mark.parametrize("cuts", [5, pytest.param(100, marks=[LONG, pytest.mark.timeout(600)])])
@pytest.mark.parametrize("strays", [False, True], ids=["only what was synced", "some pages more"])
async def test_a_power_cut_loses_nothing_that_was_committed(tmp_path: Path, cuts: int, strays: bool) -> None:
    disk = Disk(tmp_path / "disk", seed=cuts)
    path = disk.files / "j.sqlite"
    chance = random.Random(cuts)
    writers = Writers(disk.environ)
    with writers.process:
        for turn in range(cuts):
            last = writers.write_and_die(path, chance.uniform(0, 0.1))
            disk.cut_power(strays=strays)
            # The next writer begins with what is on the disk.
            copy = shutil.copytree(disk.files, tmp_path / f"{turn}") / path.name
            journal = Journal(copy)
            kept = journal.load()
            assert journal.damaged is None
            await journal.close()
            check_whole(kept)
            assert last <= kept.number <= last + 4
        writers.process.kill()


async def test_a_write_cut_short_by_a_power_failure_is_rolled_back_completely(
    path: Path, tmp_path: Path, writers: Writers
) -> None:
    writers.write_and_die(path, 0, least=100)
    waiting = path.with_name(f"{path.name}-wal")
    size = waiting.stat().st_size
    chance = random.Random(2)
    found = []
    for turn in range(60):
        copy = tmp_path / f"{turn}" / path.name
        shutil.copytree(path.parent, copy.parent)
        written = copy.with_name(waiting.name)
        cut = chance.randrange(size)
        # Some of it never reached the disk, or other bytes are in its place.
        written.write_bytes(waiting.read_bytes()[:cut] + chance.choice([b"", bytes(5000), os.urandom(5000)]))
        journal = Journal(copy)
        kept = journal.load()
        assert journal.damaged is None
        await journal.close()
        check_whole(kept)
        found.append(kept.number)
    assert len(set(found)) > 5


def check_whole(kept: JournalContents) -> None:
    """Assert that the numbers have no gap, and that each transaction is there completely or not at all."""
    assert numbers(kept) == list(range(max(1, kept.number + 1 - LOG_EVENTS), kept.number + 1))
    assert all((one.kind, one.alert) == event_of(one.number) for one in alert_events(kept))
    if kept.number:
        assert [one.lasted_s for one in kept.episodes] == [kept.number, kept.number]
        assert [silence.reason for _, silence in kept.silences] == [str(kept.number)]
        # Each odd number starts an alert, which is resolved three numbers later.
        begun = range(max(1, kept.number - 2), kept.number + 1)
        assert numbers_of(kept.firing) == [number for number in begun if number % 2]
        assert kept.positions.get("n", 0) >= kept.number - 4
        assert kept.followed == {"web-1": HostPosition("e", kept.number)}


async def test_commits_are_synchronous_in_wal_mode(path: Path) -> None:
    journal = Journal(path)
    assert opened_file(journal)._all("PRAGMA synchronous") == [(2,)]
    assert opened_file(journal)._all("PRAGMA journal_mode") == [(b"wal",)]
    await journal.close()


# --- a full disk ---

FULL = """
import asyncio, resource, sys
from tests.journal.test_journal import episode, event, events
from tickboard.errors import JournalError
from pathlib import Path
from tickboard.journal.journal import Journal

async def main():
    journal = Journal(Path(sys.argv[1]))
    journal.load()
    await journal.commit(events(1, 10), [episode("r", "before")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    number = 10
    told = []
    while len(told) < 5:
        number += 10
        try:
            await journal.commit(events(number - 9, number), [episode("r", str(number))])
        except JournalError as error:
            told.append((number, str(error)))
    print(*told, sep="\\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await journal.commit([event(number + 1)])
    print(number + 1)
    await journal.close()

asyncio.run(main())
"""


def test_a_file_that_cannot_grow_is_reported_and_pending_commits_are_written_later(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    *told, newest = done.stdout.splitlines() or [done.stderr]
    assert len(told) == 5, done.stderr
    assert all(f"{path} does not keep the log of alerts: " in line for line in told)
    assert all("see whether its disk is full or failing" in line for line in told)
    journal = Journal(path)
    kept = journal.load()
    asyncio.run(journal.close())
    assert numbers(kept) == list(range(1, int(newest) + 1))
    assert kept.episodes == [episode("r", str(int(newest) - 1))]


async def test_a_full_disk_is_reported_and_no_commit_is_written_in_part(path: Path) -> None:
    journal = Journal(path)
    journal.load()
    await journal.commit(events(1, 10), [episode("r", "before")])
    [(pages,)] = opened_file(journal)._all("PRAGMA page_count")
    opened_file(journal)._do(f"PRAGMA max_page_count = {pages + 2}")
    orders = (journal.commit(events(11, 500), [episode("r", "after")]), journal.keep_position("n", 7), journal.check())
    for error in await asyncio.gather(*orders, return_exceptions=True):
        assert isinstance(error, JournalError)
        assert str(error).endswith(": make room on its disk")
    assert rows(journal) == list(range(1, 11))
    # Readers that were sent numbers that are not stored must not continue from them.
    opened_file(journal)._do("PRAGMA max_page_count = 1000000")
    await journal.commit(events(501, 501), epoch="another")
    kept = await reopened(journal)
    assert (kept.epoch, numbers(kept)) == ("another", list(range(1, 502)))
    assert kept.episodes == [episode("r", "after")]
    assert kept.positions == {"n": 7}


async def test_closing_raises_if_commits_are_still_unwritten(path: Path) -> None:
    journal = Journal(path)
    journal.load()
    [(pages,)] = opened_file(journal)._all("PRAGMA page_count")
    opened_file(journal)._do(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError):
        await journal.commit(events(1, 500))
    with pytest.raises(JournalError, match="make room"):
        await journal.close()
    assert opened(path) == "0"


async def test_a_failing_disk_costs_no_more_memory_than_the_log(path: Path) -> None:
    journal = Journal(path)
    journal.load()
    [(pages,)] = opened_file(journal)._all("PRAGMA page_count")
    opened_file(journal)._do(f"PRAGMA max_page_count = {pages}")
    for first in range(1, 3 * LOG_EVENTS, LOG_EVENTS):
        with pytest.raises(JournalError):
            await journal.commit(events(first, first + LOG_EVENTS - 1))
    assert len(journal._waiting.events) == LOG_EVENTS
    opened_file(journal)._do("PRAGMA max_page_count = 1000000")
    await journal.commit([])
    assert numbers(await reopened(journal)) == list(range(2 * LOG_EVENTS + 1, 3 * LOG_EVENTS + 1))


async def test_a_commit_that_cannot_be_stored_raises_once(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(JournalError, match="cannot be kept"):
        await journal.commit([AlertEvent(1, "firing", Alert("id", "\ud800", "info", "T"), NOW)])
    with pytest.raises(JournalError, match="cannot be kept"):
        await journal.commit([event(2), event(2)])
    await journal.commit(events(3, 3))
    assert numbers(await reopened(journal)) == [3]


async def test_data_that_cannot_be_stored_does_not_block_the_rest(path: Path) -> None:
    journal = Journal(path)
    odd = Alert("odd", "\udcff", "info", "T")
    told = [event(1), AlertEvent(2, "firing", odd, NOW), event(3), AlertEvent(4, "changed", odd, NOW)]
    episodes = [episode("a", "x"), episode("a", "\udcff"), episode("\udcff", "x"), episode("b", "x")]
    silences = [(NOW, Silence("r", "u", reason, "t")) for reason in ("moving", "\udcff")]
    with pytest.raises(JournalError, match="cannot be kept"):
        await journal.commit(told, episodes, silences)
    await journal.keep_position("\udcff", 1)
    await journal.keep_position("mail", 3)
    # Each commit contains them until they end.
    await journal.commit(events(5, 5), episodes, silences)
    await journal.commit([], episodes[:1])
    kept = await reopened(journal)
    assert (numbers(kept), kept.number, numbers_of(kept.firing)) == ([1, 3, 5], 5, [1, 3, 5])
    assert (kept.episodes, kept.silences, kept.positions) == (episodes[:1], silences[:1], {"mail": 3})


# --- damaged and foreign files ---


async def written(path: Path) -> str:
    """Write a journal and return its epoch."""
    journal = Journal(path)
    kept = journal.load()
    await journal.commit(events(1, 500), [episode("r", "a")], [(NOW, Silence("r", "u", "reason", "t"))])
    await journal.close()
    return kept.epoch


def damage(path: Path, at: int, junk: bytes) -> bytes:
    """Overwrite a part of a file and return the new content of the file."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(junk)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("at", "junk"),
    [(0, bytes(100)), (0, b"junk" * 5000), (4096, os.urandom(40_000)), (8000, bytes(20_000)), (0, b"x")],
    ids=["no header", "all junk", "pages of junk", "pages of zeros", "one byte"],
)
async def test_a_damaged_file_is_moved_aside_and_replaced(path: Path, at: int, junk: bytes) -> None:
    epoch = await written(path)
    broken = damage(path, at, junk)
    journal = Journal(path)
    kept = journal.load()
    assert (kept.number, kept.events, kept.episodes) == (0, [], [])
    assert kept.epoch != epoch
    assert journal.damaged is not None
    assert journal.damaged.name.startswith("board.sqlite.damaged-2")
    assert journal.damaged.read_bytes() == broken
    await journal.commit(events(1, 1))
    kept = await reopened(journal)
    assert numbers(kept) == [1]


async def test_a_truncated_file_is_moved_aside(path: Path) -> None:
    await written(path)
    os.truncate(path, 30_000)
    journal = Journal(path)
    assert journal.load().number == 0
    assert journal.damaged is not None
    await journal.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET alert = '{\"id\":' WHERE number = 7",
        "UPDATE events SET alert = CAST(X'ff22' AS TEXT) WHERE number = 7",
        "UPDATE events SET kind = 'fired' WHERE number = 7",
        "UPDATE episodes SET alert = '{}'",
        "UPDATE episodes SET labels = '{}'",
        "UPDATE silences SET silence = '[]'",
        "DELETE FROM log",
        "INSERT INTO log VALUES ('another', 1)",
        "DROP TABLE positions",
    ],
)
async def test_invalid_content_counts_as_damage(path: Path, statement: str) -> None:
    await written(path)
    with sqlite3.connect(path) as database:
        database.execute(statement)
    database.close()
    journal = Journal(path)
    assert journal.load().number == 0
    assert journal.damaged is not None
    await journal.close()


async def test_files_damaged_in_the_same_second_are_all_kept(path: Path) -> None:
    found = set()
    for _ in range(3):
        await written(path)
        damage(path, 0, bytes(100))
        journal = Journal(path)
        found.add(journal.damaged)
        await journal.close()
    assert len(found) == 3
    assert all(one is not None and one.exists() for one in found)


def test_a_newer_format_is_refused_and_left_as_it_is(path: Path) -> None:
    asyncio.run(written(path))
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    before = path.read_bytes()
    with pytest.raises(JournalError, match=rf"was written by a newer tickboard \(format {VERSION + 1}, .*: update"):
        Journal(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_fields_added_by_a_later_version_are_ignored(path: Path) -> None:
    await written(path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE events SET alert = json_set(alert, '$.colour', 'red')")
        database.execute("UPDATE episodes SET alert = json_set(alert, '$.colour', 'red')")
    database.close()
    journal = Journal(path)
    kept = journal.load()
    assert (len(kept.events), len(kept.episodes), journal.damaged) == (500, 1, None)
    await journal.close()


@pytest.mark.parametrize("application", [0, APPLICATION_ID + 1])
def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path, application: int) -> None:
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (id INTEGER)")
        database.execute(f"PRAGMA application_id = {application}")
    database.close()
    for broken in (False, True):
        if broken:
            damage(path, 100, bytes(200))
        before = path.read_bytes()
        with pytest.raises(JournalError, match=r"(another program|not a log of alerts): .*another file with --state"):
            Journal(path)
        assert path.read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("content", ["print('hello')\n", "x", "import random\n" * 500])
def test_a_file_of_another_kind_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "dashboard.py"
    path.write_text(content)
    with pytest.raises(JournalError, match=r"dashboard\.py is not a log of alerts: move it away, or give another file"):
        Journal(path)
    assert path.read_text() == content
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    asyncio.run(written(path))
    assert opened(path) == "500"


async def test_the_file_is_readable_by_its_user_only(path: Path) -> None:
    journal = Journal(path)
    await journal.commit(events(1, 1))
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 2
    await journal.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def plain_user() -> Iterator[None]:
    """Run as nobody if the tests run as root, who may do everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    yield
    if root:
        os.seteuid(0)


@pytest.mark.parametrize(
    ("folder_mode", "file_mode"),
    [(0o555, None), (0o555, 0o600), (0o755, 0o400)],
    ids=["folder", "folder of a file", "file"],
)
def test_a_file_that_cannot_be_written_is_refused(
    shared_folder: Path, folder_mode: int, file_mode: int | None, request: pytest.FixtureRequest
) -> None:
    path = shared_folder / "state" / "board.sqlite"
    path.parent.mkdir()
    if file_mode is not None:
        asyncio.run(written(path))
        path.chmod(file_mode)
    path.parent.chmod(folder_mode)
    if os.geteuid() == 0:
        for own in (path.parent, *path.parent.iterdir()):
            os.chown(own, NOBODY, NOBODY)
    request.getfixturevalue("plain_user")
    with pytest.raises(JournalError, match=r"board\.sqlite does not keep the log of alerts: .*make it writable, give"):
        Journal(path)


def test_a_path_inside_a_file_or_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        JournalError, match=r"/file/board.sqlite: .*: make it writable, give another file with --state, or"
    ):
        Journal(tmp_path / "file" / "board.sqlite")
    with pytest.raises(JournalError, match=r"cannot keep the log of alerts: .* is a folder: give another"):
        Journal(tmp_path)


# --- the default path ---


def test_the_default_path_is_in_the_users_state_folder() -> None:
    home = {"HOME": "/home/me"}
    assert default_path(None, home) == Path("/home/me/.local/state/tickboard/host.sqlite")
    assert default_path(None, home | {"XDG_STATE_HOME": "/var/state"}) == Path("/var/state/tickboard/host.sqlite")
    for no_place in ("", "relative/path"):
        assert default_path(None, home | {"XDG_STATE_HOME": no_place}) == default_path(None, home)
    assert default_path(None, {}).is_absolute()


def test_each_dashboard_file_has_its_own_default_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = {"HOME": "/home/me"}
    one, other = (default_path(tmp_path / folder / "dashboard.py", home) for folder in ("one", "other"))
    assert one != other
    assert one.name.startswith("dashboard-")
    assert one.suffix == ".sqlite"
    # It is the same however the path is spelled.
    (tmp_path / "one").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    assert default_path(Path("dashboard.py"), home) == one
    assert default_path(tmp_path / "one" / ".." / "one" / "dashboard.py", home) == one
    assert len(default_path(Path("x" * 250 + ".py"), home).name) < 100


def test_a_user_without_a_home_folder_gets_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(JournalError, match=r"no home folder .*: give a file with --state, or --state none"):
        default_path(None, {})
