"""Listeners: starts and closes the sources that listen for senders.

A listener is foreign code. One that cannot start is reported and tried again. One that raises or hangs while it starts
or closes holds up neither the other listeners nor the rest of the board.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Protocol

from tickboard.errors import TickboardError
from tickboard.loop.supervisor import Supervisor, outcome
from tickboard.problems import Problems, Reporter, described, numbered

START_S = 2.0
"""How long the start of a board waits for its listeners; one that takes longer is reported, and continues on its
own."""

CLOSE_S = 2.0
"""How long a listener may take to close before it is reported and abandoned."""

AGAIN_S = 5.0
"""How long to wait before a listener that could not start is tried again; doubled each time, up to `MAX_AGAIN_S`."""

MAX_AGAIN_S = 60.0


class Listener(Protocol):
    """A source that listens for senders. The page shows its ``name``, if it has one."""

    async def start(self) -> None:
        """Start listening. If this raises, it is called again later."""
        ...

    async def close(self) -> None:
        """Stop listening."""
        ...


class Listeners:
    """The listeners of one board: `start`, then `stop`.

    Args:
        listeners: the listeners to start.
        problems: where listeners that cannot start are reported, while the board is served.
        lasting: where listeners that could not be closed are reported; this outlives the board.
    """

    def __init__(self, listeners: Iterable[Listener], problems: Reporter, lasting: Problems) -> None:
        every = list(listeners)
        self._listeners = dict(zip(numbered(map(_name, every)), every, strict=True))
        self._problems = problems
        self._lasting = lasting
        self._supervisor = Supervisor(problems)

    async def start(self) -> None:
        """Start all listeners, and wait up to `START_S` for them."""
        waiting: dict[str, asyncio.Task[bool]] = {}
        for source, listener in self._listeners.items():
            tried = asyncio.Event()
            self._supervisor.start(source, partial(self._listen, source, listener, tried))
            waiting[source] = asyncio.create_task(tried.wait())
        if waiting:
            await asyncio.wait(waiting.values(), timeout=START_S)
        for source, waits in waiting.items():
            if not waits.done():
                waits.cancel()
                self._problems.report(source, f"its start() has not returned within {START_S:g} s")

    async def stop(self) -> None:
        """Close all listeners concurrently."""
        await self._supervisor.stop()
        await asyncio.gather(*(self._close(source, listener) for source, listener in self._listeners.items()))

    async def _listen(self, source: str, listener: Listener, tried: asyncio.Event) -> None:
        again_s = AGAIN_S
        while (error := await outcome(listener.start)) is not None:
            if isinstance(error, TickboardError):
                self._problems.report(source, f"{error}; it will be tried again")
            else:
                self._problems.report(source, f"{described(error)}; it will be tried again", error=error)
            tried.set()
            await asyncio.sleep(again_s)
            again_s = min(2 * again_s, MAX_AGAIN_S)
        self._problems.clear(source)
        tried.set()
        await asyncio.Event().wait()

    async def _close(self, source: str, listener: Listener) -> None:
        name = f"closing {source}"
        try:
            async with asyncio.timeout(CLOSE_S):
                error = await outcome(listener.close)
        except TimeoutError:
            self._lasting.report(name, f"its close() has not returned within {CLOSE_S:g} s: it was abandoned")
            return
        if error is None:
            self._lasting.clear(name)
        else:
            self._lasting.report(name, f"{described(error)}: its resources may not be free", error=error)


def _name(listener: Listener) -> str:
    try:
        name = str(getattr(listener, "name", "") or "")
    except Exception:  # noqa: BLE001  # it may be a property in foreign code
        name = ""
    return f"listener {name or type(listener).__name__}"
