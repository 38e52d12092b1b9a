"""A list in JSON, cut into pieces of whole elements, so that a long one is decoded piece by piece.

Where an element ends is found without decoding: numpy looks at all bytes of a piece at once, for quotes, brackets and
commas. Nothing is checked by that; decoding the pieces finds what is not JSON.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

PIECE_BYTES = 2**17
"""Of a piece; to find its end and to decode it takes 1 ms each. An element that is longer cannot be cut off."""

_QUOTE, _BACKSLASH, _COMMA = b'"\\,'


def cut(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the pieces of a list begin and end, without the brackets and the commas between two pieces.

    The last one ends with the text, whatever is there. A piece of more than `PIECE_BYTES` begins with an element that
    is longer than that, or is no JSON.

    Args:
        text: it begins with a bracket, perhaps after white space.
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
    """Return where the last comma between two elements is; -1 where there is none."""
    quotes = text == _QUOTE
    backslashes = text == _BACKSLASH
    if backslashes.any():
        quotes &= ~_escaped(backslashes)
    # What is in a text, its first quote included, and what is not.
    outside = ~np.logical_xor.accumulate(quotes)
    # Both kinds of brackets have the bit 0x20 of a letter: [ and {, ] and }.
    kinds = text | 0x20
    opened, closed = (kinds == 0x7B) & outside, (kinds == 0x7D) & outside
    depth = np.cumsum(opened.view(np.int8) - closed.view(np.int8), dtype=np.int32)
    found = np.flatnonzero((text == _COMMA) & outside & (depth == 0))
    # Behind the end of the list nothing is an element.
    behind = np.flatnonzero(depth < 0)
    if len(behind):
        found = found[found < behind[0]]
    return int(found[-1]) if len(found) else -1


def _escaped(backslashes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which bytes have an odd number of backslashes before them."""
    places = np.arange(len(backslashes))
    last_other = np.maximum.accumulate(np.where(backslashes, -1, places))
    run = places - last_other
    escaped = np.zeros(len(backslashes), np.bool_)
    escaped[1:] = run[:-1] % 2 == 1
    return escaped
