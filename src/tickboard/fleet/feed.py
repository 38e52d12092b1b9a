"""A feed: one subject on which a board's ticks are published, as a viewer of the hub.

It takes frames of ``tickboard.v2`` and publishes their messages, except those about problems. It never makes the hub
wait: a message that NATS does not take is dropped, and walls fill the hole.
"""

import struct

from tickboard.fleet.nats_connection import NatsConnection
from tickboard.hub.audience import Audience
from tickboard.hub.connections import Position
from tickboard.hub.encodings import PUBLISHED
from tickboard.hub.frames import BINARY_OPCODE, Frame
from tickboard.hub.hub import Hub
from tickboard.hub.viewer import Viewer
from tickboard.loop.turns import made_in_turns
from tickboard.wire import SeriesList, encode

_WINDOW, _AMENDED = 1, 3
"""The kinds of binary messages."""

# Little-endian: kind, flags, 0, layout, seq; of a window also the number of its ticks.
_HEADER = struct.Struct("<BBHIQ")
_COUNT = struct.Struct("<I")

_SERIES = b'{"type":"series"'


class Feed:
    """Publishes the ticks of some series on one subject.

    Args:
        hub: has the board.
        connection: where they are published.
        subject: on which subject.

    Attributes:
        descriptor: none: the hub calls `send`.
        copies: no: a frame is shared.
    """

    def __init__(self, hub: Hub, connection: NatsConnection, subject: str) -> None:
        self.descriptor = -1
        self.copies = False
        self._hub = hub
        self._connection = connection
        self._subject = subject
        self._selectors: tuple[str, ...] = ()
        self._viewer: Viewer | None = None
        self._newest: Position | None = None
        self._held: list[Frame] | None = None
        self._is_closed = False

    @property
    def audience(self) -> Audience[Viewer] | None:
        """Its audience in the hub; None if it gets no ticks."""
        return None if self._viewer is None else self._viewer.audience

    @property
    def layout(self) -> int:
        """The number of the list of its series; 0 if it gets no ticks."""
        return 0 if (audience := self.audience) is None else audience.layout

    @property
    def series(self) -> SeriesList | None:
        """The series of its next tick; None if it gets no ticks."""
        if (audience := self.audience) is None:
            return None
        selection = audience.selection
        return SeriesList(audience.layout, self._hub.engine.epoch, selection.infos(selection.series))

    async def join(self, selectors: tuple[str, ...], again: int) -> None:
        """Get the ticks of some series from now on, and hold them back until `release`.

        After an outage, it begins with the ticks that were missed, as far as the window has them.

        Args:
            selectors: which series; none: all.
            again: how many of the newest published ticks may have been lost on the way, and are published again.
        """
        if self.audience is not None and selectors == self._selectors:
            return
        prepared = await made_in_turns(self._hub.audiences.prepare(selectors, PUBLISHED))
        if self._is_closed:
            return
        self._selectors, self._held = selectors, []
        if self._viewer is not None and self.audience is not None:
            frame = self._hub.subscribe(self._viewer, selectors, prepared)
            if frame is not None:
                self.send(frame)
            return
        self.leave()
        self._held = []
        newest = self._newest
        since = None if newest is None else Position(newest.epoch, max(0, newest.seq - again))
        self._viewer = self._hub.join(self, since, selectors, PUBLISHED, prepared=prepared, internal=True)

    def describe(self) -> None:
        """Publish the list of its series again, for those who do not have it."""
        if (series := self.series) is not None:
            self.send(Frame.text(encode(series)))

    def release(self) -> None:
        """Publish what was held back, and all that follows at once."""
        held, self._held = self._held or [], None
        for frame in held:
            self.send(frame)

    def leave(self) -> None:
        """Get no more ticks."""
        viewer, self._viewer, self._held = self._viewer, None, None
        if viewer is not None:
            self._hub.leave(viewer)

    # --- what the hub calls ---

    def send(self, frame: Frame) -> bool:
        """Publish the messages of a frame; what NATS does not take is dropped."""
        if self._held is not None:
            self._held.append(frame)
            return True
        for opcode, data in frame.parts:
            if opcode == BINARY_OPCODE:
                self._send_binary(bytes(data))
            elif bytes(data[: len(_SERIES)]) == _SERIES:
                self._connection.publish(self._subject, bytes(data))
        return True

    def rest(self, wire: bytes, written: int) -> bool:
        """Return True: nothing is written to a descriptor that it does not have."""
        return True

    def unsent(self) -> int:
        """Return 0: nothing waits here."""
        return 0

    def close(self, code: int) -> None:
        """Get no more ticks, since the server ends."""
        self._is_closed = True
        self.leave()

    def cut(self) -> None:
        """Get no more ticks, until it joins again."""
        self.leave()

    def _send_binary(self, data: bytes) -> None:
        kind, _, _, _, seq = _HEADER.unpack_from(data)
        if kind == _WINDOW:
            (count,) = _COUNT.unpack_from(data, _HEADER.size)
            # It is a help only, since walls fill holes: it need not fit.
            if not count or len(data) > self._connection.max_payload:
                return
            seq += count - 1
        if self._connection.publish(self._subject, data) and kind != _AMENDED:
            self._newest = self._hub.at(seq)
