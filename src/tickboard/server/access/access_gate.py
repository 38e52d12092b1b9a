"""The gate of access: every request passes it, and the table of routes says what it needs.

It looks at the path and the method in the scope, and at the credentials; never at parameters, a body or the URL as the
client wrote it. A request without the role that it needs is answered here: 401 if nobody is logged in, and 403 if the
role does not include it. A WebSocket is refused in its handshake.
"""

import time
from collections.abc import Awaitable, Callable, Collection

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tickboard.access.credentials import is_token
from tickboard.access.roles import Identity, Role, may
from tickboard.access.route_table import METHODS, READING, RouteTable, is_of_login
from tickboard.loop.supervisor import Supervisor
from tickboard.output.logs import log
from tickboard.output.text import one_line
from tickboard.problems import Reporter
from tickboard.server.access.keeper import Keeper
from tickboard.server.access.login import LoginPages, cookie_name, secrets_in
from tickboard.server.access.open_streams import STREAMS
from tickboard.server.access.trusted_proxy import TrustedProxy
from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.detail_access import see_details
from tickboard.server.requests.identity import AUDITED, IDENTITY, route_path
from tickboard.server.requests.proxied import PEER
from tickboard.server.requests.refusal import error_response, refuse
from tickboard.server.requests.request_headers import Head, head_of

MAX_COOKIES = 4
"""How many cookies of our name are tried: a browser sends the one of the longest path first."""


class AccessGate:
    """ASGI middleware that lets a request through if its credential has the role that the table of routes names.

    Args:
        app: the board, with its prefix in the scope's ``root_path``.
        keeper: has the users and tokens.
        problems: returns where a failure of the gate's own parts is reported.
        proxy: names people whom it has logged in; None: there is none.
        names: returns further names of the server, under which a proxy on this machine may pass requests on.
    """

    def __init__(
        self,
        app: ASGIApp,
        keeper: Keeper,
        problems: Callable[[], Reporter],
        proxy: TrustedProxy | None = None,
        names: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._proxy = proxy
        self._names = names
        self._said = False
        self._app = app
        self._keeper = keeper
        self._problems = problems
        self._table = RouteTable()
        self._cookie = cookie_name(keeper.file.path)
        self._pages = LoginPages(keeper, self._cookie)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one call."""
        kind = scope["type"]
        if kind == "lifespan":
            return self._live(scope, receive, send)
        path = route_path(scope)
        method = scope["method"] if kind == "http" else "WEBSOCKET"
        identity = self._identity(scope)
        if is_of_login(path):
            return self._pages(scope, receive, send, identity)
        needed = self._table.needed(path, method)
        if needed is not None and (identity is None or not may(identity.role, needed)):
            self._note_refusal(scope, method, path, identity)
            return refuse(self._refusal(scope, path, needed, identity), scope, receive, send)
        scope[IDENTITY] = identity
        if identity is not None:
            scope[STREAMS] = self._keeper.streams, identity
            if identity.role == "admin":
                see_details(scope)
                scope[AUDITED] = self._keeper.audit
            if needed != "sender" and method not in READING:
                send = self._noting(scope, send, identity, f"{method} {path}")
        return self._app(scope, receive, send)

    def _note_refusal(self, scope: Scope, method: str, path: str, identity: Identity | None) -> None:
        """Record a refusal of somebody, or of a token that is not valid; not that nobody has logged in yet.

        Nothing that the client makes up is recorded, so that it cannot displace entries with ever new ones.
        """
        now, address = time.time(), address_of(scope)
        if identity is not None:
            what = f"{method if method in METHODS else 'another method'} {self._table.listed(path) or 'another path'}"
            self._keeper.audit.fail(now, "refused", identity.name, address, what)
        elif "authorization" in head_of(scope):
            self._keeper.audit.fail(now, "token refused", "a token that is not valid", address)

    def _noting(self, scope: Scope, send: Send, identity: Identity, what: str) -> Send:
        """Return a `send` that records a change that was made."""

        def send_noting(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self._keeper.audit.add(time.time(), "change", identity.name, address_of(scope), what)
            return send(message)

        return send_noting

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch the access file while the application lives."""
        supervisor = Supervisor(self._problems())

        async def send_stopped(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                # Now, since the server may end its loop when it gets this.
                await supervisor.stop()
            await send(message)

        supervisor.start("access", self._keeper.watch)
        try:
            await self._app(scope, receive, send_stopped)
        finally:
            await supervisor.stop()

    def _identity(self, scope: Scope) -> Identity | None:
        """Return who makes a request. A token in a header is all that counts if there is one."""
        authority, head, now = self._keeper.authority, head_of(scope), time.time()
        if (given := head.get("authorization")) is not None:
            scheme, _, token = given[0].partition(" ")
            return authority.by_token(token.strip(), now) if len(given) == 1 and scheme.lower() == "bearer" else None
        if self._proxy is not None and self._proxy.includes(scope.get(PEER, "")):
            name = self._proxy.name_in(head)
            if name is not None and self._proxy.sends(scope, head, self._names):
                return authority.by_name(name, self._proxy.role)
            if name is not None:
                self._say_unbelieved(head)
        for secret in secrets_in(scope, self._cookie)[:MAX_COOKIES]:
            if not is_token(secret):
                identity = authority.by_session(secret, now)
            else:
                # Of a kiosk. Tokens that may change something do not belong into a browser.
                identity = authority.by_token(secret, now)
                identity = identity if identity is not None and identity.role == "viewer" else None
            if identity is not None:
                return identity
        return None

    def _say_unbelieved(self, head: Head) -> None:
        """Log once why a name is not believed, since the board's owner may only have forgotten a flag."""
        if not self._said:
            self._said = True
            host = one_line(",".join(head.get("host", ())), 200)
            log.warning(
                "a request from this machine for Host %r names a user, and is not believed, since any page in a "
                "browser here could send it: if the proxy uses this name, start with --allow-host",
                host,
            )

    def _refusal(self, scope: Scope, path: str, needed: Role, identity: Identity | None) -> Response:
        if identity is not None:
            return error_response(
                403, f"this needs the role {needed}, and {identity.in_words()}: ask an admin of this board"
            )
        head = head_of(scope)
        login = self._pages.login_address(path, scope.get("query_string", b""))
        if login and scope["type"] == "http" and any("text/html" in each for each in head.get("accept", ())):
            return RedirectResponse(login, 303, {"cache-control": "no-store"})
        how = (
            "the token in the header Authorization is not valid here"
            if "authorization" in head
            else "log in, or send a token as Authorization: Bearer …"
        )
        return error_response(
            401,
            f"this needs the role {needed}: {how} (tickboard token create --role {needed})",
            {"www-authenticate": 'Bearer realm="Tickboard"'},
        )
