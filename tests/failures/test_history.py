"""Recording continues whatever happens to the disk or the file."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.history.naive import layout_of
from tests.history.test_store import CPU, MEMORY, START, Recorded, walk
from tests.journal.test_journal import NOBODY, plain_user, shared_folder

from tickboard.errors import HistoryError
from tickboard.history import writing
from tickboard.history.answers import Question
from tickboard.history.file import VERSION, HistoryFile
from tickboard.history.store import History, Retention

__all__ = ["plain_user", "shared_folder"]

LAYOUT = layout_of([CPU, MEMORY])


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    found = Recorded(tmp_path / "state" / "history.sqlite")
    found.begin()
    yield found
    found.history.close()


def opened_file(history: History) -> HistoryFile:
    assert history._writing.writer is not None
    return history._writing.writer._file


def until(true: Callable[[], object]) -> None:
    """Wait until a condition is true."""
    waited = threading.Event()
    for _ in range(3000):
        if true():
            return
        waited.wait(0.01)
    pytest.fail("the condition is still false after 30 s")


def count(recorded: Recorded) -> int:
    """Return how many ticks can be read."""
    return len(recorded.read().times)


# --- the disk ---


def test_a_full_disk_is_reported_and_queued_ticks_are_written_later(recorded: Recorded) -> None:
    recorded.append(LAYOUT, walk(10, 2))
    recorded.history.flush()
    file = opened_file(recorded.history)
    file.do(f"PRAGMA max_page_count = {file.one('PRAGMA page_count') + 1}")
    recorded.append(LAYOUT, walk(1000, 2))
    with pytest.raises(HistoryError, match="full: make room on its disk"):
        recorded.history.flush()
    until(lambda: recorded.problems)
    assert "history.sqlite does not keep the history: " in str(recorded.problems[-1])
    assert recorded.history.status().queued == 1000
    # Committed ticks can still be read.
    assert count(recorded) == 10
    file.do("PRAGMA max_page_count = 1000000")
    recorded.history.settle()
    until(lambda: recorded.problems[-1] is None)
    assert count(recorded) == 1010
    assert recorded.history.status().queued == 0


@pytest.mark.parametrize("statement", ["INSERT INTO spans", "INSERT INTO blocks", "UPDATE epochs", "DELETE FROM ticks"])
def test_sealing_that_fails_at_any_step_is_retried_without_loss_or_duplicates(
    recorded: Recorded, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = walk(4000, 2)
    recorded.append(LAYOUT, rows)
    recorded.history.flush()
    failing = {"is": True}

    def fail(original: Callable[..., Any]) -> Callable[..., Any]:
        def do(self: HistoryFile, given: str, *values: object) -> Any:
            if failing["is"] and given.startswith(statement):
                raise sqlite3.OperationalError("disk I/O error")
            return original(self, given, *values)

        return do

    monkeypatch.setattr(HistoryFile, "do", fail(HistoryFile.do))
    monkeypatch.setattr(HistoryFile, "many", fail(HistoryFile.many))
    for _ in range(2):
        with pytest.raises(HistoryError, match="disk I/O error"):
            recorded.history.settle()
    np.testing.assert_array_equal(recorded.read().series[0].avg, rows[:, 0])
    # It stays reported while ticks are committed.
    recorded.history.flush()
    assert "disk I/O error" in str(recorded.problems[-1])
    failing["is"] = False
    recorded.history.settle()
    assert recorded.problems[-1] is None
    np.testing.assert_array_equal(recorded.read().series[0].avg, rows[:, 0])


def test_a_hanging_disk_delays_no_tick_and_is_reported(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "ANSWER_S", 0.05)
    disk = threading.Event()
    do = HistoryFile.do

    def hang(self: HistoryFile, statement: str, *values: object) -> int:
        if statement.startswith("INSERT OR REPLACE INTO ticks"):
            disk.wait(30)
        return do(self, statement, *values)

    monkeypatch.setattr(HistoryFile, "do", hang)

    def is_reported() -> bool:
        recorded.append(LAYOUT, walk(1, 2))
        return any("has not answered for 0.05 s" in str(problem) for problem in recorded.problems)

    until(is_reported)
    assert recorded.history.status().queued > 0
    disk.set()
    recorded.history.flush()
    until(lambda: recorded.problems[-1] is None)
    assert count(recorded) == recorded.seq


def test_a_hanging_disk_does_not_block_closing(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "ANSWER_S", 0.05)
    disk = threading.Event()
    close = HistoryFile.close

    def hang(self: HistoryFile) -> None:
        disk.wait(30)
        close(self)

    monkeypatch.setattr(HistoryFile, "close", hang)
    recorded.append(LAYOUT, walk(5, 2))
    recorded.history.close()
    assert "has not answered" in str(recorded.problems[-1])
    disk.set()
    recorded.history._writing._thread.join(30)
    monkeypatch.undo()
    recorded.open()
    assert count(recorded) == 5


def test_opening_on_a_hanging_disk_fails_after_a_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "START_S", 0.05)
    disk = threading.Event()
    prepare = HistoryFile._prepare

    def hang(self: HistoryFile) -> None:
        disk.wait(30)
        prepare(self)

    monkeypatch.setattr(HistoryFile, "_prepare", hang)
    path = tmp_path / "h.sqlite"
    with pytest.raises(HistoryError, match=r"its disk has not answered for 0\.05 s"):
        History(path, Retention(), lambda problem: None)
    disk.set()
    monkeypatch.undo()
    # The file is unlocked as soon as the disk answers.
    History(path, Retention(), lambda problem: None).close()


# --- the file ---


def damage(path: Path, at: int, size: int = 1) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        before = file.read(size)
        file.seek(at)
        file.write(bytes(byte ^ 0xFF for byte in before))


def test_a_flipped_byte_loses_one_column_of_one_block_and_is_reported(recorded: Recorded) -> None:
    # Less than is rolled up at once.
    rows = np.random.default_rng(0).normal(0, 1, (1900, 2))
    recorded.append(LAYOUT, rows)
    recorded.history.settle()
    recorded.history.close()
    file = sqlite3.connect(recorded.path)
    key, blob = file.execute("SELECT key, block FROM blocks ORDER BY key LIMIT 1 OFFSET 1").fetchone()
    broken = bytearray(blob)
    broken[-5] ^= 0x10
    file.execute("UPDATE blocks SET block = ? WHERE key = ?", (bytes(broken), key))
    file.commit()
    file.close()
    recorded.open()
    for _ in range(2):
        cpu, memory = recorded.read().series
        assert cpu.count.sum() == 1900
        assert np.flatnonzero(memory.count == 0).tolist() == list(range(600, 1200))
        np.testing.assert_allclose(memory.avg[1200:], rows[1200:, 1], rtol=1e-5)
    assert recorded.history.status().lost == 1
    assert "the values of 1 column in" in str(recorded.problems[-1])
    # The other columns are still rolled up.
    recorded.begin()
    recorded.append(LAYOUT, walk(5 * 3600, 2))
    recorded.history.settle()
    cpu, memory = recorded.read(points=10, until=START + 3600).series
    assert (cpu.count.sum(), memory.count.sum()) == (3600, 3000)


@pytest.mark.parametrize("size", [3, 10, 25])
def test_a_block_that_was_cut_short_loses_only_its_own_ticks(recorded: Recorded, size: int) -> None:
    rows = walk(1900, 2)
    recorded.append(LAYOUT, rows)
    recorded.history.settle()
    recorded.history.close()
    with closing(sqlite3.connect(recorded.path)) as file, file:
        [_, second] = [key for (key,) in file.execute("SELECT key FROM blocks ORDER BY key")]
        file.execute("UPDATE blocks SET block = substr(block, 1, ?) WHERE key = ?", (size, second))
    recorded.open()
    for series, expected in zip(recorded.read().series, rows.T, strict=True):
        assert np.flatnonzero(series.count == 0).tolist() == list(range(600, 1200))
        np.testing.assert_allclose(series.avg[1200:], expected[1200:], rtol=1e-5)
    assert recorded.history.status().lost == 1


@pytest.mark.parametrize("at", [0, 100])
def test_a_damaged_database_is_set_aside_and_a_new_one_is_started(recorded: Recorded, at: int) -> None:
    recorded.append(LAYOUT, walk(3000, 2))
    recorded.history.settle()
    recorded.history.close()
    damage(recorded.path, at, 4000)
    if at == 0:
        # Restore the application id in the header.
        damage(recorded.path, 60, 20)
    recorded.open()
    recorded.begin()
    recorded.append(LAYOUT, walk(10, 2))
    with suppress(HistoryError):  # the damage may be detected only now
        recorded.history.settle()
    recorded.history.settle()
    damaged = recorded.history.damaged
    assert damaged is not None
    assert damaged.exists()
    # It stays reported.
    until(lambda: recorded.problems and f"and is now {damaged}" in str(recorded.problems[-1]))
    assert count(recorded) == 10


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the file with every commit."""
    monkeypatch.setattr(writing, "THROUGH_S", 0.01)


