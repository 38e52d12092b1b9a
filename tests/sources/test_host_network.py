import sys
from collections.abc import Iterable, Mapping
from math import isnan
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tickboard.sources.host import network
from tickboard.sources.host.network import Network
from tickboard.sources.host.readings import Label


class Interface(NamedTuple):
    bytes_sent: int = 0
    bytes_recv: int = 0
    packets_sent: int = 0
    packets_recv: int = 0
    errin: int = 0
    errout: int = 0
    dropin: int = 0
    dropout: int = 0


class Found:
    """Replaces psutil's counters and the devices behind them."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, found: Mapping[str, Interface], real: Iterable[str] = ()
    ) -> None:
        self.found = found
        monkeypatch.setattr(psutil, "net_io_counters", self._read)
        monkeypatch.setattr(network, "with_device", lambda names, folder: [name for name in names if name in real])

    def _read(self, pernic: bool, nowrap: bool) -> dict[str, Interface]:
        assert pernic
        assert not nowrap
        return dict(self.found)


def test_each_interface_and_the_total_have_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Found(monkeypatch, {"eth0": Interface()}, real=["eth0"])
    read = Network()
    assert isnan(read(100)["net_received_rate", ""])
    found.found = {"eth0": Interface(2000, 4000, 20, 40, 2, 4, 6, 8)}
    assert read(102) == {
        ("net_rate", ""): 3000,
        ("net_received_rate", ""): 2000,
        ("net_sent_rate", ""): 1000,
        ("net_interface_received_rate", "eth0"): 2000,
        ("net_interface_sent_rate", "eth0"): 1000,
        ("net_received_packets_rate", "eth0"): 20,
        ("net_sent_packets_rate", "eth0"): 10,
        ("net_received_errors_rate", "eth0"): 1,
        ("net_sent_errors_rate", "eth0"): 2,
        ("net_received_drops_rate", "eth0"): 3,
        ("net_sent_drops_rate", "eth0"): 4,
    }


@pytest.mark.parametrize(
    ("interfaces", "real", "counted"),
    [
        # Traffic of a device: the bridge and the VPN would count the same bytes again.
        (["lo", "eth0", "docker0", "wg0"], {"eth0"}, 1),
        # A container has no devices: everything but loopback counts.
        (["lo", "eth0", "eth1"], set[str](), 2),
        (["lo0", "en0", "loop_to_office"], set[str](), 2),
        (["Loopback Pseudo-Interface 1", "Ethernet"], set[str](), 1),
    ],
)
def test_bytes_are_counted_once_and_never_on_loopback(
    monkeypatch: pytest.MonkeyPatch, interfaces: list[str], real: set[str], counted: int
) -> None:
    found = Found(monkeypatch, dict.fromkeys(interfaces, Interface()), real)
    read = Network()
    read(100)
    found.found = dict.fromkeys(interfaces, Interface(bytes_recv=1000))
    assert read(101)["net_received_rate", ""] == counted * 1000


def test_a_bridge_is_shown_once_it_has_traffic_and_a_veth_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Found(monkeypatch, {"eth0": Interface(), "br0": Interface(), "veth1a": Interface(9, 9)}, real=["eth0"])
    read = Network()
    assert _shown(read, 100) == ["eth0"]
    found.found = {"eth0": Interface(), "br0": Interface(bytes_recv=1), "veth1a": Interface(9, 9)}
    assert _shown(read, 101) == ["eth0", "br0"]


def _shown(read: Network, now: float) -> list[Label]:
    return [label for name, label in read(now) if name == "net_interface_received_rate"]


def test_a_host_with_only_loopback_has_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    Found(monkeypatch, {"lo": Interface(10, 10)})
    assert Network()(100) == {}


def test_an_interface_may_have_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    Found(monkeypatch, {'a"\udcff\n': Interface()}, real=['a"\udcff\n'])
    assert _shown(Network(), 100) == ["a'\ufffd\ufffd"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_rates_agree_with_proc() -> None:
    read = Network()
    before_first = _proc_interfaces()
    read(100)
    after_first = before_second = _proc_interfaces()
    found = read(101)
    after_second = _proc_interfaces()
    shown = {label for name, label in found if name == "net_interface_received_rate"}
    assert shown <= {name for _, name in before_first}
    for key in [key for key in before_first if key[1] in shown]:
        assert before_second[key] - after_first[key] <= found[key] <= after_second[key] - before_first[key]


def _proc_interfaces() -> dict[tuple[str, str], int]:
    found = {}
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.strip().partition(":")
        columns = [int(number) for number in numbers.split()]
        for way, first in [("received", 0), ("sent", 8)]:
            found[f"net_interface_{way}_rate", name] = columns[first]
            found[f"net_{way}_packets_rate", name] = columns[first + 1]
            found[f"net_{way}_errors_rate", name] = columns[first + 2]
            found[f"net_{way}_drops_rate", name] = columns[first + 3]
    return found
