"""Options that several places give are put together."""

from collections.abc import Callable

import pytest

from tickboard.configuration.options import PartialOptions, read_options
from tickboard.errors import InputError


class Options(PartialOptions, frozen=True):
    size: int | None = None
    name: str | None = None


def test_a_missing_option_comes_from_the_fallback() -> None:
    assert Options(size=0).over(Options(5, "a")) == Options(0, "a")
    assert Options().over(Options()) == Options()


def test_given_options_are_read() -> None:
    def refusal(name: str, why: str) -> InputError:
        return InputError(f"--{name}: {why}")

    def whole(value: object) -> int:
        if not isinstance(value, int):
            raise InputError("give a number")
        return value

    readers: dict[str, Callable[[object], object]] = {"size": whole, "name": str}
    assert read_options(readers, {"size": 5, "name": None}, refusal) == {"size": 5}
    with pytest.raises(InputError, match=r"^--size: give a number$"):
        read_options(readers, {"size": "x"}, refusal)
