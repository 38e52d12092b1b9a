"""A trusted proxy: it has logged people in, and passes on who they are in a header.

Anybody can send such a header, so it counts only on connections from the proxy's own address, which is that of the
socket and never one in a header.
"""

import re
from collections.abc import Callable, Collection, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from msgspec import Struct
from starlette.types import Scope

from tickboard.access.roles import Role
from tickboard.errors import InputError
from tickboard.server.requests.places import split_host
from tickboard.server.requests.proxied import PEER
from tickboard.server.requests.request_headers import Head
from tickboard.server.uvicorn.listening import is_loopback, literal

MAX_NAME = 200
"""The most characters of a name: an address of mail has at most 254, and those in use are shorter."""

_OF_BROWSERS = frozenset({"authorization", "cookie", "host", "origin", "referer", "user-agent"})
"""Headers that a browser sets, and that a proxy passes on."""

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class TrustedProxy(Struct, frozen=True):
    """The proxies that are trusted, and what they say.

    Attributes:
        networks: their addresses.
        header: the name of the header, in lower case.
        role: the role of people who are not known here; None: they may do nothing.
    """

    networks: tuple[IPv4Network | IPv6Network, ...]
    header: str
    role: Role | None

    @classmethod
    def read(cls, networks: Iterable[str], header: str | None, role: str) -> "TrustedProxy":
        """Parse the flags.

        Raises:
            InputError: one is malformed or missing.
        """
        if header is None:
            raise InputError("--trusted-proxy needs --proxy-user-header: give its name, such as Remote-User")
        if not _HEADER.fullmatch(header) or header.lower() in _OF_BROWSERS:
            raise InputError(
                f"--proxy-user-header={header[:60]}: give the name of a header that the proxy sets, such as Remote-User"
            )
        found = tuple(_network(each) for each in networks)
        if not found:
            raise InputError("--proxy-user-header needs --trusted-proxy: give the proxy's address, such as 10.0.0.2")
        return cls(found, header.lower(), None if role == "none" else role)  # type: ignore[arg-type]

    def includes(self, peer: str) -> bool:
        """Return whether a connection from this address is one of the proxy."""
        address = literal(peer)
        return address is not None and any(
            address.version == network.version and address in network for network in self.networks
        )

    def sends(self, scope: Scope, head: Head, names: Callable[[], Collection[str]]) -> bool:
        """Return whether a request comes from the proxy, and not from a page in a browser beside it.

        A browser on this machine connects from the same address as a proxy here. A page in it may send any header, once
        its own name resolves to this machine (DNS rebinding). So from here, `Host` must be one that no page can have: a
        name of this machine, an address, or a name that is allowed.

        Args:
            scope: the request's.
            head: its headers.
            names: returns the names that are allowed.
        """
        peer: str = scope.get(PEER, "")
        if not self.includes(peer):
            return False
        own = (scope.get("server") or ("",))[0]
        if not is_loopback(peer) and literal(peer) != literal(str(own)):
            return True
        hosts = head.get("host", ())
        place = split_host(hosts[0]) if len(hosts) == 1 else None
        if place is None:
            return False
        return literal(place[0]) is not None or place[0] == "localhost" or place[0] in names()

    def name_in(self, head: Head) -> str | None:
        """Return whom the proxy names in a request; None: nobody, or it is not clear whom."""
        values = head.get(self.header, ())
        if len(values) != 1:
            return None
        name = _text(values[0]).strip()
        return name if name and len(name) <= MAX_NAME and name.isprintable() else None


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        raise InputError(
            f"--trusted-proxy={text[:60]}: give an address or a network, as 10.0.0.0/24: {error}"
        ) from error
    if network.prefixlen == 0:
        raise InputError(f"--trusted-proxy={text[:60]}: that is everyone: give the address of the proxy")
    return network


def _text(value: str) -> str:
    """Return a header's value, which most proxies send in UTF-8."""
    try:
        return value.encode("latin-1").decode()
    except (UnicodeEncodeError, UnicodeDecodeError):
        return value
