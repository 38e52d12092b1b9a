"""The audit: who logged in, who failed to, and who changed what, the last of each, in memory.

A flood of one kind displaces no other kind, and the same failure again only counts. Time is an argument.
"""

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Literal

from msgspec import Struct

from tickboard.access.records import Records

MOST = 1_000
"""How many entries of each kind are kept."""

SAME_S = 3_600.0
"""A failure like the last ones, at most this much later, is the same entry."""

MAX_TEXT = 200
"""The most characters of a text from outside."""

What = Literal["login", "logout", "login failed", "refused", "token refused", "change", "users and tokens"]


class AuditRecord(Struct, frozen=True):
    """One thing that happened.

    Attributes:
        first: when it happened first, POSIX seconds.
        last: when it happened last.
        what: its kind.
        who: a name; for a failed login that of the user, never a text that was made up.
        address: where the request came from; empty: from a command on this machine.
        detail: more about it.
        count: how often it happened.
    """

    first: float
    last: float
    what: What
    who: str
    address: str
    detail: str
    count: int = 1


class Audit:
    """What happened to one server since its start."""

    def __init__(self) -> None:
        self._done: dict[What, deque[AuditRecord]] = {}
        self._failed: dict[What, dict[tuple[str, ...], AuditRecord]] = {}

    def add(self, now: float, what: What, who: str, address: str = "", detail: str = "") -> None:
        """Record something that was done."""
        done = self._done.setdefault(what, deque(maxlen=MOST))
        done.append(AuditRecord(now, now, what, who[:MAX_TEXT], address, detail[:MAX_TEXT]))

    def fail(self, now: float, what: What, who: str, address: str, detail: str = "") -> bool:
        """Record something that was refused; return whether that is a new entry."""
        who, detail = who[:MAX_TEXT], detail[:MAX_TEXT]
        key, failed = (who, address, detail), self._failed.setdefault(what, {})
        # Put at the end, so that the entry that is oldest by its last time is the first one.
        before = failed.pop(key, None)
        is_same = before is not None and now - before.last <= SAME_S
        first, count = (before.first, before.count + 1) if before is not None and is_same else (now, 1)
        failed[key] = AuditRecord(first, now, what, who, address, detail, count)
        if len(failed) > MOST:
            del failed[next(iter(failed))]
        return not is_same

    def entries(self) -> list[AuditRecord]:
        """Return all entries, the newest first."""
        failed = (each.values() for each in self._failed.values())
        return sorted(chain(*self._done.values(), *failed), key=lambda entry: -entry.last)

    def learn(self, now: float, before: Records, after: Records) -> None:
        """Record what has changed between two states of the access file."""
        for who, detail in differences(before, after):
            self.add(now, "users and tokens", who, detail=detail)


def differences(before: Records, after: Records) -> Iterator[tuple[str, str]]:
    """Yield whose record has changed, and how."""
    old, new = ({each.name: each for each in records.people} for records in (before, after))
    for name in old.keys() - new.keys():
        yield name, "the user was removed"
    for name, person in new.items():
        known = old.get(name)
        if known is None:
            yield name, f"the user was added as {person.role}"
        elif known.role != person.role:
            yield name, f"the user is now {person.role}"
        elif known.password != person.password:
            yield name, "the password was changed"
    old_tokens, new_tokens = ({each.id: each for each in records.tokens} for records in (before, after))
    for id_ in old_tokens.keys() - new_tokens.keys():
        yield old_tokens[id_].name, f"the token {id_} was revoked or has expired"
    for id_ in new_tokens.keys() - old_tokens.keys():
        yield new_tokens[id_].name, f"the token {id_} was made for a {new_tokens[id_].role}"
    known_links = {each.fingerprint for each in before.links}
    for link in after.links:
        if link.fingerprint not in known_links:
            yield link.name, "a one-time link was made"
