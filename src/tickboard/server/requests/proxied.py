"""Reads what a trusted proxy adds: the client's address (X-Forwarded-For) and the scheme (X-Forwarded-Proto).

Anybody can send these headers, so they count only on connections from loopback, and from proxies that are trusted. In a
list of addresses the last one counts: the proxy has added it, and all before it came from the client.
"""

from collections.abc import Awaitable, Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.server.requests.request_headers import head_of
from tickboard.server.uvicorn.listening import is_loopback, literal

LONGEST_LIST = 20
"""How many addresses of a list are read, from its end."""

LONGEST_ADDRESS = 60
"""The most characters of an address with its port."""

_SCHEMES = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}


PEER = "tickboard.peer"
"""The key in a scope of the address at the other end of the socket."""


class Proxied:
    """ASGI middleware that sets a scope's ``client`` and ``scheme`` from the headers of a proxy.

    Args:
        app: the application.
        is_trusted: returns whether a proxy has this address; by default only those on this machine are trusted.
    """

    def __init__(self, app: ASGIApp, is_trusted: Callable[[str], bool] = is_loopback) -> None:
        self._app = app
        self._is_trusted = is_trusted

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a connection on."""
        if scope["type"] not in {"http", "websocket"}:
            return self._app(scope, receive, send)
        scope[PEER] = peer = peer_of(scope)
        if self._is_trusted(peer):
            head = head_of(scope)
            if (address := forwarded_for(head.get("x-forwarded-for", ()))) is not None:
                scope["client"] = (address, 0)
            scheme = ",".join(head.get("x-forwarded-proto", ())).strip().lower()
            if (websocket := _SCHEMES.get(scheme)) is not None:
                scope["scheme"] = websocket if scope["type"] == "websocket" else websocket.replace("ws", "http")
        return self._app(scope, receive, send)


def client_of(scope: Scope) -> str:
    """Return the address that a connection is from, according to a proxy on this machine if there is one.

    If the server does not name an address, as for a Unix socket, this is whatever it names, or "".
    """
    peer = peer_of(scope)
    if not is_loopback(peer):
        return peer
    return forwarded_for(head_of(scope).get("x-forwarded-for", ())) or peer


def peer_of(scope: Scope) -> str:
    """Return the address at the other end of a connection; "" if the server does not provide it."""
    return str((scope.get("client") or ("",))[0])


def forwarded_for(lists: Sequence[str]) -> str | None:
    """Return the last address of X-Forwarded-For that is not loopback. Texts that are not addresses are skipped.

    Args:
        lists: the values of all headers of this name, in their order.
    """
    if not lists:
        return None
    for text in reversed(",".join(lists).rsplit(",", LONGEST_LIST)[-LONGEST_LIST:]):
        address = literal(_without_port(text.strip())) if len(text) <= LONGEST_ADDRESS else None
        if address is not None and not address.is_loopback:
            return str(address)
    return None


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0] if text.count(":") == 1 else text
