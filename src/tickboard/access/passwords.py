"""Passwords: hashed with argon2id, and compared in the time that a hash takes, whether or not the person exists."""

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from tickboard.errors import InputError
from tickboard.output.text import encodable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 12, 1_024
"""The characters of a password."""

LONGEST_LINE = 4 * LONGEST + 16
"""The most bytes of a line with a password that are read."""


def password_in(line: bytes, source: str) -> str:
    """Return the password in the first line of a file or of standard input, which is UTF-8 whatever the locale.

    Args:
        line: the line.
        source: where it is from, for messages.

    Raises:
        InputError: it is empty, or is not UTF-8.
    """
    try:
        # Some editors and shells put a mark of the encoding at the beginning.
        password = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{source} is not text in UTF-8: save or send the password in that encoding") from error
    if not password:
        raise InputError(f"{source} has no password in its first line")
    return password


def check_password(password: str, name: str) -> None:
    """Check that a password is text, is long enough, and is not the name.

    Raises:
        InputError: it is not.
    """
    if encodable(password) != password:
        # As typed in a terminal of another encoding.
        raise InputError("the password is not text in UTF-8: use that encoding")
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
