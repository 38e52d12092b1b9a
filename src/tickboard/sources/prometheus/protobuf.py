"""Just enough of the protobuf wire format to walk over a message without a schema (protobuf.dev, "Encoding").

It is for the one kind of message that arrives half a million times a second; a library reads the rare ones.
"""

import struct
from collections.abc import Iterator

from tickboard.errors import PayloadError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""The wire types."""

_FLOAT64 = struct.Struct("<d")


def fields(data: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int, int]]:
    """Yield the fields of a message in order.

    Args:
        data: contains the message.
        at: where the message begins.
        end: where the message ends; None: with the data.

    Yields:
        Number, wire type, and where the value begins and ends; for a varint, the value itself and where it ends.

    Raises:
        PayloadError: it is malformed.
    """
    end = len(data) if end is None else end
    while at < end:
        begin = at
        key, at = varint(data, at, end)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = varint(data, at, end)
            yield number, wire, value, at
            continue
        if wire == BYTES:
            size, at = varint(data, at, end)
        elif wire == FIXED64:
            size = 8
        elif wire == FIXED32:
            size = 4
        else:
            raise PayloadError(f"the protobuf message has a field of wire type {wire} at byte {begin}")
        if number == 0 or at + size > end:
            raise PayloadError(f"the protobuf message ends in the middle of its field {number} at byte {begin}")
        yield number, wire, at, at + size
        at += size


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return an unsigned varint and where it ends.

    Raises:
        PayloadError: it has no end, or more than 64 bits.
    """
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise PayloadError(f"the protobuf message has a number without an end at byte {at}")


def varints(data: bytes, at: int, end: int) -> list[int]:
    """Return the unsigned varints of a packed field."""
    found = []
    while at < end:
        value, at = varint(data, at, end)
        found.append(value)
    return found


def signed(value: int) -> int:
    """Return the value of an int64 field from its varint."""
    return value - (1 << 64) if value >= 1 << 63 else value


def zigzag(value: int) -> int:
    """Return the value of a sint32 or sint64 field from its varint."""
    return (value >> 1) ^ -(value & 1)


def float64(data: bytes, at: int) -> float:
    """Return a double."""
    value: float = _FLOAT64.unpack_from(data, at)[0]
    return value


def text(data: bytes, at: int, end: int) -> str:
    """Return a string.

    Raises:
        PayloadError: it is not UTF-8.
    """
    try:
        return str(data[at:end], "utf-8")
    except UnicodeDecodeError as error:
        raise PayloadError(f"the protobuf message has a text at byte {at} that is not UTF-8") from error
