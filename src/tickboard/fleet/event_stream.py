"""Server-sent events: reads a stream of bytes into events (the WHATWG HTML standard, section 9.2)."""

from collections.abc import Iterator

from msgspec import Struct

from tickboard.errors import InputError

MAX_EVENT_BYTES = 2**14
"""The longest event that is read, 16 KiB. An alert has at most a few kilobytes."""


class ServerSentEvent(Struct, frozen=True):
    """An event.

    Attributes:
        id: the last id of the stream so far.
        name: its name; empty: it has none.
        data: its content.
    """

    id: str
    name: str
    data: bytes


class EventStream:
    """Reads events from chunks of bytes, wherever a chunk ends."""

    def __init__(self) -> None:
        self._rest = b""
        self._id = b""
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that a chunk completes.

        Raises:
            InputError: an event is too long.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._size += len(line)
            self._check_size(self._size)
            line = line.removesuffix(b"\r")  # noqa: PLW2901  # the same line
            if line:
                self._take(*line.partition(b":"))
            else:
                if self._data:
                    yield ServerSentEvent(_text(self._id), _text(self._name), b"\n".join(self._data))
                self._name, self._data, self._size = b"", [], 0
        self._check_size(self._size + len(self._rest))

    def _take(self, field: bytes, _: bytes, value: bytes) -> None:
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value
        elif field == b"id":
            self._id = value

    def _check_size(self, size: int) -> None:
        if size > MAX_EVENT_BYTES:
            raise InputError(f"an event has more than {MAX_EVENT_BYTES} bytes")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
