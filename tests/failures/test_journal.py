"""Alerts continue whatever happens to the disk, the journal's file and the thread that writes it."""

import asyncio
import errno
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.journal.test_journal import NOBODY, events, numbers, plain_user, shared_folder, written
from tests.running.test_announcer import World as Board
from tests.serving import RawStream, Server, serve
from tests.world import World, make_world

from tickboard.alerting import actions
from tickboard.errors import JournalError
from tickboard.journal import journal as journal_thread
from tickboard.journal.change import JournalChange, JournalContents
from tickboard.journal.file import JournalFile
from tickboard.journal.journal import Journal
from tickboard.running import announcer
from tickboard.running.announcer import SOURCE
from tickboard.storage import aside

BOARD = Path(__file__).parents[1] / "boards" / "alarms.py"

__all__ = ["plain_user", "shared_folder"]


# --- a real server on a disk that hangs ---


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "alerts.sqlite"


@pytest.fixture
def world(tmp_path: Path, state: Path) -> World:
    return make_world(tmp_path, state.parent)


def fire(server: Server, host: str, value: float = 95) -> None:
    """Report a full disk for a host, so that an alert fires."""
    sample = {"name": "disk", "labels": {"host": host}, "value": value}
    assert httpx.post(f"{server.url}api/metrics", json=[sample]).status_code == 200


def firing(server: Server) -> set[str]:
    found = server.json("/api/alerts?state=active&limit=1000")["alerts"]
    return {alert["labels"]["host"] for alert in found}


def problem(server: Server) -> str:
    """Return the message of the journal's problem, or an empty string if there is none."""
    found = [each["message"] for each in server.json("/api/board").get("problems", []) if each["source"] == SOURCE]
    return found[0] if found else ""


def acknowledge(server: Server, host: str) -> httpx.Response:
    [alert] = [each for each in server.json("/api/alerts")["alerts"] if each["labels"]["host"] == host]
    return httpx.post(f"{server.url}api/alerts/{alert['id']}/ack", json={"note": "on it"}, timeout=30)


def mark(server: Server, text: str, **more: str) -> httpx.Response:
    return httpx.post(f"{server.url}api/marks", json={"text": text, **more}, timeout=30)


def kept(state: Path) -> tuple[list[int], set[str], set[str]]:
    """Return the numbers of the events in a file, the hosts that fire, and those that are acknowledged."""
    with sqlite3.connect(state) as file:
        numbers = [number for (number,) in file.execute("SELECT number FROM events ORDER BY number")]
        firing = {host for (host,) in file.execute("SELECT json_extract(alert, '$.labels.host') FROM firing")}
        seen = file.execute("SELECT json_extract(alert, '$.labels.host') FROM firing WHERE alert LIKE '%acknowledged%'")
        acknowledged = {host for (host,) in seen}
    file.close()
    return numbers, firing, acknowledged


def started(state: Path, world: World | None = None, *more: str) -> Any:
    environ = world.environ if world is not None else None
    return serve("run", str(BOARD), "--interval", "50", "--state", str(state), *more, env=environ)


def test_a_hanging_disk_delays_no_alert_and_queued_events_are_written_later(state: Path, world: World) -> None:
    with started(state, world) as server:
        fire(server, "before")
        server.wait_for(lambda: firing(server) == {"before"})
        with world.hanging_disk(), RawStream(server.port) as stream:
            fire(server, "meanwhile")
            while "meanwhile" not in stream.event().get("data", ""):
                pass
            assert "its disk has not answered for 5 s: check that it is there and works" in problem(server)
            assert server.json("/api/health")["status"] == "degraded"
            answer = acknowledge(server, "meanwhile")
            assert (answer.status_code, answer.json()["kept"]) == (202, False)
            assert answer.json()["acknowledged"]["note"] == "on it"
            answer = mark(server, "deployed 1.4")
            assert (answer.status_code, answer.json()["kept"]) == (202, False)
            assert [each["id"] for each in server.json("/api/marks")] == [answer.json()["id"]]
            assert server.json("/api/alerts?from=-1h&state=active")["total"] == 2, "all of them are in memory"
            fire(server, "meanwhile", 1)
            fire(server, "later")
            server.wait_for(lambda: firing(server) == {"before", "later"})
        server.wait_for(lambda: not problem(server))
        answer = acknowledge(server, "later")
        assert (answer.status_code, "kept" in answer.json()) == (200, False)
        # The same mark again: it is on the disk by now.
        [made] = server.json("/api/marks")
        answer = mark(server, "deployed 1.4", timestamp=made["timestamp"])
        assert (answer.status_code, answer.json()) == (200, made)
        server.process.kill()
        server.process.wait(10)
    numbers, still_firing, acknowledged = kept(state)
    assert numbers == list(range(1, numbers[-1] + 1))
    assert (still_firing, acknowledged) == ({"before", "later"}, {"later"})
    with sqlite3.connect(state) as file:
        assert file.execute("SELECT json_extract(mark, '$.text') FROM marks").fetchall() == [("deployed 1.4",)]
    file.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_hanging_disk_does_not_keep_the_program_from_ending(state: Path, world: World, number: int) -> None:
    with started(state, world) as server, RawStream(server.port) as stream:
        with world.hanging_disk():
            fire(server, "a")
            server.process.send_signal(number)
            assert stream.ends()
            # A hang guard, longer than the time limit of a write.
            assert server.process.wait(30) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))


