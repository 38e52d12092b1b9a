"""Which hosts a wall follows is read with care, and tokens are shown to nobody else."""

from pathlib import Path

import pytest

from tickboard import Board
from tickboard.configuration.config import parse_config
from tickboard.errors import BoardError, InputError
from tickboard.fleet import follow_options as module
from tickboard.fleet.follow_options import FollowOptions, host_addresses, nats_servers
from tickboard.output.secrets import redacted


def read(environ: dict[str, str] | None = None, **written: object) -> FollowOptions:
    return FollowOptions.read(written, environ or {}, lambda key, why: InputError(f"{key}: {why}"))


def test_addresses_may_have_passwords_from_the_environment() -> None:
    options = read({"SECRET": "p@ss word"}, hosts=["http://wall:${SECRET}@web-1:3000", "https://web-2/team/board/"])
    assert [each.url for each in host_addresses(options)] == [
        "http://wall:p%40ss%20word@web-1:3000",
        "https://web-2/team/board/",
    ]
    assert "p@ss word" not in redacted(f"the password is p@ss word in {options!r}")
    assert options.is_wanted
    assert not read(hosts=[]).is_wanted


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        (["web-1:3000"], "'web-1:3000': give the address of a host, such as http://web-1:3000"),
        (["ftp://web-1"], "'ftp://web-1': give the address"),
        (["http://"], "it has no host"),
        (["http://a:3000", "http://a:3000/"], "http://a:3000 is there twice"),
        (["http://a:3000/x", "HTTP://A:3000/x"], "http://a:3000/x is there twice"),
        (["http://a?since=5"], "since is an argument"),
        ([5], "give the address of a host"),
        (5, "give the address of a host"),
        (["nats://a/subject"], "'nats://a/subject' is not the URL of a NATS server"),
        (["nats://a", "nats://a"], "nats://a is there twice"),
        (["http://${NO_SUCH}"], "NO_SUCH of its URL is not set"),
    ],
)
def test_an_address_that_cannot_be_used_is_named(hosts: object, why: str) -> None:
    with pytest.raises(InputError) as raised:
        read(hosts=hosts)
    assert why in str(raised.value)


def test_hosts_are_followed_on_the_servers_of_one_nats_cluster_too() -> None:
    options = read({"WORD": "pass,word"}, hosts=["http://web-1:3000", "nats://a,tls://wall:${WORD}@b:4223", "nats://c"])
    assert [each.url for each in host_addresses(options)] == ["http://web-1:3000"]
    servers = nats_servers(options)
    assert [str(each) for each in servers] == ["nats://a:4222", "tls://b:4223", "nats://c:4222"]
    assert servers[1].password is not None
    assert servers[1].password.reveal() == "pass,word"
    assert nats_servers(read(hosts=["http://web-1:3000"])) == ()


def test_addresses_may_be_separated_by_commas() -> None:
    options = read(hosts=["http://web-1:3000,http://web-2, HTTPS://web-3/a,b", "nats://a,http://web-4"])
    urls = ["http://web-1:3000", "http://web-2", "HTTPS://web-3/a,b", "http://web-4"]
    assert [each.url for each in host_addresses(options)] == urls


def test_there_is_a_limit_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_URLS", 2)
    with pytest.raises(InputError, match="3 hosts: follow up to 2 over HTTP"):
        read(hosts=["http://a", "http://b", "http://c"])


