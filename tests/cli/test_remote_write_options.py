"""Where a board's ticks are sent on, by flags, environment, configuration and the board itself."""

import logging
import re
from pathlib import Path

import pytest
from tests.serving import serve

from tickboard import Board
from tickboard.cli.dashboard_file import read_config
from tickboard.cli.serving_options import Options
from tickboard.errors import BoardError, InputError
from tickboard.history.options import NO_HISTORY, HistoryOptions
from tickboard.sending.options import RemoteWriteOptions

URL = "http://prometheus:9090/api/v1/write"
KEPT = HistoryOptions("h.sqlite")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TICKBOARD_REMOTE_WRITE", raising=False)
    monkeypatch.setenv("RECEIVER_TOKEN", "t0ken-t0ken")


def url_of(options: RemoteWriteOptions) -> str | None:
    return None if options.url is None else options.url.reveal()


def test_a_flag_overrides_the_environment_which_overrides_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    assert url_of(Options().remote_write_of(board, NO_HISTORY)) is None
    board.remote_write("http://board/", labels={"env": "prod"}, metrics="cpu*", delay="5s")
    asked = Options().remote_write_of(board, KEPT)
    assert (url_of(asked), asked.labels, asked.metrics, asked.delay) == (
        "http://board/",
        (("env", "prod"),),
        ("cpu*",),
        5,
    )
    monkeypatch.setenv("TICKBOARD_REMOTE_WRITE", " http://environment/ ")
    assert url_of(Options().remote_write_of(board, KEPT)) == "http://environment/"
    flags = Options(remote_write=URL, remote_write_version="2.0", remote_write_label=("env=a=b", "job=x"))
    asked = flags.remote_write_of(board, KEPT)
    assert (url_of(asked), asked.version, asked.labels) == (URL, "2.0", (("env", "a=b"), ("job", "x")))
    assert not Options(remote_write="none").remote_write_of(board, NO_HISTORY).is_wanted


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (Options(remote_write="prometheus"), "--remote-write: 'prometheus': give a URL"),
        (Options(remote_write="http://${NO_SUCH}/"), "--remote-write: the environment variable NO_SUCH"),
        (Options(remote_write=URL, remote_write_label=("env",)), "--remote-write-label=env: give a name and a value"),
        (Options(remote_write=URL, remote_write_label=("a-b=c",)), "--remote-write-label: 'a-b' is not a label name"),
    ],
)
def test_an_invalid_flag_raises_one_error_that_names_it(options: Options, why: str) -> None:
    with pytest.raises(InputError, match=re.escape(why)):
        options.remote_write_of(Board(), KEPT)


def test_remote_write_requires_a_history() -> None:
    with pytest.raises(
        InputError, match="--remote-write sends ticks from the history, but none is kept: name its file"
    ):
        Options(remote_write=URL).remote_write_of(Board(), NO_HISTORY)
    board = Board()
    board.remote_write(URL)
    with pytest.raises(InputError, match="remote_write sends ticks from the history, but none is kept: name its file"):
        board.prepare()
    # What is not served sends nothing.
    board.tick()


def test_a_board_whose_history_cannot_be_opened_says_that_it_is_tried_again_and_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text("from tickboard import Board\nboard = Board()\nboard.gauge('a').set(1)\n")
    (tmp_path / "h.sqlite").mkdir()
    arguments = ("--history", str(tmp_path / "h.sqlite"), "--remote-write", "http://127.0.0.1:9/")
    with serve("run", str(file), *arguments) as server:
        server.wait_for(lambda: len(server.json("/api/health")["reasons"]) == 2)
        reasons = {each["source"]: each["message"] for each in server.json("/api/health")["reasons"]}
        assert reasons["remote write"].startswith("the history cannot be read: ")
        assert "it is tried again by itself" in reasons["history"]


def test_a_password_on_the_command_line_gets_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text("from tickboard import Board\nboard = Board()\n")
    url = "http://me:hunter22hunter@127.0.0.1:9/write"
    history = ("--history", str(tmp_path / "h.sqlite"))
    with serve("run", str(file), *history, "--remote-write", url) as server:
        assert "--remote-write http://127.0.0.1:9/write: every user of this machine can read" in server.output()
        assert "hunter22" not in server.output()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('url = "prometheus"', ":2: remote_write.url: 'prometheus': give a URL"),
        ("url = 5", ":2: remote_write.url: the value is invalid. The URL to send to"),
        ('version = "3.0"', ":2: remote_write.version: '3.0' is invalid. The version"),
        (
            'headers = { Authorization = 5, x = "s3cret-s3cret" }',
            ":2: remote_write.headers: the value is invalid. Headers of each",
        ),
        ('headers = { Host = "x" }', ":2: remote_write.headers: Host belongs to the protocol"),
        ('headers = { A = "${NO_SUCH}" }', ":2: remote_write.headers: the environment variable NO_SUCH"),
        ('labels = { "a-b" = "c" }', ":2: remote_write.labels: 'a-b' is not a label name"),
        ('delay = "1h"', ":2: remote_write.delay: give 5m or less"),
        ('delay = "soon"', ":2: remote_write.delay: "),
        ('uri = "x"', ":2: remote_write.uri: there is no such key: write url"),
    ],
)
def test_an_invalid_key_raises_one_error_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    config = tmp_path / "tickboard.toml"
    config.write_text(f"[remote_write]\n{text}\n")
    with pytest.raises(BoardError, match=re.escape(why)) as raised:
        Board().apply_config(read_config(config))
    assert "s3cret" not in str(raised.value)


def test_the_configuration_wins_over_the_board(tmp_path: Path) -> None:
    config = tmp_path / "tickboard.toml"
    config.write_text(
        """
        [remote_write]
        url = "http://configured/"
        [remote_write.headers]
        Authorization = "Bearer ${RECEIVER_TOKEN}"
        """
    )
    board = Board()
    board.remote_write("http://board/", headers={"X-Key": "k3y-for-board"}, version="2.0")
    board.apply_config(read_config(config))
    options = board.remote_write_options
    assert (url_of(options), options.version) == ("http://configured/", "2.0")
    assert options.headers == {"Authorization": "Bearer t0ken-t0ken"}


def test_remote_write_of_a_board_is_checked_where_it_is_declared(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(InputError, match=r"remote_write\(url=…\): 'x': give a URL"):
        Board().remote_write("x")
    board = Board()
    board.prepare()
    with pytest.raises(InputError, match="remote_write: the board is already prepared"):
        board.remote_write(URL)
