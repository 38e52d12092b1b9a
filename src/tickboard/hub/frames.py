"""Frames: WebSocket messages as they go on the wire (RFC 6455), framed once for all receivers.

`tickboard.hub.encodings` makes their content. Nothing here knows viewers or sockets.
"""

import struct
from collections.abc import Generator, Iterable, Sequence
from functools import cached_property
from typing import TypeVar

STEP_BYTES = 2**19
"""How many bytes are copied before other work may run: less than 1 ms, or 4 ms if memory is slow to allocate."""


T = TypeVar("T")


TEXT_OPCODE, BINARY_OPCODE, _CLOSE, _PING, _PONG = 0x1, 0x2, 0x8, 0x9, 0xA
"""WebSocket opcodes (RFC 6455, section 5.2)."""


class Frame:
    """One or more WebSocket messages, encoded once for all receivers.

    Args:
        parts: the opcode and the content of each message. `text` and `binary` make a frame of one message.

    Attributes:
        parts: as given.
        size: the bytes of content.
    """

    def __init__(self, parts: Iterable[tuple[int, bytes | memoryview]]) -> None:
        self.parts = tuple(parts)
        self.size = sum(len(data) for _, data in self.parts)

    @classmethod
    def text(cls, data: bytes) -> "Frame":
        """Return a frame of one text message in UTF-8."""
        return cls([(TEXT_OPCODE, data)])

    @classmethod
    def of_pieces(cls, *messages: tuple[int, Sequence[bytes]]) -> "Generator[None, None, Frame]":
        """Return a frame of several messages, joined in steps.

        Args:
            messages: the opcode of each, and its content in pieces.
        """
        pieces: list[bytes] = []
        places: list[tuple[int, int, int]] = []
        end = 0
        for opcode, content in messages:
            size = sum(len(piece) for piece in content)
            head = _header(opcode, size)
            pieces += (head, *content)
            places.append((opcode, end + len(head), end + len(head) + size))
            end += len(head) + size
        wire = yield from joined(pieces)
        frame = cls([(opcode, memoryview(wire)[start:stop]) for opcode, start, stop in places])
        # Nothing modifies this bytearray, so it can stand for bytes without another copy.
        frame.__dict__["wire"] = wire
        return frame

    @classmethod
    def binary(cls, data: bytes) -> "Frame":
        """Return a frame of one binary message."""
        return cls([(BINARY_OPCODE, data)])

    def after(self, other: "Frame") -> "Frame":
        """Return a frame with the messages of `other`, followed by those of this one."""
        return Frame(other.parts + self.parts)

    @cached_property
    def messages(self) -> tuple[str | bytes, ...]:
        """The messages: str for text, bytes for binary."""
        return tuple(str(data, "utf-8") if opcode == TEXT_OPCODE else bytes(data) for opcode, data in self.parts)

    @cached_property
    def wire(self) -> bytes:
        """The messages as a server writes them to a connection: unmasked and not fragmented."""
        return b"".join(_header(opcode, len(data)) + data for opcode, data in self.parts)


def _header(opcode: int, size: int) -> bytes:
    """Return the header of an unfragmented WebSocket message (RFC 6455, section 5.2)."""
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 65_536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size)
    return struct.pack("!BBQ", 0x80 | opcode, 127, size)


PING = Frame([(_PING, b"")])
"""A ping without content."""


def pong(content: bytes) -> Frame:
    """Return the answer to a ping."""
    return Frame([(_PONG, content)])


def close(code: int) -> Frame:
    """Return a close frame."""
    return Frame([(_CLOSE, struct.pack("!H", code))])


def joined(pieces: Sequence[bytes]) -> Generator[None, None, bytearray]:
    """Join pieces in steps: copying a hundred megabytes takes a while."""
    # It grows as it is filled, since allocating a hundred megabytes at once would take 50 ms.
    whole = bytearray()
    copied = 0
    for piece in pieces:
        whole += piece
        if len(whole) - copied >= STEP_BYTES:
            copied = len(whole)
            yield
    return whole
