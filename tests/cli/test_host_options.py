"""A board as a host: its name, labels and NATS server, by flags, environment, configuration and the board itself."""

import re
from pathlib import Path

import msgspec
import pytest
from tests.serving import serve

from tickboard import Board
from tickboard.cli.dashboard_file import read_config
from tickboard.cli.serving_options import Options
from tickboard.errors import BoardError, InputError
from tickboard.fleet.options import HostOptions, machine_name
from tickboard.wire import About


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TICKBOARD_NATS", raising=False)
    monkeypatch.setenv("NATS_PASSWORD", "s3cret-s3cret")


def servers_of(options: HostOptions) -> list[str]:
    return [str(server) for server in options.nats or ()]


def test_a_flag_overrides_the_environment_which_overrides_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()
    assert Options().host_of(board) == HostOptions()
    board.publish("nats://board", name="board", labels={"env": "prod"})
    assert servers_of(Options().host_of(board)) == ["nats://board:4222"]
    monkeypatch.setenv("TICKBOARD_NATS", " nats://environment ")
    assert servers_of(Options().host_of(board)) == ["nats://environment:4222"]
    flags = Options(nats="nats://flag", name="web-1", label=("env=a=b", "az=1"), nats_ca=Path("ca.pem"))
    asked = flags.host_of(board)
    assert (servers_of(asked), asked.host_name) == (["nats://flag:4222"], "web-1")
    assert asked.labels == (("az", "1"), ("env", "a=b"))
    assert asked.ca == Path("ca.pem").absolute()
    assert Options(nats="none").host_of(board).nats_options is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (Options(nats="http://a"), "--nats: 'http://a' is not the URL of a NATS server"),
        (Options(nats="nats://${NO_SUCH}@a"), "--nats: the environment variable NO_SUCH"),
        (Options(name="a b"), "--name: host name 'a b': use up to 100 letters"),
        (Options(label=("env",)), "--label=env: give a name and a value, as env=prod"),
        (Options(label=("env=a", "env=b")), "--label=env=b: env is there twice: give each name once"),
        (Options(label=("host=a",)), "--label: label host is the host's name"),
    ],
)
def test_an_invalid_flag_raises_one_error_that_names_it(options: Options, why: str) -> None:
    with pytest.raises(InputError, match=re.escape(why)):
        options.host_of(Board())


def test_files_for_nats_without_a_server_are_refused() -> None:
    board = Board()
    with pytest.raises(InputError, match="is for NATS, but no server is named: give one with --nats or nats="):
        board.prepare(host=Options(nats_key=Path("key.pem")).host_of(board))


def test_a_board_is_named_without_nats(tmp_path: Path) -> None:
    config = tmp_path / "tickboard.toml"
    config.write_text('[host]\nlabels = { env = "prod" }\n')
    with serve("--config", str(config), "--name", "web-1") as server:
        about = msgspec.convert(server.json("/api/about"), About)
    assert (about.name, about.labels) == ("web-1", {"env": "prod"})
    with serve() as server:
        assert server.json("/api/about")["name"] == machine_name()


def test_a_login_on_the_command_line_gets_a_warning() -> None:
    url = "nats://127.0.0.1:1,nats://me:hunter22hunter@127.0.0.1:9"
    with serve("--nats", url) as server:
        assert " on nats://127.0.0.1:1, nats://127.0.0.1:9\n" in server.output()
        assert "--nats nats://127.0.0.1:1,nats://127.0.0.1:9: every user of this machine can read" in server.output()
        server.wait_for(lambda: "NATS" in {each["source"] for each in server.json("/api/health")["reasons"]})
        assert server.json("/api/health")["status"] == "degraded"
        assert "hunter22" not in server.output()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('nats = "http://a"', ":2: host.nats: 'http://a' is not the URL of a NATS server"),
        ("nats = 5", ":2: host.nats: the value is invalid. NATS servers to publish on"),
        ('nats = "nats://${NO_SUCH}@a"', ":2: host.nats: the environment variable NO_SUCH"),
        ('name = "a b"', ":2: host.name: host name 'a b'"),
        ('labels = { "a b" = "c" }', ":2: host.labels: 'a b' is not a label name"),
        ("labels = { a = 1 }", ":2: host.labels: {'a': 1} is invalid. Labels of the host"),
        ('cert = "x"', ":2: host.cert: there is no such key: write certificate"),
    ],
)
def test_an_invalid_key_raises_one_error_with_its_line(tmp_path: Path, text: str, why: str) -> None:
    config = tmp_path / "tickboard.toml"
    config.write_text(f"[host]\n{text}\n")
    with pytest.raises(BoardError, match=re.escape(why)):
        Board().apply_config(read_config(config))


def test_the_configuration_wins_over_the_board(tmp_path: Path) -> None:
    config = tmp_path / "tickboard.toml"
    config.write_text('[host]\nname = "web-1"\nnats = "tls://u:${NATS_PASSWORD}@configured"\nca = "ca.pem"\n')
    board = Board()
    board.publish("nats://board", name="board", labels={"env": "prod"}, credentials="board.creds")
    board.apply_config(read_config(config))
    options = board.host_options
    assert (servers_of(options), options.host_name) == (["tls://configured:4222"], "web-1")
    assert options.labels == (("env", "prod"),)
    assert (options.credentials, options.ca) == (None, Path("ca.pem").absolute())
