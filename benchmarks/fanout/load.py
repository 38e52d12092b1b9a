"""The viewers: many WebSockets in one process, which only count, check and take the time.

Viewers of one server get the same bytes, so what a chunk says is worked out once and looked up for the others. A tick
costs a viewer one recv(2) and a lookup, and this process must not be the limit: `Load.cpu_share` says how busy it was.
"""

import os
import select
import socket
import struct
import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)
BATCH = 100
CHUNK = 65_536
TEXT, BINARY, PING = 1, 2, 9


@dataclass(slots=True)
class Seen:
    """What a chunk of whole messages says."""

    first: int
    last: int
    ticks: int
    stamp: float
    pongs: bytes
    initial: bool
    resumed: bool
    epoch: str


class Load:
    """Viewers of one server.

    Attributes:
        messages: ticks received, in all.
        bytes: received.
        missed: ticks that a viewer did not get, or got twice.
        initials: windows received.
        resumed: of them, those that went on where the viewer was.
        delays: seconds from each tick's timestamp to its receipt, while `timing`.
        ended: connections that the server closed.
    """

    path = "/ws/metrics"
    handshake = HANDSHAKE
    accepted = b"HTTP/1.1 101"

    def __init__(self, port: int) -> None:
        self.port = port
        self.messages = self.bytes = self.missed = self.initials = self.resumed = self.ended = 0
        self.timing = False
        self.delays = array("d")
        self.last: dict[int, int] = {}
        self.epoch = ""
        self._sockets: dict[int, socket.socket] = {}
        self._left: dict[int, bytes] = {}
        self._known: dict[bytes, Seen] = {}
        self._poll = select.epoll()
        self._began = (time.perf_counter(), time.process_time())

    def __len__(self) -> int:
        return len(self._sockets)

    def connect(self, count: int, path: Callable[[int], str] | None = None, more: str = "") -> None:
        """Add viewers; `path` gives each its own."""
        paths = [path(number) if path else self.path for number in range(count)]
        for start in range(0, count, BATCH):
            for viewer in [self._open(each, more) for each in paths[start : start + BATCH]]:
                self._begin(viewer, -1)
            self.receive(0)

    def resume(self, seen: list[int]) -> None:
        """Add viewers that come back, each from the last tick that it had."""
        opened = [self._open(f"/ws/metrics?since={self.epoch}:{last}", "") for last in seen]
        for viewer, last in zip(opened, seen, strict=True):
            self._begin(viewer, last)

    def receive(self, seconds: float) -> None:
        """Take what comes, for so long; with 0, what is there."""
        end = time.perf_counter() + seconds
        while True:
            left = end - time.perf_counter()
            events = self._poll.poll(max(left, 0), 2_000)
            for descriptor, _ in events:
                self._take(descriptor)
            if left <= 0:
                return

    def receive_until(self, condition: Callable[[], bool], at_most_s: float, every_s: float = 0.0) -> bool:
        """Take what comes until something is true; return whether it is.

        With `every_s` it is taken only so often, several ticks at a time, which costs these viewers less than the
        server; their systems hold it meanwhile.
        """
        end = time.perf_counter() + at_most_s
        while not condition():
            if time.perf_counter() > end:
                return False
            time.sleep(every_s)
            for descriptor, _ in self._poll.poll(0.05, 2_000):
                self._take(descriptor)
        return True

    def ignore(self, count: int) -> None:
        """Let some viewers read nothing any more."""
        for descriptor in list(self._sockets)[:count]:
            self._poll.unregister(descriptor)

    def drop(self, number: int) -> int:
        """Cut one viewer off without a goodbye; return the last tick that it had."""
        descriptor = next(iter(self._sockets))
        viewer = self._sockets.pop(descriptor)
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        viewer.close()
        self._left.pop(descriptor, None)
        return self.last.pop(descriptor)

    def close(self) -> None:
        """Cut all off."""
        while self._sockets:
            self.drop(0)
        self._poll.close()

    def restart_clock(self) -> None:
        """Measure `cpu_share` from here on."""
        self._began = (time.perf_counter(), time.process_time())

    def cpu_share(self) -> float:
        """Return how much of its core this process has used."""
        wall, cpu = self._began
        return (time.process_time() - cpu) / (time.perf_counter() - wall)

    def whole(self, data: bytes) -> int:
        """Return how many bytes of `data` are whole messages."""
        return whole_messages(data)

    def look(self, data: bytes) -> Seen:
        """Return what whole messages say."""
        return look(data)

    def _open(self, path: str, more: str) -> socket.socket:
        viewer = socket.create_connection(("127.0.0.1", self.port))
        viewer.sendall(self.handshake.format(path=path, port=self.port, more=more).encode())
        return viewer

    def _begin(self, viewer: socket.socket, last: int) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (chunk := viewer.recv(CHUNK)):
                raise ConnectionError(f"the server closed during the handshake: {head!r}")
            head += chunk
        head, _, rest = head.partition(b"\r\n\r\n")
        if not head.startswith(self.accepted):
            raise ConnectionError(head.decode())
        viewer.setblocking(False)
        descriptor = viewer.fileno()
        self._sockets[descriptor] = viewer
        self.last[descriptor] = last
        self._poll.register(descriptor, select.EPOLLIN)
        if rest:
            self._read(descriptor, rest)

    def _take(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._read(descriptor, data)
        else:
            self.ended += 1
            self._poll.unregister(descriptor)
            self._left.pop(descriptor, None)
            self._sockets.pop(descriptor).close()

    def _read(self, descriptor: int, data: bytes) -> None:
        self.bytes += len(data)
        if descriptor in self._left:
            data = self._left.pop(descriptor) + data
        seen = self._known.get(data)
        if seen is None:
            whole = self.whole(data)
            if whole < len(data):
                self._left[descriptor] = data[whole:]
                data = data[:whole]
                if not data:
                    return
            seen = self.look(data)
            if len(self._known) > 2_000:
                self._known.clear()
            self._known[data] = seen
        if seen.pongs:
            self._sockets[descriptor].send(seen.pongs)
        if seen.epoch:
            self.epoch = seen.epoch
        before = self.last[descriptor]
        if seen.initial:
            self.initials += 1
            self.resumed += seen.resumed
            if not seen.resumed:
                before = -1
        if seen.last < 0:
            return
        if before >= 0 and seen.ticks:
            self.missed += abs(seen.first - before - 1) + abs(seen.last - seen.first + 1 - seen.ticks)
        self.last[descriptor] = seen.last
        self.messages += seen.ticks
        if self.timing and seen.stamp:
            self.delays.append(time.time() - seen.stamp)


def whole_messages(data: bytes) -> int:
    """Return how many bytes of `data` are whole WebSocket messages."""
    at = 0
    for _, _, end in messages(data):
        at = end
    return at


def messages(data: bytes) -> Iterable[tuple[int, int, int]]:
    """Give the opcode, beginning and end of each whole message that a server sent."""
    at, length = 0, len(data)
    while length - at >= 2:
        size, start = data[at + 1], at + 2
        if size == 126:
            size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
        elif size == 127:
            size, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
        end = start + size
        if end > length:
            return
        yield data[at] & 15, start, end
        at = end


def look(data: bytes) -> Seen:
    """Return what whole messages say: the ticks from the first to the last, and the newest one's time."""
    seen = Seen(-1, -1, 0, 0.0, b"", initial=False, resumed=False, epoch="")
    for opcode, start, end in messages(data):
        if opcode == PING:
            # Masked with zeros, as it was sent.
            seen.pongs += bytes([0x8A, 0x80 | (end - start), 0, 0, 0, 0]) + data[start:end]
        elif opcode == BINARY:
            _look_binary(data, start, seen)
        elif opcode == TEXT:
            _look_text(data, start, end, seen)
    return seen


def _look_binary(data: bytes, start: int, seen: Seen) -> None:
    if data[start] == 1:
        first, ticks = struct.unpack_from("<QI", data, start + 8)
        _window(seen, first, first + ticks - 1, resumed=bool(data[start + 1]))
    else:
        seq, stamp = struct.unpack_from("<Qd", data, start + 8)
        _tick(seen, seq, stamp / 1000)


def _look_text(data: bytes, start: int, end: int, seen: Seen) -> None:
    if data.startswith(b'{"type":"metrics"', start):
        at = data.rfind(b'"seq":', start, end)
        seq, _, stamp = data[at + 6 : end].partition(b',"timestamp":"')
        _tick(seen, int(seq), datetime.fromisoformat(stamp[:-2].decode()).timestamp())
    elif data.startswith(b'{"type":"initial"', start):
        epoch = data.rfind(b'"epoch":"', start, end)
        seen.epoch = data[epoch + 9 : data.find(b'"', epoch + 9)].decode()
        at = data.find(b'"seq":', epoch)
        newest = int(data[at + 6 : data.find(b",", at)])
        first = data.find(b'"ticks":[{"seq":', at)
        begins = newest + 1 if first < 0 else int(data[first + 16 : data.find(b",", first + 16)])
        _window(seen, begins, newest, resumed=data.find(b'"resumed":true', at, end) > 0)


def _window(seen: Seen, first: int, last: int, *, resumed: bool) -> None:
    seen.initial, seen.resumed = True, resumed
    seen.first, seen.last, seen.ticks = first, last, last - first + 1


def _tick(seen: Seen, seq: int, stamp: float) -> None:
    if seen.last < 0:
        seen.first = seq
    seen.last, seen.stamp = seq, stamp
    seen.ticks += 1
