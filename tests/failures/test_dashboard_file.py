"""A dashboard file that raises, hangs, creates no board or ends the program while it loads, or that vanishes.

Whatever a save does, the last good board keeps ticking, the page reports the error, and the next save is shown.
In-process, with the real reloader and real files; and with `tickboard dev` itself.
"""
# ruff: noqa: ASYNC240  # the test is about files

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.serving import Server, serve, wait_for

from tickboard.cli import dashboard_file, watching
from tickboard.cli import dev as reload
from tickboard.cli.dashboard_file import load_board
from tickboard.cli.dev import Reloader
from tickboard.cli.loading import Load
from tickboard.errors import BoardError
from tickboard.settings import Settings

START = 'from tickboard import Board\nboard = Board("{}")\nboard.gauge("cpu").set(1)\n'


def dashboard_text(title: str, more: str = "") -> str:
    return START.format(title) + more


@pytest.fixture(autouse=True)
def own_path_and_modules() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    dashboard_file._folders.clear()
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only a file that hangs takes that long, even on a busy machine.
    monkeypatch.setattr(reload, "FIRST_S", 30.0)
    monkeypatch.setattr(reload, "LOOK_S", 0.05)
    monkeypatch.setattr(reload, "INTERRUPTED_S", 0.2)
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "dashboard.py"
    path.write_text(dashboard_text("First"))
    return path


class Developing:
    """A dashboard file that is served and watched in this process."""

    def __init__(self, reloader: Reloader, said: list[str]) -> None:
        self.reloader = reloader
        self.said = said

    @property
    def title(self) -> str:
        return self.reloader.board.title

    @property
    def problems(self) -> dict[str, str]:
        return {source: problem.message for source, problem in self.reloader.hub.problems.items()}

    def line_of(self, source: str) -> int | None:
        return self.reloader.hub.problems[source].line

    async def until(self, condition: Callable[[], object]) -> None:
        with anyio.move_on_after(30):
            while not condition():
                await anyio.sleep(0.01)
            return
        raise AssertionError((self.title, self.problems, self.said, loading_threads()))

    async def ticks(self) -> None:
        """Wait for two more ticks."""
        seq = self.reloader.hub.engine.seq
        await self.until(lambda: self.reloader.hub.engine.seq >= seq + 2)


@asynccontextmanager
async def developing(
    path: Path, config: Path | None = None, say: Callable[[str], None] | None = None
) -> AsyncIterator[Developing]:
    said: list[str] = []
    reloader = Reloader(path, lambda settings: Settings(50, 60, 10), say or said.append, config=config)
    started, ending = anyio.Event(), anyio.Event()

    async def receive() -> Any:
        if started.is_set():
            await ending.wait()
        return {}

    async def send(message: Any) -> None:
        started.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reloader, {"type": "lifespan"}, receive, send)
        await started.wait()
        try:
            yield Developing(reloader, said)
        finally:
            ending.set()


def loading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "dashboard file"]


# --- it raises, cancels, exits, or returns the wrong type ---

