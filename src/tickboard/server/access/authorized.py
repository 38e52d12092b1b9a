"""Access to a mounted board: the application says who may do what, by a function of the ASGI scope.

The function is foreign code. If it raises, takes too long or returns something else, nobody gets in, and the board
reports a problem. Routes that need no role, such as that of the health in brief, do not call it.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.access.roles import ROLES, Identity, may
from tickboard.access.route_table import RouteTable
from tickboard.loop.supervisor import outcome
from tickboard.output.text import encodable, one_line
from tickboard.problems import Reporter, described
from tickboard.server.requests.detail_access import see_details
from tickboard.server.requests.identity import IDENTITY, route_path
from tickboard.server.requests.refusal import error_response, refuse

ANSWER_S = 10.0
"""How long the function may take."""

MAX_NAME = 200
"""The most characters of a name."""

SOURCE = "authorize"
"""The source of the reported problem."""

Answer = str | tuple[str, str] | None
"""A role, or a role and a name; None: nobody."""

Authorize = Callable[[Scope], Answer | Awaitable[Answer]]


class AuthorizedByApplication:
    """ASGI middleware that asks the application for the role of each request.

    Args:
        app: the board.
        authorize: the application's function.
        problems: returns where its failures are reported; None while the board does not run.
    """

    def __init__(self, app: ASGIApp, authorize: Authorize, problems: Callable[[], Reporter | None]) -> None:
        self._app = app
        self._authorize = authorize
        self._problems = problems
        self._table = RouteTable()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. One that a gate has let through is passed on."""
        if scope["type"] not in {"http", "websocket"} or IDENTITY in scope:
            await self._app(scope, receive, send)
            return
        needed = self._table.needed(route_path(scope), scope.get("method", "WEBSOCKET"))
        identity, failed = await self._identity(scope)
        if needed is not None and (identity is None or not may(identity.role, needed)):
            await refuse(_refusal(needed, identity, failed=failed), scope, receive, send)
            return
        scope[IDENTITY] = identity
        if identity is not None and identity.role == "admin":
            see_details(scope)
        await self._app(scope, receive, send)

    async def _identity(self, scope: Scope) -> tuple[Identity | None, bool]:
        """Return who makes a request according to the application, and whether its function failed."""
        answers: list[Any] = []

        async def ask() -> None:
            # A copy: the board's own keys in the scope are not the function's to set.
            answer = self._authorize(dict(scope))
            async with asyncio.timeout(ANSWER_S):
                answers.append(await answer if inspect.isawaitable(answer) else answer)

        error = await outcome(ask)
        identity = None if error is not None else identity_in(answers[0])
        if error is not None:
            why = f"no answer within {ANSWER_S:g} s" if isinstance(error, TimeoutError) else described(error)
            self._report(f"it failed, so nobody gets in: {why}", error)
        elif identity is None and answers[0] is not None:
            kind = type(answers[0]).__name__
            self._report(f"it returned a {kind} that is not one of {', '.join(ROLES)} or None, so nobody gets in", None)
        else:
            if (problems := self._problems()) is not None:
                problems.clear(SOURCE)
            return identity, False
        return None, True

    def _report(self, why: str, error: BaseException | None) -> None:
        problems = self._problems()
        if problems is None:
            return
        if error is None:
            problems.report(SOURCE, why, kind=SOURCE)
        else:
            problems.report(SOURCE, why, error=error, kind=type(error))


def identity_in(answer: Any) -> Identity | None:
    """Return the identity that an answer of the function means; None: nobody, or it is not an answer."""
    role, name = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, None)
    # Only texts are compared: others may raise, or be equal to everything.
    if not isinstance(role, str) or role not in ROLES or not isinstance(name, str | None):
        return None
    # It is shown to others, and kept with what they change.
    return Identity(one_line(encodable(name or role), MAX_NAME), role, "application")


def _refusal(needed: str, identity: Identity | None, *, failed: bool) -> Response:
    if failed:
        return error_response(503, "the application cannot say who you are: its log says why", {"retry-after": "5"})
    if identity is None:
        return error_response(401, f"this needs the role {needed}: log in to the application around this board")
    return error_response(403, f"this needs the role {needed}, and {identity.name} is only {identity.role}")
