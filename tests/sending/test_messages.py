"""The messages of remote write, read by the real protobuf library."""

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.prompb import V1, V2

from tickboard.sending.messages import STALE, OutgoingSeries, SeriesGroup
from tickboard.sending.options import Version

VERSIONS: tuple[Version, ...] = ("1.0", "2.0")

labels = st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=4, unique_by=lambda x: x[0])


def series(pairs: list[tuple[str, str]], unit: str = "") -> OutgoingSeries:
    return OutgoingSeries(tuple(sorted(pairs)), unit)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def read(version: Version, data: bytes) -> list[tuple[list[tuple[str, str]], list[tuple[int, bytes]]]]:
    """Return the labels of each series, and its samples as times and the bits of values."""

    def samples(one: Any) -> list[tuple[int, bytes]]:
        return [(sample.timestamp, bits(sample.value)) for sample in one.samples]

    if version == "1.0":
        found = V1["WriteRequest"].FromString(data).timeseries
        return [([(label.name, label.value) for label in one.labels], samples(one)) for one in found]
    request = V2["Request"].FromString(data)
    texts = [[request.symbols[ref] for ref in one.labels_refs] for one in request.timeseries]
    pairs = [list(zip(each[::2], each[1::2], strict=True)) for each in texts]
    return [(each, samples(one)) for each, one in zip(pairs, request.timeseries, strict=True)]


@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
def test_a_message_has_exactly_the_existing_samples(version: Version, data: st.DataObject) -> None:
    many = data.draw(st.lists(labels, min_size=1, max_size=6))
    ticks = data.draw(st.integers(1, 4))
    times = sorted(data.draw(st.sets(st.integers(-(2**62), 2**62), min_size=ticks, max_size=ticks)))
    values = np.array(data.draw(st.lists(st.floats(), min_size=len(many) * ticks, max_size=len(many) * ticks)))
    there = np.array(data.draw(st.lists(st.booleans(), min_size=len(many) * ticks, max_size=len(many) * ticks)))
    values, there = values.reshape(len(many), ticks), there.reshape(len(many), ticks)
    message = SeriesGroup([series(each) for each in many], version).encode(np.array(times, np.int64), values, there)
    wanted = [
        (sorted(pairs), [(times[tick], bits(values[row, tick])) for tick in range(ticks) if there[row, tick]])
        for row, pairs in enumerate(many)
    ]
    assert read(version, message) == [each for each in wanted if each[1]]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stale_marker_keeps_its_bits(version: Version) -> None:
    values = np.zeros((1, 1))
    values.view(np.uint64)[0, 0] = STALE
    message = SeriesGroup([series([("a", "b")])], version).encode(np.array([5]), values, np.ones((1, 1), np.bool_))
    [(_, [(_, value)])] = read(version, message)
    assert value == struct.pack("<Q", 0x7FF0000000000002)
    assert math.isnan(struct.unpack("<d", value)[0])


def test_a_group_encodes_ticks_of_different_numbers_one_after_another() -> None:
    group = SeriesGroup([series([("a", "b")]), series([("a", "c")])], "1.0")
    for ticks in (1, 3, 1, 2):
        times = np.arange(1_800_000_000_000, 1_800_000_000_000 + ticks)
        message = group.encode(times, np.ones((2, ticks)), np.ones((2, ticks), np.bool_))
        assert [len(samples) for _, samples in read("1.0", message)] == [ticks, ticks]


def test_version_2_has_each_string_once_and_the_type_of_each_series() -> None:
    group = SeriesGroup([series([("__name__", "a"), ("x", "a")], "ms"), series([("__name__", "b"), ("x", "a")])], "2.0")
    request = V2["Request"].FromString(group.encode(np.array([5]), np.ones((2, 1)), np.ones((2, 1), np.bool_)))
    assert list(request.symbols) == ["", "__name__", "a", "x", "ms", "b"]
    assert [one.metadata.type for one in request.timeseries] == [2, 2]
    assert [request.symbols[one.metadata.unit_ref] for one in request.timeseries] == ["ms", ""]


def test_the_size_of_a_group_is_that_of_its_labels() -> None:
    group = SeriesGroup([series([("__name__", "a" * 1000)])], "1.0")
    message = group.encode(np.array([1_800_000_000_000]), np.ones((1, 1)), np.ones((1, 1), np.bool_))
    assert 0 < len(message) - group.size <= 24
