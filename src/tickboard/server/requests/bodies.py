"""Bodies of requests: read up to a limit and a deadline, and decompressed up to the same limit.

No more than the limit is ever in memory, however large the body is, compressed or not. All bodies together are limited,
too: `Bodies` counts them, from the first byte to the answer, whichever server runs the board.
`tickboard.sources.unfolding` decompresses bodies, with the same limit.
"""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tickboard.errors import BusyError, PayloadError
from tickboard.hub.traffic import Traffic
from tickboard.server.requests.client_clock import CLOCK
from tickboard.server.requests.connection_limits import RETRY_AFTER_S, address_of
from tickboard.server.requests.guard import READING
from tickboard.sources.unfolding import CODINGS, unfold

GRACE_S = 10.0
"""How long a body may take, whatever its size."""

LEAST_BYTES_A_S = 16_384
"""How many bytes, as sent, must arrive in each further second. Compression does not help."""

LEAST_LEFT_S = 0.05
"""Seconds until the deadline of a body is checked again while nothing waits for it."""

MAX_BODIES_BYTES = 64 * 2**20
"""The most bytes of all bodies in this process's memory."""

SHARE = 2
"""One address may use half of it."""

LEASE = "tickboard.bodies"
"""The key in a request's scope."""


def patience_s(received: int) -> float:
    """Return how many seconds a body may take of which `received` bytes have arrived."""
    return GRACE_S + received / LEAST_BYTES_A_S


class Budget:
    """Limits the bytes of one kind in memory, in total and for each address; from any thread."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._total = 0
        self._taken: Counter[str] = Counter()
        self._given_back: deque[tuple[str, int]] = deque()
        self._lock = threading.Lock()

    def take(self, address: str, size: int) -> bool:
        """Count bytes for an address; return False, and count nothing, if they are too many."""
        with self._lock:
            self._subtract()
            if self._total + size > self._most or self._taken[address] + size > self._most // SHARE:
                return False
            self._total += size
            self._taken[address] += size
            return True

    def give_back(self, address: str, size: int) -> None:
        """Stop counting bytes. This waits for no lock, so a finalizer may call it at any point."""
        self._given_back.append((address, size))
        if self._lock.acquire(blocking=False):
            try:
                self._subtract()
            finally:
                self._lock.release()

    def _subtract(self) -> None:
        while self._given_back:
            address, size = self._given_back.popleft()
            self._total -= size
            self._taken[address] -= size
            if not self._taken[address]:
                del self._taken[address]


BUDGET = Budget(MAX_BODIES_BYTES)
"""One for all boards of this process, which share its memory."""


class Lease:
    """The share of the budget that the body of one request takes.

    Args:
        budget: the budget of all bodies.
        address: the sender's.
        traffic: counts refusals.
    """

    def __init__(self, budget: Budget, address: str, traffic: Traffic) -> None:
        self.traffic = traffic
        self._budget = budget
        self._address = address
        self._size = 0

    def take(self, size: int) -> None:
        """Take more bytes.

        Raises:
            BusyError: there are too many bodies already.
        """
        if not self._budget.take(self._address, size):
            self.traffic.refused("bodies")
            raise BusyError("too many bodies are being read: try again in a few seconds", RETRY_AFTER_S)
        self._size += size

    def end(self) -> None:
        """Give everything back."""
        if self._size:
            self._budget.give_back(self._address, self._size)
            self._size = 0


class Bodies:
    """ASGI middleware that counts the body of a request until the request is answered.

    Args:
        app: the routes.
        traffic: returns the counters of refusals.
    """

    def __init__(self, app: ASGIApp, traffic: Callable[[], Traffic]) -> None:
        self._app = app
        self._traffic = traffic

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        is_counted = scope["type"] == "http" and scope["method"] not in READING
        return self._counted(scope, receive, send) if is_counted else self._app(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        lease = scope[LEASE] = Lease(BUDGET, address_of(scope), self._traffic())
        try:
            await self._app(scope, receive, send)
        finally:
            lease.end()


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body of a request, decompressed.

    Args:
        request: the request.
        limit: the most bytes, compressed and decompressed.

    Raises:
        PayloadError: it is too large (413), too slow (408), its coding is unknown or it has several (415), or it is not
            in that coding (400).
        BusyError: there are too many bodies already.
    """
    coding = coding_of(request, "identity")
    if coding not in CODINGS:
        raise PayloadError(f"Content-Encoding {coding[:80]!r}: send gzip, deflate or none", 415)
    return await unfold(chunks(request, limit), coding, limit, lease_of(request).take)


def coding_of(request: Request, default: str) -> str:
    """Return the content coding of a body. Several become one name that is unknown."""
    named = ",".join(request.headers.getlist("content-encoding"))
    return named.strip().lower() or default


def lease_of(request: Request) -> Lease:
    """Return the lease of a request's body; the route must be inside `Bodies`."""
    lease: Lease = request.scope[LEASE]
    return lease


async def chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """Yield a body as it is sent, as long as it arrives quickly enough.

    Raises:
        PayloadError: it declares that it is too large (413), or is too slow (408).
    """
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        raise PayloadError(f"the body has more than {limit} bytes: send less at a time", 413)
    waiting = _Waiting(request.scope.get(CLOCK, time.monotonic))
    try:
        while True:
            message = await waiting.for_next(request.receive)
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            yield message.get("body", b"")
            if not message.get("more_body", False):
                return
    except TimeoutError:
        if not waiting.is_over:
            raise
        lease_of(request).traffic.refused("slow")
        raise PayloadError("the body arrived too slowly: send it at once", 408) from None
    finally:
        waiting.end()


class _Waiting:
    """Waits for all chunks of a body in the running task, with one timer, since a body may have many chunks.

    Args:
        clock: the client's; see `tickboard.server.requests.client_clock`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self._loop)
        self._received = 0
        self._waited = 0.0
        self._since: float | None = None
        self.is_over = False
        self._timer = self._loop.call_later(GRACE_S, self._look)

    async def for_next(self, receive: Receive) -> Message:
        """Return the next message of a request.

        Raises:
            TimeoutError: the body took too long.
        """
        assert self._task is not None
        cancelling = self._task.cancelling()
        self._since = self._clock()
        try:
            message = await receive()
        except asyncio.CancelledError:
            # Others may have cancelled the task, too.
            if self.is_over and self._task.uncancel() <= cancelling:
                raise TimeoutError from None
            raise
        finally:
            self._waited += self._clock() - self._since
            self._since = None
        self._received += len(message.get("body", b""))
        return message

    def end(self) -> None:
        """Stop the timer."""
        self._timer.cancel()

    def _look(self) -> None:
        """End the waiting if the deadline has passed; otherwise check again when it will have."""
        waited = self._waited if self._since is None else self._waited + self._clock() - self._since
        left_s = patience_s(self._received) - waited
        if left_s <= 0 and self._since is not None:
            assert self._task is not None
            self.is_over = True
            self._task.cancel()
        else:
            self._timer = self._loop.call_later(max(left_s, LEAST_LEFT_S), self._look)
