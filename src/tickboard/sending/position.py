"""The position: the tick up to which a receiver has accepted everything, in a small file beside the history.

The file is updated before and after each request, so it is right even if the process is killed. It has two records of
`RECORD_BYTES`, written alternately: if a power cut damages one, the other is used, and the ticks since then are sent
again. docs/history-format.md describes it. Everything here blocks for as long as the disk does.
"""

import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tickboard.errors import HistoryError
from tickboard.history.answers import TimePosition
from tickboard.output.secrets import public
from tickboard.storage.place import Purpose, find_place, make_place

ENDING = "-sent"
"""Appended to the name of the history's file."""

RECORD_BYTES = 512

PURPOSE = Purpose("the position of remote write", "--history", "give another file with --history", HistoryError)


@dataclass(frozen=True)
class Sent:
    """How far a receiver has got.

    Attributes:
        position: everything up to this was accepted, or refused for good.
        doubtful: everything after `position` and up to this may have been accepted: the answer is not known. None if no
            request is under way.
    """

    position: TimePosition
    doubtful: TimePosition | None = None


class _Record(msgspec.Struct):
    number: int
    receiver: str
    epoch: str
    time: int
    doubtful_epoch: str
    doubtful_time: int


class PositionFile:
    """Stores the position of one receiver.

    Args:
        history: the path of the history's file.
        url: the receiver's. The file contains its hash, made without user, password and query.
    """

    def __init__(self, history: Path, url: str) -> None:
        self._path = history.with_name(f"{history.name}{ENDING}")
        self._receiver = hashlib.sha256(public(url).encode(errors="surrogateescape")).hexdigest()[:32]
        self._real = self._path
        self._number = 0

    def load(self) -> Sent | None:
        """Return the position, or None if the file has none for this receiver.

        Raises:
            HistoryError: others may write to the file, or it cannot be read.
        """
        try:
            self._real = find_place(self._path, PURPOSE)
            make_place(self._real)
            data = self._real.read_bytes()
        except OSError as error:
            raise PURPOSE.failed(self._path, f"{error.strerror}: check its disk and its permissions") from error
        records = [_decoded(data[at : at + RECORD_BYTES]) for at in (0, RECORD_BYTES)]
        newest = max((one for one in records if one is not None), key=lambda one: one.number, default=None)
        if newest is None:
            return None
        self._number = newest.number
        if newest.receiver != self._receiver:
            return None
        doubtful = TimePosition(newest.doubtful_epoch, newest.doubtful_time) if newest.doubtful_epoch else None
        return Sent(TimePosition(newest.epoch, newest.time), doubtful)

    def save(self, sent: Sent) -> None:
        """Write the position.

        Raises:
            HistoryError: it cannot be written.
        """
        self._number += 1
        doubtful = sent.doubtful or TimePosition("", 0)
        record = _Record(
            self._number, self._receiver, sent.position.epoch, sent.position.time_ms, doubtful.epoch, doubtful.time_ms
        )
        try:
            file = os.open(self._real, os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
            try:
                os.lseek(file, RECORD_BYTES * (self._number % 2), os.SEEK_SET)
                os.write(file, _encoded(record))
            finally:
                os.close(file)
        except OSError as error:
            raise PURPOSE.failed(self._path, f"{error.strerror}: check its disk and its permissions") from error


def _encoded(record: _Record) -> bytes:
    text = msgspec.json.encode(record)
    line = b"%08x %b" % (zlib.crc32(text), text)
    assert len(line) < RECORD_BYTES, "the name of an epoch is too long"
    return line.ljust(RECORD_BYTES - 1) + b"\n"


def _decoded(data: bytes) -> _Record | None:
    checksum, _, text = data.rstrip().partition(b" ")
    try:
        if int(checksum or b"x", 16) != zlib.crc32(text):
            return None
        return msgspec.json.decode(text, type=_Record)
    except (ValueError, msgspec.DecodeError):
        return None
