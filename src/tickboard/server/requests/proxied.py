"""What a proxy on this machine says of a request: whose it is (X-Forwarded-For), and its scheme (X-Forwarded-Proto).

Anybody can send these headers. So they are believed only where the connection comes from loopback. In a list of
addresses the last one counts: the proxy has put it there, and all before it came from the client.
"""

from collections.abc import Awaitable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.server.requests.request_headers import head_of
from tickboard.server.uvicorn.listening import is_loopback, literal

LONGEST_LIST = 20
"""Addresses of a list that are looked at, from its end."""

LONGEST_ADDRESS = 60
"""Characters of an address, with its port."""

_SCHEMES = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}


class Proxied:
    """ASGI middleware that puts what a proxy on this machine says into the scope: its ``client`` and ``scheme``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a connection on."""
        if scope["type"] in {"http", "websocket"} and is_loopback(peer_of(scope)):
            head = head_of(scope)
            if (address := forwarded_for(head.get("x-forwarded-for", ()))) is not None:
                scope["client"] = (address, 0)
            said = ",".join(head.get("x-forwarded-proto", ())).strip().lower()
            if (websocket := _SCHEMES.get(said)) is not None:
                scope["scheme"] = websocket if scope["type"] == "websocket" else websocket.replace("ws", "http")
        return self._app(scope, receive, send)


def client_of(scope: Scope) -> str:
    """Return the address that a connection is from, or that a proxy on this machine says it is from.

    It is what the server says where that is no address, as for a Unix socket; "": nothing.
    """
    peer = peer_of(scope)
    if not is_loopback(peer):
        return peer
    return forwarded_for(head_of(scope).get("x-forwarded-for", ())) or peer


def peer_of(scope: Scope) -> str:
    """Return the address at the other end of a connection; "" where the server does not say."""
    return str((scope.get("client") or ("",))[0])


def forwarded_for(lists: Sequence[str]) -> str | None:
    """Return the last address of X-Forwarded-For that is not loopback's own; what is no address is passed over.

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
