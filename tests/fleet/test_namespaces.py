"""Computers in network namespaces: their cables can be pulled out, and they are gone after a kill."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.fleet.namespaces import isolated, missing
from tests.serving import wait_for

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

ROOT = Path(__file__).parents[2]

FAULTS = """
import socket
from tests.fleet.namespaces import SWITCH, Network

network = Network()
one, two = network.add("one"), network.add("two")
server = socket.create_server((SWITCH, 8000))
server.settimeout(10)

def reached():
    code = f"import socket; socket.create_connection(({SWITCH!r}, 8000), 4).sendall(b'here')"
    client = subprocess.Popen(network.command("one", [sys.executable, "-c", code]), stderr=subprocess.DEVNULL)
    if client.wait(20):
        return False
    with server.accept()[0] as accepted:
        return accepted.recv(10) == b"here" and accepted.getpeername()[0] == one

print(reached())
for fault in (network.unplug, network.swallow, network.slow_down):
    fault("one")
    print(fault.__name__, reached())
    network.restore("one")
    print(reached())
"""


def test_a_cable_is_pulled_out_and_put_back() -> None:
    code = f"import subprocess, sys\n{FAULTS}"
    done = subprocess.run(
        isolated([sys.executable, "-c", code]), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split("\n")[:-1] == [
        "True", "unplug False", "True", "swallow False", "True", "slow_down True", "True",
    ], done.stderr  # fmt: skip


LOSSY = """
import socket
from tests.fleet.namespaces import SWITCH, Network

SENT = 200
CLIENT = f'''
import socket

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect(({SWITCH!r}, 8000))
for _ in range({SENT}):
    client.send(b"there")
print("sent", flush=True)
input()
client.settimeout(1)
got = 0
try:
    while client.recv(10):
        got += 1
except TimeoutError:
    print(got)
'''

network = Network()
network.add("one")
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((SWITCH, 8000))
server.settimeout(1)

def arrived():
    command = network.command("one", [sys.executable, "-c", CLIENT])
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    client.stdout.readline()
    there = 0
    try:
        while True:
            _, address = server.recvfrom(10)
            there += 1
    except TimeoutError:
        pass
    for _ in range(SENT):
        server.sendto(b"back", address)
    return there, int(client.communicate("count\\n", 20)[0])

print(*arrived())
network.lose_some("one")
print(*(120 < count < 190 for count in arrived()))
network.restore("one")
print(*arrived())
"""


def test_a_lossy_connection_loses_packets_in_both_directions() -> None:
    code = f"import subprocess, sys\n{LOSSY}"
    done = subprocess.run(
        isolated([sys.executable, "-c", code]), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == ["200 200", "True True", "200 200"], done.stderr


LEFT = """
import subprocess, time
from tests.fleet.namespaces import Network

network = Network()
network.add("one")
subprocess.Popen(network.command("one", ["sleep", "987654"]))
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_after_a_kill(number: int) -> None:
    """Neither when the program in the namespaces is killed, nor when the one that started it is."""
    command = isolated([sys.executable, "-c", LEFT])
    starter = f"import subprocess; subprocess.run({command!r})"
    outer = subprocess.Popen([sys.executable, "-c", starter], cwd=ROOT, stdout=subprocess.PIPE)
    assert outer.stdout is not None
    assert outer.stdout.readline() == b"ready\n"
    inside = psutil.Process(outer.pid).children(recursive=True)
    assert any("987654" in process.cmdline() for process in inside)
    outer.send_signal(number)
    outer.wait(10)
    wait_for(lambda: not any(process.is_running() for process in inside))
    outer.stdout.close()
    assert "one" not in subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout.split()
