"""This host as the product, Prometheus and Netdata record it at the same time: made once, and kept in `.cache`.

Usage: python -m benchmarks.history.recorded; it records anew, for `MINUTES`.
"""

import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.history import host
from benchmarks.history.programs import Folder, netdata_values, programs, snapshot
from benchmarks.history.recordings import Replayed
from benchmarks.host_peers import ROOT
from tickboard.history.layout import Layout

MINUTES = 40
"""How long a recording is. Blocks of ticks are sealed after twelve."""

PATH = ROOT / ".cache" / "benchmarks" / "host"

_LABEL = "recording.json"


class HostRecording(msgspec.Struct, frozen=True):
    """A recording of this host.

    Attributes:
        began, ended: when, POSIX seconds.
        netdata_values: about how many values Netdata recorded; None: there was no Netdata.
    """

    began: float
    ended: float
    netdata_values: int | None

    @property
    def folder(self) -> Folder:
        """What the programs recorded, with what a snapshot of Prometheus' has in `blocks`."""
        return Folder(PATH)

    @property
    def blocks(self) -> Path:
        """A snapshot of all that Prometheus had."""
        return PATH / "blocks"

    @property
    def minutes(self) -> int:
        """How long it is."""
        return round((self.ended - self.began) / 60)

    @property
    def described(self) -> str:
        """When and how long it was recorded."""
        return f"{self.minutes} min, recorded on {datetime.fromtimestamp(self.began, UTC):%Y-%m-%d}"

    def values(self) -> Replayed:
        """Return the values that the product's own readers sampled each second."""
        data = np.load(PATH / "host.npz")
        keys = msgspec.json.decode(bytes(data["keys"]), type=list[str])
        # Of the first seconds rates are missing.
        return Replayed(Layout(tuple((key, (), "") for key in keys), np.arange(len(keys))), data["rows"][2:])


def host_recording() -> HostRecording:
    """Return the recording of this host, which is made now if there is none."""
    if not (PATH / _LABEL).exists():
        print(f"recording this host for {MINUTES} min, once: it is kept in {PATH}", flush=True)
        record(MINUTES)
    return msgspec.json.decode((PATH / _LABEL).read_bytes(), type=HostRecording)


def record(minutes: float) -> None:
    """Record this host, in place of the recording that there is."""
    fresh = Folder(PATH.with_name("host.new"))
    shutil.rmtree(fresh.path, ignore_errors=True)
    fresh.path.mkdir(parents=True)
    with programs(fresh) as ports:
        began = time.time()
        sampling = threading.Thread(target=host.record, args=(fresh.path / "host.npz", round(minutes * 60)))
        sampling.start()
        sampling.join()
        ended = time.time()
        blocks = snapshot(ports.prometheus, fresh)
        values = None if ports.netdata is None else netdata_values(ports.netdata, ended - began)
    blocks.rename(fresh.path / "blocks")
    (fresh.path / _LABEL).write_bytes(msgspec.json.encode(HostRecording(began, ended, values)))
    shutil.rmtree(PATH, ignore_errors=True)
    fresh.path.rename(PATH)


if __name__ == "__main__":
    record(MINUTES)
