"""Columns round-trip exactly or within the precision, and damage is detected."""

import math

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from tickboard.expressions.alignment import Floats
from tickboard.history import codec
from tickboard.history.blocks import AVG, VALUE, Block, Cell, keys_of, pack
from tickboard.history.codec import CorruptError

EVERYTHING = st.floats(allow_nan=True, allow_infinity=True)
USUAL = st.floats(-1e12, 1e12) | st.just(math.nan)
WHOLE = st.integers(-(2**53), 2**53).map(float) | st.just(math.nan)
DECIMALS = st.integers(-(10**9), 10**9).map(lambda number: number / 1000) | st.just(math.nan)


def columns(values: st.SearchStrategy[float]) -> st.SearchStrategy[Floats]:
    return hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=values)


def round_trip(given: Floats, bits: int = codec.VALUE_BITS) -> tuple[Floats, dict[int, int]]:
    """Return the decoded columns, and the kind of each."""
    back = np.full(given.shape, np.nan)
    kinds: dict[int, int] = {}
    for some in codec.encode(given, bits):
        places = [column.place for column in some]
        into = np.empty((len(some), given.shape[1]))
        assert codec.decode([column.kind for column in some], [column.payload for column in some], into) == []
        back[places] = into
        kinds |= {column.place: column.kind & ~codec.MISSING for column in some}
    return back, kinds


def kind_of(*values: float) -> int:
    return round_trip(np.array([values]))[1].get(0, 0)


@given(columns(EVERYTHING))
def test_every_float_round_trips_exactly_with_all_bits(given: Floats) -> None:
    back, _ = round_trip(given, codec.EXACT_BITS)
    np.testing.assert_array_equal(back, given)


@given(columns(USUAL))
def test_floats_round_trip_within_the_precision_and_keep_their_gaps(given: Floats) -> None:
    back, _ = round_trip(given)
    np.testing.assert_array_equal(np.isnan(back), np.isnan(given))
    for before, after in zip(given, back, strict=True):
        there = ~np.isnan(before)
        if there.any():
            off = np.abs(before - after)[there]
            span = np.nanmax(before) - np.nanmin(before)
            assert (off <= codec.VALUE_PRECISION * np.abs(before[there])).all()
            assert (off <= codec.RANGE_PRECISION * span).all()


@given(columns(WHOLE))
def test_whole_numbers_round_trip_exactly(given: Floats) -> None:
    back, kinds = round_trip(given)
    np.testing.assert_array_equal(back, given)
    assert set(kinds.values()) <= {codec.CONSTANT, codec.WHOLE}


@given(columns(DECIMALS))
def test_numbers_with_three_decimals_round_trip_exactly(given: Floats) -> None:
    back, kinds = round_trip(given)
    np.testing.assert_array_equal(back, given)
    assert codec.RAW not in kinds.values()
    assert codec.ROUNDED not in kinds.values()


@given(columns(USUAL))
def test_decoded_values_round_trip_exactly_when_encoded_again(given: Floats) -> None:
    once, _ = round_trip(given)
    np.testing.assert_array_equal(round_trip(once)[0], once)
    np.testing.assert_array_equal(round_trip(once, codec.EXACT_BITS)[0], once)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((math.nan, math.nan), 0),
        ((3.7, math.nan, 3.7), codec.CONSTANT),
        ((3.0, -5.0, 2.0**53), codec.WHOLE),
        ((0.1, 0.2, -7.5), codec.DECIMAL),
        ((0.01, 0.25), codec.DECIMAL + 1),
        ((0.001, 99.999), codec.DECIMAL + 2),
        ((1 / 3, 2 / 3), codec.ROUNDED),
        ((math.inf, 1.0), codec.RAW),
        ((1e-310, 0.5), codec.RAW),
        ((1.7e308, -1.7e308), codec.RAW),
    ],
)
def test_each_column_gets_the_first_kind_that_fits(values: tuple[float, ...], kind: int) -> None:
    assert kind_of(*values) == kind


def test_unix_times_keep_their_fraction() -> None:
    # A precision of 1e-5 of the value alone would round them to hours.
    times = 1_800_000_000 + np.arange(600) + np.random.default_rng(0).random(600)
    back, _ = round_trip(times[None])
    assert np.abs(back[0] - times).max() < 0.06


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1))
def test_times_round_trip_exactly(times: list[int]) -> None:
    assert codec.decode_whole(codec.encode_whole(np.array(times, np.int64))).tolist() == times


