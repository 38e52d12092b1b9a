"""The commands that read the file of a history, as programs."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.history.recorded import START, record

BOARD = "from tickboard import Board\nprint('hello')\nboard = Board('Mine', history={history!r})\n"

UNMATCHED = "no series in {} matches --metrics {}: give names, or globs such as 'disk_*'"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    for name in ("TICKBOARD_STATE", "TICKBOARD_HISTORY"):
        monkeypatch.delenv(name, raising=False)
    return folder / "tickboard"


@contextlib.contextmanager
def open_elsewhere(file: Path) -> Iterator[None]:
    """Have another process write a history."""
    program = (
        "import sys; from pathlib import Path; from tickboard.history.store import History, Retention\n"
        "history = History(Path(sys.argv[1]), Retention(), print); print('open', flush=True); sys.stdin.read()\n"
        "history.close()\n"
    )
    command = [sys.executable, "-c", program, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield
        process.communicate(timeout=30)


def once(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    command = [sys.executable, "-m", "tickboard", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=os.environ | environ, check=False)


def test_the_board_of_this_machine_is_exported_unless_another_is_named(home: Path, tmp_path: Path) -> None:
    record(home / "host.history.sqlite", (START, 2))
    record(tmp_path / "other.sqlite", (START, 3))
    since = ("--from", "2027-01-15T00:00:00Z", "--to", "2027-01-16T00:00:00Z", "--metrics", "cpu.*")
    host = once("export", *since)
    assert (host.returncode, host.stderr, len(host.stdout.splitlines())) == (0, "", 3)
    named = once("export", *since, "--history", tmp_path / "other.sqlite")
    assert len(named.stdout.splitlines()) == 4
    assert once("export", *since, TICKBOARD_HISTORY=str(tmp_path / "other.sqlite")).stdout == named.stdout
    dashboard = tmp_path / "mine.py"
    dashboard.write_text(BOARD.format(history=str(tmp_path / "other.sqlite")))
    mine = once("export", *since, "--board", dashboard)
    assert (mine.returncode, mine.stdout) == (0, named.stdout)


def test_an_export_without_values_says_why_and_exits_with_1(home: Path) -> None:
    record(home / "host.history.sqlite", (START, 2))
    ended = once("export", "--from", "-1h", "--format", "openmetrics")
    said = f"tickboard: {home / 'host.history.sqlite'} has no values in this range: check --from and --to\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "# EOF\n", said)
    ended = once("export", "--metrics", "nothing.*", "--metrics", "no")
    assert ended.returncode == 1
    assert UNMATCHED.format(home / "host.history.sqlite", "nothing.* or no") in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "does not exist: give the path of a history file"),
        (["--history", "none"], "this board keeps no history: name a history file with --history FILE"),
        (["--state", "none"], "this board keeps no history"),
        (["--from", "yesterday"], "--from=yesterday: give a time such as"),
        (["--from", "now", "--to", "-1h"], "--from=now is not before --to=-1h: give an earlier time"),
        (["--metrics", "x" * 5_000], "has 5000 characters"),
        (["--metrics", "a*"] * 101, "--metrics has 101 globs"),
        (["--format", "xml"], "--format"),
        (["--board", "missing.py"], "missing.py: there is no such file"),
    ],
)
def test_an_impossible_export_is_reported_in_one_line(arguments: list[str], said: str) -> None:
    ended = once("export", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert ended.stderr.startswith("tickboard: ")
    assert ended.stderr.count("\n") == 1


def test_a_reader_that_closes_the_pipe_is_not_an_error(home: Path) -> None:
    record(home / "host.history.sqlite", (START, 20_000))
    command = f"{sys.executable} -m tickboard export --from 2027-01-01T00:00:00Z --to 2028-01-01T00:00:00Z | head -n 2"
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=30, check=False)
    assert (len(ended.stdout.splitlines()), ended.stderr) == (2, "")


def test_info_describes_a_file_that_a_board_is_writing(home: Path) -> None:
    file = home / "host.history.sqlite"
    record(file, (START, 15_000))
    ended = once("history", "info")
    assert (ended.returncode, ended.stderr) == (0, "")
    head, ticks, minutes, hours = ended.stdout.splitlines()
    assert head.startswith(f"{file}: 3 series, ")
    assert re.search(r" [0-9.]+ [KM]iB, no board has it open$", head)
    assert re.search(r"Z, [0-9.]+ KiB, ", ticks)
    assert ticks.startswith("  ticks: 15,000, 2027-01-15T08:00:00.000Z to 2027-01-15T12:09:59.000Z, ")
    assert "bytes for a value, " in ticks
    assert re.search(r" not yet in a block \([0-9.]+ KiB\)$", ticks)
    assert minutes.startswith("  minutes: 240, ")
    assert minutes.endswith("bytes for a bucket")
    assert hours == "  hours: none"
    with open_elsewhere(file):
        assert once("history", "info").stdout.splitlines()[0].endswith(", a running board has it open")
        refused = once("history", "forget", "--metrics", "disk")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == f"tickboard: {file} is open in a running tickboard: stop that one first\n"


def test_a_backup_is_made_and_series_are_forgotten(home: Path, tmp_path: Path) -> None:
    file, copy = home / "host.history.sqlite", tmp_path / "copy.sqlite"
    record(file, (START, 100))
    ended = once("history", "backup", copy)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"{copy}: ")
    again = once("history", "backup", copy)
    assert (again.returncode, again.stderr) == (
        2,
        f"tickboard: {copy} already exists: give the copy another name\n",
    )
    ended = once("history", "forget", "--metrics", "disk", "--history", copy)
    assert (ended.returncode, ended.stdout) == (0, f"{copy}: 2 series forgotten\n")
    ended = once("history", "forget", "--metrics", "disk", "--history", copy)
    assert (ended.returncode, ended.stderr) == (1, f"tickboard: {UNMATCHED.format(copy, 'disk')}\n")
    ended = once("history", "forget")
    assert ended.returncode == 2
    assert "name them with --metrics" in ended.stderr
    assert once("history", "info").stdout.startswith(f"{file}: 3 series")
