"""Datagrams: listens on a UDP port or a Unix socket, and passes packets on.

In one turn of the loop, many packets are received and passed on together; then everything else has its turn, so that
ticks stay on time whatever arrives. Packets that arrive faster than that wait in the kernel's buffer, and are lost when
it is full, as is normal for datagrams.
"""

import asyncio
import contextlib
import errno
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from tickboard.errors import InputError
from tickboard.loop.turns import turns
from tickboard.output.logs import log
from tickboard.problems import Quiet, described

TURN_BYTES = 65_536
"""Bytes received in one turn of the loop, plus at most one packet: about 3 ms of work for StatsD."""

TURN_PACKETS = 1_000
"""The most packets received in one turn, however small they are."""

BUFFER_BYTES = 8 * 2**20
"""The requested size of the kernel's buffer; the kernel grants as much as ``net.core.rmem_max`` allows."""

MAX_PACKET_BYTES = 2**18
"""A longer packet is truncated; UDP has at most 65,507 bytes."""

_OVER = object()

Report = Callable[[str | None], None]
"""Reports a problem with the packets, or None once there is none."""


class DatagramDecoder(Protocol):
    """Processes the packets."""

    def receive(self, data: bytes) -> Iterator[None]:
        """Process packets, separated by line breaks, in steps."""
        ...

    def flush(self) -> None:
        """End a tick."""

    def take_complaint(self) -> str:
        """Return the first problem since the last call, or an empty string."""


