"""What is beneath an ASGI call under uvicorn: the objects whose coroutines wait in a task, and the call's transport.

ASGI does not say how much of what was sent is still in the server, and has no way to cut a connection. uvicorn keeps
all that one ``send`` brings, and keeps it when the application has returned, for as long as the client stays connected
and reads nothing. But it runs each call in a task of its own, whose outermost coroutine is a method of the connection.
So the connection is found there. It is only read, and its transport is cut.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

DEEPEST = 50
"""Coroutines that wait for each other in a task, of which one may be the server's."""


def waiting_in(task: "asyncio.Task[Any]") -> Iterator[object]:
    """Yield the `self` of each coroutine that waits in a task, the outermost first; None for one without."""
    waits: Any = task.get_coro()
    for _ in range(DEEPEST):
        frame = getattr(waits, "cr_frame", None)
        if frame is None:
            return
        yield frame.f_locals.get("self")
        waits = waits.cr_await


def transport_beneath() -> asyncio.Transport | None:
    """Return the transport of the ASGI call that runs; None where it is not found.

    That is under another server than uvicorn, or where a middleware has the application called in another task.
    """
    task = asyncio.current_task()
    assert task is not None
    outermost = next(waiting_in(task), None)
    if not type(outermost).__module__.startswith("uvicorn."):
        return None
    transport = getattr(outermost, "transport", None)
    return transport if hasattr(transport, "get_write_buffer_size") and hasattr(transport, "abort") else None
