"""The password of the user ``admin`` in a file, as containers are given secrets: ``TICKBOARD_PASSWORD_FILE`` names it.

As with the images of databases, it is used when a server starts, and by no other command.
"""

from collections.abc import Mapping
from pathlib import Path

from tickboard.access.file import AccessFile
from tickboard.access.passwords import LONGEST_LINE, check_password, hashed, matches, password_in
from tickboard.access.records import SOMEBODY, Person, Records
from tickboard.errors import InputError

VARIABLE = "TICKBOARD_PASSWORD_FILE"


def password_file(environ: Mapping[str, str]) -> str | None:
    """Return the file that the environment names; None: it names none."""
    return environ.get(VARIABLE, "").strip() or None


def _password_in(named: str) -> str:
    """Return the first line of a file.

    Raises:
        InputError: it cannot be read, or has none.
    """
    try:
        with Path(named).open("rb") as file:
            line = file.readline(LONGEST_LINE)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "that is not the name of a file"
        raise InputError(f"{VARIABLE}={named}: it cannot be read: {why}") from error
    return password_in(line, f"{VARIABLE}={named}:")


def add_admin(file: AccessFile, environ: Mapping[str, str]) -> None:
    """Give the user ``admin`` the password in the file that the environment names, if it names one.

    Nothing is changed if it is the password already, so that a restart logs nobody out.

    Raises:
        InputError: the file cannot be read, or the password cannot be used.
        AccessError: the access file cannot be changed.
    """
    if (named := password_file(environ)) is None:
        return
    password = _password_in(named)
    try:
        check_password(password, SOMEBODY)
    except InputError as error:
        raise InputError(f"{VARIABLE}: {error}") from error
    known = file.read().person(SOMEBODY)
    if known is not None and known.role == "admin" and matches(password, known.password):
        return
    new = Person(SOMEBODY, "admin", hashed(password))

    def change(records: Records) -> Records:
        return (records if records.person(SOMEBODY) is None else records.without_person(SOMEBODY)).with_person(new)

    file.change(change)