def test_tokens_are_shown_to_their_own_hosts_alone(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# hosts\n\nHTTP://Web-1:3000/ one-secret\n\thttps://web-2  two-secret \n")
    options = read(hosts=["http://web-1:3000", "https://web-2", "http://web-3"], token_file=str(file))
    assert [each.token for each in host_addresses(options)] == ["one-secret", "two-secret", None]
    assert redacted("one-secret") != "one-secret"
    assert read(hosts=["http://other"]).over(options).token_file is None
    assert read().over(options) == options


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"http://web-1:3000\n", "line 1: write the address of a host, a space and its token"),
        (b"http://web-1:3000 a b", "line 1"),
        (
            "http://web-1:3000 t\u00f6ken".encode(),
            "line 1: the second word is not a token: tickboard token create prints",
        ),
        (b"http://web-3 a", "it has a token for http://web-3, whose URL has a user: remove one of the two"),
        (b"http://web-1:3000 a\nhttp://web-2 b", "it has a token for http://web-2, which is not followed"),
        (
            b"http://web-1:3000 a\nhttp://web-1:3000/ b",
            "line 2: there is another token for http://web-1:3000: remove one",
        ),
        (b"\xff\xfe", "the tokens cannot be read: it is not a text file"),
        (b"#" * (module.MAX_FILE_BYTES + 1), "it has more than 1048576 bytes"),
    ],
)
def test_a_file_of_tokens_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content)
    with pytest.raises(InputError) as raised:
        host_addresses(read(hosts=["http://web-1:3000", "http://me:pw@web-3"], token_file=file))
    assert str(raised.value).startswith(str(file))
    assert why in str(raised.value)


def test_a_file_of_tokens_that_everybody_can_read_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "tokens"
    file.write_text("http://web-1:3000 token")
    for mode, logged in ((0o640, []), (0o644, [f"{file}: every user of this machine can read the tokens in it"])):
        file.chmod(mode)
        host_addresses(read(hosts=["http://web-1:3000"], token_file=file))
        assert [each.partition(": run")[0] for each in caplog.messages] == logged


def test_a_file_of_tokens_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    board = Board()
    board.follow("http://127.0.0.1:9", token_file=tmp_path / "none")
    with pytest.raises(InputError, match="the tokens cannot be read: No such file"):
        board.prepare()
    with pytest.raises(InputError, match="give the name of a file"):
        read(token_file="")


def test_a_board_may_follow_hosts_in_several_calls_and_its_configuration_wins(tmp_path: Path) -> None:
    board = Board()
    board.follow("http://a")
    board.follow("http://b", token_file="x")
    board.follow("http://c", token_file="x")
    with pytest.raises(InputError, match="x and y: write all tokens into one file"):
        board.follow("http://d", token_file="y")
    with pytest.raises(InputError, match="http://a is there twice"):
        board.follow("http://a")
    with pytest.raises(InputError, match="follow: 'a': give the address"):
        board.follow("a")
    hosts = board.follow_options.hosts
    assert hosts is not None
    assert [each.reveal() for each in hosts] == ["http://a", "http://b", "http://c"]
    file = tmp_path / "tickboard.toml"
    board.apply_config(parse_config(b'[follow]\nhosts = ["http://d"]\ntoken_file = "tokens"\n', str(file)))
    hosts = board.follow_options.hosts
    assert hosts is not None
    assert [each.reveal() for each in hosts] == ["http://d"]
    assert board.follow_options.token_file == tmp_path / "tokens"


def test_metrics_of_several_calls_are_shown_together_and_the_configuration_wins() -> None:
    board = Board()
    board.follow("http://a", metrics=["orders"])
    board.follow("http://b", metrics=("queue_*", "orders"))
    assert list(board.follow_options.metrics or ()) == ["orders", "queue_*"]
    board.apply_config(parse_config(b'[follow]\nmetrics = ["disk{mount=\\"/\\"}"]\n', "tickboard.toml"))
    assert list(board.follow_options.metrics or ()) == ['disk{mount="/"}']


@pytest.mark.parametrize("metrics", ["orders", [5], 5, ["["] * 2_000])
def test_metrics_that_cannot_be_used_are_named(metrics: object) -> None:
    with pytest.raises(InputError, match="metrics"):
        read(metrics=metrics)


def test_a_mistake_in_the_configuration_is_named_with_its_line() -> None:
    with pytest.raises(BoardError) as raised:
        Board().apply_config(parse_config(b'\n[follow]\nhosts = ["web-1"]\n', "tickboard.toml"))
    assert (raised.value.file, raised.value.line) == ("tickboard.toml", 3)
    assert "follow.hosts: 'web-1': give the address of a host" in str(raised.value)


def test_a_prepared_board_follows_no_more_hosts() -> None:
    board = Board()
    board.prepare()
    with pytest.raises(InputError, match="follow: the board is already prepared"):
        board.follow("http://a")
