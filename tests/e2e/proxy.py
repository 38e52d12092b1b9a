"""A TCP proxy on loopback that a test can cut and restore: the network between a browser and its server."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards connections to a port of this machine until it is cut; a context manager.

    Args:
        target: the port to forward to.
        change: applied to the bytes that are sent to that port.
    """

    def __init__(self, target: int, change: Callable[[bytes], bytes] = bytes) -> None:
        self._target = target
        self._change = change
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._whole = True

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        self._listening.close()

    def cut(self) -> None:
        """End all connections and refuse new ones."""
        with self._lock:
            self._whole = False
            for each in self._open:
                _shut(each)
            self._open.clear()

    def restore(self) -> None:
        """Accept connections again."""
        with self._lock:
            self._whole = True

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                if not self._whole:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open |= {client, server}
            for one, other, change in ((client, server, self._change), (server, client, bytes)):
                threading.Thread(target=_pump, args=(one, other, change), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes]) -> None:
    try:
        while data := source.recv(65_536):
            sink.sendall(change(data))
    except OSError:
        pass
    finally:
        _shut(sink)
        source.close()


def _shut(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        each.close()
