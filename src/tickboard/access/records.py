"""The records of access: people, tokens, sessions and one-time links. Each change returns new records.

Times are POSIX seconds, since they must mean the same after a restart and in another process.
"""

import unicodedata
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tickboard.access.credentials import id_of
from tickboard.access.roles import PEOPLE_ROLES, ROLES, Role
from tickboard.errors import InputError

IDLE_S = 7 * 86_400.0
"""A session that was not used for this long ends."""

SESSION_S = 30 * 86_400.0
"""A session ends after this time, however much it is used."""

LINK_S = 600.0
"""A one-time link can be used for this long."""

MAX_PEOPLE, MAX_TOKENS, MAX_SESSIONS, MAX_LINKS = 1_000, 1_000, 10_000, 20
"""The most of each. The oldest sessions and links give way."""

MAX_SESSIONS_OF = 100
"""The most sessions of one person, whose oldest ones give way."""

SOMEBODY = "admin"
"""The name of the person who uses a link that was made for nobody in particular."""

PROGRAM = "program"
"""What tokens call a board that is served from a program."""

MAX_NAME = 64
"""The most characters of the name of a person or a token."""


class Person(Struct, frozen=True, omit_defaults=True):
    """Somebody who may log in.

    Attributes:
        name: as it is shown.
        role: what they may do.
        password: its hash; None: they log in by a link, or through a proxy that knows them.
    """

    name: str
    role: Role
    password: str | None = None


class Token(Struct, frozen=True, omit_defaults=True):
    """A credential of a program.

    Attributes:
        name: as it is shown; two tokens may have the same name, so that one can replace the other.
        role: what the program may do.
        fingerprint: of the token itself.
        created: when it was made.
        expires: when it ends; None: never.
        board: where it is valid: ``host`` for the board of this machine, the path of a dashboard file, ``pipe`` and a
            title, ``program`` for boards that programs serve, or ``*``.
        metrics: the declared metrics that a sender may write, as globs.
    """

    name: str
    role: Role
    fingerprint: str
    created: float
    expires: float | None = None
    board: str = "*"
    metrics: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """What names it in lists."""
        return id_of(self.fingerprint)


class Session(Struct, frozen=True, omit_defaults=True):
    """A browser in which somebody is logged in.

    Attributes:
        fingerprint: of the secret in its cookie.
        name: who it is.
        started: when they logged in.
        used: when a request last came with it, to within `tickboard.access.authority.NOTED_S`.
        role: what they may do; None: what the person of this name may do.
    """

    fingerprint: str
    name: str
    started: float
    used: float
    role: Role | None = None


class LoginLink(Struct, frozen=True, omit_defaults=True):
    """A link that logs somebody in once. Its fields are those of the session that it begins."""

    fingerprint: str
    name: str
    expires: float
    role: Role | None = None


