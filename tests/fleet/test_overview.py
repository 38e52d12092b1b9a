"""Which metrics of a board a wall keeps."""

from tickboard import Board
from tickboard.fleet.overview import overview


def names(board: Board) -> list[str]:
    described = board.describe()
    return [info.name for info in overview({info.name: info for info in described.metrics}, described.panels)]


def test_the_metrics_that_the_board_names() -> None:
    board = Board()
    board.gauge("a")
    board.counter("b", overview=True)
    board.histogram("c", overview=True)
    board.card("a")
    # Their percentiles are metrics of their own.
    assert names(board) == ["b", "c"]


def test_the_metrics_of_the_first_six_cards() -> None:
    board = Board()
    for number in range(9):
        board.gauge(f"m{number}", labels=("x",))
    board.chart("m0")
    first = board.metric("m8")
    board.row(board.card(first.labels(x="1")), board.card(first.labels(x="2")), board.card("m7"))
    for number in range(6):
        board.card(f"m{number}")
    assert names(board) == ["m8", "m7", "m0", "m1", "m2", "m3"]


def test_the_first_six_metrics_of_a_board_without_cards() -> None:
    board = Board()
    for number in range(9):
        board.gauge(f"m{number}")
    board.chart("m8")
    assert names(board) == ["m0", "m1", "m2", "m3", "m4", "m5"]


def test_the_metrics_of_a_board_that_declares_no_panels() -> None:
    board = Board()
    for number in range(9):
        board.gauge(f"m{number}")
    assert names(board) == ["m0", "m1", "m2", "m3", "m4", "m5"]
    assert names(Board()) == []
