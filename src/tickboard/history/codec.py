"""Encode and decode columns: the values of one series over the ticks of one block.

A column gets the first of these kinds that fits it:

- constant: one number;
- whole: whole numbers less their minimum;
- decimal: numbers with one to three decimals, as whole numbers;
- rounded: the leading bits of floats, as many as the precision needs;
- raw: float64 as it is.

All but the first are compressed with pcodec. Missing values (NaN) are stored as runs. Whole numbers and decimals are
exact; rounded floats are within `VALUE_PRECISION` of the value and `RANGE_PRECISION` of the column's range. This module
knows arrays and bytes, but no series and no files. docs/history-format.md describes the format to the byte.
"""

import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from pcodec import ChunkConfig  # type: ignore[import-untyped]
from pcodec.standalone import simple_compress, simple_decompress, simple_decompress_into  # type: ignore[import-untyped]

from tickboard.expressions.alignment import Floats

CONSTANT, WHOLE, DECIMAL, ROUNDED, RAW = 1, 2, 3, 6, 7
"""The kinds. DECIMAL has one decimal; the two numbers after it have two and three."""

MISSING = 0x80
"""Added to the kind of a column with missing values."""

VALUE_PRECISION, RANGE_PRECISION = 1e-5, 1e-4
"""The largest error of a rounded value, relative to the value and to the range of its column."""

VALUE_BITS = 16
"""Bits of the fraction that `VALUE_PRECISION` needs, since rounding is off by half of the last bit at most."""

AVG_BITS = 19
"""Bits of the fraction of averages. They need more, because each tier rounds them again."""

EXACT_BITS = 52
"""All bits of a fraction."""

MAX_WHOLE = 2.0**53
"""Every whole number up to this is a float."""

_FRACTION = 52
_TINY = 2.0**-1022
_HUGE = 1e300
_SLICE = 64
"""Columns in one step of `encode`."""

_FEW = 3
"""Up to this many columns are decoded one by one, since arrays of many cost more than they save."""

_CONFIG = ChunkConfig(compression_level=4)

_MAGIC, _END = b"pco!", b"\0"
"""The first and the last bytes of each pcodec file. They are left out, which saves 1 %."""

_SCALES = np.array([1.0, 1.0, 1.0, 10.0, 100.0, 1000.0, 1.0, 1.0])
"""By kind, the divisor of whole numbers."""

_FLOAT = struct.Struct("<d")
_BASE = struct.Struct("<q")
_ROUNDED = struct.Struct("<qB")
_RUNS = struct.Struct("<IB")

_BASE_HEAD, _ROUNDED_HEAD = np.dtype([("base", "<i8")]), np.dtype([("base", "<i8"), ("shift", "u1")])
"""The same, of many columns."""

_HEADS = (0, 0, *[_BASE.size] * 4, _ROUNDED.size, 0)
"""By kind, the bytes before its numbers."""


class CorruptError(Exception):
    """The bytes are not those that were written."""


class Column(Struct, frozen=True):
    """One encoded column.

    Attributes:
        place: its index in the encoded array.
        kind: how it is encoded.
        payload: the bytes.
    """

    place: int
    kind: int
    payload: bytes

    @property
    def crc(self) -> int:
        """The CRC32 of its payload and kind."""
        return checksum(self.kind, self.payload)


def checksum(kind: int, payload: bytes) -> int:
    """Return the CRC32 of a column."""
    return zlib.crc32(payload, kind)


def encode(columns: Floats, bits: int = VALUE_BITS) -> Iterator[list[Column]]:
    """Encode columns in steps, and yield those that have a value.

    Args:
        columns: float64 [columns, values], at least one value; NaN where there is none.
        bits: how many bits of the fraction to keep; with `EXACT_BITS` every value round-trips exactly.
    """
    for start in range(0, len(columns), _SLICE):
        some = np.ascontiguousarray(columns[start : start + _SLICE])
        yield [Column(start + place, kind, payload) for place, kind, payload in _encoded(some, bits)]


def _encoded(columns: Floats, bits: int) -> Iterator[tuple[int, int, bytes]]:
    present = ~np.isnan(columns)
    counts = present.sum(axis=1)
    used = np.flatnonzero(counts)
    has_gaps = counts[used] < columns.shape[1]
    filled = columns[used]
    if has_gaps.any():
        # Fill gaps with a value of the column, so that they do not affect its kind.
        firsts = filled[np.arange(len(used)), present[used].argmax(axis=1)]
        filled = np.where(present[used], filled, firsts[:, None])
    plan = _Plan(filled, bits)
    for index, place in enumerate(used.tolist()):
        kind, head, numbers = plan.column(index)
        runs = b""
        if has_gaps[index]:
            kind |= MISSING
            mask = present[place]
            runs = _runs(mask)
            if numbers is not None:
                numbers = numbers[mask]
        body = b"" if numbers is None else _compress(numbers)
        yield place, kind, runs + head + body


