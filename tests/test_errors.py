"""Errors are one family, say whose fault it is, and name the file and the line where there is one."""

import pytest

from tickboard.errors import BoardError, ForeignError, InputError, LimitError, PayloadError, TickboardError


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TickboardError("m"), 500),
        (InputError("m"), 422),
        (BoardError("m", "f"), 422),
        (LimitError("m"), 429),
        (ForeignError("m"), 403),
        (PayloadError("m"), 400),
        (PayloadError("m", 413), 413),
    ],
)
def test_each_has_the_status_of_whose_fault_it_is(error: TickboardError, status: int) -> None:
    assert error.status == status
    assert isinstance(error, TickboardError)


def test_a_board_error_names_the_file_and_the_line() -> None:
    error = BoardError("no such metric", "dash.py", 7)
    assert str(error) == "dash.py:7: no such metric"
    assert (error.message, error.file, error.line) == ("no such metric", "dash.py", 7)
    assert str(BoardError("no board", "dash.py")) == "dash.py: no board"
