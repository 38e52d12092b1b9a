"""Options of one part of a board, such as its history, that can be set in several places.

The places are the command line, the environment, ``tickboard.toml`` and the dashboard file. `PartialOptions.over`
combines the options of two places.
"""

from collections.abc import Callable, Mapping
from typing import Any, Self

from msgspec import Struct
from msgspec.structs import asdict

from tickboard.errors import InputError

Refusal = Callable[[str, str], InputError]
"""Makes the error of an option from its name and the reason."""


class PartialOptions(Struct, frozen=True):
    """The options that one place sets. An attribute is None if the place does not set it."""

    def over(self, others: Self) -> Self:
        """Return these options, completed with those of another place. These take precedence."""
        mine = asdict(self)
        return type(self)(**{name: getattr(others, name) if value is None else value for name, value in mine.items()})


def read_options(
    readers: Mapping[str, Callable[[Any], object]], given: Mapping[str, object], refusal: Refusal
) -> dict[str, Any]:
    """Return the values of options that people wrote.

    Args:
        readers: a function for each option that reads its value, or raises InputError.
        given: the values as written, by name; None: the option is not set.
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
