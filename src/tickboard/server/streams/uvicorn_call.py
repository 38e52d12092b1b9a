"""Finds the transport of an ASGI call under uvicorn, among the objects whose coroutines wait in its task.

ASGI does not say how much data is still in the server, and cannot cut a connection. uvicorn keeps everything from
``send``, even after the application has returned, as long as the client stays connected and reads nothing. But it runs
each call in a task of its own, whose outermost coroutine is a method of the connection. So the connection is found
there. Nothing in it is changed; only its transport is aborted.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

DEEPEST = 50
"""How deep to search the coroutines of a task, which wait for each other."""


def waiting_in(task: "asyncio.Task[Any]") -> Iterator[object]:
    """Yield the `self` of each coroutine that waits in a task, outermost first; None if it has none."""
    waits: Any = task.get_coro()
    for _ in range(DEEPEST):
        frame = getattr(waits, "cr_frame", None)
        if frame is None:
            return
        yield frame.f_locals.get("self")
        waits = waits.cr_await


def transport_beneath() -> asyncio.Transport | None:
    """Return the transport of the current ASGI call, or None.

    It is not found under other servers than uvicorn, or if a middleware calls the application in another task.
    """
    task = asyncio.current_task()
    assert task is not None
    outermost = next(waiting_in(task), None)
    if not type(outermost).__module__.startswith(("uvicorn.", "tickboard.server.uvicorn.")):
        return None
    transport = getattr(outermost, "transport", None)
    return transport if hasattr(transport, "get_write_buffer_size") and hasattr(transport, "abort") else None