class Records(Struct, frozen=True, omit_defaults=True):
    """All records of one access file."""

    version: Literal[1] = 1
    people: tuple[Person, ...] = ()
    tokens: tuple[Token, ...] = ()
    sessions: tuple[Session, ...] = ()
    links: tuple[LoginLink, ...] = ()

    # --- people ---

    def person(self, name: str) -> Person | None:
        """Return the person of a name, however it is written; None: there is none."""
        # Once: anybody may send a long name to the login.
        asked = folded(name)
        return next((each for each in self.people if folded(each.name) == asked), None)

    def with_person(self, person: Person) -> "Records":
        """Add a person.

        Raises:
            InputError: the name is taken or malformed, or the role is not one of people.
        """
        check_name(person.name)
        _check_role(person.role)
        if self.person(person.name) is not None:
            known = self._known(person.name).name
            raise InputError(f"there is already a user {known!r}: give another name, or change the password")
        if len(self.people) >= MAX_PEOPLE:
            raise InputError(f"there are {MAX_PEOPLE} users, which is the most: remove one first")
        # Sessions of an earlier person of this name, or of a link, must not become theirs.
        return replace(self.without_sessions_of(person.name), people=(*self.people, person))

    def with_password(self, name: str, password: str) -> "Records":
        """Change a password hash, and end the sessions and links of the person.

        Raises:
            InputError: there is no such person.
        """
        person = self._known(name)
        changed = tuple(replace(each, password=password) if each is person else each for each in self.people)
        return replace(self.without_sessions_of(name), people=changed)

    def with_role(self, name: str, role: Role) -> "Records":
        """Change the role of a person. Sessions and links that have an own role, as an admin's, end.

        Raises:
            InputError: there is no such person, or the role is not one of people.
        """
        person, own = self._known(name), folded(name)
        _check_role(role)
        return replace(
            self,
            people=tuple(replace(each, role=role) if each is person else each for each in self.people),
            sessions=tuple(each for each in self.sessions if each.role is None or folded(each.name) != own),
            links=tuple(each for each in self.links if each.role is None or folded(each.name) != own),
        )

    def without_person(self, name: str) -> "Records":
        """Remove a person, their sessions and links.

        Raises:
            InputError: there is no such person.
        """
        person = self._known(name)
        return replace(self.without_sessions_of(name), people=tuple(one for one in self.people if one is not person))

    def _known(self, name: str) -> Person:
        if (person := self.person(name)) is None:
            names = ", ".join(each.name for each in self.people[:10])
            raise InputError(f"there is no user {name!r}: {f'the users are {names}' if names else 'there are none'}")
        return person

    # --- tokens ---

    def with_token(self, token: Token) -> "Records":
        """Add a token.

        Raises:
            InputError: the name or the role cannot be used, or metrics are named for another role than sender.
        """
        check_name(token.name)
        if token.role not in ROLES or token.role == "admin":
            raise InputError(f"role {token.role!r}: a token may be viewer, sender or operator")
        if token.metrics and token.role != "sender":
            raise InputError(f"metrics are for tokens of the role sender, not {token.role}: leave them out")
        if len(self.tokens) >= MAX_TOKENS:
            raise InputError(f"there are {MAX_TOKENS} tokens, which is the most: revoke one first")
        return replace(self, tokens=(*self.tokens, token))

    def without_token(self, named: str) -> "Records":
        """Remove a token by its id, or by its name if no other token has that.

        Raises:
            InputError: there is no such token, or there are several.
        """
        found = [each for each in self.tokens if named == each.id] or [
            each for each in self.tokens if named == each.name
        ]
        if not found:
            raise InputError(f"there is no token {named!r}: tickboard token list shows their ids and names")
        if len(found) > 1:
            ids = ", ".join(each.id for each in found)
            raise InputError(f"there are {len(found)} tokens named {named!r}: give one of their ids, {ids}")
        return replace(self, tokens=tuple(each for each in self.tokens if each is not found[0]))

    # --- sessions and links ---

    def with_session(self, session: Session) -> "Records":
        """Add a session; if there are too many, the oldest one ends, of the same person if they have too many."""
        name = folded(session.name)
        own = [each.fingerprint for each in self.sessions if folded(each.name) == name]
        rest = self.without_sessions(frozenset(own[: 1 - MAX_SESSIONS_OF]))
        return replace(rest, sessions=(*rest.sessions, session)[-MAX_SESSIONS:])

    def without_sessions(self, fingerprints: frozenset[str]) -> "Records":
        """End the sessions with these fingerprints."""
        return replace(self, sessions=tuple(each for each in self.sessions if each.fingerprint not in fingerprints))

    def without_sessions_of(self, name: str) -> "Records":
        """End all sessions and links of a name."""
        own = folded(name)
        return replace(
            self,
            sessions=tuple(each for each in self.sessions if folded(each.name) != own),
            links=tuple(each for each in self.links if folded(each.name) != own),
        )

    def with_uses(self, used: dict[str, float]) -> "Records":
        """Record when sessions were last used, by fingerprint."""
        sessions = tuple(
            replace(each, used=used[each.fingerprint]) if used.get(each.fingerprint, 0) > each.used else each
            for each in self.sessions
        )
        return replace(self, sessions=sessions)

    def with_link(self, link: LoginLink) -> "Records":
        """Add a one-time link.

        Raises:
            InputError: it is for a person who does not exist.
        """
        if link.role is None:
            self._known(link.name)
        return replace(self, links=(*self.links, link)[-MAX_LINKS:])

    def without_link(self, fingerprint: str) -> "Records":
        """Remove a link, since it was used."""
        return replace(self, links=tuple(each for each in self.links if each.fingerprint != fingerprint))

    def link(self, fingerprint: str, now: float) -> LoginLink | None:
        """Return a link that can be used; None: there is none with this fingerprint."""
        return next((each for each in self.links if each.fingerprint == fingerprint and now < each.expires), None)

    def current(self, now: float) -> "Records":
        """Return the records without the sessions, links and tokens that have ended."""
        return replace(
            self,
            tokens=tuple(each for each in self.tokens if each.expires is None or now < each.expires),
            sessions=tuple(each for each in self.sessions if lasts(each, now, each.used)),
            links=tuple(each for each in self.links if now < each.expires),
        )


def lasts(session: Session, now: float, used: float) -> bool:
    """Return whether a session has not ended.

    Args:
        session: the session.
        now: POSIX seconds.
        used: when it was last used.
    """
    return now - session.started < SESSION_S and now - used < IDLE_S


def _check_role(role: Role) -> None:
    if role not in PEOPLE_ROLES:
        raise InputError(f"role {role!r} is for programs: give {', '.join(PEOPLE_ROLES)}")


def folded(name: str) -> str:
    """Return a person's name in the form to compare: in any case, and as any system writes the same letters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_name(name: str) -> None:
    """Check the name of a person or a token.

    Raises:
        InputError: it cannot be used.
    """
    # As printed, two names that differ in invisible characters would be one.
    if not 0 < len(name) <= MAX_NAME or name != name.strip() or not name.isprintable():
        raise InputError(
            f"name {name[:80]!a}: use 1 to {MAX_NAME} visible characters, without a space at the beginning or the end"
        )
