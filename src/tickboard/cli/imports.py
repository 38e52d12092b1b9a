"""Imports without the garbage collector, which would scan all that is imported many times and find nothing."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports() -> Iterator[None]:
    """Switch the collector off; at the end, exclude all existing objects from collection and switch it on again."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
