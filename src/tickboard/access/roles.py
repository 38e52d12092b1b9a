"""Roles: what a person or a program may do.

An admin may do all that an operator may, and an operator all that a viewer may. A sender stands apart: it writes
metrics, and neither sees nor changes anything else.
"""

from typing import Literal, get_args

from msgspec import Struct

Role = Literal["viewer", "operator", "sender", "admin"]

ROLES: tuple[Role, ...] = get_args(Role)

PEOPLE_ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
"""The roles of people, each of which includes those before it."""

_INCLUDES: dict[Role, frozenset[Role]] = {
    "viewer": frozenset({"viewer"}),
    "operator": frozenset({"viewer", "operator"}),
    "sender": frozenset({"sender"}),
    "admin": frozenset({"viewer", "operator", "admin"}),
}


class Identity(Struct, frozen=True):
    """Who makes a request.

    Attributes:
        name: the person or the token, as it is shown to others.
        role: what they may do.
        credential: what they proved it with. When that ends, so do their open streams.
        metrics: the declared metrics that a sender may write, as globs; None: all.
    """

    name: str
    role: Role
    credential: str
    metrics: tuple[str, ...] | None = None

    def in_words(self) -> str:
        """Return who they are and what they may do, such as ``Ann is an operator``."""
        role = f"{'an' if self.role[0] in 'ao' else 'a'} {self.role}"
        # An application may give a role without a name.
        return f"you are {role}" if self.name == self.role else f"{self.name} is {role}"


def may(role: Role, needed: Role) -> bool:
    """Return whether a role includes the one that is needed."""
    return needed in _INCLUDES[role]
