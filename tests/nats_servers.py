"""A real nats-server as a subprocess for tests, on a free port of loopback: it can be killed, frozen and restarted."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers import free_port

START_S = 30.0
"""A hang guard: the longest wait for a server to listen, on a busy machine."""

PROGRAM = Path(sys.executable).with_name("nats-server")


class NatsServer:
    """A nats-server on one port, which stays the same over restarts.

    Attributes:
        port: the port that it listens on.
        url: its URL, without credentials.
        process: the running program.
    """

    def __init__(self, config: str, folder: Path) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._folder = folder
        self._log = folder / "nats.log"
        self.configure(config)
        self.start()

    def with_login(self, login: str) -> str:
        """Return its URL with a login: ``user:password``, or a token."""
        return self.url.replace("//", f"//{login}@")

    def configure(self, config: str) -> None:
        """Replace the text of its configuration file, for the next start or `reload`."""
        text = f'listen: "127.0.0.1:{self.port}"\n{config}\n'
        (self._folder / "nats.conf").write_text(text)

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--config", self._folder / "nats.conf"], stdout=log, stderr=log, cwd=self._folder
            )
        end = time.monotonic() + START_S
        while not self._accepts():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < end, self.output()
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it in order: it closes its connections."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it, and start it again on the same port."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop it from doing anything, while its connections stay open."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue after `freeze`."""
        self.process.send_signal(signal.SIGCONT)

    def reload(self) -> None:
        """Make it read its configuration file again."""
        self.process.send_signal(signal.SIGHUP)

    def output(self) -> str:
        """Return everything that it has logged."""
        return self._log.read_text()

    def _accepts(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            # With TLS first, it says nothing before the handshake, but it accepts.
            connection.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                return bool(connection.recv(1))
            return True
        return False

    def _end(self, number: int) -> None:
        self.process.send_signal(number)
        self.thaw()
        self.process.wait(START_S)


@contextlib.contextmanager
def nats_server(config: str = "", folder: Path | None = None) -> Iterator[NatsServer]:
    """Run a nats-server while the context is open.

    Args:
        config: the text of its configuration file, without the address that it listens on.
        folder: its working folder, to which file names in `config` are relative; None: a temporary one.
    """
    own = Path(tempfile.mkdtemp(prefix="nats-")) if folder is None else folder
    server = NatsServer(config, own)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()
        if folder is None:
            shutil.rmtree(own, ignore_errors=True)
