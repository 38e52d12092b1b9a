"""What the owner of a board allows: other names of the server, and pages of other sites that read, write or frame it.

It comes from flags such as ``--allow-origin``, and from the board itself, as in ``Board(allow_origins=[…])``.
"""

import re
from collections.abc import Iterable
from typing import Self

from msgspec import Struct

from tickboard.errors import InputError
from tickboard.server.requests.places import DEFAULT_PORTS, Origin, split_host, split_origin
from tickboard.server.uvicorn.listening import canonical, literal

FLAG = "--allow-{}={}"
ARGUMENT = "Board(allow_{}s=[{!r}])"
"""How a message writes the kind (host, origin or frame) and the value of an invalid text."""

SELF = "self"
"""In place of an origin that may frame a board: the board's own pages."""

_NAME = re.compile(r"[a-z0-9_.-]{1,253}")


class Allowed(Struct, frozen=True):
    """Allowed hosts, origins and frames, beyond a board's own pages.

    Attributes:
        hosts: further names that a server on loopback answers to.
        origins: sites whose pages may watch, read and write.
        frames: who may frame the board, in the syntax of the policy ``frame-ancestors``; empty: nobody.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[Origin] = frozenset()
    frames: tuple[str, ...] = ()

    @classmethod
    def read(cls, hosts: Iterable[str], origins: Iterable[str], frames: Iterable[str], named: str) -> Self:
        """Parse these texts; a single text counts as a list of one.

        Args:
            hosts: names such as ``board.example.com``.
            origins: origins such as ``https://wiki.example.com``.
            frames: origins, or ``self``.
            named: how a message writes an invalid text: `FLAG` or `ARGUMENT`.

        Raises:
            InputError: one of them is not a name or not an origin.
        """
        return cls(
            frozenset(_host(text, named.format("host", text)) for text in _listed(hosts)),
            frozenset(_origin(text, named.format("origin", text)) for text in _listed(origins)),
            tuple(_frame(text, named.format("frame", text)) for text in _listed(frames)),
        )

    def __or__(self, other: Self) -> "Allowed":
        """Return what either allows."""
        if other == NOTHING:
            return self
        frames = dict.fromkeys((*self.frames, *other.frames))
        return Allowed(self.hosts | other.hosts, self.origins | other.origins, tuple(frames))


NOTHING = Allowed()


def _listed(texts: Iterable[str]) -> Iterable[str]:
    return (texts,) if isinstance(texts, str) else texts


def _host(text: str, named: str) -> str:
    if "*" in text:
        raise InputError(f"{named}: give each name; there are no wildcards")
    place = split_host(text)
    name = place[0] if place is not None else canonical(text)
    if literal(name) is None and not _NAME.fullmatch(name):
        raise InputError(f"{named}: {_ascii(name) or 'give only a name, such as board.example.com'}")
    return name


def _origin(text: str, named: str) -> Origin:
    if "*" in text:
        raise InputError(f"{named}: give each origin; there are no wildcards")
    if text.strip().lower() == "null":
        raise InputError(
            f"{named}: every sandboxed page has this origin: serve the page from a site, and give its origin"
        )
    found = split_origin(text)
    if found is None:
        raise InputError(
            f"{named}: give a scheme, a name and a port, as in https://wiki.example.com or http://localhost:5173"
        )
    if literal(found.name) is None and not _NAME.fullmatch(found.name):
        raise InputError(f"{named}: {_ascii(found.name) or 'this is not a valid site name'}")
    return found


def _frame(text: str, named: str) -> str:
    if text.strip("'").lower() == SELF:
        return "'self'"
    origin = _origin(text, named)
    if ":" in origin.name:
        raise InputError(f"{named}: a policy for frames cannot contain IPv6 addresses: give a name")
    port = "" if origin.port == DEFAULT_PORTS.get(origin.scheme) else f":{origin.port}"
    return f"{origin.scheme}://{origin.name}{port}"


def _ascii(name: str) -> str:
    """Return how to fix a name with non-ASCII letters; empty if it has none."""
    if name.isascii():
        return ""
    try:
        return f"write the name as browsers send it, {name.encode('idna').decode()}"
    except UnicodeError:
        return ""