def test_percentages_with_two_decimals_take_less_than_a_byte() -> None:
    walk = np.round(50 + np.cumsum(np.random.default_rng(0).normal(0, 0.05, (20, 600)), axis=1), 2)
    size = sum(len(column.payload) for some in codec.encode(walk) for column in some)
    assert size / walk.size < 0.8


# --- blocks ---


def block_of(values: Floats, field: int = VALUE) -> bytes:
    return pack(
        Cell(column.place, field, column.kind, column.payload, column.crc)
        for some in codec.encode(values)
        for column in some
    )


@pytest.mark.parametrize("kind", range(8))
def test_only_a_column_of_too_few_bytes_is_lost(kind: int) -> None:
    [[column]] = codec.encode(np.array([[1.0, 2.0, 4.0]]))
    into = np.empty((8, 3))
    kinds, payloads = [column.kind] * 8, [column.payload] * 8
    kinds[2], payloads[2] = kind, b""
    damaged = codec.decode(kinds, payloads, into)
    assert damaged == [2]
    assert np.isnan(into[2]).all()
    assert np.delete(into, 2, axis=0).tolist() == [[1, 2, 4]] * 7


def test_a_block_decodes_the_requested_columns() -> None:
    values = np.random.default_rng(0).integers(0, 100, (256, 60)).astype(float)
    values[7] = np.nan
    blob = block_of(values)
    block = Block(blob)
    found = block.find(keys_of([VALUE, AVG], np.array([0, 7, 255])))
    assert found.rows == [0, 2], "a column without a value is left out, and so is a field that the block does not have"
    into = np.empty((2, 60))
    assert codec.decode(*block.read(found), into) == []
    np.testing.assert_array_equal(into, values[[0, 255]])
    cells = Block(blob).cells()
    assert 7 not in [cell.place for cell in cells]
    assert pack(cells) == blob


def test_a_block_without_columns_has_none() -> None:
    block = Block(pack([]))
    assert block.read(block.find(keys_of([VALUE], np.arange(3)))) == ([], [])


@pytest.mark.parametrize("columns", [1, 40])
def test_a_part_of_each_column_is_decoded_as_in_the_whole(columns: int) -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(0, 1, (columns, 100)), random.integers(0, 9, (columns, 100))])
    values[0, 5:50] = np.nan
    block = Block(block_of(values))
    found = block.read(block.find(keys_of([VALUE], np.arange(len(values)))))
    whole, part = np.empty(values.shape), np.empty((len(values), 7))
    codec.decode(found.kinds, found.payloads, whole)
    assert codec.decode(found.kinds, found.payloads, part, 45, 100) == []
    np.testing.assert_array_equal(part, whole[:, 45:52])


def read(blob: bytes, into: Floats) -> list[int]:
    """Decode all columns of a block, and return which are damaged."""
    block = Block(blob)
    found = block.find(keys_of([VALUE], np.arange(len(into))))
    assert found.rows == list(range(len(into)))
    return codec.decode(*block.read(found), into)


@settings(max_examples=30)
@given(st.data())
def test_a_flipped_bit_loses_one_column_or_the_block_and_is_always_detected(data: st.DataObject) -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(0, 1, (5, 100)), random.integers(0, 9, (5, 100)), np.ones((2, 100))])
    values[2, 5:50] = np.nan
    right = np.empty(values.shape)
    blob = block_of(values)
    places = np.arange(len(values))
    assert read(blob, right) == []
    at = data.draw(st.integers(0, len(blob) - 1))
    broken = bytearray(blob)
    broken[at] ^= 1 << data.draw(st.integers(0, 7))
    into = np.empty(values.shape)
    try:
        damaged = read(bytes(broken), into)
    except CorruptError:
        assert at < 6 + 12 * len(values), "only the directory has all columns in it"
        return
    assert len(damaged) == 1
    assert np.isnan(into[damaged]).all()
    others = np.setdiff1d(places, damaged)
    np.testing.assert_array_equal(into[others], right[others])


def test_rewriting_a_block_does_not_hide_a_damaged_column() -> None:
    blob = bytearray(block_of(np.random.default_rng(0).normal(0, 1, (2, 100))))
    blob[-1] ^= 1
    again = pack(Block(bytes(blob)).cells())
    assert read(again, np.empty((2, 100))) == [1]


def test_a_truncated_block_is_rejected() -> None:
    blob = block_of(np.ones((3, 10)))
    for size in (0, 5, 20):
        with pytest.raises(CorruptError):
            Block(blob[:size])
    with pytest.raises(CorruptError):
        codec.decode_whole(b"short")