SAVES = {
    "an exception": ("raise RuntimeError('no')", "RuntimeError: no"),
    "an exception without a message": ("raise RuntimeError", "RuntimeError"),
    "an exception whose message raises": (
        "class Nasty(Exception):\n    def __str__(self):\n        raise ValueError\nraise Nasty",
        "Nasty",
    ),
    "a raised KeyboardInterrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "an exit": ("import sys; sys.exit(3)", "it calls exit()"),
    "a cancellation": ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
    "a raised GeneratorExit": ("raise GeneratorExit", "GeneratorExit"),
    "a raised StopIteration": ("next(iter(()))", "StopIteration"),
    "a custom exception": ("class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
    "an exception group": (
        "raise BaseExceptionGroup('two', [KeyboardInterrupt(), SystemExit()])",
        "BaseExceptionGroup: two",
    ),
    "endless recursion": ("def f(): f()\nf()", "RecursionError"),
    "a raised MemoryError": ("raise MemoryError", "MemoryError"),
    "not Python": ("cpu = (", "SyntaxError"),
    "a raised SyntaxError": ("raise SyntaxError('no')", "SyntaxError: no"),
    "a module that raises": ("import beside", "KeyboardInterrupt"),
    "no board": ("del board", "it makes no board"),
    "a board that is not a Board": ("board = 5", "it makes no board"),
    "a class instead of a board": ("board = Board", "it makes no board"),
    "a board without __init__": ("board = Board.__new__(Board)", ""),
    "a board that cannot be configured": ("board.apply_config = None; board.defaults_ = 1; board._rules = None", ""),
    "a deleted name": ("globals().clear()", "it makes no board"),
}


@pytest.mark.parametrize("what", SAVES)
async def test_after_any_failed_save_the_last_board_keeps_running_and_the_next_save_is_shown(
    path: Path, what: str
) -> None:
    path.with_name("beside.py").write_text("raise KeyboardInterrupt\n")
    text, message = SAVES[what]
    async with developing(path) as developed:
        path.write_text(dashboard_text("Broken", text + "\n"))
        await developed.until(lambda: developed.said and message in developed.problems.get("dashboard file", ""))
        assert list(developed.problems) == ["dashboard file"]
        assert developed.title == "First"
        await developed.ticks()
        path.write_text(dashboard_text("Second"))
        await developed.until(lambda: developed.title == "Second")
        assert developed.problems == {}
        await developed.ticks()
        await developed.until(lambda: not loading_threads())


@pytest.mark.parametrize("what", [what for what, (_, message) in SAVES.items() if message])
async def test_any_failure_at_the_start_is_on_the_page_and_the_next_save_is_shown(path: Path, what: str) -> None:
    path.with_name("beside.py").write_text("raise KeyboardInterrupt\n")
    text, message = SAVES[what]
    path.write_text(dashboard_text("Broken", text + "\n"))
    async with developing(path) as developed:
        # On a busy machine it may be served before the file is loaded.
        await developed.until(lambda: message in developed.problems.get("dashboard file", ""))
        await developed.ticks()
        path.write_text(dashboard_text("Second"))
        await developed.until(lambda: developed.title == "Second")
        assert developed.problems == {}


async def test_after_a_failed_save_samplers_still_use_the_modules_of_their_own_board(path: Path) -> None:
    titles = path.with_name("titles.py")
    titles.write_text('TITLE = "One"\n')
    path.write_text(dashboard_text("First", "import titles\n"))
    async with developing(path) as developed:
        before = sys.modules["titles"], sys.modules["__dashboard__"]
        titles.write_text('TITLE = "Two"\n')
        path.write_text(dashboard_text("Broken", "import titles\n1 / 0\n"))
        await developed.until(lambda: developed.problems)
        assert (sys.modules["titles"], sys.modules["__dashboard__"]) == before


async def test_a_save_that_returns_the_running_board_does_not_start_it_twice(path: Path) -> None:
    text = "import sys\nfrom tickboard import Board\nboard = sys.__dict__.setdefault('_kept', Board('Kept'))\n"
    path.write_text(text)
    try:
        async with developing(path) as developed:
            path.write_text(text + "\n")
            await developed.until(lambda: developed.said)
            assert "its board is made by a module in another folder" in developed.said[-1]
            assert developed.problems == {}
            await developed.ticks()
    finally:
        vars(sys).pop("_kept")


# --- it hangs ---

HANGS = {
    "forever": "while True: pass\n",
    "forever, catching every exception": "while True:\n    try:\n        sum(range(100))\n    except Exception: pass\n",
    "forever in a module beside it": "import forever\n",
    "in a call that can't be interrupted": (
        "import threading, sys\nsys._gates.append(gate := threading.Event())\ngate.wait()\n"
    ),
    "in such a call in a module beside it": "import waits\n",
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "SLOW_S", 0.1)


BESIDE = {"forever in a module beside it": "forever.py", "in such a call in a module beside it": "waits.py"}


@pytest.fixture
def gates() -> Iterator[list[threading.Event]]:
    """The events that the files of a test wait for. All are set at its end."""
    opened: list[threading.Event] = []
    vars(sys)["_gates"] = opened
    yield opened
    for gate in opened:
        gate.set()
    vars(sys).pop("_gates")
    for thread in loading_threads():
        thread.join(10)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("what", HANGS)
async def test_a_newer_save_replaces_a_load_that_hangs(path: Path, what: str, gates: list[threading.Event]) -> None:
    path.with_name("forever.py").write_text("while True: pass\n")
    path.with_name("waits.py").write_text(HANGS["in a call that can't be interrupted"])
    async with developing(path) as developed:
        path.write_text(dashboard_text("Hangs", HANGS[what]))
        await developed.until(lambda: "it has been loading for" in developed.problems.get("dashboard file", ""))
        assert developed.title == "First"
        await developed.ticks()
        if what in BESIDE:
            path.with_name(BESIDE[what]).write_text("")
        path.write_text(dashboard_text("Second", HANGS[what] if what in BESIDE else ""))
        await developed.until(lambda: developed.title == "Second")
        assert "dashboard file" not in developed.problems
        if "call" in what:
            await developed.until(lambda: "earlier load" in developed.problems)
            assert "an earlier load is still in a call" in developed.problems["earlier load"]
            await developed.until(lambda: len(loading_threads()) == 1)
            await developed.ticks()
            gates[0].set()
        await developed.until(lambda: developed.problems == {} and not loading_threads())
        assert developed.title == "Second"


def test_an_interrupt_that_comes_too_late_does_not_fail_the_load(path: Path, gates: list[threading.Event]) -> None:
    path.write_text(HANGS["in a call that can't be interrupted"] + dashboard_text("Waited"))
    load = Load(path, None)
    load.start()
    wait_for(lambda: gates)
    for _ in range(5):
        time.sleep(0.1)
        load.interrupt()
    gates[0].set()
    assert load.wait(30)
    assert load.board is not None


@pytest.mark.usefixtures("impatient")
async def test_the_line_where_a_load_hangs_is_reported(path: Path) -> None:
    async with developing(path) as developed:
        path.write_text(dashboard_text("Hangs", "\n\nwhile True: pass\n"))
        # On a busy machine it may be reported before it has come to this line, and then again.
        await developed.until(lambda: developed.problems and developed.line_of("dashboard file") == 6)
        await developed.until(lambda: developed.said)
        assert developed.said[-1].startswith(f"{path}:6: it has been loading for more than ")


async def test_the_newest_of_many_hanging_saves_is_shown_and_no_load_remains(path: Path) -> None:
    async with developing(path) as developed:
        for number in range(5):
            path.write_text(dashboard_text(f"Hangs {number}", "while True: pass\n" + "#" * number))
            await developed.until(lambda: developed.reloader._load is not None)
            await anyio.sleep(0.05)
        path.write_text(dashboard_text("Last"))
        await developed.until(lambda: developed.title == "Last")
        await developed.until(lambda: not loading_threads())
        assert developed.problems == {}


async def test_a_load_that_ends_after_a_newer_one_is_not_shown(path: Path, gates: list[threading.Event]) -> None:
    async with developing(path) as developed:
        path.write_text(dashboard_text("Late", HANGS["in a call that can't be interrupted"]))
        await developed.until(lambda: gates)
        path.write_text(dashboard_text("Newer"))
        await developed.until(lambda: developed.title == "Newer")
        board = developed.reloader.board
        gates[0].set()
        await developed.until(lambda: not loading_threads())
        await developed.ticks()
        assert developed.reloader.board is board


async def test_with_too_many_hanging_loads_the_newest_waits_for_one_to_end(
    path: Path, gates: list[threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "MAX_LEFT", 1)
    async with developing(path) as developed:
        for number in range(2):
            path.write_text(dashboard_text("Hangs", HANGS["in a call that can't be interrupted"] + "#" * number))
            await developed.until(lambda: len(gates) == number + 1)  # noqa: B023  # it is called here alone
        path.write_text(dashboard_text("Last"))
        await developed.until(lambda: "the newest save waits" in developed.problems.get("earlier load", ""))
        gates[0].set()
        await developed.until(lambda: developed.title == "Last")


async def test_the_import_of_a_module_outside_the_folder_is_not_interrupted(
    path: Path, tmp_path_factory: pytest.TempPathFactory, gates: list[threading.Event]
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "slow_module.py").write_text(
        "import sys, threading\nsys._gates.append(gate := threading.Event())\n"
        "while not gate.is_set(): pass\nDONE = True\n"
    )
    sys.path.append(str(elsewhere))
    async with developing(path) as developed:
        path.write_text(dashboard_text("Slow", "import slow_module\n"))
        await developed.until(lambda: gates)
        path.write_text(dashboard_text("Newer", "import slow_module\nassert slow_module.DONE\n"))
        await developed.until(lambda: "earlier load" in developed.problems)
        gates[0].set()
        await developed.until(lambda: developed.title == "Newer")
        assert len(gates) == 1


@pytest.mark.usefixtures("impatient")
async def test_a_file_that_hangs_at_the_start_is_served_empty_until_a_newer_save(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "FIRST_S", 0.5)
    path.write_text(dashboard_text("Hangs", "while True: pass\n"))
    async with developing(path) as developed:
        assert "has been loading for 0.5 s" in developed.said[0]
        await developed.until(lambda: "dashboard file" in developed.problems)
        await developed.ticks()
        path.write_text(dashboard_text("Second"))
        await developed.until(lambda: developed.title == "Second")
        await developed.until(lambda: developed.problems == {} and not loading_threads())


async def test_a_file_that_loads_slowly_at_the_start_is_shown_once_it_is_loaded(
    path: Path, gates: list[threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "FIRST_S", 0.5)
    path.write_text(dashboard_text("Slow", HANGS["in a call that can't be interrupted"]))
    async with developing(path) as developed:
        await developed.until(lambda: gates)
        gates[0].set()
        await developed.until(lambda: developed.title == "Slow")
        assert developed.problems == {}


def test_bytecode_is_written_again_after_overlapping_loads(path: Path, gates: list[threading.Event]) -> None:
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        path.write_text(dashboard_text("Slow", HANGS["in a call that can't be interrupted"]))
        thread = threading.Thread(target=load_board, args=(path,))
        thread.start()
        wait_for(lambda: gates)
        path.write_text(dashboard_text("Quick"))
        load_board(path)
        assert sys.dont_write_bytecode
        gates[0].set()
        thread.join()
        assert not sys.dont_write_bytecode
    finally:
        sys.dont_write_bytecode = before


def test_ctrl_c_in_the_main_thread_is_not_an_error_of_the_file(path: Path) -> None:
    path.write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_board(path)
    path.write_text("class Odd(BaseException): pass\nraise Odd\n")
    with pytest.raises(BoardError, match="Odd"):
        load_board(path)


# --- the file vanishes and comes back ---


def replaced(path: Path, text: str) -> None:
    beside = path.with_name(".dashboard.py.swp")
    beside.write_text(text)
    beside.replace(path)


def folder_renamed(path: Path, text: str) -> None:
    path.parent.rename(path.parent.with_name("old"))
    path.parent.mkdir()
    path.write_text(text)


def folder_deleted(path: Path, text: str) -> None:
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    path.write_text(text)


def became_a_folder(path: Path, text: str) -> None:
    path.unlink()
    path.mkdir()
    threading.Event().wait(0.1)
    path.rmdir()
    path.write_text(text)


def became_a_link_to_nothing(path: Path, text: str) -> None:
    path.unlink()
    path.symlink_to(path.with_name("elsewhere.py"))
    threading.Event().wait(0.1)
    path.with_name("elsewhere.py").write_text(text)


def became_a_link_to_itself(path: Path, text: str) -> None:
    path.unlink()
    path.symlink_to(path)
    threading.Event().wait(0.1)
    replaced(path, text)


def of_the_same_size_and_time(path: Path, text: str) -> None:
    found = path.stat()
    replaced(path, text)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


WAYS = [
    replaced,
    folder_renamed,
    folder_deleted,
    became_a_folder,
    became_a_link_to_nothing,
    became_a_link_to_itself,
    of_the_same_size_and_time,
]


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_to_replace_the_file_is_noticed_repeatedly(
    tmp_path: Path, way: Callable[[Path, str], None]
) -> None:
    path = tmp_path / "boards" / "dashboard.py"
    path.parent.mkdir()
    path.write_text(dashboard_text("Start"))
    async with developing(path) as developed:
        for title in ("Other", "Third"):
            shutil.rmtree(tmp_path / "old", ignore_errors=True)
            way(path, dashboard_text(title))
            await developed.until(lambda: developed.title == title)  # noqa: B023  # it is called here alone
            await developed.until(lambda: developed.problems == {})
        await developed.ticks()


async def test_atomically_switched_links_are_followed_with_their_modules(tmp_path: Path) -> None:
    # This is how Kubernetes mounts a ConfigMap.
    for number in ("1", "2"):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "titles.py").write_text(f'TITLE = "Number {number}"\n')
        (tmp_path / f"..{number}" / "dashboard.py").write_text(
            "from titles import TITLE\n" + dashboard_text("x", "board.title = TITLE\n")
        )
    (tmp_path / "..data").symlink_to("..1")
    path = tmp_path / "dashboard.py"
    path.symlink_to("..data/dashboard.py")
    async with developing(path) as developed:
        for number in ("2", "1", "2"):
            (tmp_path / "..tmp").symlink_to(f"..{number}")
            (tmp_path / "..tmp").replace(tmp_path / "..data")
            await developed.until(lambda: developed.title == f"Number {number}")  # noqa: B023  # it is called here alone


async def test_the_configuration_file_may_appear_break_and_vanish(path: Path) -> None:
    path.write_text(dashboard_text("First", 'board.alert(board.gauge("cpu") > 90, "high")\n'))
    config = path.with_name("tickboard.toml")

    def threshold() -> float:
        return developed.reloader.board.describe().rules[0].threshold or 0

    async with developing(path) as developed:
        for text, seen in (("95", 95), ("[", None), ("85", 85)):
            replaced(config, f"[rules.cpu]\nthreshold = {text}\n")
            await developed.until(lambda: threshold() == seen if seen else developed.problems)  # noqa: B023
        config.unlink()
        config.mkdir()
        await developed.until(lambda: "can't be read (Is a directory)" in developed.problems.get("dashboard file", ""))
        config.rmdir()
        await developed.until(lambda: threshold() == 90 and developed.problems == {})


# --- the watcher ---


@pytest.mark.parametrize(
    "error", [OSError(24, "Too many open files"), RuntimeError("no"), SystemExit(3), StopIteration()]
)
async def test_a_watcher_that_fails_is_reported_and_keeps_watching(
    path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with developing(path) as developed:
        failing, state_of = True, watching.state_of

        def fails(path: Path, config: Path) -> watching.State:
            if failing:
                raise error
            return state_of(path, config)

        monkeypatch.setattr(watching, "state_of", fails)
        await developed.until(lambda: type(error).__name__ in developed.problems.get("file watcher", ""))
        path.write_text(dashboard_text("Second"))
        failing = False
        await developed.until(lambda: developed.title == "Second" and developed.problems == {})


async def test_a_file_system_that_does_not_answer_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, state_of = threading.Event(), watching.state_of
    monkeypatch.setattr(reload, "SILENT_S", 0.2)

    def hangs(path: Path, config: Path) -> watching.State:
        answer.wait(30)
        return state_of(path, config)

    async with developing(path) as developed:
        monkeypatch.setattr(watching, "state_of", hangs)
        await developed.until(lambda: "does not answer" in developed.problems.get("file watcher", ""))
        await developed.ticks()
        path.write_text(dashboard_text("Second"))
        answer.set()
        await developed.until(lambda: developed.title == "Second" and developed.problems == {})


async def test_reloading_restarts_after_any_failure(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with developing(path) as developed:
        left = [SystemExit(3)]

        def fails(*arguments: Any) -> Any:
            raise left.pop() if left else AssertionError

        with monkeypatch.context() as patch:
            patch.setattr(reload, "Load", fails)
            path.write_text(dashboard_text("Second"))
            await developed.until(lambda: not left)
        await developed.until(lambda: "reload" in developed.problems)
        await developed.until(lambda: developed.title == "Second")
        await developed.until(lambda: developed.problems == {})


async def test_a_file_that_never_stops_changing_is_still_loaded(path: Path) -> None:
    async with developing(path) as developed:
        with anyio.fail_after(30):
            number = 0
            while developed.title == "First":
                number += 1
                replaced(path, dashboard_text("Busy", f"# {number}\n"))
                await anyio.sleep(0.005)


# --- the terminal ---


async def test_the_file_is_reloaded_even_if_the_terminal_cannot_be_written_to(path: Path) -> None:
    def fails(line: str) -> None:
        raise BrokenPipeError(line)

    async with developing(path, say=fails) as developed:
        path.write_text(dashboard_text("Broken", "1 / 0\n"))
        await developed.until(lambda: developed.problems)
        path.write_text(dashboard_text("Second"))
        await developed.until(lambda: developed.title == "Second")
        assert developed.problems == {}


def problems(server: Server) -> dict[str, str]:
    return {one["source"]: one["message"] for one in server.json("/api/board").get("problems") or []}


def test_dev_survives_saves_that_hang_or_raise(path: Path) -> None:
    with serve("dev", str(path), "--interval", "50") as server:
        for text in ("while True: pass\n", "raise KeyboardInterrupt\n"):
            path.write_text(dashboard_text("Broken", text))
            wait_for(lambda: "dashboard file" in problems(server))
            path.write_text(dashboard_text("Good"))
            wait_for(lambda: server.json("/api/board")["title"] == "Good" and not problems(server))
            path.write_text(dashboard_text("Again"))
            wait_for(lambda: server.json("/api/board")["title"] == "Again")
        assert server.stop() == 0


def test_dev_shows_every_save_after_its_output_pipe_closes(path: Path) -> None:
    command = [sys.executable, "-m", "tickboard", "dev", str(path), "--interval", "50", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().rpartition(" at ")[2].strip()
        process.stdout.close()

        def title() -> str:
            import httpx

            board = httpx.get(f"{url}/api/board").json()
            assert not board.get("problems")
            found: str = board["title"]
            return found

        try:
            for text in ("Second", "Third", "Fourth"):
                path.write_text(dashboard_text(text))
                wait_for(lambda: title() == text)  # noqa: B023  # it is called here alone
            assert process.poll() is None
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()


MOVES = """
import os
from pathlib import Path
from tickboard import Board

os.chdir(os.sep)
board = Board("{title}")
value = board.gauge("value")
board.alert(value > 0, "high", name="high")

@board.every("50ms")
def sample():
    value.set(len(Path(__file__).read_text()))
"""


def test_a_file_that_changes_the_working_directory_is_still_reloaded(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path.write_text(MOVES.format(title="First"))
    name = str(path.relative_to(tmp_path))
    with serve("dev", name, "--interval", "50ms", "--state", "alerts.sqlite") as server:
        server.wait_for(lambda: server.json("/api/alerts")["alerts"])
        path.write_text(MOVES.format(title="Second"))
        server.wait_for(lambda: server.json("/api/board")["title"] == "Second")
        assert "problems" not in server.json("/api/board")
    assert (tmp_path / "alerts.sqlite").exists()


def test_the_alert_log_stays_in_place_when_a_sampler_changes_the_directory(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moves = f"def sample():\n    os.chdir({str(elsewhere)!r})"
    path.write_text(MOVES.format(title="Moves").replace("os.chdir(os.sep)", "").replace("def sample():", moves))
    with serve("run", path.name, "--interval", "50ms", env={"TICKBOARD_STATE": "alerts.sqlite"}) as server:
        server.wait_for(lambda: server.json("/api/alerts")["alerts"])
        kept = server.json("/api/alerts")["alerts"]
    with serve("run", path.name, "--interval", "50ms", env={"TICKBOARD_STATE": "alerts.sqlite"}) as server:
        assert server.json("/api/alerts")["alerts"][0]["id"] == kept[0]["id"]
    assert list(elsewhere.iterdir()) == []
