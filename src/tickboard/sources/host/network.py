"""The network: bytes and packets in and out, in total and by interface, and packets lost."""

from operator import attrgetter
from typing import Final

import psutil

from tickboard.metrics.naming import safe_labels
from tickboard.sources.host.devices import Counters, DeviceRates, total, with_device
from tickboard.sources.host.readings import MAX_DEVICES, MetricSpec, Readings

METRICS: Final = {
    "net_rate": MetricSpec("Network", "B/s"),
    "net_received_rate": MetricSpec("Network Received", "B/s"),
    "net_sent_rate": MetricSpec("Network Sent", "B/s"),
    "net_interface_received_rate": MetricSpec("Interface Received", "B/s", "interface"),
    "net_interface_sent_rate": MetricSpec("Interface Sent", "B/s", "interface"),
    "net_received_packets_rate": MetricSpec("Packets Received", "packets/s", "interface"),
    "net_sent_packets_rate": MetricSpec("Packets Sent", "packets/s", "interface"),
    "net_received_errors_rate": MetricSpec("Received with Errors", "packets/s", "interface"),
    "net_sent_errors_rate": MetricSpec("Sent with Errors", "packets/s", "interface"),
    "net_received_drops_rate": MetricSpec("Dropped, Received", "packets/s", "interface"),
    "net_sent_drops_rate": MetricSpec("Dropped, Sent", "packets/s", "interface"),
}

_BY_INTERFACE: Final = tuple(name for name, metric in METRICS.items() if metric.label)

_FIELDS: Final = attrgetter(
    "bytes_recv", "bytes_sent", "packets_recv", "packets_sent", "errin", "errout", "dropin", "dropout"
)
"""psutil's fields, in the order of `_BY_INTERFACE`."""

_CONTAINERS = "veth"
"""The prefix of the host's ends of container interfaces (Docker and others): there may be hundreds, often changing."""


class Network:
    """The traffic of the interfaces.

    The totals are over interfaces with a device behind them, so that traffic through a bridge or a VPN is not counted
    twice. If there is none (in a container), they are over all but the loopback. By interface, bridges and VPNs are
    shown as well once they have had traffic.
    """

    def __init__(self) -> None:
        self._rates = DeviceRates(self._counters)
        self._counted: list[str] = []

    def __call__(self, now: float) -> Readings:
        rates = self._rates(now)
        if not rates:
            return {}
        counted = {name: rates[name] for name in self._counted}
        received, sent = total(counted, 0), total(counted, 1)
        readings: Readings = {
            ("net_rate", ""): received + sent,
            ("net_received_rate", ""): received,
            ("net_sent_rate", ""): sent,
        }
        labels = safe_labels(rates)
        for name in list(rates)[:MAX_DEVICES]:
            label = labels[name]
            readings |= {(metric, label): rate for metric, rate in zip(_BY_INTERFACE, rates[name], strict=True)}
        return readings

    def _counters(self) -> Counters:
        """Return the counters of all interfaces shown, first those that count in the totals."""
        found = psutil.net_io_counters(pernic=True, nowrap=False)
        outside = [name for name in found if not _is_loopback(name)]
        self._counted = with_device(outside, "/sys/class/net") or outside
        others = [
            name
            for name in outside
            if name not in self._counted
            and not name.startswith(_CONTAINERS)
            and found[name].bytes_recv + found[name].bytes_sent
        ]
        return {name: _FIELDS(found[name]) for name in self._counted + others}


def _is_loopback(interface: str) -> bool:
    """Return whether it is Linux's ``lo``, BSD's and macOS's ``lo0``, or Windows' ``Loopback Pseudo-Interface 1``."""
    return interface.rstrip("0123456789") == "lo" or interface.startswith("Loopback")
