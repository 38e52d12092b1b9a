"""An argument overrides the environment, which overrides the default; the error for a bad value names it."""

import pytest

from tickboard.errors import InputError
from tickboard.settings import BOUNDS, Settings, read_settings


def test_the_defaults_match_the_specification() -> None:
    assert read_settings({}) == Settings(1000, 60, 10)


def test_the_environment_is_read() -> None:
    environ = {"METRIC_INTERVAL_MS": "250", "WINDOW_SIZE": " 120 ", "ALERT_CHECK_SEC": "5"}
    assert read_settings(environ) == Settings(250, 120, 5)


def test_an_empty_variable_counts_as_unset() -> None:
    assert read_settings({"WINDOW_SIZE": " "}) == Settings()


def test_arguments_override_the_environment_and_defaults_do_not() -> None:
    environ = {"METRIC_INTERVAL_MS": "250"}
    found = read_settings(environ, window_size=7, default=Settings(100, 100, 100))
    assert found == Settings(250, 7, 100)


@pytest.mark.parametrize("variable", list(BOUNDS))
@pytest.mark.parametrize("bad", ["0", "-1", "abc", "1.5", "1e3", "9" * 30, "9" * 5000])
def test_the_error_for_a_bad_value_names_the_variable_and_its_bounds(variable: str, bad: str) -> None:
    low, high, meaning = BOUNDS[variable]
    with pytest.raises(InputError) as refused:
        read_settings({variable: bad})
    message = str(refused.value)
    assert message.startswith(f"{variable}=")
    assert f"from {low} to {high}" in message
    assert meaning in message
    assert len(message) < 200


def test_the_error_for_a_bad_argument_names_the_flag() -> None:
    with pytest.raises(InputError, match="--window=0"):
        read_settings({}, window_size=0)
    with pytest.raises(InputError, match="--interval=1:"):
        read_settings({}, interval_ms=1)
