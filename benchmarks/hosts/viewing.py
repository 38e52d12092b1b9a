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


def delays(port: int, seconds: float, wanted: int, prefix: str = "cpu_usage") -> NDArray[np.float64]:
    """Return the delay of each value of one metric of all hosts, in seconds.

    A value that comes late, in an amended tick, counts with the time at which it came.

    Args:
        port: the wall's.
        seconds: for how long to watch, from when all hosts are there.
        wanted: how many hosts have to be there first.
        prefix: the metric.
    """
    found: list[NDArray[np.float64]] = []
    columns = 0
    seen: dict[int, NDArray[np.bool_]] = {}
    end = None
    with connect(
        f"ws://127.0.0.1:{port}/ws/metrics?metrics={prefix}", subprotocols=[Subprotocol("tickboard.v2")], max_size=None
    ) as socket:
        while end is None or time.monotonic() < end:
            message = socket.recv(timeout=30)
            now = time.time()
            if isinstance(message, str):
                if json.loads(message)["type"] == "series":
                    columns = len(json.loads(message)["series"])
                    seen = {}
                continue
            kind, _, _, _, seq, time_ms = _HEADER.unpack_from(message)
            if kind not in {_TICK, _AMENDED}:
                continue
            there = ~np.isnan(np.frombuffer(message, "<f8", offset=_HEADER.size))
            if end is None:
                if kind == _TICK and columns >= wanted and there.sum() >= wanted:
                    end = time.monotonic() + seconds
                continue
            known = seen.setdefault(seq, np.zeros(len(there), np.bool_))
            if len(known) != len(there):
                continue
            fresh = there & ~known
            known |= there
            found.append(np.full(int(fresh.sum()), now - time_ms / 1000))
    return np.concatenate(found)
