"""What only some requests need: imported in a thread once a board runs, so that a board starts sooner and no request
holds the loop up for an import.
"""

import asyncio
import contextlib
import threading
from importlib import import_module
from typing import Final

import anyio.to_thread

LATER: Final = (
    "tickboard.sources.prometheus.remote_write",
    "cramjam",
    "tickboard.sources.opentelemetry.messages",
    "tickboard.sources.opentelemetry.exports",
    "tickboard.history.encodings",
    "psutil",
)
"""Modules of requests that send metrics or read history, and of what the guard asks of the system."""


def import_later() -> None:
    """Begin to import them, and return."""
    threading.Thread(target=_import, name="imports", daemon=True).start()


def _import() -> None:
    # What fails here, as where no file may be opened, is tried again by the first request that needs it.
    with contextlib.suppress(Exception):
        for name in LATER:
            import_module(name)
        # What anyio imports when it first reads a file, as it does for the page, takes 100 ms.
        asyncio.run(anyio.to_thread.run_sync(int))
