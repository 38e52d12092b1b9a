"""The caller of a host through a wall: callers of `tickboard.fleet.link.Link.asgi` put it into the scope."""

from typing import Literal

from msgspec import Struct
from starlette.types import Scope

CALLER = "tickboard.caller"
"""The key in a scope."""

CallerRole = Literal["viewer", "operator"]
"""What a caller may do on a host. An admin of the wall is an operator there."""

MAX_NAME = 200
"""The most characters of a caller's name that reach a host."""


class Caller(Struct, frozen=True):
    """A person who asks a host through a wall.

    Attributes:
        role: what they may do. A host allows no more than it allows the wall.
        name: the person, as the host records who acknowledged an alert; empty: unknown.
        is_wall: whether the wall asks for itself. Some calls are kept free for that, however many viewers there are.
    """

    role: CallerRole = "viewer"
    name: str = ""
    is_wall: bool = False


def caller_of(scope: Scope) -> Caller:
    """Return who makes a request: a viewer, unless the scope says otherwise."""
    caller: Caller = scope.get(CALLER, VIEWER)
    return caller


VIEWER = Caller()
WALL = Caller(is_wall=True)
