"""Server-sent events: reads a stream of bytes into events (the WHATWG HTML standard, section 9.2)."""

from collections.abc import Iterator

from msgspec import Struct

from tickboard.errors import InputError

MAX_EVENT_BYTES = 2**18
"""The longest event that is kept, 256 KiB. It has room for an alert with as many labels in ASCII as a series may have,
once more in its silence, and once more in its message."""

MAX_SKIPPED_BYTES = 2**26
"""The longest event that is skipped, 64 MiB. A longer one never ends."""

_LEAST_LINE_BYTES = 1_024
"""How many bytes of a line are kept in any case, so that an event that is too long still has its id and its name."""


class ServerSentEvent(Struct, frozen=True):
    """An event.

    Attributes:
        id: the last id of the stream so far.
        name: its name; empty: it has none.
        data: its content; None: it is longer than `MAX_EVENT_BYTES`, and was skipped.
    """

    id: str
    name: str
    data: bytes | None


class EventStream:
    """Reads events from chunks of bytes, wherever a chunk ends."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._id = b""
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """Yield the events that a chunk completes.

        Raises:
            InputError: an event does not end.
        """
        for number, part in enumerate(chunk.split(b"\n")):
            if number and (event := self._end_line()) is not None:
                yield event
            self._size += len(part)
            if self._size > MAX_SKIPPED_BYTES:
                raise InputError(f"an event has more than {MAX_SKIPPED_BYTES} bytes")
            self._line += part[: max(_LEAST_LINE_BYTES - len(self._line), 0)] if self._is_too_long else part

    @property
    def _is_too_long(self) -> bool:
        return self._size > MAX_EVENT_BYTES

    def _end_line(self) -> ServerSentEvent | None:
        """Take a line; return the event that it ends."""
        line, self._line = bytes(self._line).removesuffix(b"\r"), bytearray()
        if line:
            self._take(*line.partition(b":"))
            return None
        data = None if self._is_too_long else b"\n".join(self._data)
        event = ServerSentEvent(_text(self._id), _text(self._name), data) if self._data else None
        self._name, self._data, self._size = b"", [], 0
        return event

    def _take(self, field: bytes, _: bytes, value: bytes) -> None:
        value = value.removeprefix(b" ")
        if field == b"data":
            if self._is_too_long:
                self._data.clear()
            self._data.append(value)
        elif field == b"event":
            self._name = value
        elif field == b"id":
            self._id = value


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