@pytest.mark.usefixtures("quick")
def test_a_deleted_file_is_replaced_and_recording_continues(recorded: Recorded) -> None:
    recorded.append(LAYOUT, walk(100, 2))
    recorded.history.flush()
    for ending in ("", "-wal", "-shm"):
        Path(f"{recorded.path}{ending}").unlink(missing_ok=True)
    until(lambda: any("was deleted" in str(problem) for problem in recorded.problems))
    recorded.append(LAYOUT, walk(10, 2))
    until(lambda: count(recorded) == 10)
    assert recorded.path.exists()
    assert "was deleted, moved or replaced" in str(recorded.problems[-1])
    recorded.history.close()
    recorded.open()
    assert count(recorded) == 10


@pytest.mark.usefixtures("quick")
def test_a_replaced_file_is_detected_and_used(recorded: Recorded) -> None:
    other = Recorded(recorded.path.with_name("other.sqlite"))
    other.begin()
    other.append(LAYOUT, walk(7, 2))
    other.history.close()
    recorded.append(LAYOUT, walk(100, 2))
    recorded.history.flush()
    other.path.replace(recorded.path)
    for ending in ("-wal", "-shm"):
        Path(f"{recorded.path}{ending}").unlink(missing_ok=True)
    until(lambda: any("replaced" in str(problem) for problem in recorded.problems))
    until(lambda: count(recorded) == 7)


