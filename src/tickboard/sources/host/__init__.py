"""The host: CPU, memory, disks, network, processes, pressure and container of the machine that Tickboard runs on.

`Host.sample` reads everything once, mostly through psutil, and writes it to a registry; the caller decides when. What a
platform lacks (swap, load on Windows) is left out rather than shown as zero, and so is a rate until there are two
readings. Each module reads one part of the machine.
"""

from tickboard.sources.host.source import METRICS, Host, HostError

__all__ = ["METRICS", "Host", "HostError"]
