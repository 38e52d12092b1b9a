"""The three numbers that environment variables set, and their bounds. The environment is an argument."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from tickboard.errors import InputError

BOUNDS = {
    "METRIC_INTERVAL_MS": (10, 3_600_000, "milliseconds between two ticks"),
    "WINDOW_SIZE": (1, 1_000_000, "ticks in the window"),
    "ALERT_CHECK_SEC": (1, 86_400, "seconds between two runs of time-driven alert work"),
}
"""Each environment variable's lowest and highest value, and what it means."""


class Settings(Struct, frozen=True):
    """How often a board ticks, how long its window is, and how often time-driven alert work runs.

    Attributes:
        interval_ms: milliseconds between two ticks.
        window_size: ticks in the window.
        alert_check_s: seconds between two runs of time-driven alert work.
    """

    interval_ms: int = 1000
    window_size: int = 60
    alert_check_s: int = 10


DEFAULTS: Final = Settings()


def read_settings(
    environ: Mapping[str, str],
    *,
    interval_ms: int | None = None,
    window_size: int | None = None,
    default: Settings = DEFAULTS,
) -> Settings:
    """Return the settings. An argument takes precedence over the environment, and that over the default.

    Raises:
        InputError: a value is not a whole number within its bounds.
    """
    return Settings(
        _pick(environ, "METRIC_INTERVAL_MS", interval_ms, default.interval_ms, "--interval"),
        _pick(environ, "WINDOW_SIZE", window_size, default.window_size, "--window"),
        _pick(environ, "ALERT_CHECK_SEC", None, default.alert_check_s, ""),
    )


def _pick(environ: Mapping[str, str], variable: str, argument: int | None, default: int, flag: str) -> int:
    if argument is not None:
        return _bounded(flag, str(argument), variable)
    # As in a shell, set but empty means not set.
    if text := environ.get(variable, "").strip():
        return _bounded(variable, text, variable)
    return _bounded(variable, str(default), variable)


def _bounded(source: str, text: str, variable: str) -> int:
    low, high, meaning = BOUNDS[variable]
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise InputError(f"{source}={text[:40]}: give a whole number from {low} to {high} ({meaning})")
    return number
