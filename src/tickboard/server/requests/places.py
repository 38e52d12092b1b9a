"""Places on the web, in a form to compare: the name and port of a Host header, and the origin of a page (RFC 6454)."""

import re
from functools import lru_cache
from typing import NamedTuple

from tickboard.server.uvicorn.listening import canonical

MAX_PORT = 65_535

LONGEST_KEPT = 300
"""The longest Host header that is parsed only once for all requests. A name has 253 characters at most."""

DEFAULT_PORTS = {"http": 80, "https": 443}

_PLACE = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\s:/?#@\[\]\\]+)(?::(?P<port>[0-9]{0,5}))?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


class Origin(NamedTuple):
    """The origin of a page. Without a port it has the scheme's default, or None if the scheme has none."""

    scheme: str
    name: str
    port: int | None


def split_host(text: str) -> tuple[str, int | None] | None:
    """Return the name and the port of a Host header in a form to compare; None if it is invalid."""
    return _split_host(text) if len(text) <= LONGEST_KEPT else _split_host.__wrapped__(text)


@lru_cache(maxsize=1_024)
def _split_host(text: str) -> tuple[str, int | None] | None:
    found = _PLACE.fullmatch(text.strip(" \t"))
    if found is None:
        return None
    port = int(found["port"]) if found["port"] else None
    return None if port is not None and not 1 <= port <= MAX_PORT else (canonical(found["name"]), port)


def split_origin(text: str) -> Origin | None:
    """Return an Origin header in a form to compare; None if it is invalid or ``null``."""
    scheme, separator, rest = text.lower().partition("://")
    place = split_host(rest)
    if not separator or place is None or rest != rest.strip() or not _SCHEME.fullmatch(scheme):
        return None
    name, port = place
    return Origin(scheme, name, port or DEFAULT_PORTS.get(scheme))
