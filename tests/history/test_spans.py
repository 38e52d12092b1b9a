"""The times of a span are those that were written, or none if they are damaged."""

import numpy as np
import pytest

from tickboard.history.answers import Integers
from tickboard.history.codec import CorruptError, encode_whole
from tickboard.history.spans import HOURS, MINUTES, RAW, UNIT_MS, Span

START = 1_800_000_000_000


def span(tier: int, times: Integers, packed: bytes | None = None) -> Span:
    return Span(1, tier, 1, int(times[0]), int(times[-1]), len(times), packed or encode_whole(times))


@pytest.mark.parametrize("tier", [RAW, MINUTES, HOURS])
@pytest.mark.parametrize("kept", [[0], [0, 1, 2, 3], [0, 1, 3], [0, 2, 4], [0, 200, 201]])
def test_a_span_has_the_times_that_were_written(tier: int, kept: list[int]) -> None:
    times = START + np.array(kept, np.int64) * UNIT_MS[tier]
    np.testing.assert_array_equal(span(tier, times).times(), times)


@pytest.mark.parametrize("tier", [RAW, MINUTES, HOURS])
@pytest.mark.parametrize("at", [0, 5, -1])
def test_damaged_times_are_detected(tier: int, at: int) -> None:
    times = START + np.arange(240) * UNIT_MS[tier]
    packed = bytearray(encode_whole(times))
    packed[at] ^= 4
    with pytest.raises(CorruptError):
        span(tier, times, bytes(packed)).times()
