"""Passwords: hashed with argon2id, and compared in the time that a hash takes, whether or not the person exists."""

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from tickboard.errors import InputError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 1_024
"""The characters of a password."""


def check_password(password: str, name: str) -> None:
    """Check that a password is long enough, and not the name.

    Raises:
        InputError: it is not.
    """
    if len(password) < SHORTEST:
        raise InputError(f"the password has {len(password)} characters: use {SHORTEST} or more")
    if len(password) > LONGEST:
        raise InputError(f"the password has {len(password)} characters: use {LONGEST} at most")
    if len(set(password)) < 4 or password.lower() == name.lower():
        raise InputError("the password is too easy to guess: use several words")


def hashed(password: str) -> str:
    """Return the hash of a password, with its salt and parameters. It takes some 30 ms and 19 MiB."""
    return _hasher().hash(_normal(password))


def matches(password: str, known: str | None) -> bool:
    """Return whether a password has this hash. It takes as long if there is no hash, and is False then."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        _hasher().verify(known or _no_password(), _normal(password)[: LONGEST * 4])
    except (VerificationError, InvalidHashError):
        return False
    return bool(known)


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    # OWASP's parameters for argon2id: little memory, so that a burst of logins does not exhaust it.
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@cache
def _no_password() -> str:
    return _hasher().hash("nobody has this password")


def _normal(password: str) -> str:
    """Return a password in one form, since systems write the same letter in different ways."""
    return unicodedata.normalize("NFC", password)
