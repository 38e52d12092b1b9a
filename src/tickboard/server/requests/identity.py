"""The identity of a request: the gate of access puts it into the scope, and routes read it.

Without a gate, as on loopback, nobody is asked to log in.
"""

from functools import partial

from starlette.types import Scope

from tickboard.access.authority import listed
from tickboard.access.credentials import id_of
from tickboard.access.roles import Identity, may
from tickboard.fleet.caller import Caller
from tickboard.fleet.passing import person_in
from tickboard.metrics.intake import Intake
from tickboard.metrics.source import Source
from tickboard.server.requests.request_headers import head_of

IDENTITY = "tickboard.identity"
"""The key in a request's scope."""

WALL = "wall"
"""The credential of a call through NATS: its permissions have admitted the wall."""

AUDITED = "tickboard.audited"
"""The key of the `tickboard.access.audit.Audit` of the server, in the scope of an admin's request."""


def identity_of(scope: Scope) -> Identity | None:
    """Return who makes a request; None: nobody was asked to log in."""
    identity: Identity | None = scope.get(IDENTITY)
    return identity


def may_view(scope: Scope) -> bool:
    """Return whether a request may see the board: a sender's may not, nor may that of somebody who has to log in."""
    identity = identity_of(scope)
    return IDENTITY not in scope if identity is None else may(identity.role, "viewer")


def can_log_out(identity: Identity) -> bool:
    """Return whether the board itself has logged somebody in; a proxy or an application logs out its own people."""
    return identity.credential.startswith(("session ", "token "))


def signed(scope: Scope, by: str) -> str:
    """Return the name under which a change is made: that of the identity, or else the one that was sent.

    A wall sends the name of the person for whom it asks. With a token, the change is made by both: `Ann via wall`.
    """
    identity, person = identity_of(scope), person_in(head_of(scope))
    if identity is None:
        return person or by
    if identity.credential == WALL and identity.name == identity.role:
        return by or "a wall"
    return f"{person} via {identity.name}" if person and identity.credential.startswith("token ") else identity.name


def wall_identity(caller: Caller) -> Identity:
    """Return who makes a call through a wall. Where nobody logs in on the wall, they have no name."""
    return Identity(caller.name or caller.role, caller.role, WALL)


def source_of(scope: Scope, intake: Intake, protocol: str) -> Source:
    """Return the source of a request that sends metrics: one for each address, and for each token from there.

    Args:
        scope: the request's.
        intake: the board's.
        protocol: how it sends them, for the source's name.

    Raises:
        LimitError: there are too many sources.
    """
    client = scope.get("client")
    address = client[0] if client else "local"
    identity = identity_of(scope)
    if identity is None:
        return intake.sender(f"{protocol} {address}")
    token = id_of(identity.credential.partition(" ")[2])
    return intake.sender(
        f"{protocol} {address} as {identity.name} {token}".rstrip(),
        None if identity.metrics is None else partial(listed, identity.metrics),
    )


def route_path(scope: Scope) -> str:
    """Return the path of a request without the prefix of the board, as Starlette's routes see it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :]
    return path
