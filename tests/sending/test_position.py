"""The file that keeps the position."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.errors import HistoryError
from tickboard.history.answers import TimePosition
from tickboard.sending.position import RECORD_BYTES, PositionFile, Sent

URL = "http://localhost:9090/api/v1/write"
FIRST, SECOND = Sent(TimePosition("", 5), TimePosition("e1", 7)), Sent(TimePosition("e1", 7))


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "host.history.sqlite"


def test_a_saved_position_is_loaded(history: Path) -> None:
    file = PositionFile(history, URL)
    assert file.load() is None
    for sent in (FIRST, SECOND, FIRST):
        file.save(sent)
        assert PositionFile(history, URL).load() == sent
    path = history.with_name("host.history.sqlite-sent")
    assert path.stat().st_size == 2 * RECORD_BYTES
    assert path.stat().st_mode & 0o777 == 0o600


@given(cut=st.integers(0, 2 * RECORD_BYTES), filler=st.binary(max_size=20))
def test_a_torn_record_leaves_the_previous_one(
    tmp_path_factory: pytest.TempPathFactory, cut: int, filler: bytes
) -> None:
    history = tmp_path_factory.mktemp("torn") / "h.sqlite"
    file = PositionFile(history, URL)
    file.load()
    file.save(FIRST)
    path = history.with_name("h.sqlite-sent")
    before = path.read_bytes().ljust(RECORD_BYTES * 2, b"\0")
    file.save(SECOND)
    after = path.read_bytes()
    # The second record is the first of the file.
    torn = bytearray(after)
    torn[: min(cut, RECORD_BYTES)] = before[: min(cut, RECORD_BYTES)]
    torn[cut : cut + len(filler)] = filler
    path.write_bytes(bytes(torn[: 2 * RECORD_BYTES]))
    assert PositionFile(history, URL).load() in {FIRST, SECOND, None}
    path.write_bytes(before[:100] + after[100:])
    assert PositionFile(history, URL).load() == FIRST


def test_another_receiver_has_no_position(history: Path) -> None:
    file = PositionFile(history, URL)
    file.load()
    file.save(FIRST)
    other = PositionFile(history, "http://elsewhere/")
    assert other.load() is None
    other.save(SECOND)
    assert PositionFile(history, URL).load() is None
    assert PositionFile(history, "http://elsewhere/").load() == SECOND


def test_a_changed_password_is_not_another_receiver_and_is_not_in_the_file(history: Path) -> None:
    file = PositionFile(history, "http://me:password1@localhost/?key=password3")
    file.load()
    file.save(FIRST)
    assert PositionFile(history, "http://me:password2@localhost/").load() == FIRST
    assert b"password" not in history.with_name("host.history.sqlite-sent").read_bytes()


def test_a_file_that_was_removed_meanwhile_is_recreated(history: Path) -> None:
    file = PositionFile(history, URL)
    file.load()
    file.save(FIRST)
    history.with_name("host.history.sqlite-sent").unlink()
    file.save(SECOND)
    assert PositionFile(history, URL).load() == SECOND


@pytest.mark.parametrize("data", [b"", b"\0" * 2000, b"{}", os.urandom(1024), b"00000000 {}".ljust(512) * 2])
def test_a_file_of_another_kind_is_not_a_position(history: Path, data: bytes) -> None:
    file = PositionFile(history, URL)
    file.load()
    history.with_name("host.history.sqlite-sent").write_bytes(data)
    assert file.load() is None
    file.save(FIRST)
    assert PositionFile(history, URL).load() == FIRST


def test_a_file_that_others_may_write_to_is_refused(history: Path) -> None:
    file = PositionFile(history, URL)
    file.load()
    history.with_name("host.history.sqlite-sent").chmod(0o666)
    with pytest.raises(HistoryError, match=r"-sent cannot keep the position of remote write: others may write to"):
        file.load()


def test_a_position_that_cannot_be_written_raises_one_error(history: Path) -> None:
    file = PositionFile(history, URL)
    file.load()
    path = history.with_name("host.history.sqlite-sent")
    path.unlink()
    path.mkdir()
    with pytest.raises(HistoryError, match="does not keep the position of remote write: Is a directory"):
        file.save(FIRST)
