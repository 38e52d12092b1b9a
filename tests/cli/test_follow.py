"""``tickboard follow``."""

from pathlib import Path

import pytest

from tickboard.cli import serving
from tickboard.cli.serving_options import Options
from tickboard.errors import InputError


def test_follow_needs_a_host() -> None:
    with pytest.raises(
        InputError, match="there is no host to follow: give the address of its page, as http://web-1:3000"
    ):
        serving.follow((), "Hosts", None, (), Options())


def test_an_address_of_a_host_that_is_malformed_is_named() -> None:
    with pytest.raises(InputError, match="follow: 'web-1': give the address of a host"):
        serving.follow(("web-1",), "Hosts", None, (), Options())


def test_the_walls_of_one_configuration_and_the_command_line_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    served = []
    monkeypatch.setattr(serving, "serve", lambda board, *more: served.append((board, more[-1])))
    config = tmp_path / "tickboard.toml"
    config.write_text('[follow]\nhosts = ["http://a"]\n')
    options = Options(config=config, state="none")
    serving.follow(("http://wall:secret-password@b",), "My wall", None, ("orders",), options)
    [(board, named)] = served
    assert [each.reveal() for each in board.follow_options.hosts] == ["http://a", "http://wall:secret-password@b"]
    assert list(board.follow_options.metrics) == ["orders"]
    assert (board.title, named) == ("My wall", "wall My wall")
    assert "every user of this machine can read" in caplog.text
    assert "secret-password" not in caplog.text
