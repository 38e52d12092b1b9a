"""The socket that a server listens on, and its address: who can reach it, and the URL of the page."""

import errno
import socket
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from tickboard.errors import InputError, PortTakenError

LONGEST_ADDRESS = 80
"""The most characters of an address, with its brackets and zone."""

BACKLOG = 2_048
"""How many connections may wait to be accepted."""


def listen(host: str, port: int, flag: str = "--{}={}") -> socket.socket:
    """Return a listening socket.

    Args:
        host: a name or an address; an IPv6 address may be in brackets.
        port: the port; 0 picks a free one.
        flag: how a message writes the name and the value of a wrong argument.

    Raises:
        PortTakenError: another program listens on the port.
        InputError: the port is out of range, or the address is not one of this machine's.
    """
    if not 0 <= port <= 65_535:
        raise InputError(f"{flag.format('port', port)}: give a number from 0 to 65535; 0 picks a free one")
    named = flag.format("host", host)
    if not bare(host):
        raise InputError(f"{named}: give an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them")
    another = flag.format("port", "N")
    try:
        found = socket.getaddrinfo(bare(host), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return _first(found)
    except UnicodeError as error:
        raise InputError(f"{named}: it is not a valid host name") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(
                f"port {port} is taken: stop the program that uses it, or choose another with {another}"
            ) from error
        if error.errno == errno.EACCES:
            raise InputError(f"port {port} needs more privileges: choose one above 1023 with {another}") from error
        raise InputError(f"{named}: cannot listen there: {error.strerror or error}") from error


def _first(found: Sequence[tuple[int, int, int, str, Any]]) -> socket.socket:
    """Return a socket that listens on the first of these addresses that this machine has.

    A name may have several: localhost may mean ::1 even if IPv6 is switched off.
    """
    *others, last = found
    for family, kind, protocol, _, where in others:
        try:
            return _bound(family, kind, protocol, where)
        except OSError as error:
            if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                raise
    family, kind, protocol, _, where = last
    return _bound(family, kind, protocol, where)


def _bound(family: int, kind: int, protocol: int, where: Any) -> socket.socket:
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        # From here on clients can connect, and wait: the address is printed before the loop runs.
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def canonical(host: str) -> str:
    """Return a name or an address in the form to compare: lower case, no brackets, no final dot."""
    address = literal(host)
    return str(address) if address is not None else host.lower().removesuffix(".")


def bare(host: str) -> str:
    """Return a host without the brackets of an IPv6 address in a URL."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """Parse a host as an address; None if it is a name. An IPv4 address written as IPv6 becomes IPv4."""
    return _address(host) if len(host) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=1_024)
def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(bare(host).partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached only from this machine."""
    return len(host) <= LONGEST_ADDRESS and _is_loopback(host)


@lru_cache(maxsize=1_024)
def _is_loopback(host: str) -> bool:
    address = literal(host)
    return address is not None and address.is_loopback


def listening_on(port: int) -> list[str]:
    """Return the addresses on which this process listens on a TCP port; empty if unknown."""
    import psutil

    try:
        found = psutil.Process().net_connections("tcp")
    except (psutil.Error, OSError):
        return []
    return [each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN and each.laddr.port == port]


def url_from_elsewhere(host: str, listening: socket.socket, scheme: str = "http") -> str:
    """Return a URL that other machines can open, if the socket listens on more than loopback."""
    bound, port = listening.getsockname()[:2]
    address = literal(bound)
    if address is None or not address.is_unspecified:
        return url_of(host, listening, scheme)
    family, anywhere = (socket.AF_INET, "192.0.2.1") if address.version == 4 else (socket.AF_INET6, "2001:db8::1")
    with socket.socket(family, socket.SOCK_DGRAM) as outward:
        try:
            # Nothing is sent: the system only chooses the address that it would send from.
            outward.connect((anywhere, 9))
            own = str(outward.getsockname()[0])
        except OSError:
            own = socket.gethostname()
    return f"{scheme}://{f'[{own}]' if ':' in own else own}:{port}"


def url_of(host: str, listening: socket.socket, scheme: str = "http") -> str:
    """Return the URL to open: with the requested name, or with loopback if the socket listens on all addresses."""
    bound, port = listening.getsockname()[:2]
    address = literal(bound)
    if address is not None and address.is_unspecified:
        name = "127.0.0.1" if address.version == 4 else "[::1]"
    elif (written := literal(host)) is not None:
        name = f"[{written}]" if written.version == 6 else str(written)
    else:
        name = host
    return f"{scheme}://{name}:{port}"