class _Plan:
    """Chooses the kinds of many columns at once.

    Args:
        columns: float64 [columns, values] without NaN.
        bits: how many bits of the fraction to keep.
    """

    def __init__(self, columns: Floats, bits: int) -> None:
        self._columns = columns
        self._bits = bits
        self.low, self.high = columns.min(axis=1), columns.max(axis=1)
        self.kinds = np.full(len(columns), RAW, np.uint8)
        self._whole: dict[int, NDArray[np.int64]] = {}
        self.kinds[self.low == self.high] = CONSTANT
        finite = np.isfinite(self.low) & np.isfinite(self.high)
        rest = np.flatnonzero((self.kinds == RAW) & finite)
        for digits in range(4):
            if not len(rest):
                break
            rest = self._take_decimals(rest, digits)
        self._take_rounded(rest)

    def column(self, index: int) -> "tuple[int, bytes, NDArray[np.generic] | None]":
        """Return the kind of a column, the head of its payload, and the numbers to compress."""
        kind = int(self.kinds[index])
        if kind == CONSTANT:
            return kind, _FLOAT.pack(self.low[index]), None
        if kind == RAW:
            return kind, b"", self._columns[index]
        numbers = self._whole[index]
        base = int(numbers.min())
        head = _ROUNDED.pack(base, self._shifts[index]) if kind == ROUNDED else _BASE.pack(base)
        return kind, head, _offsets(numbers, base)

    def _take_decimals(self, rest: NDArray[np.intp], digits: int) -> NDArray[np.intp]:
        """Take the columns whose values have at most this many decimals, and return the others."""
        scale = 10.0**digits
        values = self._columns[rest]
        fits = np.maximum(np.abs(self.low[rest]), np.abs(self.high[rest])) <= MAX_WHOLE / scale
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.rint(values * scale)
            same = scaled / scale == values
        found = same.all(axis=1) & fits
        self.kinds[rest[found]] = WHOLE + digits
        whole = scaled[found].astype(np.int64)
        self._whole |= dict(zip(rest[found].tolist(), whole, strict=True))
        others: NDArray[np.intp] = rest[~found]
        return others

    def _take_rounded(self, rest: NDArray[np.intp]) -> None:
        """Take the columns whose floats can be rounded. The others stay raw."""
        self._shifts: dict[int, int] = {}
        if not len(rest):
            return
        values = self._columns[rest]
        sizes = np.abs(values)
        largest = sizes.max(axis=1)
        smallest = np.where(sizes > 0, sizes, np.inf).min(axis=1)
        fits = (largest < _HUGE) & (smallest >= _TINY)
        rest, values, sizes, largest = rest[fits], values[fits], sizes[fits], largest[fits]
        if not len(rest):
            return
        patterns = sizes.view(np.int64)
        # Bits that are zero in every value can always be dropped.
        union = np.bitwise_or.reduce(patterns, axis=1)
        unused = np.array([_trailing_zeros(each) for each in union.tolist()], np.int64)
        shifts = np.maximum(_FRACTION - self._needed(rest, largest), unused)
        half = np.where(shifts > 0, np.int64(1) << np.maximum(shifts - 1, 0), 0)
        short = (patterns + half[:, None]) >> shifts[:, None]
        signed = np.where(np.signbit(values), -short, short)
        self.kinds[rest] = ROUNDED
        self._whole |= dict(zip(rest.tolist(), signed, strict=True))
        self._shifts |= dict(zip(rest.tolist(), shifts.tolist(), strict=True))

    def _needed(self, rest: NDArray[np.intp], largest: Floats) -> NDArray[np.int64]:
        """Return how many bits of the fraction each column needs."""
        if self._bits == EXACT_BITS:
            return np.full(len(rest), EXACT_BITS, np.int64)
        # Halved first, because the range of both signs may overflow.
        spans = (self.high[rest] / 2 - self.low[rest] / 2) * 2 * RANGE_PRECISION
        with np.errstate(divide="ignore", over="ignore"):
            for_range = np.ceil(np.log2(largest / spans)) - 1
        needed: NDArray[np.int64] = np.clip(for_range, self._bits, EXACT_BITS).astype(np.int64)
        return needed


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1 if number else _FRACTION


def _offsets(numbers: NDArray[np.int64], base: int) -> "NDArray[np.uint32] | NDArray[np.uint64]":
    """Return the distance of each number from the base, which is the minimum. It may need 64 bits."""
    offsets: NDArray[np.uint64] = (numbers - np.int64(base)).view(np.uint64)
    return offsets.astype(np.uint32) if int(offsets.max()) < 2**32 else offsets