class DatagramListener:
    """Listens for one receiver. Call `start`, then `sample` at every tick, then `close`.

    Args:
        receiver: processes the packets.
        host: where to listen for UDP: an address or a name.
        port: the UDP port; 0: any free one.
        path: a Unix socket to listen on, instead of UDP.
        report: reports a problem, or None once there is none. By default, problems are logged.
        clock: returns seconds, to measure durations.

    Attributes:
        name: where it was asked to listen.
        address: where it listens, ``127.0.0.1:8125`` or the path; empty while it does not.
        port: its actual port.
    """

    def __init__(
        self,
        receiver: DatagramDecoder,
        *,
        host: str = "127.0.0.1",
        port: int = 8125,
        path: str | os.PathLike[str] | None = None,
        report: Report | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = ""
        self.port = port
        self._receiver = receiver
        self._host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        self._path = None if path is None else os.fspath(path)
        self.name = self._path or f"{host}:{port}"
        self._socket: socket.socket | None = None
        self._file: tuple[int, int] | None = None
        # The processing of the last packets, while it takes more than one step.
        self._steps: Iterator[None] = iter(())
        self._cancel: Callable[[], None] | None = None
        self._buffer = memoryview(bytearray(TURN_BYTES + MAX_PACKET_BYTES + 1))
        self._report = report or self._log
        self._clock = clock
        self._quiet = Quiet()

    async def start(self) -> None:
        """Start listening, in the running loop.

        Raises:
            InputError: it cannot listen there.
        """
        loop = asyncio.get_running_loop()
        listening = await self._open_udp(loop) if self._path is None else self._open_unix(self._path)
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket = listening
        loop.add_reader(listening.fileno(), self._drain, listening)

    async def sample(self) -> None:
        """End a tick; report the first packet that could not be used, and clear the report after a quiet while."""
        self._receiver.flush()
        complaint, now = self._receiver.take_complaint(), self._clock()
        if complaint:
            if self._quiet.failed(now):
                self._report(complaint)
        elif self._quiet.is_over(now):
            self._report(None)

    def _log(self, complaint: str | None) -> None:
        if complaint is not None:
            log.warning("%s: %s", self.address, complaint)

    async def close(self) -> None:
        """Process what has arrived, stop listening, and remove the socket's file. Calling it again does nothing."""
        listening, self._socket = self._socket, None
        if listening is None:
            return
        asyncio.get_running_loop().remove_reader(listening.fileno())
        # Process waiting packets to the end.
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        self._run(self._steps)
        self._run(self._received(listening))
        listening.close()
        self.address = ""
        self._remove_file()

    def _drain(self, listening: socket.socket) -> None:
        """Receive up to one turn's packets; receive no more before they are processed."""
        steps = self._received(listening)
        try:
            is_over = next(steps, _OVER) is _OVER
        except Exception as error:  # noqa: BLE001  # the loop would log it for every packet, and report it nowhere
            self._failed(error)
            return
        if not is_over:
            asyncio.get_running_loop().remove_reader(listening.fileno())
            self._steps = steps
            self._cancel = turns().begin(steps, self._go_on)

    def _go_on(self, error: BaseException | None) -> None:
        """Listen again when all of a turn's packets are processed."""
        self._steps, self._cancel = iter(()), None
        if error is not None:
            self._failed(error)
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._drain, self._socket)

    def _run(self, steps: Iterator[None]) -> None:
        try:
            for _ in steps:
                pass
        except Exception as error:  # noqa: BLE001  # as above
            self._failed(error)

    def _received(self, listening: socket.socket) -> Iterator[None]:
        buffer, receive, end = self._buffer, listening.recv_into, 0
        try:
            for _ in range(TURN_PACKETS):
                end += receive(buffer[end:-1])
                buffer[end] = 0x0A
                end += 1
                if end >= TURN_BYTES:
                    break
        except OSError:
            pass  # there is no more, or the kernel reports a packet that could not be delivered
        if end:
            yield from self._receiver.receive(bytes(buffer[: end - 1]))

    def _failed(self, error: BaseException) -> None:
        self._quiet.failed(self._clock())
        self._report(f"{described(error)}: the packets received with it were dropped")

    # --- opening ---

    async def _open_udp(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        where = f"{self._host}:{self.port}"
        if not 0 <= self.port <= 65_535:
            raise InputError(f"cannot listen on UDP {where}: give a port from 1 to 65535")
        try:
            found = await loop.getaddrinfo(self._host, self.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
        except (OSError, UnicodeError) as error:
            raise InputError(f"cannot listen on UDP {where}: {error}; give an address of this machine") from error
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.bind(address)
        except OSError as error:
            listening.close()
            raise InputError(f"cannot listen on UDP {where}: {_reason(error)}") from error
        host, self.port = listening.getsockname()[:2]
        self.address = f"[{host}]:{self.port}" if family == socket.AF_INET6 else f"{host}:{self.port}"
        return listening

    def _open_unix(self, path: str) -> socket.socket:
        if not path or "\0" in path:
            raise InputError(f"cannot listen on {path!r}: give a path in a writable folder")
        _remove_stale(path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            listening.bind(path)
            made = os.stat(path)  # noqa: PTH116
        except OSError as error:
            listening.close()
            raise InputError(
                f"cannot listen on {path}: {getattr(error, 'strerror', None) or error}; give a path in a writable "
                "folder"
            ) from error
        self._file = made.st_dev, made.st_ino
        self.address = path
        return listening

    def _remove_file(self) -> None:
        """Remove the socket's file, if it is still this one's."""
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            found = os.stat(self._path)  # noqa: PTH116
            if (found.st_dev, found.st_ino) == self._file:
                os.unlink(self._path)  # noqa: PTH108


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there; stop it, or give another port"
    if error.errno == errno.EACCES:
        return "only root may use that port; give one from 1024 on"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have that address; give one that it has, or 0.0.0.0 for all"
    return f"{error.strerror}; give another address"


def _remove_stale(path: str) -> None:
    """Remove the file of a socket on which nothing listens any more.

    Raises:
        InputError: another program listens on it, or it is another kind of file.
    """
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise InputError(f"cannot listen on {path}: it exists and is not a socket; give another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)  # noqa: PTH108
            return
        except OSError as error:
            raise InputError(f"cannot listen on {path}: {error.strerror}; give another path") from error
    raise InputError(f"cannot listen on {path}: another program listens there; stop it, or give another path")
