"""What may be said of a history, and what holds where several say it."""

from datetime import timedelta
from pathlib import Path

import pytest

from tickboard.errors import InputError
from tickboard.history.layout import DAY_S, Retention
from tickboard.history.options import HistoryOptions, beside_state


def refused(option: str, why: str) -> InputError:
    return InputError(f"{option}: {why}")


def test_options_are_read_as_people_write_them() -> None:
    options = HistoryOptions.read(
        {
            "file": Path("a.sqlite"),
            "keep": "2d",
            "keep_minutes": 86_400,
            "keep_hours": timedelta(days=9),
            "size": "1GB",
        },
        refused,
    )
    assert options == HistoryOptions("a.sqlite", 2 * DAY_S, DAY_S, 9 * DAY_S, 10**9)
    assert HistoryOptions.read({"file": None, "keep": None}, refused) == HistoryOptions()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("file", "", "file: give the path of a file, or 'none'"),
        ("file", b"a", "file: give the path of a file, or 'none'"),
        ("file", 1, "file: give the path of a file, or 'none'"),
        ("keep", "59m", "keep: give 1h or more"),
        ("keep_minutes", "soon", "keep_minutes: duration 'soon': write a number and its unit"),
        ("keep_hours", -1, "keep_hours: duration -1 is negative"),
        ("size", "1MB", "size: give 16MiB or more"),
        ("size", "much", "size: size 'much': write a number and its unit"),
        ("commit", "1ms", "commit: give 100ms or more"),
        ("commit", "1h", "commit: give 5m or less"),
    ],
)
def test_an_invalid_option_is_named(option: str, value: object, said: str) -> None:
    with pytest.raises(InputError) as caught:
        HistoryOptions.read({option: value}, refused)
    assert str(caught.value).startswith(said)


def test_earlier_options_take_precedence_and_missing_ones_are_added() -> None:
    flags = HistoryOptions(keep=1.0)
    board = HistoryOptions("b.sqlite", keep=2.0, size=3)
    assert flags.over(board) == HistoryOptions("b.sqlite", 1.0, size=3)


def test_none_means_no_file() -> None:
    assert HistoryOptions("none").path is None
    assert HistoryOptions().path is None
    assert HistoryOptions("x").path == Path("x")
    assert HistoryOptions("none").over(HistoryOptions("x")).path is None


def test_a_coarser_tier_is_kept_for_at_least_as_long_as_a_finer_one() -> None:
    assert HistoryOptions().retention == Retention()
    year_s = 365.0 * DAY_S
    assert HistoryOptions(keep=3 * year_s, size=7).retention == Retention(3 * year_s, 3 * year_s, 3 * year_s, 7)
    assert HistoryOptions(keep=3600.0, keep_minutes=60.0).retention.minutes_s == 3600


def test_the_file_is_beside_that_of_the_alerts() -> None:
    assert beside_state(Path("/a/host.sqlite")) == Path("/a/host.history.sqlite")
    assert beside_state(Path("alerts")) == Path("alerts.history.sqlite")
