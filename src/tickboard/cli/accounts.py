"""The commands that change the access file: ``tickboard token``, ``tickboard user`` and ``tickboard login``."""

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

from tickboard.access.credentials import fingerprint, id_of, is_token, new_token
from tickboard.access.file import AccessFile
from tickboard.access.links import new_link
from tickboard.access.passwords import LONGEST_LINE, check_password, hashed, password_in
from tickboard.access.records import PROGRAM, SOMEBODY, Person, Records, Token, folded
from tickboard.access.roles import Role
from tickboard.cli.serving_options import access_path
from tickboard.cli.table import put_table
from tickboard.errors import InputError
from tickboard.output.terminal import Answers, put
from tickboard.running.password_file import VARIABLE, password_file
from tickboard.schedule import duration

NEVER = "never"


def file_of(access: str | None) -> AccessFile:
    """Return the access file that a command changes.

    Raises:
        AccessError: there is no home folder.
    """
    return AccessFile(access_path(access))


# --- tokens ---


def create_token(role: str, name: str, expires: str, metrics: tuple[str, ...], board: str, access: str | None) -> None:
    """Add a token and print it.

    Raises:
        InputError: an argument cannot be used.
        AccessError: the file cannot be changed.
    """
    token, now = new_token(), time.time()
    ends = None if expires == NEVER else now + _length_s(expires)
    made = Token(name, cast(Role, role), fingerprint(token), now, ends, _board(board), metrics)
    file_of(access).change(lambda records: records.with_token(made))
    # As it is: `put` hides tokens.
    Answers().write(f"{token}\n")


def list_tokens(access: str | None) -> None:
    """Print the tokens that are valid."""
    tokens = file_of(access).read().current(time.time()).tokens
    rows = [
        (
            each.id,
            each.name,
            each.role,
            each.board,
            " ".join(each.metrics) or ("undeclared" if each.role == "sender" else "-"),
            _day(each.created),
            NEVER if each.expires is None else _day(each.expires),
        )
        for each in tokens
    ]
    head = ("ID", "NAME", "ROLE", "BOARD", "METRICS", "MADE", "ENDS")
    put_table(head, rows, "there are no tokens: tickboard token create")


def revoke_token(named: str, access: str | None) -> None:
    """Remove a token.

    Raises:
        InputError: there is no such token, or there are several.
        AccessError: the file cannot be changed.
    """
    named = id_of(fingerprint(named)) if is_token(named) else named
    file_of(access).change(lambda records: records.without_token(named))
    put(f"token {named}: revoked")


# --- users ---


def add_user(name: str, role: str, *, no_password: bool, access: str | None) -> None:
    """Add a user.

    Raises:
        InputError: the name or the password cannot be used.
        AccessError: the file cannot be changed.
    """
    file = file_of(access)
    # So that nobody types a password in vain.
    file.read().with_person(Person(name, cast(Role, role)))
    known: str | None = None
    how = ""
    if not no_password:
        password, source = _password(name)
        known, how = hashed(password), f", with the password {source}"
    file.change(lambda records: records.with_person(Person(name, cast(Role, role), known)))
    put(f"user {name}: added as {role}{how}", *_set_again(name))


def change_password(name: str, access: str | None) -> None:
    """Change a user's password.

    Raises:
        InputError: there is no such user, or the password cannot be used.
        AccessError: the file cannot be changed.
    """
    file = file_of(access)
    file.read().with_password(name, "")
    password, source = _password(name)
    known = hashed(password)
    file.change(lambda records: records.with_password(name, known))
    put(f"user {name}: the password {source} is set, and they are logged out", *_set_again(name))


def change_role(name: str, role: str, access: str | None) -> None:
    """Change a user's role.

    Raises:
        InputError: there is no such user.
        AccessError: the file cannot be changed.
    """
    file_of(access).change(lambda records: records.with_role(name, cast(Role, role)))
    put(f"user {name}: is now {role}")


def list_users(access: str | None) -> None:
    """Print the users."""
    records = file_of(access).read().current(time.time())
    rows = [
        (each.name, each.role, "password" if each.password else "link or proxy", str(_logins(records, each.name)))
        for each in records.people
    ]
    put_table(("NAME", "ROLE", "LOGS IN BY", "BROWSERS"), rows, "there are no users: tickboard user add NAME")


def remove_user(name: str, access: str | None) -> None:
    """Remove a user.

    Raises:
        InputError: there is no such user.
        AccessError: the file cannot be changed.
    """
    file_of(access).change(lambda records: records.without_person(name))
    put(f"user {name}: removed")


def log_out(name: str, access: str | None) -> None:
    """End all sessions and links of a name.

    Raises:
        InputError: nobody of this name is known or logged in.
        AccessError: the file cannot be changed.
    """
    file = file_of(access)
    records = file.read()
    if records.person(name) is None and not _logins(records, name):
        raise InputError(f"there is no user {name!r}, and nobody of this name is logged in: see tickboard user list")
    file.change(lambda records: records.without_sessions_of(name))
    put(f"user {name}: logged out everywhere")


def print_link(user: str | None, url: str, access: str | None) -> None:
    """Print a one-time link.

    Raises:
        InputError: there is no such user, or the URL cannot be used.
        AccessError: the file cannot be changed.
    """
    if not url.startswith(("http://", "https://")) or any(each in url for each in "?# @"):
        raise InputError(f"--url {url[:80]}: give the address of the page, such as http://127.0.0.1:3000")
    put(f"{url.rstrip('/')}/login/{new_link(file_of(access), user)}")


# --- reading and printing ---


def _password(name: str) -> tuple[str, str]:
    """Return a new password from the terminal or standard input, and where it came from.

    Raises:
        InputError: there is none, it is too short, or is typed differently the second time.
    """
    source = "from standard input"
    if sys.stdin is not None and sys.stdin.isatty():
        password = click.prompt(f"Password for {name} (12 characters or more)", hide_input=True, err=True)
        if click.prompt("Again", hide_input=True, err=True) != password:
            raise InputError("the two passwords differ: try again")
        source = "as typed"
    else:
        line = b"" if sys.stdin is None else sys.stdin.buffer.readline(LONGEST_LINE)
        password = password_in(line, "standard input")
    check_password(password, name)
    return password, source


def _set_again(name: str) -> list[str]:
    """Return the lines that warn that the next start of a board sets a user's password again."""
    named = password_file(os.environ)
    if named is None or folded(name) != SOMEBODY:
        return []
    return [f"{VARIABLE} is set: the next start of a board gives {name} the password in {named} again"]


def _length_s(text: str) -> float:
    try:
        length_s = duration(text)
    except InputError as error:
        raise InputError(f"--expires={text[:40]}: {error}; or {NEVER}") from error
    if length_s <= 0:
        raise InputError(f"--expires={text[:40]}: give a time such as 90d, or {NEVER}")
    return length_s


def _board(text: str) -> str:
    if text in {"*", "host", PROGRAM} or text.startswith("pipe "):
        return text
    path = Path(text)
    # Most likely mistyped, and the token would be valid nowhere. A whole path may be that of another machine.
    if not path.is_absolute() and not path.is_file():
        raise InputError(
            f"--board={text[:80]}: there is no such file: give a dashboard file, host, 'pipe TITLE' or {PROGRAM}"
        )
    return str(path.absolute())


def _logins(records: Records, name: str) -> int:
    return sum(folded(each.name) == folded(name) for each in records.sessions)


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
