"""The past of a board: a year of hours, a month of minutes and a day of ticks, written at once instead of recorded."""

from pathlib import Path

import numpy as np

from benchmarks.history.recordings import START, Synthetic
from tickboard.history.answers import Integers
from tickboard.history.blocks import STRIPE, VALUE, Cell, pack
from tickboard.history.catalogue import encode_labels
from tickboard.history.codec import encode
from tickboard.history.file import FOREVER, HistoryFile
from tickboard.history.rollup import Rolled
from tickboard.history.sealing import block_ms, cells_of
from tickboard.history.spans import HOURS, LENGTH_MS, MINUTES, RAW, UNIT_MS, write_span

START_MS = START * 1000

DAY_MS = 86_400_000

KEPT_MS = {RAW: DAY_MS, MINUTES: 30 * DAY_MS, HOURS: 365 * DAY_MS}

INTERVAL_MS = 1_000

VARIANTS = 3
"""How many spans of a tier have values of their own. The others repeat them, since it takes minutes to encode them."""

Blocks = dict[int, bytes]


def write_past(path: Path, board: Synthetic) -> None:
    """Write an epoch that ends at `START`."""
    file = HistoryFile(path)
    rows = [
        (number, name, encode_labels(labels), unit) for number, (name, labels, unit) in enumerate(board.layout.keys)
    ]
    with file.transaction():
        file.many("INSERT INTO series VALUES (? + 1, ?, CAST(? AS TEXT), ?)", rows)
        file.do("UPDATE state SET value = 1 WHERE name = 'series'")
        epoch = file.do(
            "INSERT INTO epochs (name, interval_ms, first, last, sealed, minutes, hours) VALUES (?, ?, ?, ?, ?, ?, ?)",
            *("past", INTERVAL_MS, START_MS - KEPT_MS[HOURS], START_MS - INTERVAL_MS),
            *[FOREVER] * 3,
        )
        for tier in (RAW, MINUTES):
            file.do("UPDATE state SET value = ? WHERE name = ?", START_MS - KEPT_MS[tier], f"expired{tier}")
    encoded: dict[tuple[int, int, int], Blocks] = {}
    for tier, kept_ms in KEPT_MS.items():
        first = START_MS - kept_ms
        length = LENGTH_MS[tier] if tier > RAW else block_ms(INTERVAL_MS, len(board.layout.keys))
        while first < START_MS:
            end = min(first // length * length + length, START_MS)
            times = np.arange(first, end, UNIT_MS[tier] if tier > RAW else INTERVAL_MS)
            key = tier, len(times), first // length % VARIANTS
            if key not in encoded:
                encoded[key] = _blocks(board, tier, times)
            with file.transaction():
                write_span(file, tier, epoch, times, encoded[key])
            first = end
    file.close()


def _blocks(board: Synthetic, tier: int, times: Integers) -> Blocks:
    # The series have ids from 1 on.
    ids = np.arange(1, len(board.layout.keys) + 1)
    blocks = {}
    for stripe in range(int(ids[-1]) // STRIPE + 1):
        some = ids[ids // STRIPE == stripe]
        cells = _ticks(board, some, len(times)) if tier == RAW else _rollup(board, some, times, UNIT_MS[tier])
        blocks[stripe] = pack(cells)
    return blocks


def _ticks(board: Synthetic, ids: Integers, count: int) -> list[Cell]:
    return [
        Cell(int(ids[each.place]) % STRIPE, VALUE, each.kind, each.payload, each.crc)
        for columns in encode(board.ticks(ids - 1, count))
        for each in columns
    ]


def _rollup(board: Synthetic, ids: Integers, times: Integers, unit_ms: int) -> list[Cell]:
    low, avg, high = board.rolled(ids - 1, len(times))
    count = np.full(avg.shape, unit_ms / INTERVAL_MS)
    made = cells_of(Rolled(times, low, high, avg * count, count), ids % STRIPE)
    return [cell for cells in made for cell in cells]
