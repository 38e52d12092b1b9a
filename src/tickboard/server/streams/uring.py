"""Many writes in one system call: Linux's io_uring, by ctypes and numpy.

A ring is two arrays shared with the kernel: one holds a 64-byte entry for each write, the other the results. Both are
written and read as columns, so Python does no work per viewer, and one system call serves hundreds of them. Offsets and
numbers are those of Linux's ``include/uapi/linux/io_uring.h``.

    entries    | send fd 7 | send fd 9 | send fd 10 | ──io_uring_enter──▶ | 449 | 449 | -EAGAIN |    results
"""

import ctypes
import errno
import mmap
import os
import sys
import weakref
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Numbered the same on every architecture, like all system calls since 2018.
_SETUP, _ENTER = 425, 426
_ENTER_GETEVENTS = 1
_SEND = 26
_MSG_DONTWAIT, _MSG_NOSIGNAL = 0x40, 0x4000
_SQ_RING_AT, _ENTRIES_AT = 0, 0x10000000
_SINGLE_MMAP = 1

_FLAGS = ((1 << 8) | (1 << 12) | (1 << 13), 0)
"""COOP_TASKRUN, SINGLE_ISSUER and DEFER_TASKRUN of Linux 6.1, which avoid interrupts; or none."""

_ENTRY = np.dtype(
    [
        ("opcode", "u1"),
        ("flags", "u1"),
        ("priority", "u2"),
        ("descriptor", "i4"),
        ("offset", "u8"),
        ("address", "u8"),
        ("length", "u4"),
        ("message_flags", "u4"),
        ("user_data", "u8"),
        ("unused", "u8", 3),
    ]
)
_RESULT = np.dtype([("user_data", "u8"), ("result", "i4"), ("flags", "u4")])


class _Offsets(ctypes.Structure):
    # Of the submission side: head, tail, mask, entries, flags, dropped, array; of the completion side: head, tail,
    # mask, entries, overflow, results.
    _fields_ = (("at", ctypes.c_uint32 * 8), ("user_address", ctypes.c_uint64))


class _Parameters(ctypes.Structure):
    _fields_ = (
        ("entries", ctypes.c_uint32),
        ("result_entries", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("thread", ctypes.c_uint32 * 2),
        ("features", ctypes.c_uint32),
        ("workers", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
        ("submission", _Offsets),
        ("completion", _Offsets),
    )


class Ring:
    """A ring for one thread.

    Args:
        size: the most writes in one call, a power of two.

    Attributes:
        works: False once the kernel has refused a call; the ring is then unusable.

    Raises:
        OSError: the system has no io_uring, or does not allow it.
    """

    def __init__(self, size: int = 512) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "io_uring needs Linux")
        self._call = ctypes.CDLL(None, use_errno=True).syscall
        self._call.restype = ctypes.c_long
        parameters, self._descriptor = self._set_up(size)
        weakref.finalize(self, os.close, self._descriptor)
        self.works = True
        self._map(parameters)

    def write_all(self, descriptors: Sequence[int], wire: bytes) -> list[tuple[int, int]]:
        """Write to every descriptor. All must be non-blocking.

        Returns:
            The index and the number of bytes written of each incomplete write; -1 bytes if it or the ring failed.
        """
        short: list[tuple[int, int]] = []
        for start in range(0, len(descriptors), self._size):
            results = self._write(np.array(descriptors[start : start + self._size], np.int32), wire)
            for index in np.flatnonzero(results != len(wire)).tolist():
                result = int(results[index])
                short.append((start + index, 0 if result == -errno.EAGAIN else max(result, -1)))
        return short

    def _set_up(self, size: int) -> tuple[_Parameters, int]:
        for flags in _FLAGS:
            parameters = _Parameters(flags=flags)
            descriptor = self._call(_SETUP, size, ctypes.byref(parameters))
            if descriptor >= 0:
                return parameters, descriptor
        raise OSError(ctypes.get_errno(), "io_uring can't be set up")

    def _map(self, parameters: _Parameters) -> None:
        if not parameters.features & _SINGLE_MMAP:
            raise OSError(errno.ENOSYS, "io_uring is too old")
        self._size, results = parameters.entries, parameters.result_entries
        submission, completion = parameters.submission.at, parameters.completion.at
        length = max(submission[6] + 4 * self._size, completion[5] + _RESULT.itemsize * results)
        access = mmap.PROT_READ | mmap.PROT_WRITE
        ring = mmap.mmap(self._descriptor, length, mmap.MAP_SHARED, access, offset=_SQ_RING_AT)
        entries = mmap.mmap(self._descriptor, _ENTRY.itemsize * self._size, mmap.MAP_SHARED, access, offset=_ENTRIES_AT)
        self._tail = np.frombuffer(ring, np.uint32, 1, submission[1])
        self._result_head = np.frombuffer(ring, np.uint32, 1, completion[0])
        self._result_tail = np.frombuffer(ring, np.uint32, 1, completion[1])
        self._results = np.frombuffer(ring, _RESULT, results, completion[5])
        self._entries = np.frombuffer(entries, _ENTRY, self._size)
        self._entries["opcode"] = _SEND
        self._entries["message_flags"] = _MSG_DONTWAIT | _MSG_NOSIGNAL
        # The entry at each place of the queue: this mapping never changes.
        np.frombuffer(ring, np.uint32, self._size, submission[6])[:] = np.arange(self._size)

    def _write(self, descriptors: NDArray[np.int32], wire: bytes) -> NDArray[np.int32]:
        """Return the result of each write; for a descriptor below 0, len(wire)."""
        chosen = np.flatnonzero(descriptors >= 0)
        count = len(chosen)
        tail = int(self._tail[0])
        places = (tail + np.arange(count)) % self._size
        entries = self._entries
        entries["descriptor"][places] = descriptors[chosen]
        entries["address"][places] = np.frombuffer(wire, np.uint8).ctypes.data
        entries["length"][places] = len(wire)
        entries["user_data"][places] = chosen
        self._tail[0] = (tail + count) % 2**32
        self._enter(count)
        results = np.full(len(descriptors), len(wire), np.int32)
        results[chosen] = -errno.EIO
        head, finished = int(self._result_head[0]), self._finished()
        done = self._results[(head + np.arange(finished)) % len(self._results)]
        results[done["user_data"].astype(np.intp)] = done["result"]
        self._result_head[0] = (head + finished) % 2**32
        return results

    def _enter(self, count: int) -> None:
        """Submit entries, and wait for their results. Sockets that would block return at once."""
        submitted = 0
        while self.works and (submitted < count or self._finished() < count):
            left = count - submitted
            entered = self._call(_ENTER, self._descriptor, left, count, _ENTER_GETEVENTS, None, 0)
            if entered > 0:
                submitted += entered
            elif (entered == 0 and left) or (entered < 0 and ctypes.get_errno() != errno.EINTR):
                self.works = False

    def _finished(self) -> int:
        return (int(self._result_tail[0]) - int(self._result_head[0])) % 2**32
