"""The headers of a request or a handshake, parsed once for all middleware."""

from collections.abc import Mapping, Sequence

from starlette.types import Scope

Head = Mapping[str, Sequence[str]]
"""The values of each header, by its name in lower case."""

_KEY = "tickboard.head"


def head_of(scope: Scope) -> Head:
    """Return the headers of a scope."""
    raw = scope.get("headers", ())
    known: tuple[object, Head] | None = scope.get(_KEY)
    # An application in front may have copied the scope and changed the headers.
    if known is not None and known[0] is raw:
        return known[1]
    head: dict[str, list[str]] = {}
    for name, value in raw:
        head.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    scope[_KEY] = raw, head
    return head
