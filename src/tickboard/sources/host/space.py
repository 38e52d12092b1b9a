"""How full the file systems are, read in threads of their own, so that one that hangs blocks nothing."""

import sys
from collections import deque
from collections.abc import Callable, Iterable
from math import inf, nan
from pathlib import Path
from threading import Event, Thread
from typing import Final

import numpy as np
import psutil
from msgspec import Struct

from tickboard.metrics.naming import safe_labels
from tickboard.sources.host.disks import ROOT
from tickboard.sources.host.readings import EARLY_S, MAX_DEVICES, SLOW_S, MetricSpec, Readings

METRICS: Final = {
    "disk_space_usage": MetricSpec("Disk Space", "%", "mount", max=100),
    "disk_space_used": MetricSpec("Disk Space Used", "B", "mount"),
    "disk_space_size": MetricSpec("Disk Space in All", "B", "mount"),
    "disk_space_full_in": MetricSpec("Full in", "s", "mount"),
}

FIRST_WAIT_S = 1.0
"""How long the first sample waits: the page's layout depends on it, so a moment is worth it."""

WAIT_S = 0.02

POINT_S = 60.0
"""How far the sizes are apart that say how a file system fills."""

TREND_S = 6 * 3600.0
"""How long ago the oldest of them is."""

LEAST_TREND_S = 3600.0
"""How long a file system is watched before its end is predicted: one download is no trend."""

FAR_S = 90 * 86400.0
"""What is later is no prediction."""

_OVER_THE_NETWORK: Final = frozenset(
    {
        "9p",
        "afpfs",
        "afs",
        "ceph",
        "cifs",
        "davfs",
        "glusterfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs3",
        "nfs4",
        "smb3",
        "smbfs",
        "webdav",
    }
)
"""Network file systems: one whose server is gone hangs for minutes, and its fill level is the server's concern."""

_NO_STORAGE: Final = frozenset(
    {
        "autofs",
        "cd9660",
        "cramfs",
        "devfs",
        "erofs",
        "iso9660",
        "nullfs",
        "overlay",
        "romfs",
        "squashfs",
        "tmpfs",
        "udf",
    }
)
"""File systems that are always full, always empty, or another file system seen twice."""


class Usage(Struct, frozen=True):
    """How full a file system is; `percent` and `free_bytes` are of what users may fill."""

    percent: float
    used_bytes: int
    size_bytes: int
    free_bytes: int


class Filling:
    """When a file system will be full if it goes on as in the last hours, by a line of least squares."""

    def __init__(self) -> None:
        self._sizes: deque[tuple[float, float]] = deque(maxlen=int(TREND_S / POINT_S) + 1)
        self._rate = nan

    def full_in(self, now: float, usage: Usage) -> float:
        """Return the seconds until nothing is free; NaN if it does not fill, or was not watched for long enough.

        Args:
            now: seconds, as of a clock that never decreases.
            usage: how full it is now.
        """
        sizes = self._sizes
        if not sizes or now - sizes[-1][0] >= POINT_S - EARLY_S:
            sizes.append((now, usage.used_bytes))
            self._rate = _slope(sizes) if now - sizes[0][0] >= LEAST_TREND_S - EARLY_S else nan
        if not self._rate > 0:
            return nan
        seconds = usage.free_bytes / self._rate
        return seconds if seconds < FAR_S else nan


def _slope(points: Iterable[tuple[float, float]]) -> float:
    x, y = np.array(list(points)).T
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x))


Mounts = Callable[[], Iterable[tuple[str, str]]]


