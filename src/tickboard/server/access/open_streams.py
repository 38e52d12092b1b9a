"""The open streams of identities: WebSockets and alert streams, which end when their credential does.

A stream registers how to end it when it begins. Without a gate, nothing is registered.
"""

from collections.abc import Callable
from typing import Protocol

from starlette.types import Scope

from tickboard.access.roles import Identity
from tickboard.hub.connections import end_failed

LOGGED_OUT = 4401
"""The close code of a WebSocket whose credential has ended."""

STREAMS = "tickboard.streams"
"""The key in a request's scope."""

End = Callable[[], object]


class StreamRegistry(Protocol):
    """Where streams register."""

    def add(self, identity: Identity, end: End) -> Callable[[], None]:
        """Register a stream; see `OpenStreams.add`."""
        ...


class OpenStreams:
    """The streams of one server, by identity."""

    def __init__(self) -> None:
        self._ends: dict[Identity, dict[object, End]] = {}

    def __len__(self) -> int:
        """The number of open streams."""
        return sum(map(len, self._ends.values()))

    def add(self, identity: Identity, end: End) -> Callable[[], None]:
        """Register a stream.

        Args:
            identity: whose it is.
            end: ends it.

        Returns:
            A function to call when it has ended.
        """
        key = object()
        self._ends.setdefault(identity, {})[key] = end

        def remove() -> None:
            ends = self._ends.get(identity, {})
            ends.pop(key, None)
            if not ends:
                self._ends.pop(identity, None)

        return remove

    def end_unless(self, may: Callable[[Identity], bool]) -> int:
        """End the streams of identities for which this is False; return how many."""
        ended = 0
        for identity in list(self._ends):
            if not may(identity):
                for end in self._ends.pop(identity).values():
                    ended += 1
                    end_stream(end)
        return ended


def end_stream(end: End) -> None:
    """End a stream; if that fails, log it, so that others end."""
    try:
        end()
    except Exception as error:  # noqa: BLE001  # it is logged
        end_failed("a stream that had to end", error, _nothing)


def until_logged_out(scope: Scope, end: End) -> Callable[[], None]:
    """End a stream when the credential of its request ends; return a function to call when it has ended by itself."""
    found: tuple[StreamRegistry, Identity] | None = scope.get(STREAMS)
    return _nothing if found is None else found[0].add(found[1], end)


def _nothing() -> None: ...
