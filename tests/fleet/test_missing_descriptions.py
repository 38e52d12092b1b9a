"""When a wall asks for the description of a host, with the time as an argument."""

import pytest

from tickboard.fleet import missing_descriptions
from tickboard.fleet.missing_descriptions import MissingDescriptions


def asked_at(missing: MissingDescriptions, seconds: range, name: str = "a") -> list[int]:
    """Return the seconds at which a host that needs a description every second has caused a question."""
    return [now for now in seconds if missing.ask(name, "beats", now)]


def test_a_host_without_a_description_is_asked_for_less_and_less_often() -> None:
    missing = MissingDescriptions(2.0, 60.0)
    assert asked_at(missing, range(300)) == [0, 2, 6, 14, 30, 62, 122, 182, 242]


def test_once_it_was_understood_it_is_asked_for_at_once() -> None:
    missing = MissingDescriptions(2.0, 60.0)
    assert asked_at(missing, range(10)) == [0, 2, 6]
    missing.has("a", "ticks")
    assert not missing.ask("a", "beats", 10)
    missing.has("a", "beats")
    assert missing.ask("a", "beats", 10)
    missing.clear()
    assert missing.ask("a", "beats", 10)


def test_a_name_is_logged_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing_descriptions, "MAX_LOGGED", 2)
    missing = MissingDescriptions(2.0, 60.0)
    for _ in range(2):
        for name in ("a", "b", "c"):
            asked_at(missing, range(100), name)
        missing.clear()
    assert [message.split(":")[0] for message in caplog.messages] == ["host a", "host b"]


def test_names_that_somebody_makes_up_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing_descriptions, "MAX_MISSING", 2)
    missing = MissingDescriptions(2.0, 60.0)
    assert [missing.ask(name, "ticks", 0) for name in ("a", "b", "c")] == [True, True, False]
    missing.has("a", "ticks")
    assert missing.ask("c", "ticks", 0)