def _compress(numbers: "NDArray[np.generic]") -> bytes:
    packed: bytes = simple_compress(numbers, _CONFIG)
    return packed[len(_MAGIC) : -len(_END)]


# --- decoding ---


def decode(
    kinds: Sequence[int],
    payloads: Sequence[bytes],
    into: Floats,
    first: int = 0,
    entries: int | Sequence[int] | None = None,
    rows: Sequence[int] | None = None,
) -> list[int]:
    """Decode columns, or the same part of each. Decoding many at a time is faster.

    Args:
        kinds: the kind of each column.
        payloads: the payload of each column; the caller has compared their checksums.
        into: float64 [rows, values]; receives the values, NaN where a column cannot be decoded. If a column is shorter
            than others, the rest of its row is undefined.
        first: the index of the first value to decode.
        entries: how many values each column has; None: as many as `into`.
        rows: the row of each column in `into`; None: the first column is the first row, and so on.

    Returns:
        The indexes of the columns that cannot be decoded.
    """
    lengths = entries if isinstance(entries, Sequence) else [entries or into.shape[1]] * len(kinds)
    columns = _Columns(kinds, payloads, lengths, range(len(kinds)) if rows is None else rows)
    part = slice(first, first + into.shape[1])
    others: Iterable[int] = range(len(kinds)) if len(kinds) <= _FEW else columns.decode_alike(into, part)
    damaged = []
    for index in others:
        column = np.empty(lengths[index])
        try:
            _decode(kinds[index], payloads[index], column)
        except Exception:  # noqa: BLE001  # pcodec may raise anything
            column.fill(np.nan)
            damaged.append(index)
        found = column[part]
        into[columns.rows[index], : len(found)] = found
    return damaged


class _Columns(NamedTuple):
    """Columns to decode. Each method decodes columns of one kind, and returns the indexes of those that it cannot."""

    kinds: Sequence[int]
    payloads: Sequence[bytes]
    lengths: Sequence[int]
    rows: Sequence[int]

    def decode_alike(self, into: Floats, part: slice) -> list[int]:
        """Decode columns of the same kind together. Return the indexes of the others."""
        order = sorted(range(len(self.kinds)), key=self.kinds.__getitem__)
        ordered = [self.kinds[index] for index in order]
        edges = [bisect_left(ordered, kind) for kind in (CONSTANT, WHOLE, ROUNDED, RAW)]
        constant, whole, rounded = (order[start:end] for start, end in pairwise(edges))
        others = order[: edges[0]] + order[edges[-1] :]
        others += self.constant(constant, into)
        others += self.whole(whole, into, part)
        others += self.rounded(rounded, into, part)
        return others

    def constant(self, chosen: list[int], into: Floats) -> list[int]:
        good = [index for index in chosen if len(self.payloads[index]) == _FLOAT.size]
        if good:
            values = np.frombuffer(b"".join([self.payloads[index] for index in good]), "<f8")
            into[self._rows(good)] = values[:, None]
        return [] if len(good) == len(chosen) else [index for index in chosen if index not in good]

    def whole(self, chosen: list[int], into: Floats, part: slice) -> list[int]:
        """Decode whole numbers, and decimals after them."""
        good, numbers, failed = self._numbers(chosen, _BASE_HEAD)
        if good:
            values = numbers[:, part].astype(np.float64)
            values += self._heads(good, _BASE_HEAD)["base"].astype(np.float64)[:, None]
            exact = sum(self.kinds[index] == WHOLE for index in good)
            values[exact:] /= _SCALES[[self.kinds[index] for index in good[exact:]]][:, None]
            into[self._rows(good), : values.shape[1]] = values
        return failed

    def rounded(self, chosen: list[int], into: Floats, part: slice) -> list[int]:
        good, numbers, failed = self._numbers(chosen, _ROUNDED_HEAD)
        if good:
            heads = self._heads(good, _ROUNDED_HEAD)
            short = numbers[:, part].astype(np.int64)
            short += heads["base"][:, None]
            signed = np.flatnonzero(heads["base"] < 0)
            signs = short[signed] < 0
            np.abs(short, out=short)
            short <<= heads["shift"].astype(np.int64)[:, None]
            values = short.view(np.float64)
            values[signed] = np.where(signs, -values[signed], values[signed])
            into[self._rows(good), : values.shape[1]] = values
        return failed

    def _numbers(self, chosen: list[int], head: np.dtype[np.void]) -> tuple[list[int], NDArray[np.uint32], list[int]]:
        """Decompress 32-bit numbers after a head.

        Returns:
            The indexes of the columns that are such numbers, the numbers, and the indexes of the other columns.
        """
        lengths = [self.lengths[index] for index in chosen]
        numbers = np.empty((len(chosen), max(lengths, default=0)), np.uint32)
        good: list[int] = []
        failed: list[int] = []
        begin, width = head.itemsize, numbers.shape[1]
        for index, length in zip(chosen, lengths, strict=True):
            body = _MAGIC + self.payloads[index][begin:] + _END
            row = numbers[len(good)]
            try:
                progress = simple_decompress_into(body, row if length == width else row[:length])
                is_good = progress.n_processed == length and progress.finished
            except Exception:  # noqa: BLE001  # pcodec may raise anything
                is_good = False
            (good if is_good else failed).append(index)
        return good, numbers[: len(good)], failed

    def _heads(self, chosen: list[int], head: np.dtype[np.void]) -> NDArray[np.void]:
        return np.frombuffer(b"".join([self.payloads[index][: head.itemsize] for index in chosen]), head)

    def _rows(self, chosen: list[int]) -> NDArray[np.intp]:
        return np.array([self.rows[index] for index in chosen], np.intp)


