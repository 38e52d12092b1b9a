"""Forgetting: remove series and all their values from a history file that no board has open.

Every step is a transaction. If it is interrupted, the file stays valid, and a second run finishes the work.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tickboard.errors import HistoryError
from tickboard.history.answers import Integers
from tickboard.history.blocks import Block
from tickboard.history.catalogue import Catalogue
from tickboard.history.codec import CorruptError
from tickboard.history.exporting import readable
from tickboard.history.file import PURPOSE, HistoryFile, explained_errors, is_in_use, key_parts
from tickboard.history.spans import Chosen, replace_block
from tickboard.history.unsealed import layout_ids
from tickboard.storage.damage import DamageError
from tickboard.storage.place import find_place

_STEP = 50
"""How many blocks are written in one transaction."""


def forget(path: Path, patterns: tuple[str, ...]) -> int:
    """Remove series from a history, and return how many there were.

    Args:
        path: the file.
        patterns: selectors.

    Raises:
        HistoryError: the history does not exist, a board has it open, or it cannot be read or written.
    """
    with readable(path):
        if is_in_use(find_place(path, PURPOSE)):
            raise HistoryError(f"{path} is open in a running tickboard: stop that one first")
    try:
        with explained_errors(path), closing(HistoryFile(path)) as file:
            return _forget(file, patterns)
    except DamageError as error:
        raise HistoryError(f"{path} is damaged, or is not a history: {error}") from error


def _forget(file: HistoryFile, patterns: tuple[str, ...]) -> int:
    catalogue = Catalogue()
    catalogue.refresh(file)
    ids = catalogue.choose(patterns)
    if not len(ids):
        return 0
    # Overwrite deleted values.
    file.do("PRAGMA secure_delete = ON")
    for stripe, places, _ in Chosen.of(ids).stripes:
        keys = [key for (key,) in file.all("SELECT key FROM blocks") if key_parts(key)[1] == stripe]
        for first in range(0, len(keys), _STEP):
            with file.transaction():
                _take_from_blocks(file, keys[first : first + _STEP], places)
    with file.transaction():
        _take_from_rows(file, ids)
    with file.transaction():
        file.many("DELETE FROM series WHERE id = ?", ((id,) for id in ids.tolist()))
        file.do("UPDATE state SET value = value + 1 WHERE name = 'series'")
    file.vacuum(file.free_pages())
    file.script("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(ids)


def _take_from_blocks(file: HistoryFile, keys: Sequence[int], places: NDArray[np.intp]) -> None:
    gone = set(places.tolist())
    for key in keys:
        try:
            cells = Block(file.one("SELECT block FROM blocks WHERE key = ?", key)).cells()
        except CorruptError:
            cells = []  # nothing in it can be read
        replace_block(file, *key_parts(key), [cell for cell in cells if cell.place not in gone])


def _take_from_rows(file: HistoryFile, ids: Integers) -> None:
    for (layout,) in file.all("SELECT id FROM layouts"):
        before = layout_ids(file, layout)
        kept = ~np.isin(before, ids)
        if kept.all():
            continue
        after = file.do("INSERT INTO layouts (series) VALUES (?)", before[kept].astype("<u4").tobytes())
        for (tick,) in file.all("SELECT position FROM ticks WHERE layout = ?", layout):
            row = np.frombuffer(file.one("SELECT row FROM ticks WHERE position = ?", tick), "<f8")
            file.do("UPDATE ticks SET layout = ?, row = ? WHERE position = ?", after, row[kept].tobytes(), tick)
    file.do("DELETE FROM layouts WHERE id NOT IN (SELECT DISTINCT layout FROM ticks)")
