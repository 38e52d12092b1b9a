"""A viewer of a wall that measures: how long after a host's tick each of its values arrives."""

import json
import struct
import time

import numpy as np
from numpy.typing import NDArray
from websockets.sync.client import connect
from websockets.typing import Subprotocol

_HEADER = struct.Struct("<BBHIQd")
_TICK, _AMENDED = 2, 3

AFTER = 5
"""How many more ticks are watched."""


def delays(port: int, ticks: int, wanted: int, metric: str = "cpu_usage") -> dict[str, NDArray[np.float64]]:
    """Return the delays of the values of one metric of all hosts, in seconds, by the part of their names before ``-``.

    A value that comes late, in an amended tick, counts with the time at which it came; one that never came is infinite.

    Args:
        port: the wall's.
        ticks: how many ticks to watch, from when all hosts are there.
        wanted: how many hosts have to be there first.
        metric: the metric.
    """
    kinds = np.empty(0, np.str_)
    seen: dict[int, NDArray[np.float64]] = {}
    address = f"ws://127.0.0.1:{port}/ws/metrics?metrics={metric}"
    with connect(address, subprotocols=[Subprotocol("tickboard.v2")], max_size=None) as socket:
        # Late values of the last ticks come with those after them.
        while len(seen) < ticks + AFTER:
            message = socket.recv(timeout=30)
            now = time.time()
            if isinstance(message, str):
                described = json.loads(message)
                if described["type"] == "series":
                    kinds = np.array([one["labels"]["host"].partition("-")[0] for one in described["series"]])
                    seen = {}
                continue
            kind, _, _, _, seq, time_ms = _HEADER.unpack_from(message)
            if kind not in {_TICK, _AMENDED}:
                continue
            there = ~np.isnan(np.frombuffer(message, "<f8", offset=_HEADER.size))
            if kind == _TICK and len(there) >= wanted:
                seen[seq] = np.full(len(there), np.inf)
            if seq in seen:
                seen[seq] = np.where(there & np.isinf(seen[seq]), now - time_ms / 1000, seen[seq])
    rows = np.array(list(seen.values())[:ticks])
    return {str(kind): rows[:, kinds == kind].ravel() for kind in np.unique(kinds)}
