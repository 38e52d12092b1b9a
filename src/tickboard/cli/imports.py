"""Imports without the garbage collector, which would look through all that is imported many times and find nothing."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports() -> Iterator[None]:
    """Switch the collector off; at the end set aside all that there is, which stays, and switch it on."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
