"""A network of namespaces for tests: a switch, and computers whose cables can be pulled out.

A program that uses it runs in namespaces of its own, of mounts, networks and processes: start it with `isolated`. The
kernel removes them, and ends every process in them, as soon as that program ends in any way or its parent does. So
nothing is left behind after a kill, and nothing outside can be reached or harmed.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence

COMMAND_S = 30.0
"""A hang guard for commands that take milliseconds."""

SWITCH = "10.77.0.1"
"""The address of the program that makes the network."""

PREPARE = "PATH=$PATH:/usr/sbin:/sbin; mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up"
"""`ip netns` keeps namespaces in ``/run/netns``, which is here one of our own."""

LOST = 0.2
"""The share of packets that a lossy connection loses in each direction."""

LOSSY = [
    *("bpf", "direct-action", "bytecode"),
    f"4,32 0 0 {2**32 - 4096 + 56},53 0 1 {int(LOST * 2**32)},6 0 0 {2**32 - 1},6 0 0 2",
]
"""A filter that drops packets at random, in classic BPF: load a random number (``SKF_AD_OFF + SKF_AD_RANDOM``); if it
is at least as large as `LOST` says, go on (``TC_ACT_UNSPEC``), else drop (``TC_ACT_SHOT``)."""

PROBE = """
ip netns add probe && ip link add name probe0 type bridge && ip link add name probe1 type veth &&
tc qdisc add dev probe1 clsact && tc filter add dev probe1 ingress "$@"
"""


def isolated(command: Sequence[str]) -> list[str]:
    """Return a command that runs `command` in namespaces of its own, as their first process."""
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    unshare = ["unshare", *own, "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return ["setpriv", "--pdeathsig", "KILL", *unshare, "sh", "-c", f'{PREPARE} && exec "$@"', "sh", *command]


def missing() -> str:
    """Return what this machine lacks for `isolated` and `Network`; empty: nothing."""
    for program, package in (("unshare", "util-linux"), ("setpriv", "util-linux"), ("ip", "iproute2")):
        if shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is None:
            return f"there is no program {program}: install {package}"
    tried = subprocess.run(
        isolated(["sh", "-c", PROBE, "sh", *LOSSY]), capture_output=True, text=True, timeout=COMMAND_S, check=False
    )
    return f"no network can be made here: {tried.stderr.strip()}" if tried.returncode else ""


class Network:
    """A switch with computers, in the namespaces of this process.

    Every computer reaches every other, and this process, which has the address `SWITCH`.
    """

    def __init__(self) -> None:
        self._ports: dict[str, str] = {}
        self._repairs: dict[str, list[list[str]]] = {}
        _run("ip", "link", "add", "name", "switch", "type", "bridge")
        _run("ip", "address", "add", f"{SWITCH}/16", "dev", "switch")
        _run("ip", "link", "set", "switch", "up")

    def add(self, name: str) -> str:
        """Connect a computer, and return its address."""
        number = len(self._ports) + 1
        port, address = f"port{number}", f"10.77.{number // 250 + 1}.{number % 250 + 1}"
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", "name", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", port, "master", "switch", "up")
        _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", name, "address", "add", f"{address}/16", "dev", "eth0")
        _run("ip", "-n", name, "link", "set", "eth0", "up")
        self._ports[name] = port
        return address

    def command(self, name: str, command: Sequence[str]) -> list[str]:
        """Return a command that runs another on a computer. The process is that of the other command."""
        return ["nsenter", f"--net=/run/netns/{name}", "--", *command]

    def unplug(self, name: str) -> None:
        """Pull out a computer's cable, which it notices."""
        port = self._ports[name]
        _run("ip", "link", "set", port, "down")
        self._repairs[name] = [["ip", "link", "set", port, "up"]]

    def swallow(self, name: str) -> None:
        """Lose all that a computer sends and should get. It does not notice."""
        port = self._ports[name]
        _run("bridge", "link", "set", "dev", port, "state", "0")
        self._repairs[name] = [["bridge", "link", "set", "dev", port, "state", "3"]]

    def slow_down(self, name: str) -> None:
        """Make a computer's connection slow."""
        self._repairs[name] = []
        for tc, device in ((["tc"], self._ports[name]), (["tc", "-n", name], "eth0")):
            root = ["dev", device, "root"]
            if not _succeeds(*tc, "qdisc", "add", *root, "netem", "delay", "200ms", "100ms"):
                _run(*tc, "qdisc", "add", *root, "tbf", "rate", "256kbit", "burst", "3000", "latency", "300ms")
            self._repairs[name].append([*tc, "qdisc", "delete", *root])

    def lose_some(self, name: str) -> None:
        """Lose some of the packets that a computer sends and should get, at random."""
        port = self._ports[name]
        _run("tc", "qdisc", "add", "dev", port, "clsact")
        self._repairs[name] = [["tc", "qdisc", "delete", "dev", port, "clsact"]]
        for direction in ("ingress", "egress"):
            _run("tc", "filter", "add", "dev", port, direction, *LOSSY)

    def restore(self, name: str) -> None:
        """Undo what was done last to a computer's connection."""
        for command in self._repairs.pop(name):
            _run(*command)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=COMMAND_S, check=False).returncode == 0


def _run(*command: str) -> None:
    tried = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    if tried.returncode:
        raise OSError(f"{' '.join(command)}: {tried.stderr.strip() or tried.returncode}")
