"""Sizes in bytes, as people write them."""

import re
from decimal import Decimal

from tickboard.errors import InputError

SIZE = r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)"
"""The regular expression of a written size."""

_SIZE = re.compile(SIZE)
_UNITS = {"B": 1} | {
    f"{prefix}{unit}": base**power
    for unit, base, prefixes in (("B", 1000, "kMGT"), ("iB", 1024, "KMGT"))
    for power, prefix in enumerate(prefixes, 1)
}


def size(text: object) -> int:
    """Return the bytes of a size.

    Args:
        text: ``"1GiB"``, ``"500 MB"``, or bytes as a whole number.

    Raises:
        InputError: it is neither, or negative.
    """
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    found = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        shown = repr(text)
        raise InputError(f"size {shown[:60]}: write a number and its unit (kB, MB, GB, KiB, MiB, GiB …), as in 1GiB")
    return int(Decimal(found[1]) * _UNITS[found[2]])