class Space:
    """How full each file system is, read every ten seconds.

    A file system that does not answer by the next reading has no value and is skipped until it answers; the others
    continue.

    Args:
        mounts: returns the mount points of file systems and their devices; of one device, the first counts.
        usage: returns how full the file system at a mount point is; OSError: leave it out.
    """

    def __init__(self, mounts: Mounts | None = None, usage: Callable[[str], Usage] | None = None) -> None:
        self._mounts = mounts or storage_mounts
        self._usage = usage or mount_usage
        self._due = -inf
        self._look: _Look | None = None
        self._before: dict[str, Usage] = {}
        self._hanging: dict[str, _Look] = {}
        self._filling: dict[str, Filling] = {}

    def __call__(self, now: float) -> Readings:
        if now >= self._due - EARLY_S:
            self._due = now + SLOW_S
            self._begin()
        assert self._look is not None
        if (error := self._look.error) is not None:
            self._due = -inf
            raise error
        found = self._look.found if self._look.done.is_set() else {**self._before, **self._look.found}
        readings: Readings = {}
        found = found.copy()
        labels = safe_labels(found)
        self._filling = {mount: self._filling.get(mount) or Filling() for mount in found}
        for mount, usage in found.items():
            label = labels[mount]
            readings["disk_space_full_in", label] = self._filling[mount].full_in(now, usage)
            readings["disk_space_usage", label] = usage.percent
            readings["disk_space_used", label] = usage.used_bytes
            readings["disk_space_size", label] = usage.size_bytes
        return readings

    def _begin(self) -> None:
        look, wait_s = self._look, FIRST_WAIT_S
        if look is not None:
            if not look.done.is_set() and not look.at:
                return  # it does not even know the mounts yet, and another thread would know them no sooner
            wait_s = WAIT_S
            self._before = look.found.copy()
            if not look.done.is_set():
                self._hanging[look.at] = look
        self._hanging = {mount: each for mount, each in self._hanging.items() if not each.done.is_set()}
        self._look = _Look(self._mounts, self._usage, frozenset(self._hanging))
        self._look.done.wait(wait_s)


class _Look:
    """One reading of all file systems, except some, in a thread of its own.

    Attributes:
        at: the mount point being read.
        found: the results so far.
        error: why nothing could be read.
        done: set when it has ended.
    """

    def __init__(self, mounts: Mounts, usage: Callable[[str], Usage], without: frozenset[str]) -> None:
        self.at = ""
        self.found: dict[str, Usage] = {}
        self.error: Exception | None = None
        self.done = Event()
        self._mounts, self._usage, self._without = mounts, usage, without
        self._seen: set[str] = set()
        # A daemon thread: one that hangs must not keep the program from ending.
        Thread(target=self._run, name="disk space", daemon=True).start()

    def _run(self) -> None:
        try:
            for mount, device in self._mounts():
                if device not in self._seen and mount not in self._without and len(self.found) < MAX_DEVICES:
                    self.at = mount
                    self._read(mount, device)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sampler's thread raises it
            self.error = error
        finally:
            self.done.set()

    def _read(self, mount: str, device: str) -> None:
        try:
            self.found[mount] = self._usage(mount)
        except OSError:
            return  # it may not be read, or is gone
        self._seen.add(device)


def mount_usage(mount: str) -> Usage:
    """Return how full a file system is.

    Raises:
        OSError: it cannot be read, or is not a folder: containers mount files of the machine, such as /etc/hosts.
    """
    if not Path(mount).is_dir():
        raise NotADirectoryError(mount)
    usage = psutil.disk_usage(mount)
    if sys.platform == "darwin":
        # psutil returns this volume's usage, but all volumes of the disk share its space.
        used = usage.total - usage.free
        return Usage(100 * used / usage.total if usage.total else 0.0, used, usage.total, usage.free)
    return Usage(usage.percent, usage.used, usage.total, usage.free)


def storage_mounts() -> list[tuple[str, str]]:
    """Return the mount points of this machine's storage, the root first, and their devices.

    Of storage mounted in several places (a bind mount, a Btrfs subvolume), the shortest path comes first.
    """
    parts = psutil.disk_partitions(all=False)
    # In a container, the root has no device.
    root_device = next((part.device for part in parts if part.mountpoint == ROOT), ROOT)
    others = [
        (part.mountpoint, part.device)
        for part in sorted(parts, key=lambda part: (len(part.mountpoint), part.mountpoint))
        if part.mountpoint != ROOT and _is_storage(part.fstype, part.opts, part.mountpoint)
    ]
    return [(ROOT, root_device), *others]


def _is_storage(kind: str, options: str, mount: str) -> bool:
    kind = kind.lower()
    if not kind or kind in _OVER_THE_NETWORK | _NO_STORAGE or kind.startswith("fuse."):
        return False
    if not {"remote", "cdrom"}.isdisjoint(options.split(",")):  # psutil's options on Windows
        return False
    return not mount.startswith("/System/Volumes/")  # macOS: parts of its one disk
