"""The host: CPU, memory, disks, network, processes, pressure and container of the machine that Tickboard runs on.

`Host.sample` reads everything once, mostly through psutil, and writes it to the registry that it is given; when that
happens is for the caller to say. What a platform lacks (swap, load on Windows) is left out and not shown as zero, and
so is a rate until there are two readings to tell it from. One module reads one part of the machine.
"""

from tickboard.sources.host.source import METRICS, Host, HostError

__all__ = ["METRICS", "Host", "HostError"]
