"""The authority of one server: who presents a credential, as of the records that it was last given.

It answers from dictionaries, without I/O: a request with a token costs a hash and a look-up.
"""

from collections.abc import Iterable

from tickboard.access.credentials import MAX_LENGTH, fingerprint
from tickboard.access.records import Person, Records, Session, Token, folded, lasts
from tickboard.access.roles import Identity, Role

NOTED_S = 600.0
"""The use of a session is recorded when it is this much later than the recorded one."""


class Authority:
    """Knows the credentials of one board.

    Args:
        board: what tokens call the board; see `tickboard.access.records.Token`.
    """

    def __init__(self, board: str) -> None:
        self.board = board
        self.records = Records()
        self._tokens: dict[str, Token] = {}
        self._sessions: dict[str, Session] = {}
        self._people: dict[str, Person] = {}
        self._roles: dict[str, Role] = {}
        self._used: dict[str, float] = {}

    def learn(self, records: Records) -> None:
        """Use these records from now on."""
        self.records = records
        self._tokens = {each.fingerprint: each for each in records.tokens if each.board in {"*", self.board}}
        self._sessions = {each.fingerprint: each for each in records.sessions}
        self._people = {folded(each.name): each for each in records.people}
        self._roles = {each.name: each.role for each in records.people}
        self._used = {each: used for each, used in self._used.items() if each in self._sessions}

    def by_token(self, token: str, now: float) -> Identity | None:
        """Return whose token this is; None: nobody's.

        Args:
            token: the text that was presented.
            now: POSIX seconds.
        """
        if len(token) > MAX_LENGTH:
            return None
        found = self._tokens.get(fingerprint(token))
        if found is None or _is_over(found, now):
            return None
        metrics = found.metrics if found.role == "sender" else None
        return Identity(found.name, found.role, f"token {found.fingerprint}", metrics)

    def by_session(self, secret: str, now: float) -> Identity | None:
        """Return who is logged in with this secret, and note the use; None: nobody."""
        if len(secret) > MAX_LENGTH:
            return None
        print_ = fingerprint(secret)
        identity = self._in_session(print_, now)
        if identity is not None:
            self._used[print_] = now
        return identity

    def by_name(self, name: str, default: Role | None) -> Identity | None:
        """Return the person whom a trusted proxy names; None: they may not do anything.

        Args:
            name: the name, written as in the records.
            default: the role of somebody who is not known here.
        """
        # Exactly: what the proxy keeps apart, such as Ann and ann, may be two people.
        role = self._roles.get(name, default)
        return None if role is None else Identity(name, role, f"proxy {default} {name}")

    def still(self, identity: Identity, now: float) -> bool:
        """Return whether an identity may still do what it could when it was returned. Its use counts until now."""
        kind, _, rest = identity.credential.partition(" ")
        if kind == "token":
            found = self._tokens.get(rest)
            return found is not None and found.role == identity.role and not _is_over(found, now)
        if kind == "session":
            # An open stream is in use.
            if rest in self._sessions:
                self._used[rest] = now
            again = self._in_session(rest, now)
            return again is not None and again.role == identity.role
        if kind == "proxy":
            default, _, name = rest.partition(" ")
            return self._roles.get(name, default) == identity.role
        return True

    def uses(self) -> dict[str, float]:
        """Return when sessions were last used, for those whose recorded use is much earlier."""
        return {
            each: used
            for each, used in self._used.items()
            if each in self._sessions and used - self._sessions[each].used > NOTED_S
        }

    def _in_session(self, print_: str, now: float) -> Identity | None:
        session = self._sessions.get(print_)
        if session is None or not lasts(session, now, max(session.used, self._used.get(print_, 0.0))):
            return None
        person = self._people.get(folded(session.name))
        name = session.name if person is None else person.name
        # A link for nobody in particular logs an admin in, whatever a user of the same name may do.
        role = session.role or (None if person is None else person.role)
        return None if role is None else Identity(name, role, f"session {print_}")


def _is_over(token: Token, now: float) -> bool:
    return token.expires is not None and now >= token.expires


def listed(globs: Iterable[str], name: str) -> bool:
    """Return whether one of these globs matches a metric's name."""
    from fnmatch import fnmatchcase

    return any(fnmatchcase(name, glob) for glob in globs)
