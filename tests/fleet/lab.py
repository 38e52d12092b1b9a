"""Hosts, walls and perhaps a NATS server, each on a computer of its own, whose programs and network can fail.

It must run as the first process of namespaces of its own: `tests.fleet.namespaces.isolated`.
"""

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.fleet.comparing import Served
from tests.fleet.namespaces import Network
from tests.fleet.schedule import Fault
from tests.nats_servers import PROGRAM

TESTS = Path(__file__).parents[1]

PORT = 3000
NATS_PORT = 4222

INTERVAL_MS = 1000
WINDOW = 120

LABELS = {"env": "stress"}
"""The own labels of every host."""

EDITIONS = ("first", "second")

START_S = 120.0
"""A hang guard: the longest wait for programs to start, on two busy cores."""

STOP_S = 30.0


class Computer:
    """A computer with one program.

    Args:
        network: the network that it is connected to.
        name: its name.
        folder: for the program's files.

    Attributes:
        name: its name.
        address: its IP address.
    """

    def __init__(self, network: Network, name: str, folder: Path) -> None:
        self.name = name
        self.address = network.add(name)
        self._network = network
        self._folder = folder
        self._command: list[str] = []
        self._environ: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The file of what its program has printed."""
        return self._folder / f"{self.name}.log"

    def install(self, command: list[str], environ: Mapping[str, str]) -> None:
        """Set the program that it runs from its next start."""
        self._command, self._environ = command, {**os.environ, **environ}

    def start(self) -> None:
        """Start its program."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._network.command(self.name, self._command),
                cwd=self._folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def signal(self, number: int) -> None:
        """Send its program a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: int) -> None:
        """End its program by a signal. Its status does not matter: it may not be ready yet."""
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(number)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise TimeoutError(f"{self.name} does not end: {self.log.read_text()[-2000:]}") from None

    def ended(self) -> int | None:
        """Return the status of its program if that has ended by itself."""
        return self._process.poll() if self._process is not None else None


class Lab:
    """The computers of a run.

    Args:
        folder: for all files.
        hosts: how many hosts there are.
        walls: how many walls.
        nats: whether the hosts publish to a NATS server; without it, walls follow them over HTTP.
        clocks: by how many seconds the clocks of some boards are ahead. It needs a C compiler.

    Attributes:
        hosts, walls: the boards, by name.
        computers: all computers, by name.
        happened: what has gone wrong, and from when until when, POSIX seconds.
    """

    def __init__(self, folder: Path, hosts: int, walls: int, *, nats: bool, clocks: Mapping[str, float]) -> None:
        self._folder = folder
        self._nats = nats
        self._editions: dict[str, int] = {}
        self._instances = 0
        self._clock = _clock_library(folder) if clocks else None
        self._clocks = clocks if self._clock is not None else {}
        self._network = Network()
        self._access = folder / "access.json"
        self._token = self._make_token()
        self._tokens = folder / "tokens"
        self.computers: dict[str, Computer] = {}
        self.happened: dict[Fault, tuple[float, float]] = {}
        if nats:
            self._add("nats")
            self.computers["nats"].install([str(PROGRAM), "--addr", "0.0.0.0", "--port", str(NATS_PORT)], {})
        self.hosts = {name: self._board(name) for name in host_names(hosts)}
        self._tokens.write_text("".join(f"{host.url} {self._token}\n" for host in self.hosts.values()))
        self.walls = {name: self._board(name) for name in wall_names(walls)}
        for name in self.hosts:
            self._install_host(name, name)
        for name in self.walls:
            self._install(name, *self._follow())

    def start(self) -> None:
        """Start everything, and return once all boards answer."""
        for computer in self.computers.values():
            computer.start()
        end = time.monotonic() + START_S
        for board in (*self.walls.values(), *self.hosts.values()):
            while not board.alive():
                self.check()
                assert time.monotonic() < end, f"{board.name} does not start: {self.log(board.name)}"
                time.sleep(0.1)

    def check(self) -> None:
        """Raise AssertionError if a program has ended by itself."""
        for name, computer in self.computers.items():
            status = computer.ended()
            assert status is None, f"{name} has ended with {status}: {self.log(name)}"

    def log(self, name: str) -> str:
        """Return the end of what a computer's program has printed."""
        return self.computers[name].log.read_text(errors="replace")[-4000:]

    def ahead_s(self, name: str) -> float:
        """Return by how much a board's clock is ahead."""
        return self._clocks.get(name, 0.0)

    def begin(self, fault: Fault) -> None:
        """Begin what goes wrong."""
        computer = self.computers[fault.target]
        self.happened[fault] = time.time(), math.inf
        match fault.kind:
            case "kill" | "change":
                computer.end(signal.SIGKILL)
                if fault.kind == "change":
                    self._editions[fault.target] = self._editions.get(fault.target, 0) + 1
            case "stop":
                computer.end(signal.SIGTERM)
            case "pause":
                computer.signal(signal.SIGSTOP)
            case "unplug":
                self._network.unplug(fault.target)
            case "swallow":
                self._network.swallow(fault.target)
            case "slow":
                self._network.slow_down(fault.target)
            case "lossy":
                self._network.lose_some(fault.target)
            case "twin":
                twin = f"twin-of-{fault.target}"
                if twin not in self.computers:
                    self._add(twin)
                self._install_host(twin, fault.target)
                self.computers[twin].start()

    def end(self, fault: Fault) -> None:
        """End what goes wrong."""
        computer = self.computers[fault.target]
        self.happened[fault] = self.happened[fault][0], time.time()
        match fault.kind:
            case "kill" | "change" | "stop":
                if fault.target in self.hosts:
                    self._install_host(fault.target, fault.target)
                computer.start()
            case "pause":
                computer.signal(signal.SIGCONT)
            case "unplug" | "swallow" | "slow" | "lossy":
                self._network.restore(fault.target)
            case "twin":
                self.computers[f"twin-of-{fault.target}"].end(signal.SIGTERM)

    def _add(self, name: str) -> Computer:
        self.computers[name] = Computer(self._network, name, self._folder)
        return self.computers[name]

    def _board(self, name: str) -> Served:
        return Served(name, f"http://{self._add(name).address}:{PORT}", self._token)

    def _install_host(self, computer: str, name: str) -> None:
        self._instances += 1
        edition = EDITIONS[self._editions.get(name, 0) % len(EDITIONS)]
        environ = {"STRESS_EDITION": edition, "STRESS_INSTANCE": str(self._instances)}
        labels = [f"--label={label}={value}" for label, value in LABELS.items()]
        publish = [*(["--nats", self._nats_url()] if self._nats else []), "--name", name, *labels]
        self._install(computer, ["run", str(Path(__file__).with_name("stress_host.py")), *publish], environ)

    def _follow(self) -> tuple[list[str], dict[str, str]]:
        if self._nats:
            return ["follow", self._nats_url()], {}
        return ["follow", *(host.url for host in self.hosts.values()), "--token-file", str(self._tokens)], {}

    def _install(self, name: str, arguments: list[str], environ: Mapping[str, str]) -> None:
        flags = {
            "host": "0.0.0.0",
            "port": PORT,
            "interval": INTERVAL_MS,
            "window": WINDOW,
            "access": self._access,
            "state": self._folder / f"{name}.state",
            "history": self._folder / f"{name}.history",
        }
        written = [f"--{flag}={value}" for flag, value in flags.items()]
        if name in self._clocks:
            ahead = self._folder / f"{name}.clock"
            ahead.write_text(f"{self._clocks[name]:<32}")
            environ = {**environ, "LD_PRELOAD": str(self._clock), "TEST_WALL_CLOCK": str(ahead)}
        self.computers[name].install([sys.executable, "-m", "tickboard", *arguments, *written], environ)

    def _nats_url(self) -> str:
        return f"nats://{self.computers['nats'].address}:{NATS_PORT}"

    def _make_token(self) -> str:
        create = ["token", "create", "--role", "operator", "--name", "stress", "--access", str(self._access)]
        made = subprocess.run(
            [sys.executable, "-m", "tickboard", *create], stdout=subprocess.PIPE, text=True, check=True
        )
        return made.stdout.strip()


def host_names(count: int) -> list[str]:
    """Return the names of hosts."""
    return [f"host-{number}" for number in range(1, count + 1)]


def wall_names(count: int) -> list[str]:
    """Return the names of walls."""
    return [f"wall-{number}" for number in range(1, count + 1)]


def _clock_library(folder: Path) -> Path | None:
    """Return the library that sets a program's clock; None: there is no compiler for it."""
    if (compiler := shutil.which("cc")) is None:
        return None
    library = folder / "wall_clock.so"
    source = TESTS / "wall_clock.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return library
