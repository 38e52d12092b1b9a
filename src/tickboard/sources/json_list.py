"""Splits a JSON list into pieces of whole elements, so that a long list is decoded piece by piece.

The ends of elements are found without decoding: numpy searches all bytes of a piece at once for quotes, brackets and
commas. That checks nothing; decoding the pieces finds invalid JSON.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

PIECE_BYTES = 2**17
"""The size of a piece in bytes; finding its end and decoding it take 1 ms each. A longer element cannot be split."""

_QUOTE, _BACKSLASH, _COMMA = b'"\\,'


def cut(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each piece of a list, without the brackets and without the commas between pieces.

    The last piece ends with the text, whatever that contains. A piece of more than `PIECE_BYTES` begins with a longer
    element, or with something that is not JSON.

    Args:
        text: begins with a bracket, perhaps after white space.
    """
    at = text.index(b"[") + 1
    while len(text) - at > PIECE_BYTES:
        comma = _last_comma(np.frombuffer(text, np.uint8, PIECE_BYTES, at))
        if comma < 0:
            break
        yield at, at + comma
        at += comma + 1
    yield at, len(text)


def _last_comma(text: NDArray[np.uint8]) -> int:
    """Return the index of the last comma between two elements; -1 if there is none."""
    quotes = text == _QUOTE
    backslashes = text == _BACKSLASH
    if backslashes.any():
        quotes &= ~_escaped(backslashes)
    # False from the opening quote of a string up to its closing quote.
    outside = ~np.logical_xor.accumulate(quotes)
    # [ and {, and ] and }, differ only in the bit 0x20.
    kinds = text | 0x20
    opened, closed = (kinds == 0x7B) & outside, (kinds == 0x7D) & outside
    depth = np.cumsum(opened.view(np.int8) - closed.view(np.int8), dtype=np.int32)
    found = np.flatnonzero((text == _COMMA) & outside & (depth == 0))
    # After the end of the list there are no elements.
    behind = np.flatnonzero(depth < 0)
    if len(behind):
        found = found[found < behind[0]]
    return int(found[-1]) if len(found) else -1


def _escaped(backslashes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which bytes are preceded by an odd number of backslashes."""
    places = np.arange(len(backslashes))
    last_other = np.maximum.accumulate(np.where(backslashes, -1, places))
    run = places - last_other
    escaped = np.zeros(len(backslashes), np.bool_)
    escaped[1:] = run[:-1] % 2 == 1
    return escaped
