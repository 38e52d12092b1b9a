"""Where a board's history is kept, by flags, environment, configuration and the board itself."""

from pathlib import Path

import pytest

from tickboard import Board
from tickboard.cli import serving_options
from tickboard.cli.checking import check
from tickboard.cli.dashboard_file import read_config
from tickboard.cli.serving_options import Options
from tickboard.errors import BoardError, InputError
from tickboard.history.options import HistoryOptions


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    for name in ("TICKBOARD_STATE", "TICKBOARD_HISTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home" / "tickboard"


def file_of(options: Options, board: Board | None = None, file: Path | None = None) -> str | None:
    return options.history_of(board or Board(), file).file


def test_each_board_has_a_file_of_its_own_beside_that_of_its_alerts(home: Path) -> None:
    assert file_of(Options()) == str(home / "host.history.sqlite")
    one, other = file_of(Options(), file=Path("a/board.py")), file_of(Options(), file=Path("b/board.py"))
    assert one != other
    assert Path(one or "").parent == home
    assert Path(one or "").name.startswith("board-")
    assert file_of(Options(state="/x/alerts.sqlite")) == "/x/alerts.history.sqlite"
    assert file_of(Options(), Board(state="/y/s.db")) == "/y/s.history.sqlite"


def test_without_a_journal_there_is_no_history_unless_a_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_of(Options(state="none")) == "none"
    assert file_of(Options(state="none", history="h.sqlite")) == "h.sqlite"
    assert file_of(Options(state="none"), Board(history="b.sqlite")) == "b.sqlite"
    monkeypatch.setenv("TICKBOARD_STATE", "none")
    assert file_of(Options()) == "none"
    monkeypatch.setenv("TICKBOARD_HISTORY", " e.sqlite ")
    assert file_of(Options()) == "e.sqlite"


def test_a_flag_overrides_the_environment_which_overrides_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(history="b.sqlite")
    assert file_of(Options(), board) == "b.sqlite"
    monkeypatch.setenv("TICKBOARD_HISTORY", "none")
    assert file_of(Options(), board) == "none"
    assert file_of(Options(history="f.sqlite"), board) == "f.sqlite"


def test_relative_paths_belong_to_the_folder_of_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKBOARD_ACCESS", "access.json")
    monkeypatch.setenv("TICKBOARD_HISTORY", "e.sqlite")
    anchored = Options(state="alerts", tls_cert=Path("cert.pem"), tls_key=Path("key.pem")).anchored()
    monkeypatch.chdir("/")
    assert file_of(anchored) == str(tmp_path / "e.sqlite")
    assert anchored.state == str(tmp_path / "alerts")
    assert anchored.access == str(tmp_path / "access.json")
    assert (anchored.tls_cert, anchored.tls_key) == (tmp_path / "cert.pem", tmp_path / "key.pem")
    kept_nowhere = Options(state="none", history="none", access="/access.json")
    assert kept_nowhere.anchored() == kept_nowhere
    monkeypatch.delenv("TICKBOARD_ACCESS")
    assert Options().anchored().access is None


def test_retention_and_size_come_from_flags_and_then_from_the_board() -> None:
    options = Options(keep="2d", keep_minutes="30d", keep_hours="1y", history_size="2GiB", history_commit="30s")
    day_s = 86_400.0
    assert options.history_of(Board(keep="9d"), None) == HistoryOptions(
        file_of(options), 2 * day_s, 30 * day_s, 365 * day_s, 2**31, 30
    )
    board = Board(keep="9d", keep_minutes="40d", keep_hours=86_400 * 50, history_size="20MiB", history_commit="2s")
    assert Options(keep="2d").history_of(board, None) == HistoryOptions(
        file_of(options), 2 * day_s, 40 * day_s, 50 * day_s, 20 * 2**20, 2
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(keep="1s"), "--keep: give 1h or more"),
        (Options(keep_minutes="x"), "--keep-minutes: duration 'x': write a number"),
        (Options(history_size="1"), "--history-size: size '1': write a number and its unit"),
        (Options(history_commit="1h"), "--history-commit: give 5m or less"),
    ],
)
def test_an_invalid_flag_is_named(options: Options, said: str) -> None:
    with pytest.raises(InputError) as caught:
        options.history_of(Board(), None)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("history", "", "Board(history=…): give the path of a file"),
        ("keep", "x", "Board(keep=…): duration 'x'"),
        ("history_size", "0B", "Board(history_size=…): give 16MiB or more"),
        ("history_commit", 0, "Board(history_commit=…): give 100ms or more"),
    ],
)
def test_an_invalid_argument_is_named(option: str, value: object, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Board(**{option: value})  # type: ignore[arg-type]
    assert str(caught.value).startswith(said)


def test_a_configuration_wins_over_the_board_and_flags_over_both(tmp_path: Path) -> None:
    config = tmp_path / "tickboard.toml"
    config.write_text('[history]\nfile = "c.sqlite"\nkeep = "3d"\nsize = "100MiB"\n')
    board = Board(history="b.sqlite", keep="1d", keep_hours="9d")
    board.apply_config(read_config(config))
    assert board.history_options == HistoryOptions("c.sqlite", 3 * 86_400.0, keep_hours=9 * 86_400.0, size=100 * 2**20)
    assert file_of(Options(history="f.sqlite"), board) == "f.sqlite"
    assert file_of(Options(state="none"), board) == "c.sqlite"


def test_an_invalid_value_of_a_configuration_is_named_with_its_line(tmp_path: Path) -> None:
    config = tmp_path / "tickboard.toml"
    config.write_text('[history]\n\nkeep = "3s"\n')
    board = Board()
    with pytest.raises(BoardError) as caught:
        board.apply_config(read_config(config))
    assert str(caught.value) == f"{config}:3: history.keep: give 1h or more"
    assert board.history_options == HistoryOptions()


def test_a_check_of_a_file_touches_no_history(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "board.py"
    file.write_text("from tickboard import Board\nboard = Board(history='h.sqlite')\nboard.gauge('cpu')\n")
    check(file, None)
    assert ": good" in capfd.readouterr().out
    assert not (tmp_path / "h.sqlite").exists()


def test_without_a_home_folder_there_is_no_history_and_the_log_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_home() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    said: list[str] = []
    monkeypatch.setattr(serving_options, "say", said.append)
    assert file_of(Options()) == "none"
    assert said == ["There is no home folder to keep history in: give a file with --history, or --history none."]
