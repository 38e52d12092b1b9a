"""The gate for proxies: a board on loopback is open to this machine, and closed to the clients of a proxy.

Only programs on this machine reach such a board, but a proxy may be one of them, and pass on requests from anywhere. A
request that says so needs a login. A proxy that adds no header cannot be recognised.
"""

from collections.abc import Awaitable, Callable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.access.route_table import is_of_login
from tickboard.errors import TickboardError
from tickboard.output.logs import log
from tickboard.problems import Reporter
from tickboard.server.access.access_gate import AccessGate
from tickboard.server.access.keeper import Keeper
from tickboard.server.access.trusted_proxy import TrustedProxy
from tickboard.server.requests.detail_access import is_for_another
from tickboard.server.requests.identity import route_path
from tickboard.server.requests.refusal import error_response, refuse
from tickboard.server.requests.request_headers import head_of


def gated(
    app: ASGIApp,
    keeper: Keeper | None,
    problems: Callable[[], Reporter],
    proxy: TrustedProxy | None = None,
    names: Callable[[], Collection[str]] = frozenset,
) -> ASGIApp:
    """Return a board behind the gate that it needs.

    Args:
        app: the board.
        keeper: has the users and tokens; None: nobody has to log in.
        problems: returns where a failure of the gate's own parts is reported.
        proxy: names people whom it has logged in; None: there is none.
        names: returns further names of the server; see `AccessGate`.
    """
    if keeper is None:
        return app
    gate = AccessGate(app, keeper, problems, proxy, names)
    return gate if keeper.at_once else ProxyGate(app, gate, keeper)


class ProxyGate:
    """ASGI middleware that sends a request to the gate of access if a proxy has passed it on, or if it is a login.

    Args:
        app: the board.
        gate: the gate before the same board.
        keeper: the gate's. Its file is read when the first such request arrives.
    """

    def __init__(self, app: ASGIApp, gate: ASGIApp, keeper: Keeper) -> None:
        self._app = app
        self._gate = gate
        self._keeper = keeper
        self._said = False

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one call."""
        if scope["type"] == "lifespan":
            return self._gate(scope, receive, send)
        is_passed_on = is_for_another(head_of(scope))
        # The link that `tickboard login` prints works on this machine too.
        if is_passed_on or is_of_login(route_path(scope)):
            return self._gated(scope, receive, send, is_passed_on)
        return self._app(scope, receive, send)

    async def _gated(self, scope: Scope, receive: Receive, send: Send, is_passed_on: bool) -> None:
        if is_passed_on and not self._said:
            self._said = True
            log.warning(
                "a request came through a proxy, so it needs a login: tickboard login --url ADDRESS prints a link. "
                "If everyone whom the proxy lets through may see and change everything, start with --auth none; if it "
                "says who they are, with --trusted-proxy (docs/deploy.md)"
            )
        try:
            await self._keeper.ready()
        except TickboardError as error:
            await refuse(error_response(error.status, str(error)), scope, receive, send)
        else:
            await self._gate(scope, receive, send)
