"""The file matches docs/history-format.md. A handmade file is read, and a written file is decoded by hand.

Nothing here uses the product's own codec. When the format changes, these tests stay with version 1.
"""

import re
import sqlite3
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig  # type: ignore[import-untyped]
from pcodec.standalone import simple_compress, simple_decompress  # type: ignore[import-untyped]
from tests.history.naive import Key, layout_of

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Question
from tickboard.history.store import History, Retention

DOCS = Path(__file__).parents[2] / "docs" / "history-format.md"

START = 1_800_000_000_000
MINUTE, HOUR = 60_000, 3_600_000
FOREVER = 2**62

CPU: Key = ("cpu", (), "%")
DISK: Key = ("disk", (("device", "sda"),), "%")

Column = tuple[int, int, int, bytes]
"""Place, field, kind and payload."""


def schema() -> str:
    [found] = re.findall(r"```sql\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


# --- writing by hand ---


def packed(numbers: list[int], kind: type = np.uint32) -> bytes:
    return bytes(simple_compress(np.array(numbers, kind), ChunkConfig()))[4:-1]


def times(first: int, step: int, count: int) -> bytes:
    body = struct.pack("<q", first) + packed([step * number for number in range(count)])
    return struct.pack("<I", zlib.crc32(body, 2)) + body


def whole(base: int, numbers: list[int]) -> bytes:
    return struct.pack("<q", base) + packed(numbers)


def rounded(values: list[float], shift: int) -> bytes:
    bits = [struct.unpack("<q", struct.pack("<d", abs(value)))[0] >> shift for value in values]
    signed = [-each if value < 0 else each for each, value in zip(bits, values, strict=True)]
    base = min(signed)
    return struct.pack("<qB", base, shift) + packed([each - base for each in signed], np.uint64)


def constant(value: float) -> bytes:
    return struct.pack("<d", value)


def block(columns: list[Column]) -> bytes:
    directory, end = b"", 0
    for place, field, kind, payload in columns:
        end += len(payload)
        directory += struct.pack("<BBBBII", place, field, kind, 0, end, zlib.crc32(payload, kind))
    head = struct.pack("<HI", len(columns), zlib.crc32(directory))
    return head + directory + b"".join(payload for *_, payload in columns)


def made_by_hand(path: Path) -> None:
    """Make a file with an hour, a minute, ten ticks in a block and two in rows, of two series in two stripes."""
    file = sqlite3.connect(path)
    file.executescript(f"PRAGMA application_id = {0x7469636C}; PRAGMA user_version = 1; {schema()}")
    file.executemany("INSERT INTO state VALUES (?, ?)", [("series", 7), *((f"expired{tier}", 0) for tier in range(3))])
    file.execute("INSERT INTO series VALUES (300, 'cpu', '[]', '%'), (5, 'disk', '[[\"device\",\"sda\"]]', '%')")
    file.executemany(
        "INSERT INTO epochs VALUES (?, ?, 1000, ?, ?, ?, ?, ?)",
        [
            (1, "over", START, START + HOUR + MINUTE - 1000, FOREVER, FOREVER, START + HOUR),
            (2, "goes on", START + 2 * HOUR, START + 2 * HOUR + 9000, START + 2 * HOUR + 10_000, 0, 0),
        ],
    )
    spans = [
        (1, 2, 1, START, START, 1, times(START, 1, 1)),
        (2, 1, 1, START + HOUR, START + HOUR, 1, times(START + HOUR, 1, 1)),
        (3, 0, 2, START + 2 * HOUR, START + 2 * HOUR + 9000, 10, times(START + 2 * HOUR, 1000, 10)),
    ]
    file.executemany("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, 0, ?)", spans)
    runs = struct.pack("<IB6I", 24, 0, 0, 1, 2, 3, 3, 1)
    blocks = {
        (1, 1): [(44, 1, 1, constant(1)), (44, 2, 1, constant(9)), (44, 3, 1, constant(5)), (44, 4, 1, constant(3600))],
        (2, 1): [(44, 1, 1, constant(2)), (44, 2, 1, constant(3)), (44, 3, 1, constant(2.5)), (44, 4, 1, constant(60))],
        (3, 1): [(44, 0, 4, whole(-100, [0, 50, 101, 150, 203, 250, 300, 350, 400, 450]))],
        # Missing, present: 1 missing, 2 present, 3 missing, 3 present, 1 missing.
        (3, 0): [(5, 0, 6 | 128, runs + rounded([0.5, -0.25, 0.75, 1.5, -3.0], 44))],
    }
    file.executemany(
        "INSERT INTO blocks VALUES (?, ?)",
        [(span << 16 | stripe, block(columns)) for (span, stripe), columns in blocks.items()],
    )
    file.execute("INSERT INTO layouts VALUES (4, ?)", (struct.pack("<2I", 300, 5),))
    rows = [
        (2 << 40 | 10, START + 2 * HOUR + 9000, 4, struct.pack("<2d", 999, 999)),
        (2 << 40 | 11, START + 2 * HOUR + 10_000, 4, struct.pack("<2d", 1 / 3, float("nan"))),
        (2 << 40 | 12, START + 2 * HOUR + 11_000, 4, struct.pack("<2d", 0.1, 7)),
    ]
    file.executemany("INSERT INTO ticks VALUES (?, ?, ?, ?)", rows)
    file.commit()
    file.close()


def test_a_handmade_file_of_version_1_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    made_by_hand(path)
    path.chmod(0o600)
    problems: list[str | None] = []
    history = History(path, Retention(), problems.append)
    end = START + 2 * HOUR + 12_000
    answer = history.read(Question((), START + 2 * HOUR, end, 100))
    assert answer.times.tolist() == [START + 2 * HOUR + 1000 * number for number in range(12)]
    disk, cpu = answer.series
    assert (cpu.name, cpu.labels, cpu.unit) == CPU
    assert (disk.name, disk.labels, disk.unit) == DISK
    assert cpu.avg.tolist() == [-1, -0.5, 0.01, 0.5, 1.03, 1.5, 2, 2.5, 3, 3.5, 1 / 3, 0.1]
    np.testing.assert_array_equal(
        disk.avg, [np.nan, 0.5, -0.25, np.nan, np.nan, np.nan, 0.75, 1.5, -3, np.nan, np.nan, 7]
    )
    hours = history.read(Question(("cpu",), START, START + 3 * HOUR, 3))
    assert (hours.tier, hours.times.tolist()) == ("hours", [START, START + HOUR, START + 2 * HOUR])
    [cpu] = hours.series
    assert (cpu.min.tolist(), cpu.max.tolist(), cpu.count.tolist()) == ([1, 2, -1], [9, 3, 3.5], [3600, 60, 12])
    # The next run continues in the file.
    history.begin("next", 1000, 60)
    history.append(1, end / 1000, layout_of([DISK]), np.array([8.0]))
    assert history.read(Question((), end, end + 1000, 10)).series[0].avg.tolist() == [8]
    history.close()
    assert problems == []


# --- reading by hand ---


def decompressed(data: bytes) -> NDArray[Any]:
    return np.asarray(simple_decompress(b"pco!" + data + b"\0"))


def unpacked(kind: int, payload: bytes, count: int) -> Floats:
    present = np.ones(count, np.bool_)
    if kind & 128:
        size, how = struct.unpack_from("<IB", payload)
        body, payload = payload[5 : 5 + size], payload[5 + size :]
        lengths = decompressed(body) if how else np.frombuffer(body, "<u4")
        present = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
    values = np.full(count, np.nan)
    values[present] = numbers_of(kind & 127, payload)
    return values


def numbers_of(kind: int, payload: bytes) -> "Floats | float":
    if kind == 1:
        return float(struct.unpack("<d", payload)[0])
    if kind == 7:
        return np.asarray(decompressed(payload))
    (base,) = struct.unpack_from("<q", payload)
    whole: NDArray[np.int64] = decompressed(payload[9 if kind == 6 else 8 :]).astype(np.int64) + base
    if kind == 6:
        found: Floats = np.copysign((np.abs(whole) << payload[8]).view(np.float64), whole)
        return found
    return whole / (1, 10, 100, 1000)[kind - 2]


def test_a_written_file_matches_the_documented_format(tmp_path: Path) -> None:
    path = tmp_path / "h.sqlite"
    history = History(path, Retention(), lambda problem: None)
    history.begin("run", 1000, 60)
    random = np.random.default_rng(0)
    rows = np.array(
        [
            np.full(2000, 7.0),
            random.integers(0, 1000, 2000),
            np.round(random.normal(0, 1, 2000), 1),
            np.round(random.normal(0, 1, 2000), 2),
            np.round(random.normal(0, 1, 2000), 3),
            random.normal(0, 1, 2000),
            np.where(random.random(2000) < 0.5, np.nan, random.normal(0, 1, 2000)),
            random.normal(0, 1, 2000) * 1e-310,
        ]
    ).T
    layout = layout_of([(f"m{number}", (), "") for number in range(rows.shape[1])])
    for number, row in enumerate(rows):
        history.append(number + 1, START / 1000 + number, layout, row)
    history.settle()
    history.close()
    file = sqlite3.connect(path)
    assert file.execute("PRAGMA application_id").fetchone() == (0x7469636C,)
    assert [kind for (kind,) in file.execute("PRAGMA auto_vacuum")] == [2]
    expected = sqlite3.connect(":memory:")
    expected.executescript(schema())
    tables = "SELECT name, replace(replace(sql, char(10), ''), '    ', '') FROM sqlite_master WHERE sql NOT NULL"
    assert file.execute(tables).fetchall() == expected.execute(tables).fetchall()
    kinds = set()
    seconds = 0
    for span, first, entries, size, packed_times in file.execute(
        "SELECT id, first, entries, bytes, times FROM spans WHERE tier = 0 ORDER BY first"
    ).fetchall():
        assert zlib.crc32(packed_times[4:], 2) == struct.unpack_from("<I", packed_times)[0]
        base = struct.unpack_from("<q", packed_times, 4)[0]
        found = decompressed(packed_times[12:]).astype(np.int64) + base
        assert found.tolist() == [first + 1000 * number for number in range(entries)]
        [(key, blob)] = file.execute("SELECT key, block FROM blocks WHERE key >> 16 = ?", (span,)).fetchall()
        assert key & 0xFFFF == 0
        assert size == len(packed_times) + len(blob)
        count, crc = struct.unpack_from("<HI", blob)
        assert zlib.crc32(blob[6 : 6 + 12 * count]) == crc
        at = 6 + 12 * count
        for number in range(count):
            place, field, kind, zero, end, crc = struct.unpack_from("<BBBBII", blob, 6 + 12 * number)
            payload = blob[at : 6 + 12 * count + end]
            at += len(payload)
            assert (field, zero, crc) == (0, 0, zlib.crc32(payload, kind))
            kinds.add(kind)
            # Ids start at 1.
            right = rows[seconds : seconds + entries, place - 1]
            np.testing.assert_allclose(unpacked(kind, payload, entries), right, rtol=1e-5, atol=0)
        assert at == len(blob)
        seconds += entries
    assert kinds == {1, 2, 3, 4, 5, 6, 7, 6 | 128}
    [(layout_ids,)] = file.execute("SELECT series FROM layouts").fetchall()
    assert struct.unpack("<8I", layout_ids) == tuple(range(1, 9))
    [(time, row)] = file.execute("SELECT time, row FROM ticks WHERE position = ?", (1 << 40 | 2000,)).fetchall()
    assert time == START + 1999_000
    np.testing.assert_array_equal(np.frombuffer(row), rows[-1])
    file.close()
    expected.close()
