"""Late imports: modules that only some requests need are imported in a thread once a board runs.

So a board starts sooner, and no request delays the loop with an import.
"""

import contextlib
import threading
from importlib import import_module
from typing import Final

LATER: Final = (
    "tickboard.sources.prometheus.remote_write",
    "cramjam",
    "tickboard.sources.opentelemetry.messages",
    "tickboard.sources.opentelemetry.exports",
    "tickboard.history.encodings",
    "psutil",
    # anyio imports it for reading its first file, such as the page, which takes 100 ms.
    "anyio._backends._asyncio",
)
"""Modules for requests that send metrics or read history, and for the guard's system calls."""


def import_later() -> None:
    """Start importing them in a thread."""
    threading.Thread(target=_import, name="imports", daemon=True).start()


def _import() -> None:
    # If an import fails, for example for lack of file descriptors, the first request that needs it tries again.
    with contextlib.suppress(Exception):
        for name in LATER:
            import_module(name)
