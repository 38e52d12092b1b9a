"""What TLS costs a message: viewers of one board over plain TCP and over TLS, in turn."""

import os
import socket
import ssl
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import trustme

from benchmarks.fanout.load import CHUNK, Load
from benchmarks.fanout.servers import running, tickboard
from benchmarks.report import Table

VIEWERS = 200
INTERVAL_MS = 100
SECONDS, SHORT_S = 6.0, 1.0
TURNS = 3


class TlsLoad(Load):
    """Viewers over TLS.

    Args:
        port: of the server.
        context: trusts its certificate.
    """

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(port)
        self._context = context

    def _open(self, path: str, more: str) -> socket.socket:
        viewer = self._context.wrap_socket(
            socket.create_connection(("127.0.0.1", self.port)), server_hostname="127.0.0.1"
        )
        viewer.sendall(self.handshake.format(path=path, port=self.port, more=more).encode())
        return viewer

    def _take(self, descriptor: int) -> None:
        # Until nothing is left, since what OpenSSL has read no longer shows in epoll.
        while viewer := self._sockets.get(descriptor):
            try:
                data = viewer.recv(CHUNK)
            except ssl.SSLWantReadError:
                return
            if not data:
                raise ConnectionError("the server closed a connection")
            self._read(descriptor, data)


def tables(*, short: bool = False) -> Iterator[Table]:
    """Give the table, or none where it can't be measured.

    Args:
        short: whether one short round is enough.
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        print("TLS is measured on Linux with two cores: left out.", flush=True)
        return
    seconds, turns = (SHORT_S, 1) if short else (SECONDS, TURNS)
    ca = trustme.CA()
    context = ssl.create_default_context()
    ca.configure_trust(context)
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "cert.pem"), Path(folder, "key.pem")
        made = ca.issue_cert("127.0.0.1")
        certificate.write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
        key.write_bytes(made.private_key_pem.bytes())
        kinds: dict[str, tuple[list[str], Callable[[int], Load]]] = {
            "plain TCP": ([], Load),
            "TLS": (["--tls-cert", str(certificate), "--tls-key", str(key)], lambda port: TlsLoad(port, context)),
        }
        costs: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(turns):
            for name, (flags, viewers) in kinds.items():
                costs[name].append(cost(name, flags, viewers, seconds))
    yield table(costs, seconds)


def cost(name: str, flags: list[str], viewers: Callable[[int], Load], seconds: float) -> float:
    """Return the CPU seconds of a server for each message, its ticks included."""
    command, environ = tickboard(INTERVAL_MS)
    with running(name, ([*command, *flags], environ)) as server:
        load = viewers(server.port)
        load.connect(VIEWERS)
        load.receive(0.5)
        messages, used = load.messages, server.cpu()
        load.receive(seconds)
        messages, used = load.messages - messages, server.cpu() - used
        if load.missed or not messages:
            raise RuntimeError(f"{name}: {messages} messages came, and {load.missed} ticks were missed")
        load.close()
    return used / messages


def table(costs: dict[str, list[float]], seconds: float) -> Table:
    """Return the table of what was measured, a value for each turn."""
    turns = len(costs["TLS"])
    result = Table(
        "What TLS costs a message",
        f"{VIEWERS} viewers of four metrics in JSON at {1000 // INTERVAL_MS} ticks a second: CPU time of the server, "
        f"its ticks included, for each message. Medians of {turns} rounds of {seconds:.0f} s, in which the two took "
        "turns.",
        ["viewers over", "CPU a message", "lowest", "highest", "of plain TCP's"],
    )
    for name, each in costs.items():
        ratios = [one / plain for one, plain in zip(each, costs["plain TCP"], strict=True)]
        result.add(
            name,
            *(f"{figure * 1e6:.1f} µs" for figure in (statistics.median(each), min(each), max(each))),
            f"{statistics.median(ratios):.1f}",
        )
    return result
