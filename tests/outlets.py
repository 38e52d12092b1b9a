"""Fake connections for tests, which accept as many bytes as a test allows."""

import json
import struct
from collections.abc import Callable, Generator, Sequence
from typing import Any

from tickboard.hub.frames import Frame
from tickboard.hub.readers import AlertReader
from tickboard.hub.viewer import Viewer
from tickboard.wire import BoardInfo

OPCODE_TEXT = 1


def shows(board: BoardInfo) -> Callable[[], Generator[None, None, BoardInfo]]:
    """Return a function that describes a board to a hub: always the given one."""

    def describe() -> Generator[None, None, BoardInfo]:
        yield from ()
        return board

    return describe


class Socket:
    """A connection that accepts bytes while there is room, and keeps all of them.

    Args:
        writes: registers it under a descriptor; without it, it is only written to directly.
        room: the bytes that it accepts before it must be read.
    """

    def __init__(self, writes: "Writes | None" = None, room: int = 1 << 40) -> None:
        self.room = room
        self.raw = bytearray()
        self.failed = False
        self._left = b""
        self.descriptor = -1 if writes is None else writes.add(self)

    def rest(self, wire: bytes, written: int) -> bool:
        if written < 0:
            return False
        self._left = wire[written:]
        return not self._left

    def unsent(self) -> int:
        return len(self._left)

    def accept(self, wire: bytes) -> int:
        if self.failed:
            return -1
        taken = min(self.room, len(wire))
        self.raw += wire[:taken]
        self.room -= taken
        return taken

    def read(self, size: int = 1 << 40) -> None:
        """Make room, and accept the bytes that are waiting."""
        self.room += size
        if self._left:
            self._left = self._left[self.accept(self._left) :]
            if not self._left:
                self.emptied()

    def emptied(self) -> None:
        raise NotImplementedError


class StreamInbox(Socket):
    """The connection of an alert stream."""

    chunked = False

    def __init__(self, writes: "Writes | None" = None, room: int = 1 << 40) -> None:
        super().__init__(writes, room)
        self.reader: AlertReader | None = None
        self.ended = self.was_cut = False
        self.largest = 0

    def write(self, wire: bytes) -> bool:
        assert not self._left, "a chunk was sent to a stream that had not said that it takes one"
        self.largest = max(self.largest, len(wire))
        return self.rest(wire, self.accept(wire))

    def end(self) -> None:
        self.ended = True

    def cut(self) -> None:
        self.was_cut = True

    def emptied(self) -> None:
        if self.reader is not None:
            self.reader.idle_again()

    def take(self) -> list[dict[str, str]]:
        """Return the fields of the complete events since the last call."""
        *whole, rest = bytes(self.raw).split(b"\n\n")
        self.raw[:] = rest
        lines = [event.decode().splitlines() for event in whole]
        return [dict(line.split(": ", 1) for line in event) for event in lines]


class Inbox(Socket):
    """A viewer's outlet."""

    copies = False

    def __init__(self, writes: "Writes | None" = None, room: int = 1 << 40) -> None:
        super().__init__(writes, room)
        self.viewer: Viewer | None = None
        self.closed: int | None = None
        self.was_cut = False

    def send(self, frame: Frame) -> bool:
        assert not self._left, "a frame was sent to an outlet that had not said that it takes one"
        return self.rest(frame.wire, self.accept(frame.wire))

    def close(self, code: int) -> None:
        self.closed = code

    def cut(self) -> None:
        self.was_cut = True

    def emptied(self) -> None:
        if self.viewer is not None:
            self.viewer.idle_again()

    def messages(self) -> list[Any]:
        """Return the complete messages: JSON of text, bytes of binary ones."""
        return self._whole()[0]

    def take(self) -> list[Any]:
        """Return the messages since the last call."""
        found, end = self._whole()
        del self.raw[:end]
        return found

    def _whole(self) -> tuple[list[Any], int]:
        found: list[Any] = []
        at = 0
        while at + 2 <= len(self.raw):
            opcode, size, head = self.raw[at] & 15, self.raw[at + 1], 2
            if size == 126:
                (size,), head = struct.unpack_from("!H", self.raw, at + 2), 4
            elif size == 127:
                (size,), head = struct.unpack_from("!Q", self.raw, at + 2), 10
            data = bytes(self.raw[at + head : at + head + size])
            if len(data) < size:
                break
            found.append(json.loads(data) if opcode == OPCODE_TEXT else data)
            at += head + size
        return found, at


class Writes:
    """`write_all` for inboxes."""

    def __init__(self) -> None:
        self._inboxes: list[Socket] = []
        self.calls: list[int] = []

    def add(self, inbox: Socket) -> int:
        self._inboxes.append(inbox)
        return len(self._inboxes) - 1

    def __call__(self, descriptors: Sequence[int], wire: bytes) -> list[tuple[int, int]]:
        self.calls.append(len(descriptors))
        short = []
        for index, descriptor in enumerate(descriptors):
            if descriptor < 0:
                continue
            inbox = self._inboxes[descriptor]
            assert not inbox.unsent(), "something was written past what waits in front of it"
            written = inbox.accept(wire)
            if written != len(wire):
                short.append((index, written))
        return short


def seqs(messages: list[Any]) -> list[int]:
    """Return the sequence number of every tick in a list of messages."""
    found: list[int] = []
    for message in messages:
        if isinstance(message, bytes):
            seq, ticks = struct.unpack_from("<QI", message, 8)
            found += [seq] if message[0] == 2 else range(seq, seq + ticks)
        elif message["type"] == "initial":
            found += [tick["seq"] for tick in message["ticks"]]
        elif message["type"] == "metrics":
            found.append(message["seq"])
    return found