def _decode(kind: int, payload: bytes, into: Floats) -> None:
    if kind & MISSING:
        present, used = _present(payload, len(into))
        some = np.empty(int(np.count_nonzero(present)))
        _decode(kind & ~MISSING, payload[used:], some)
        into.fill(np.nan)
        into[present] = some
        return
    if kind == CONSTANT:
        into.fill(_FLOAT.unpack(payload)[0])
        return
    if not WHOLE <= kind <= RAW:
        raise CorruptError(f"a column of kind {kind}")
    numbers = simple_decompress(_MAGIC + payload[_HEADS[kind] :] + _END)
    if numbers is None or len(numbers) != len(into):
        raise CorruptError("a column has another number of values")
    if kind == RAW:
        into[:] = numbers
        return
    (base,) = _BASE.unpack_from(payload)
    if kind == ROUNDED:
        whole = numbers.astype(np.int64) + base
        sizes = np.abs(whole) << payload[_BASE.size]
        np.copysign(sizes.view(np.float64), whole, out=into)
        return
    # Numbers of 64 bits may wrap around.
    into[:] = numbers + float(base) if numbers.dtype == np.uint32 else numbers.view(np.int64) + base
    if kind > WHOLE:
        into /= _SCALES[kind]


# --- missing values ---

_PLAIN_RUNS = 8


def _runs(present: NDArray[np.bool_]) -> bytes:
    """Return the lengths of the alternating runs of present and missing values. The first may be 0."""
    edges = np.flatnonzero(np.diff(present)) + 1
    lengths = np.diff(edges, prepend=0, append=len(present)).astype(np.uint32)
    if not present[0]:
        lengths = np.insert(lengths, 0, 0)
    packed = len(lengths) > _PLAIN_RUNS
    body = _compress(lengths) if packed else lengths.astype("<u4").tobytes()
    return _RUNS.pack(len(body), packed) + body


def _present(payload: bytes, count: int) -> tuple[NDArray[np.bool_], int]:
    """Return which values are present, and the size of the runs in bytes."""
    size, packed = _RUNS.unpack_from(payload)
    used = _RUNS.size + size
    body = payload[_RUNS.size : used]
    lengths = simple_decompress(_MAGIC + body + _END) if packed else np.frombuffer(body, "<u4")
    if lengths is None or int(lengths.sum()) != count:
        raise CorruptError("runs of missing values of another length")
    return np.repeat(np.arange(len(lengths)) % 2 == 0, lengths), used


# --- times ---


def encode_whole(numbers: NDArray[np.int64]) -> bytes:
    """Encode whole numbers, at least one, with their own checksum."""
    base = int(numbers.min())
    payload: bytes = _BASE.pack(base) + _compress(_offsets(numbers, base))
    return checksum(WHOLE, payload).to_bytes(4, "little") + payload


def check_whole(data: bytes) -> None:
    """Check the result of `encode_whole`.

    Raises:
        CorruptError: the bytes are not what was written.
    """
    if len(data) < 4 + _BASE.size or checksum(WHOLE, data[4:]) != int.from_bytes(data[:4], "little"):
        raise CorruptError("times have another checksum")


def decode_whole(data: bytes) -> NDArray[np.int64]:
    """Return the numbers of `encode_whole`.

    Raises:
        CorruptError: the bytes are not what was written.
    """
    check_whole(data)
    (base,) = _BASE.unpack_from(data, 4)
    try:
        numbers = simple_decompress(_MAGIC + data[4 + _BASE.size :] + _END)
    except Exception as error:  # pcodec may raise anything
        raise CorruptError(f"{type(error).__name__}: {error}") from error
    if numbers is None:
        raise CorruptError("there are no times")
    whole: NDArray[np.int64] = numbers.astype(np.int64) + base
    return whole
