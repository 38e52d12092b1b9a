"""Options of one part of a board, such as its history, of which several places may each give some.

The command line, the environment, ``tickboard.toml`` and the dashboard file are such places. `PartialOptions.over` puts
together what they give.
"""

from collections.abc import Callable, Mapping
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import asdict

from tickboard.errors import InputError

Refusal = Callable[[str, str], InputError]
"""Makes the error of an option, from its name and what is wrong with its value."""


class PartialOptions(Struct, frozen=True):
    """Options as one place gives them. An attribute is None if the place does not give it."""

    def over(self, others: Self) -> Self:
        """Return these options, with those of another place where this one gives none."""
        mine = asdict(self)
        return type(self)(**{name: getattr(others, name) if value is None else value for name, value in mine.items()})


def read_options(
    readers: Mapping[str, Callable[[Any], object]], given: Mapping[str, object], refusal: Refusal
) -> dict[str, Any]:
    """Return the values of options that people wrote.

    Args:
        readers: by the name of an option, what reads its value, or raises InputError.
        given: what was written, by name; None: the option is not given.
        refusal: makes the error of a value that cannot be used.

    Raises:
        InputError: a value cannot be used.
    """
    found = {}
    for name, value in given.items():
        if value is None:
            continue
        try:
            found[name] = readers[name](value)
        except InputError as error:
            raise refusal(name, str(error)) from error
    return found
