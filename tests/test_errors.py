"""Errors share a base class, have a status by whose fault they are, and name the file and line if there is one."""

import pytest

from tickboard.errors import (
    BoardError,
    BusyError,
    InputError,
    LimitError,
    NoHistoryError,
    PayloadError,
    RateError,
    SampleError,
    TickboardError,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TickboardError("m"), 500),
        (InputError("m"), 422),
        (BoardError("m", "f"), 422),
        (LimitError("m"), 429),
        (RateError("m", 1), 429),
        (BusyError("m", 1), 503),
        (PayloadError("m"), 400),
        (PayloadError("m", 413), 413),
        (NoHistoryError(), 404),
    ],
)
def test_each_error_has_its_status(error: TickboardError, status: int) -> None:
    assert error.status == status
    assert isinstance(error, TickboardError)


def test_a_board_error_names_the_file_and_the_line() -> None:
    error = BoardError("no such metric", "dash.py", 7)
    assert str(error) == "dash.py:7: no such metric"
    assert (error.message, error.file, error.line) == ("no such metric", "dash.py", 7)
    assert str(BoardError("no board", "dash.py")) == "dash.py: no board"


def test_a_sample_error_keeps_its_detail_out_of_its_message() -> None:
    error = SampleError("no disks", "permission denied: /dev/sda")
    assert (str(error), error.detail) == ("no disks", "permission denied: /dev/sda")
    assert SampleError("no disks").detail == ""


@pytest.mark.parametrize("kind", [BusyError, RateError])
def test_a_temporary_error_says_when_to_retry(kind: type[BusyError | RateError]) -> None:
    error = kind("too much at once", 5)
    assert (str(error), error.retry_after_s) == ("too much at once", 5)
