"""Loading a dashboard file returns its board, or raises one error that names the file and the line."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tickboard.cli.dashboard_file import load_board, read_config
from tickboard.errors import BoardError

Write = Callable[..., Path]

START = 'from tickboard import Board\nboard = Board("Mine")\n'


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file into a new folder."""

    def write(text: str | bytes, name: str = "dashboard.py") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture(autouse=True)
def own_path_and_modules() -> Iterator[None]:
    """Undo what loading does: it adds a folder to `sys.path` and its modules to `sys.modules`."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def error_of(path: Path) -> BoardError:
    with pytest.raises(BoardError) as caught:
        load_board(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(caught.value.file))
    return caught.value


# --- boards ---


def test_the_board_named_board_is_loaded(write: Write) -> None:
    path = write(START + 'other = Board("Other")\ncpu = board.gauge("cpu_usage")\n')
    board = load_board(path)
    assert board.title == "Mine"
    assert list(board.registry.metrics) == ["cpu_usage"]


def test_the_only_board_is_loaded_whatever_its_name(write: Write) -> None:
    assert load_board(write('from tickboard import Board\nwall = Board("Wall")\n')).title == "Wall"


def test_a_board_under_two_names_counts_once(write: Write) -> None:
    assert load_board(write('from tickboard import Board\na = b = Board("Both")\n')).title == "Both"


def test_each_load_makes_a_new_board(write: Write) -> None:
    path = write(START)
    assert load_board(path) is not load_board(path)


def test_a_change_of_the_same_length_in_the_same_second_is_noticed(write: Write) -> None:
    assert load_board(write(START)).title == "Mine"
    assert load_board(write(START.replace("Mine", "Ours"))).title == "Ours"


def test_the_file_knows_its_path_and_is_not_the_main_program(write: Write) -> None:
    path = write(START + "board.title = f\"{__file__} {__name__ == '__main__'}\"\n")
    assert load_board(path).title == f"{path} False"


def test_dataclasses_in_the_file_work(write: Write) -> None:
    # Dataclasses look up their module by name.
    load_board(
        write(
            "from __future__ import annotations\nfrom dataclasses import dataclass\n"
            + START
            + "@dataclass\nclass Disk:\n    name: str\n"
        )
    )


def test_the_example_loads() -> None:
    board = load_board(Path(__file__).parents[2] / "examples" / "dashboard.py")
    assert list(board.registry.metrics) == ["cpu_usage", "memory_usage", "requests_per_sec", "avg_latency"]


# --- configuration ---

RULE = 'cpu = board.gauge("cpu_usage")\nboard.alert(cpu > 90, "high")\n'


def condition_of(path: Path, config: Path | None = None) -> str:
    [rule] = load_board(path, config)._rules
    return rule.condition.text()


def test_a_configuration_beside_the_file_is_applied(write: Write) -> None:
    path = write(START + RULE)
    assert condition_of(path) == "cpu_usage > 90"
    write("[rules.cpu_usage]\nthreshold = 95\n", "tickboard.toml")
    assert condition_of(path) == "cpu_usage > 95"


def test_a_given_configuration_replaces_the_one_beside_the_file(write: Write) -> None:
    path = write(START + RULE)
    write("[rules.cpu_usage]\nthreshold = 95\n", "tickboard.toml")
    assert condition_of(path, write("[rules.cpu_usage]\nthreshold = 70\n", "night.toml")) == "cpu_usage > 70"


def test_an_error_in_a_configuration_names_that_file_and_the_line(write: Write) -> None:
    path = write(START + RULE)
    config = write("[rules.cpu_usage]\n\nwhen = 'cpu > 90'\n", "tickboard.toml")
    error = error_of(path)
    assert (error.file, error.line) == (str(config), 3)
    assert "cpu is not a metric of this board: write cpu_usage" in error.message


def test_a_missing_configuration_is_named_in_the_error(write: Write, tmp_path: Path) -> None:
    path = write(START + RULE)
    with pytest.raises(BoardError, match=r"nowhere\.toml: there is no such file"):
        load_board(path, tmp_path / "nowhere.toml")
    (tmp_path / "tickboard.toml").symlink_to(tmp_path / "nowhere.toml")
    assert "there is no such file" in error_of(path).message


def test_an_unreadable_configuration_is_an_error(write: Write, tmp_path: Path) -> None:
    path = write(START + RULE)
    (tmp_path / "tickboard.toml").mkdir()
    assert "it can't be read (Is a directory)" in error_of(path).message


def test_a_configuration_that_never_ends_is_refused(tmp_path: Path) -> None:
    endless = tmp_path / "tickboard.toml"
    endless.symlink_to("/dev/zero")
    with pytest.raises(BoardError, match="it has more than 1024 KiB"):
        read_config(endless)


# --- modules beside the file ---


def test_a_module_beside_the_file_can_be_imported(write: Write) -> None:
    write('TITLE = "Shared"\n', "titles.py")
    assert load_board(write("from titles import TITLE\n" + START + "board.title = TITLE\n")).title == "Shared"


def test_a_module_beside_the_file_is_reloaded(write: Write) -> None:
    dashboard = write("from titles import TITLE\n" + START + "board.title = TITLE\n")
    write('TITLE = "First"\n', "titles.py")
    assert load_board(dashboard).title == "First"
    # The change has the same length and comes in the same second: old compiled code must not hide it.
    write('TITLE = "Other"\n', "titles.py")
    assert load_board(dashboard).title == "Other"


def test_a_missing_module_is_found_once_it_exists(write: Write) -> None:
    dashboard = write("from late import TITLE\n" + START)
    assert "No module named 'late'" in error_of(dashboard).message
    write('TITLE = "Late"\n', "late.py")
    assert load_board(dashboard).title == "Mine"


def test_loading_leaves_no_compiled_code_beside_the_file(write: Write, tmp_path: Path) -> None:
    write('TITLE = "Shared"\n', "titles.py")
    load_board(write("from titles import TITLE\n" + START))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dashboard.py", "titles.py"]


def test_other_modules_are_not_reloaded(write: Write) -> None:
    before = sys.modules["tickboard.board"]
    load_board(write(START))
    assert sys.modules["tickboard.board"] is before


# --- errors ---


def test_a_missing_file_is_named_in_the_error(tmp_path: Path) -> None:
    error = error_of(tmp_path / "nowhere.py")
    assert "no such file" in error.message
    assert error.line is None


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in error_of(tmp_path).message


def test_a_file_of_another_kind_is_refused(write: Write) -> None:
    assert "must end in .py" in error_of(write(START, "dashboard.txt")).message


def test_a_file_without_a_board_is_an_error(write: Write) -> None:
    assert "it makes no board" in error_of(write("x = 1\n")).message
    assert "it makes no board" in error_of(write("")).message


def test_two_boards_are_an_error(write: Write) -> None:
    assert "2 boards" in error_of(write('from tickboard import Board\na = Board("A")\nb = Board("B")\n')).message


def test_a_syntax_error_is_reported_with_its_line(write: Write) -> None:
    error = error_of(write(START + "cpu = board.gauge(\n"))
    assert error.line == 3
    assert error.message.startswith("SyntaxError: ")


@pytest.mark.parametrize("text", [b"x = '\xff\xfe'\n", b"x = 1\x00\n", b"\tx = 1\n  y = 2\n"])
def test_bytes_that_are_not_python_are_a_syntax_error(write: Write, text: bytes) -> None:
    assert "Error: " in error_of(write(text)).message


def test_a_syntax_error_in_a_module_beside_the_file_names_that_module(write: Write) -> None:
    broken = write("x = 1\ny = (\n", "broken.py")
    error = error_of(write("import broken\n" + START))
    assert (error.file, error.line) == (str(broken), 2)


def test_an_exception_is_reported_with_its_line(write: Write) -> None:
    error = error_of(write(START + "\nx = 1 / 0\n"))
    assert error.line == 4
    assert error.message == "ZeroDivisionError: division by zero"


def test_an_exception_without_a_text_is_reported_by_its_type(write: Write) -> None:
    error = error_of(write("raise RuntimeError\n"))
    assert error.message.startswith("RuntimeError")
    assert error.line == 1


def test_an_exception_text_of_many_lines_becomes_one_line(write: Write) -> None:
    assert error_of(write('raise ValueError("one\\ntwo")\n')).message == "ValueError: one two"


def test_an_exception_in_a_function_is_reported_with_the_line_in_the_function(write: Write) -> None:
    assert error_of(write(START + "def f():\n    raise KeyError('x')\n\nf()\n")).line == 4


def test_an_exception_in_a_module_beside_the_file_names_the_line_of_the_import(write: Write) -> None:
    write("1 / 0\n", "divides.py")
    error = error_of(write(START + "import divides\n"))
    assert error.line == 3
    assert "ZeroDivisionError" in error.message


@pytest.mark.parametrize("call", ["exit()", "exit(3)", "import sys; sys.exit('bye')", "raise SystemExit"])
def test_a_file_that_exits_is_an_error(write: Write, call: str) -> None:
    error = error_of(write(START + call + "\n"))
    assert "exit()" in error.message
    assert error.line == 3


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ('board.gauge("a b")', "metric name 'a b'"),
        ('board.gauge("x"); board.counter("x")', "already declared"),
        ('board.alert(board.gauge("x") > 1, "{nothing}")', "nothing"),
        ('board.alert(board.gauge("x") > 1, "m", severity="bad")', "bad"),
        ('board.alert(board.gauge("x") > 1, "m", for_="soon")', "soon"),
        ('board.alert("x > 1", "m")', ""),
        ('board.every("every day")(print)', "every day"),
        ("board.every(print)", "schedule"),
        ('board.gauge("x").p42', "p42"),
        ('board.card("nothing")', "nothing"),
    ],
)
def test_an_invalid_declaration_is_reported_with_its_line(write: Write, declaration: str, message: str) -> None:
    path = write(START + "\n\n" + declaration + "\n")
    error = error_of(path)
    assert (error.file, error.line) == (str(path), 5)
    assert message in error.message


def test_an_invalid_declaration_of_many_lines_is_reported_at_its_first_line(write: Write) -> None:
    text = (
        START
        + 'cpu = board.gauge("cpu_usage")\nboard.alert(\n    cpu > 90,\n    "{nothing}",\n    severity="critical",\n)\n'
    )
    assert error_of(write(text)).line == 4


def test_our_own_errors_are_reported_without_their_class(write: Write) -> None:
    assert error_of(write(START + 'board.gauge("a b")\n')).message.startswith("metric name")
