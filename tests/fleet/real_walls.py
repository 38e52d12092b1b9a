"""Real hosts and walls as processes, over HTTP: started, stopped, killed and started again on the same ports."""

import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from tests.fleet.comparing import Case, Found, Served
from tests.serving import Server, serve, wait_for

from tickboard.fleet.roster import Roster, beside_journal

INTERVAL_MS = 200

WINDOW = 20
"""Ticks in the windows of hosts and of the wall."""

BOARD = f"""
import time
from tickboard import Board

board = Board("Board of NAME", interval_ms={INTERVAL_MS})
board.publish(name="NAME", labels={{"env": "prod"}})
value = board.gauge("value", overview=True)
disk = board.gauge("disk", labels=("mount",), overview=True)
board.alert(value > 1e15, "never")

@board.every()
def sample():
    tick = round(time.time() * 1000) // {INTERVAL_MS}
    value.set(tick % 10_000)
    disk.labels(mount="/").set(tick % 777)
"""


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """A board that a test starts, stops, kills and starts again.

    Args:
        arguments: of the command.
        state: the file of its log of alerts.
    """

    def __init__(self, *arguments: str, state: Path, name: str = "") -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = (*arguments, "--state", str(state), "--history", f"{state}.history")
        self._open = contextlib.ExitStack()
        self.server: Server | None = None

    def start(self) -> None:
        """Start it."""
        self.server = self._open.enter_context(serve(*self._arguments, port=self.port))

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self.server is not None
        self.server.process.send_signal(number)

    def end(self, number: int = signal.SIGKILL) -> None:
        """End it with a signal; it may be started again."""
        assert self.server is not None
        self.server.stop(number)
        self._open.close()
        self.server = None

    def close(self) -> None:
        """End it at the end of the test."""
        if self.server is not None:
            self.send(signal.SIGCONT)
            self.end()

    def json(self, path: str) -> Any:
        """Return a document."""
        answer = httpx.get(f"{self.url}{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def wait_for_own_ticks(self, count: int) -> None:
        """Wait until it has made more ticks."""
        seq = self.json("/api/health")["seq"]
        wait_for(lambda: self.json("/api/health")["seq"] >= seq + count)

    def served(self) -> Served:
        """Return it as what can be compared."""
        return Served(self.name, self.url, "")


class Walls:
    """Some hosts, and a wall that follows them.

    Args:
        folder: for their files.
        names: of the hosts.
        config: the wall's configuration.

    Attributes:
        hosts: by name.
        wall: the wall.
    """

    def __init__(self, folder: Path, *names: str, config: str = "") -> None:
        self.hosts: dict[str, Process] = {}
        for name in names:
            file = folder / f"{name}.py"
            file.write_text(BOARD.replace("NAME", name))
            self.hosts[name] = Process(
                "run", str(file), "--window", str(WINDOW), state=folder / f"{name}.sqlite", name=name
            )
        urls = [host.url for host in self.hosts.values()]
        self.state_file = folder / "wall.sqlite"
        wall = ["follow", *urls, "--interval", str(INTERVAL_MS), "--window", str(WINDOW)]
        if config:
            file = folder / "wall.toml"
            file.write_text(config)
            wall += ["--config", str(file)]
        self.wall = Process(*wall, state=self.state_file)

    def state(self, name: str) -> str:
        """Return the state of a host, as the wall says."""
        return next((str(each["state"]) for each in self.wall.json("/api/hosts")["hosts"] if each["name"] == name), "")

    def wait_for_state(self, name: str, state: str) -> None:
        """Wait until the wall says so."""
        wait_for(lambda: self.state(name) == state)

    def newest(self, name: str) -> int:
        """Return the time of the newest tick that the wall has of a host, in milliseconds."""
        return max((max(values) for key, values in self._window(name).items() if key[0] == "value"), default=0)

    def wait_for_ticks(self, name: str, count: int) -> None:
        """Wait until the wall has more ticks of a host."""
        until = self.newest(name) + count * INTERVAL_MS
        wait_for(lambda: self.newest(name) >= until)

    def wait_until_kept(self, *names: str) -> None:
        """Wait until the wall has stored these hosts."""
        roster = beside_journal(self.state_file)
        wait_for(lambda: roster.exists() and {each.about.name for each in Roster(roster).load()} >= set(names))

    def differences(self, name: str, start_ms: int, end_ms: int) -> list[str]:
        """Return how a host differs on the wall in a range of time."""
        case = Case(name, {"env": "prod"}, frozenset({"value", "disk"}), 0, start_ms, end_ms)
        host, wall = (
            Found(each.history(start_ms, end_ms, INTERVAL_MS), each.window(), {})
            for each in (self.hosts[name].served(), self.wall.served())
        )
        assert any(key[0] == "value" and values for key, values in host.history.items())
        return [*case.of_history(host, wall), *case.of_window(host, wall)]

    def wait_until_equal(self, name: str, start_ms: int) -> None:
        """Wait until the wall has all ticks of a host since a time, up to now."""
        end_ms = self.newest(name) - INTERVAL_MS
        found: list[str] = []

        def equal() -> bool:
            found[:] = self.differences(name, start_ms, end_ms)
            return not found

        wait_for(equal, lambda: "\n".join(found[:20]))

    def _window(self, name: str) -> dict[Any, dict[int, float]]:
        return {key: values for key, values in self.wall.served().window().items() if ("host", name) in key[1]}


@contextlib.contextmanager
def running(folder: Path, *names: str, config: str = "") -> Iterator[Walls]:
    """Run hosts and a wall while the context is open; see `Walls`."""
    walls = Walls(folder, *names, config=config)
    try:
        for host in walls.hosts.values():
            host.start()
        walls.wall.start()
        yield walls
    finally:
        for each in (walls.wall, *walls.hosts.values()):
            each.close()
