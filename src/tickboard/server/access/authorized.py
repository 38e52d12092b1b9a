"""Access to a mounted board: the application says who may do what, by a function of the ASGI scope.

The function is foreign code. If it raises, takes too long or returns something else, nobody gets in, and the board
reports a problem. A plain one runs in a thread, since it may ask a database. Routes that need no role, such as that of
the health in brief, do not call it. While a stream is open it is called again, with the scope of the stream's request.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.access.roles import ROLES, Identity, may
from tickboard.access.route_table import RouteTable
from tickboard.loop.supervisor import outcome
from tickboard.loop.threads import Threads
from tickboard.output.text import encodable, one_line
from tickboard.problems import Quiet, Reporter, described
from tickboard.server.access.open_streams import STREAMS, End, end_stream
from tickboard.server.requests.detail_access import see_details
from tickboard.server.requests.identity import IDENTITY, route_path
from tickboard.server.requests.refusal import error_response, refuse

ANSWER_S = 10.0
"""How long the function may take."""

AGAIN_S = 5.0
"""Seconds after which it is called again for a stream that is open."""

FAILED_S = 60.0
"""A stream ends when the function has only failed for this long."""

MOST_THREADS = 8
"""How many plain functions run at a time."""

MOST_AGAIN = 4
"""How many calls for open streams are under way at a time, so that new requests have threads left."""

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
        called = (authorize, getattr(authorize, "__call__", None))  # noqa: B004
        self._is_async = any(map(inspect.iscoroutinefunction, called))
        self._threads = Threads(SOURCE, MOST_THREADS)
        self._again = asyncio.Semaphore(MOST_AGAIN)
        self._failures = Quiet()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. One that a gate has let through is passed on."""
        if scope["type"] not in {"http", "websocket"} or IDENTITY in scope:
            await self._app(scope, receive, send)
            return
        needed = self._table.needed(route_path(scope), scope.get("method", "WEBSOCKET"))
        if needed is None:
            scope[IDENTITY] = None
            await self._app(scope, receive, send)
            return
        identity, failed = await self._identity(scope)
        if identity is None or not may(identity.role, needed):
            await refuse(_refusal(needed, identity, failed=failed), scope, receive, send)
            return
        # A copy, since a scope that refers to itself is kept until garbage is collected.
        scope[STREAMS] = _Reasking(partial(self._identity_again, dict(scope))), identity
        scope[IDENTITY] = identity
        if identity.role == "admin":
            see_details(scope)
        await self._app(scope, receive, send)

    async def _identity_again(self, scope: Scope) -> tuple[Identity | None, bool]:
        async with self._again:
            return await self._identity(scope)

    async def _identity(self, scope: Scope) -> tuple[Identity | None, bool]:
        """Return who makes a request according to the application, and whether its function failed."""
        answers: list[Any] = []

        async def ask() -> BaseException | None:
            # A copy: the board's own keys in the scope are not the function's to set.
            call = partial(self._authorize, dict(scope))
            answer: Any = None
            error: BaseException | None = None
            async with asyncio.timeout(ANSWER_S):
                if self._is_async:
                    answer = call()
                else:
                    answer, error = await self._threads.call(call)
                answers.append(await answer if inspect.isawaitable(answer) else answer)
            return error

        error = await outcome(ask)
        identity = None if error is not None else identity_in(answers[0])
        if error is not None:
            why = f"no answer within {ANSWER_S:g} s" if isinstance(error, TimeoutError) else described(error)
            self._report(f"it failed, so nobody gets in: {why}", error)
        elif identity is None and answers[0] is not None:
            kind = type(answers[0]).__name__
            self._report(f"it returned a {kind} that is not one of {', '.join(ROLES)} or None, so nobody gets in", None)
        else:
            # It may fail for one user and work for all others.
            if (problems := self._problems()) is not None and self._failures.is_over(time.monotonic()):
                problems.clear(SOURCE)
            return identity, False
        return None, True

    def _report(self, why: str, error: BaseException | None) -> None:
        problems = self._problems()
        if problems is None:
            return
        self._failures.failed(time.monotonic())
        if error is None:
            problems.report(SOURCE, why, kind=SOURCE)
        else:
            problems.report(SOURCE, why, error=error, kind=type(error))


class _Reasking:
    """Ends a stream when the application no longer gives it its role.

    Args:
        ask: asks the application who it is, and whether its function failed.
    """

    def __init__(self, ask: Callable[[], Awaitable[tuple[Identity | None, bool]]]) -> None:
        self._ask = ask

    def add(self, identity: Identity, end: End) -> Callable[[], None]:
        """Register a stream; return a function to call when it has ended."""
        asking = asyncio.create_task(self._until_over(identity, end))

        def remove() -> None:
            asking.cancel()

        return remove

    async def _until_over(self, identity: Identity, end: End) -> None:
        confirmed = time.monotonic()
        while time.monotonic() - confirmed <= FAILED_S:
            await asyncio.sleep(AGAIN_S)
            again, failed = await self._ask()
            if failed:
                continue
            if again is None or again.role != identity.role:
                break
            confirmed = time.monotonic()
        end_stream(end)


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
    return error_response(403, f"this needs the role {needed}, and {identity.in_words()}")