def test_a_file_in_use_by_another_process_is_refused(recorded: Recorded) -> None:
    program = (
        "import sys; from pathlib import Path; from tickboard.history.store import History, Retention\n"
        "History(Path(sys.argv[1]), Retention(), print)"
    )
    done = subprocess.run([sys.executable, "-c", program, recorded.path], capture_output=True, text=True, check=False)
    assert "is in use by another tickboard: stop that one, or give this one another file with --history" in done.stderr
    with pytest.raises(HistoryError, match="is in use by another tickboard"):
        History(recorded.path, Retention(), lambda problem: None)
    recorded.append(LAYOUT, walk(5, 2))
    assert count(recorded) == 5


def test_a_file_with_a_newer_format_is_refused(recorded: Recorded) -> None:
    recorded.history.close()
    file = sqlite3.connect(recorded.path)
    file.execute(f"PRAGMA user_version = {VERSION + 1}")
    file.close()
    with pytest.raises(HistoryError, match=r"was written by a newer tickboard .* update tickboard, or give another"):
        History(recorded.path, Retention(), lambda problem: None)
    recorded.path.unlink()
    recorded.open()


def test_a_file_of_another_program_is_refused_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "notes.sqlite"
    file = sqlite3.connect(path)
    file.execute("CREATE TABLE notes (text)")
    file.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="is a database of another program"):
        History(path, Retention(), lambda problem: None)
    text = tmp_path / "notes.txt"
    text.write_text("no database at all" * 100)
    with pytest.raises(HistoryError, match="is not a history file: move it away"):
        History(text, Retention(), lambda problem: None)
    assert path.read_bytes() == before
    assert text.exists()


@pytest.mark.usefixtures("plain_user")
@pytest.mark.parametrize("mode", [0o400, 0o500])
def test_an_unwritable_file_or_folder_is_refused(shared_folder: Path, mode: int) -> None:
    folder = shared_folder / "state"
    path = folder / "h.sqlite"
    History(path, Retention(), lambda problem: None).close()
    target = path if mode == 0o400 else folder
    target.chmod(mode)
    try:
        with pytest.raises(HistoryError, match="another file with --history, or --history none to keep no history"):
            History(path, Retention(), lambda problem: None)
    finally:
        target.chmod(0o700)


def test_new_files_are_private_to_the_user(recorded: Recorded) -> None:
    recorded.append(LAYOUT, walk(5, 2))
    recorded.history.flush()
    for file in recorded.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(recorded.path.parent.stat().st_mode) == 0o700


# --- a file that cannot be opened at first ---