def test_a_disk_that_hangs_at_the_start_fails_the_start_with_one_line(state: Path, world: World) -> None:
    asyncio.run(written(state))
    command = [sys.executable, "-m", "tickboard", "run", str(BOARD), "--port", "0", "--state", str(state)]
    with world.hanging_disk():
        done = subprocess.run(
            command, env=os.environ | world.environ, capture_output=True, text=True, check=False, timeout=50
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "its disk has not answered for 15 s: check that it is there and works" in done.stderr


def ticks_more(server: Server, ticks: int) -> None:
    """Wait for a number of ticks."""
    seq = server.json("/api/health")["seq"]
    server.wait_for(lambda: server.json("/api/health")["seq"] >= seq + ticks)


@pytest.mark.parametrize("off_s", [2 * 86_400, 10 * 365 * 86_400, -2 * 86_400])
def test_a_clock_that_is_corrected_later_loses_no_alert(state: Path, world: World, off_s: int) -> None:
    with started(state) as server:
        for host in ("over", "fires"):
            fire(server, host)
            server.wait_for(lambda host=host: host in firing(server))
        [silenced] = [each for each in server.json("/api/alerts")["alerts"] if each["labels"]["host"] == "fires"]
        silence = {"duration": "1h", "reason": "known"}
        assert httpx.post(f"{server.url}api/alerts/{silenced['id']}/silence", json=silence).status_code == 200
        fire(server, "over", 1)
        server.wait_for(lambda: firing(server) == {"fires"})
        before = {each["id"] for each in server.json("/api/alerts")["alerts"]}
    world.set_clock(off_s)
    environ = {**world.environ, "ALERT_CHECK_SEC": "1"}
    with serve("run", str(BOARD), "--interval", "50", "--state", str(state), env=environ) as server:
        fire(server, "fires")
        # Long enough for a check for expired events.
        ticks_more(server, 40)
        world.set_clock(0)
        server.wait_for(lambda: [each["reason"] for each in server.json("/api/silences")] == ["known"])
        assert {each["id"] for each in server.json("/api/alerts")["alerts"]} == before
        server.wait_for(lambda: "silenced" in server.json("/api/alerts?state=active")["alerts"][0])


# --- a file that is lost while it is used ---


def delete(state: Path) -> None:
    state.unlink()


def delete_folder(state: Path) -> None:
    shutil.rmtree(state.parent)


def rename(state: Path) -> None:
    state.rename(state.with_name("elsewhere.sqlite"))


def rename_folder(state: Path) -> None:
    state.parent.rename(state.parent.with_name("elsewhere"))


def replace_by_text(state: Path) -> None:
    state.with_name("other").write_text("something else\n" * 100)
    state.with_name("other").chmod(0o600)
    state.with_name("other").replace(state)


def replace_by_another_journal(state: Path) -> None:
    other = state.with_name("other.sqlite")
    asyncio.run(written(other))
    other.replace(state)


def copy_over(state: Path) -> None:
    other = state.with_name("other.sqlite")
    asyncio.run(written(other))
    with state.open("r+b") as file:
        file.truncate()
        file.write(other.read_bytes())


def truncate(state: Path) -> None:
    os.truncate(state, 0)


def delete_wal(state: Path) -> None:
    state.with_name(f"{state.name}-wal").unlink()


def truncate_wal(state: Path) -> None:
    os.truncate(state.with_name(f"{state.name}-wal"), 0)


@pytest.mark.parametrize(
    "lose",
    [
        delete,
        delete_folder,
        rename,
        rename_folder,
        replace_by_text,
        replace_by_another_journal,
        copy_over,
        truncate,
        delete_wal,
        truncate_wal,
    ],
    ids=lambda lose: lose.__name__,
)
def test_a_lost_file_is_noticed_and_everything_is_written_to_a_new_one(
    state: Path, lose: Callable[[Path], None]
) -> None:
    with started(state) as server:
        for host in ("a", "b", "over"):
            fire(server, host)
            server.wait_for(lambda host=host: host in firing(server))
        fire(server, "over", 1)
        server.wait_for(lambda: firing(server) == {"a", "b"})
        assert acknowledge(server, "a").status_code == 200
        lose(state)
        # No alert fires that would cause a write.
        server.wait_for(lambda: "while it was in use: everything in memory is written to a new file" in problem(server))
        server.wait_for(lambda: f"{SOURCE}: {state} " in server.output())
        fire(server, "later")
        server.wait_for(lambda: "later" in firing(server))
        assert acknowledge(server, "later").status_code == 200
        server.process.kill()
        server.process.wait(10)
    numbers, still_firing, acknowledged = kept(state)
    assert numbers == [1, 2, 3, 4, 5, 6, 7]
    assert (still_firing, acknowledged) == ({"a", "b", "later"}, {"a", "later"})
    assert state.stat().st_mode & 0o777 == 0o600
    with started(state) as server:
        assert firing(server) == {"a", "b", "later"}
        assert problem(server) == ""


async def test_a_file_found_in_place_of_the_journal_is_renamed_and_kept(state: Path) -> None:
    journal = Journal(state)
    whole = JournalContents("e", 2, events(1, 2), events(1, 2), [], [], {"mail": 2})
    await journal.commit(events(1, 2))
    for number in range(aside.MAX_RENAMED):
        replace_by_text(state)
        with pytest.raises(JournalError, match="was replaced or changed by another program while it was in use"):
            await journal.check()
        await journal.renew(whole)
        found = list(state.parent.glob("alerts.sqlite.replaced-*"))
        assert len(found) == number + 1
    assert {file.read_text() for file in found} == {"something else\n" * 100}
    # Repeated replacements do not fill the disk.
    replace_by_text(state)
    with pytest.raises(JournalError, match="find out what changes it, and remove them"):
        await journal.renew(whole)
    for file in found:
        file.unlink()
    await journal.check()
    await journal.close()
    kept = Journal(state).load()
    assert (numbers(kept), kept.positions) == ([1, 2], {"mail": 2})


@contextmanager
def used_by_another(state: Path) -> Iterator[str]:
    """Have another process use a file while the context is open, and return the epoch that it created."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom tickboard.journal.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\nprint(journal.load().epoch, flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        yield other.stdout.readline().strip()
        other.kill()


async def test_a_file_that_another_process_has_replaced_is_left_to_it(state: Path) -> None:
    journal = Journal(state)
    await journal.commit(events(1, 2))
    delete(state)
    with used_by_another(state) as epoch:
        with pytest.raises(JournalError, match="was replaced or changed"):
            await journal.commit(events(3, 3))
        for _ in range(2):
            with pytest.raises(JournalError, match="is in use by another tickboard: stop that one"):
                await journal.renew(JournalContents("e", 3, events(1, 3), [], [], [], {}))
        assert [file.name for file in state.parent.glob("*.replaced-*")] == []
    with sqlite3.connect(state) as file:
        assert file.execute("SELECT epoch FROM log").fetchall() == [(epoch,)]
    file.close()
    await journal.check()
    await journal.close()
    assert numbers(Journal(state).load()) == [1, 2, 3]


async def test_a_file_damaged_while_in_use_is_replaced_by_a_new_one(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(state)

    def write(file: JournalFile, taken: JournalChange) -> None:
        monkeypatch.undo()
        file._path.write_bytes(b"junk" * 5000)
        file._seen = file._look()
        file._connection.execute("PRAGMA shrink_memory")
        write_it(file, taken)

    write_it = JournalFile.write
    monkeypatch.setattr(JournalFile, "write", write)
    async with watched(board):
        board.tick(95, 3)
        await until(lambda: board.told == ["firing"])
    assert not board.hub.problems or "damaged" in board.hub.problems[SOURCE].message
    assert numbers(Journal(state).load()) == [1]


# --- a thread that fails ---


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def watched(board: Board) -> AsyncIterator[None]:
    """Check the journal's file while the context is open, and then close the journal."""
    watching = asyncio.create_task(board.announcer.watch())
    yield
    watching.cancel()
    await board.announcer.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the intervals of all periodic checks."""
    monkeypatch.setattr(announcer, "CHECK_S", 0.02)
    monkeypatch.setattr(announcer, "SHOWN_S", 0.1)


def operational(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is odd")
    error.sqlite_errorcode = code
    return error


FAILURES = [
    operational(sqlite3.SQLITE_IOERR),
    operational(sqlite3.SQLITE_FULL),
    operational(sqlite3.SQLITE_BUSY),
    operational(sqlite3.SQLITE_READONLY),
    operational(sqlite3.SQLITE_CORRUPT),
    sqlite3.DatabaseError("unsupported file format"),
    sqlite3.ProgrammingError("Cannot operate on a closed database."),
    OSError(errno.ESTALE, "Stale file handle"),
    MemoryError(),
    RuntimeError("a defect"),
    SystemExit(3),
    KeyboardInterrupt(),
    asyncio.CancelledError(),
    StopIteration(),
]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
async def test_after_any_disk_error_alerts_continue_and_queued_events_are_written(
    state: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(file: JournalFile, taken: JournalChange) -> None:
        raise error

    board = Board(state)
    async with watched(board):
        with monkeypatch.context() as failing:
            failing.setattr(JournalFile, "_write", fail)
            board.tick(95, 3)
            await until(lambda: board.told == ["firing"])
            await until(lambda: SOURCE in board.hub.problems)
            assert str(state) in board.hub.problems[SOURCE].message
            done, kept = await board.announcer.act(
                lambda alerts, now: actions.acknowledge(alerts, [alerts.active()[0].id], now)
            )
            assert not kept
            assert done.alerts[0].acknowledged is not None
        await until(lambda: SOURCE not in board.hub.problems)
        board.tick(1)
        await until(lambda: board.told == ["firing", "changed", "resolved"])
    kept_now = Journal(state).load()
    assert [event.kind for event in kept_now.events] == ["firing", "changed", "resolved"]
    assert numbers(kept_now) == [1, 2, 3]
    assert kept_now.firing == []


@pytest.mark.usefixtures("quick")
async def test_a_hanging_write_counts_as_failed_until_it_returns(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_thread, "WRITE_S", 0.1)
    board = Board(state)
    disk = threading.Event()
    write = JournalFile.write

    def hang(file: JournalFile, taken: JournalChange) -> None:
        disk.wait(30)
        write(file, taken)

    monkeypatch.setattr(JournalFile, "write", hang)
    async with watched(board):
        threads = set(threading.enumerate())
        for _ in range(20):
            board.tick(95, 3)
            board.tick(1)
            await until(lambda: len(board.told) == board.alerts.log.number)
        assert "its disk has not answered for 0.1 s" in board.hub.problems[SOURCE].message
        assert board.journal is not None
        # However long it hangs: one order in the queue, no abandoned waiters and no more threads.
        assert board.journal._jobs.qsize() <= 1
        assert len(board.journal._waiters) <= 2
        assert set(threading.enumerate()) <= threads
        disk.set()
        await until(lambda: SOURCE not in board.hub.problems)
    kept_now = Journal(state).load()
    assert numbers(kept_now) == list(range(1, 41))
    assert [event.kind for event in kept_now.events] == ["firing", "resolved"] * 20
    assert kept_now.epoch == board.alerts.log.epoch


@pytest.mark.usefixtures("quick")
async def test_a_hanging_disk_is_reported_even_if_no_alert_fires(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_thread, "WRITE_S", 0.1)
    board = Board(state)
    disk = threading.Event()
    check = JournalFile.check

    def hang(file: JournalFile) -> None:
        disk.wait(30)
        check(file)

    monkeypatch.setattr(JournalFile, "check", hang)
    async with watched(board):
        await until(lambda: SOURCE in board.hub.problems)
        disk.set()
        await until(lambda: SOURCE not in board.hub.problems)


@pytest.mark.usefixtures("quick")
async def test_a_hanging_journal_is_closed_without_waiting_for_it(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_thread, "WRITE_S", 0.1)
    board = Board(state)
    disk = threading.Event()
    close = JournalFile.close

    def hang(file: JournalFile) -> None:
        disk.wait(30)
        close(file)

    monkeypatch.setattr(JournalFile, "close", hang)
    board.tick(95, 3)
    await board.announcer.close()
    assert "has not answered" in board.hub.problems[SOURCE].message
    disk.set()


def test_opening_a_journal_that_hangs_or_fails_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_thread, "START_S", 0.1)
    disk = threading.Event()
    prepare = JournalFile._prepare

    def hang(file: JournalFile) -> None:
        disk.wait(30)
        prepare(file)

    with monkeypatch.context() as hanging:
        hanging.setattr(JournalFile, "_prepare", hang)
        with pytest.raises(JournalError, match=r"alerts\.sqlite .*: its disk has not answered for 0\.1 s"):
            Journal(state)
        disk.set()
    # When the disk answers later, nobody uses the file.
    monkeypatch.setattr(journal_thread, "START_S", 30)
    while True:
        with suppress(JournalError):
            journal = Journal(state)
            break
    asyncio.run(journal.close())
    for error in (MemoryError(), RuntimeError("a defect"), SystemExit(3)):

        def fail(file: JournalFile, error: BaseException = error) -> None:
            raise error

        with monkeypatch.context() as failing:
            failing.setattr(JournalFile, "_prepare", fail)
            with pytest.raises(JournalError, match=rf"alerts\.sqlite does not keep .*: {type(error).__name__}"):
                Journal(state)


@pytest.mark.usefixtures("quick", "plain_user")
@pytest.mark.parametrize(
    ("what", "mode", "said"),
    [
        ("folder", 0o500, "make it writable, "),
        ("file", 0o400, "make it writable, "),
        ("folder", 0, "make it writable, "),
        ("file", 0o606, "others may write to "),
        ("folder", 0o777, "others may write to its folder "),
    ],
)
async def test_a_file_that_becomes_unsafe_or_unwritable_is_reported_until_fixed(
    shared_folder: Path, what: str, mode: int, said: str
) -> None:
    os.seteuid(0)
    os.chown(shared_folder, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    path = shared_folder / "state" / "alerts.sqlite"
    board = Board(path)
    changed = path if what == "file" else path.parent
    async with watched(board):
        board.tick(95, 3)
        await until(lambda: board.told == ["firing"])
        before = stat.S_IMODE(changed.stat().st_mode)
        changed.chmod(mode)
        await until(lambda: SOURCE in board.hub.problems)
        assert said in board.hub.problems[SOURCE].message
        board.tick(1)
        await until(lambda: board.told == ["firing", "resolved"])
        # A successful write does not clear the problem.
        await asyncio.sleep(5 * announcer.CHECK_S)
        assert said in board.hub.problems[SOURCE].message
        changed.chmod(before)
        await until(lambda: SOURCE not in board.hub.problems)
    assert numbers(Journal(path).load()) == [1, 2]


# --- a file that another user may have put there ---


def link(path: Path) -> None:
    path.with_name("target").touch(0o600)
    path.symlink_to("target")
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def link_on_the_way(path: Path) -> None:
    path.with_name("inner").symlink_to("target")
    os.chown(path.with_name("inner"), NOBODY, NOBODY, follow_symlinks=False)
    path.symlink_to("inner")


def dangling_link(path: Path) -> None:
    path.symlink_to("/nowhere")
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def owned_by_another(path: Path) -> None:
    path.touch(0o600)
    os.chown(path, NOBODY, NOBODY)


def world_writable(path: Path) -> None:
    path.touch()
    path.chmod(0o606)


def group_writable(path: Path) -> None:
    path.touch()
    path.chmod(0o660)
    os.chown(path, -1, NOBODY)


def hard_link(path: Path) -> None:
    path.touch(0o600)
    path.with_name("other").hardlink_to(path)


def named_pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def device(path: Path) -> None:
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))


def listening_socket(path: Path) -> None:
    # A socket's address may have about a hundred characters.
    made = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(path.parent)
    made.bind(path.name)
    os.chdir(here)
    made.close()


def directory(path: Path) -> None:
    path.mkdir()


def link_beside_it(path: Path) -> None:
    Path(f"{path}-wal").symlink_to("target")


def file_of_another_beside_it(path: Path) -> None:
    owned_by_another(Path(f"{path}-journal"))


def world_writable_folder(path: Path) -> None:
    path.parent.chmod(0o777)


def group_writable_folder(path: Path) -> None:
    path.parent.chmod(0o770)
    os.chown(path.parent, -1, NOBODY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
@pytest.mark.parametrize(
    ("put", "why"),
    [
        (link, "is a symbolic link that belongs to nobody: give another file"),
        (link_on_the_way, "inner is a symbolic link that belongs to nobody: give another file"),
        (dangling_link, "is a symbolic link that belongs to nobody: give another file"),
        (owned_by_another, "belongs to nobody, but this process runs as root: run as nobody, or give another file"),
        (world_writable, "others may write to .*: if you trust its contents, chmod 600 "),
        (group_writable, "others may write to .*: if you trust its contents, chmod 600 "),
        (hard_link, r"has a second name \(a hard link\): remove that"),
        (named_pipe, "is a named pipe: give another file"),
        (device, "is a device: give another file"),
        (listening_socket, "is a socket: give another file"),
        (directory, "is a folder: give another file"),
        (link_beside_it, "-wal is a symbolic link: remove it"),
        (file_of_another_beside_it, "-journal belongs to nobody"),
        (world_writable_folder, "others may write to its folder .*: chmod go-w .*, or use a new folder"),
        (group_writable_folder, "others may write to its folder .*: chmod go-w .*, or use a new folder"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_file_that_another_user_may_have_put_there_is_refused(
    state: Path, put: Callable[[Path], None], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.parent.mkdir(0o700)
    with suppress(OSError):
        put(state)
    found = sorted(file.name for file in state.parent.iterdir())
    with pytest.raises(JournalError, match=rf"^{state} cannot keep the log of alerts: .*{why}"):
        Journal(state)
    assert sorted(file.name for file in state.parent.iterdir()) == found
    done = subprocess.run(
        [sys.executable, "-m", "tickboard", "run", str(BOARD), "--port", "0", "--state", str(state)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def link_to(target: str, path: Path) -> None:
    """Make a path a link, replacing any other link."""
    assert path.is_symlink() or not path.exists()
    path.unlink(missing_ok=True)
    path.symlink_to(target)


async def test_a_link_owned_by_the_user_is_followed(tmp_path: Path, state: Path) -> None:
    target = tmp_path / "dotfiles" / "target.sqlite"
    target.parent.mkdir()
    (tmp_path / "linked").symlink_to("dotfiles")
    state.parent.mkdir()
    link_to("../linked/target.sqlite", state)
    journal = Journal(state)
    await journal.commit(events(1, 2))
    assert sorted(file.name for file in target.parent.iterdir()) == ["target.sqlite", "target.sqlite-wal"]
    # The target of the link is the file that is watched.
    target.unlink()
    with pytest.raises(JournalError, match="was deleted or moved while it was in use"):
        await journal.check()
    await journal.renew(JournalContents("e", 2, events(1, 2), [], [], [], {}))
    # So is the link itself.
    link_to("elsewhere.sqlite", state)
    with pytest.raises(JournalError, match="was deleted or moved while it was in use"):
        await journal.check()
    await journal.renew(JournalContents("e", 2, events(1, 2), [], [], [], {}))
    await journal.close()
    assert numbers(Journal(state.with_name("elsewhere.sqlite")).load()) == [1, 2]


@pytest.mark.parametrize("umask", [0, 0o77, 0o777])
async def test_a_new_file_and_its_folders_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "a" / "b" / "alerts.sqlite"
    before = os.umask(umask)
    try:
        journal = Journal(path)
        await journal.commit(events(1, 1))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "a").rglob("*")}
    finally:
        os.umask(before)
    await journal.close()
    assert modes == {"b": 0o700, "alerts.sqlite": 0o600, "alerts.sqlite-wal": 0o600}
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700


async def test_a_sticky_world_writable_folder_is_accepted(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    journal = Journal(folder / "alerts.sqlite")
    await journal.commit(events(1, 1))
    await journal.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no list of open files here")
def test_a_file_that_cannot_be_opened_leaves_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "alerts.sqlite"

    def fail(file: JournalFile) -> None:
        raise OSError(errno.EIO, "the disk fails", str(path))

    monkeypatch.setattr(JournalFile, "_look", fail)
    with pytest.raises(JournalError, match="the disk fails"):
        JournalFile(path)
    assert not [one for one in Path("/proc/self/fd").iterdir() if str(path) in os.path.realpath(one)]
