"""What the owner of a board allows: further names of the server, and pages of other sites that read, write or frame it.

It comes from flags, as ``--allow-origin``, and from the board itself, as ``Board(allow_origins=[…])``.
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
"""How an error writes the kind (host, origin or frame) and the value of what is wrong."""

SELF = "self"
"""In place of an origin that may frame a board: pages of the board's own."""

_NAME = re.compile(r"[a-z0-9_.-]{1,253}")


class Allowed(Struct, frozen=True):
    """What is allowed, beyond a board's own pages.

    Attributes:
        hosts: names that a server on loopback answers to.
        origins: sites whose pages may watch, read and write.
        frames: who may frame the board, as the policy ``frame-ancestors`` has it; none: nobody.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[Origin] = frozenset()
    frames: tuple[str, ...] = ()

    @classmethod
    def read(cls, hosts: Iterable[str], origins: Iterable[str], frames: Iterable[str], named: str) -> Self:
        """Return what these texts allow; one text alone is a list of one.

        Args:
            hosts: names, as ``board.example.com``.
            origins: as ``https://wiki.example.com``.
            frames: as origins, or ``self``.
            named: how an error writes the kind and the value of what is wrong: `FLAG` or `ARGUMENT`.

        Raises:
            InputError: one of them is no name, or no origin.
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
        raise InputError(f"{named}: {_ascii(name) or 'give a name alone, as board.example.com'}")
    return name


def _origin(text: str, named: str) -> Origin:
    if "*" in text:
        raise InputError(f"{named}: give each origin; there are no wildcards")
    if text.strip().lower() == "null":
        raise InputError(f"{named}: every page in a sandbox has this origin: serve the page from a site, and give that")
    found = split_origin(text)
    if found is None:
        raise InputError(
            f"{named}: give a scheme, a name and a port, as https://wiki.example.com or http://localhost:5173"
        )
    if literal(found.name) is None and not _NAME.fullmatch(found.name):
        raise InputError(f"{named}: {_ascii(found.name) or 'no site can have this name'}")
    return found


def _frame(text: str, named: str) -> str:
    if text.strip("'").lower() == SELF:
        return "'self'"
    origin = _origin(text, named)
    if ":" in origin.name:
        raise InputError(f"{named}: a policy for frames has no addresses of IPv6: give a name")
    port = "" if origin.port == DEFAULT_PORTS.get(origin.scheme) else f":{origin.port}"
    return f"{origin.scheme}://{origin.name}{port}"


def _ascii(name: str) -> str:
    """Return how to fix a name with other letters than ASCII's; "": it is not that."""
    if name.isascii():
        return ""
    try:
        return f"write the name as browsers send it, {name.encode('idna').decode()}"
    except UnicodeError:
        return ""