class Retried:
    """A history that is opened in the background if that fails at first."""

    def __init__(self, path: Path) -> None:
        self.problems: list[str | None] = []
        self.history = History(path, Retention(), self.problems.append, commit_s=0.01, retries=True)
        self.seq = 0
        self.history.begin("retried", 1000, 60)

    def append(self, ticks: int) -> None:
        for _ in range(ticks):
            self.seq += 1
            self.history.append(self.seq, START + self.seq, LAYOUT, np.array([self.seq, 0.0]))

    def assert_is_closed(self, why: str) -> None:
        """Check that nothing is kept, and that this is reported."""
        assert not self.history.is_open
        assert why in str(self.problems[-1])
        before = self.history.status().dropped
        self.append(3)
        self.history.amend(START + 1, LAYOUT, np.array([0]), np.array([5.0]))
        assert self.history.status().dropped == before + 4
        with pytest.raises(HistoryError, match="history"):
            self.history.read(Question((), START * 1000, (START + 100) * 1000, 100))

    def assert_is_opened_later(self) -> None:
        """Check that it is opened, and that only later ticks are there."""
        until(lambda: self.history.is_open)
        after = self.seq
        self.append(5)
        answer = self.history.read(Question(("cpu",), START * 1000, (START + 100) * 1000, 100))
        assert answer.series[0].avg.tolist() == list(range(after + 1, after + 6))
        until(lambda: self.problems[-1] is None)
        dropped = self.history.status().dropped
        self.history.close()
        assert dropped == after + after // 3


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon."""
    monkeypatch.setattr(writing, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(writing, "LONGEST_PAUSE_S", 0.02)
    monkeypatch.setattr("tickboard.history.file.LOCK_WAIT_S", 0.01)


@pytest.mark.usefixtures("impatient")
def test_a_file_in_use_is_opened_when_the_other_process_has_ended(recorded: Recorded) -> None:
    program = (
        "import sys; from pathlib import Path; from tickboard.history.store import History, Retention\n"
        "history = History(Path(sys.argv[1]), Retention(), print); print('open', flush=True); sys.stdin.read()\n"
    )
    path = recorded.path.with_name("other.sqlite")
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        retried = Retried(path)
        retried.assert_is_closed("is in use by another tickboard")
        assert "it is tried again by itself, and no tick is kept until it works" in str(retried.problems[-1])
        other.stdin.close()
        retried.assert_is_opened_later()


@pytest.mark.usefixtures("impatient", "plain_user")
@pytest.mark.parametrize("mode", [0o400, 0o500])
def test_an_unwritable_file_or_folder_is_opened_when_it_is_writable(shared_folder: Path, mode: int) -> None:
    path = shared_folder / "state" / "h.sqlite"
    History(path, Retention(), lambda problem: None).close()
    target = path if mode == 0o400 else path.parent
    before = stat.S_IMODE(target.stat().st_mode)
    target.chmod(mode)
    retried = Retried(path)
    try:
        retried.assert_is_closed("another file with --history")
    finally:
        target.chmod(before)
    retried.assert_is_opened_later()


FULL = """
import resource, signal, sys
from pathlib import Path
from tickboard.history.store import History, Retention

# The system refuses to let any file of this process grow beyond this.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
problems = []
history = History(Path(sys.argv[1]), Retention(), problems.append, commit_s=0.01, retries=True)
print(history.is_open, problems[-1], flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
while not history.is_open or problems[-1]:
    pass
history.close()
print("opened")
"""


def test_a_file_on_a_full_disk_is_opened_when_there_is_room(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path / "h.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    first, last = done.stdout.splitlines()
    assert first.startswith("False ")
    assert "check whether its disk is full or failing" in first or "make room on its disk" in first
    assert last == "opened"


@pytest.mark.usefixtures("impatient")
def test_a_file_on_a_hanging_disk_is_opened_when_it_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "START_S", 0.05)
    disk = threading.Event()
    prepare = HistoryFile._prepare

    def hang(self: HistoryFile) -> None:
        disk.wait(30)
        prepare(self)

    monkeypatch.setattr(HistoryFile, "_prepare", hang)
    retried = Retried(tmp_path / "h.sqlite")
    threads = threading.active_count()
    retried.assert_is_closed("its disk has not answered for 0.05 s")
    # However long it hangs, one thread waits for it, and the one that reads.
    assert threading.active_count() <= threads + 1
    disk.set()
    retried.assert_is_opened_later()


@pytest.mark.usefixtures("impatient")
def test_an_unexpected_error_while_opening_is_logged_once_and_it_is_opened_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    def fail(self: HistoryFile) -> None:
        nonlocal tries
        tries += 1
        raise MemoryError("no more")

    with monkeypatch.context() as failing:
        failing.setattr(HistoryFile, "_prepare", fail)
        retried = Retried(tmp_path / "h.sqlite")
        retried.assert_is_closed("MemoryError: no more")
        until(lambda: tries >= 4)
    assert caplog.text.count("MemoryError: no more") == 1
    retried.assert_is_opened_later()


@pytest.mark.usefixtures("impatient")
def test_a_history_that_was_never_opened_is_closed(recorded: Recorded) -> None:
    retried = Retried(recorded.path)
    retried.assert_is_closed("is in use by another tickboard")
    retried.history.close()
    retried.history._writing._thread.join(30)
    assert not retried.history._writing._thread.is_alive()
    recorded.history.close()
    recorded.open()


def test_a_file_that_others_may_write_to_is_refused(recorded: Recorded) -> None:
    recorded.history.close()
    recorded.path.chmod(0o666)
    with pytest.raises(HistoryError, match=r"others may write to .*: if you trust its contents, chmod 600"):
        History(recorded.path, Retention(), lambda problem: None)
    recorded.path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(recorded.path, NOBODY, NOBODY)
        with pytest.raises(HistoryError, match="belongs to"):
            History(recorded.path, Retention(), lambda problem: None)
        os.chown(recorded.path, 0, 0)
    shutil.rmtree(recorded.path.parent)
