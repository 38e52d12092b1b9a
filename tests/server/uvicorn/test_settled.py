"""The garbage collector beside a growing board: permanent objects are not scanned again and again."""

import gc
from collections.abc import Iterator

import pytest

from tickboard.server.uvicorn.settled import FULL_AFTER, settled


@pytest.fixture(autouse=True)
def unfreeze_afterwards() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_objects_of_many_new_series_are_frozen_after_a_full_collection() -> None:
    series = 0
    with settled(lambda: series):
        at_first = gc.get_freeze_count()
        assert at_first > 0
        kept = [[number] for number in range(20_000)]
        gc.collect()
        assert gc.get_freeze_count() <= at_first, "no series has come"
        series = 600
        gc.collect(0)
        assert gc.get_freeze_count() <= at_first, "what is youngest is most often garbage"
        gc.collect(1)
        grown = gc.get_freeze_count()
        assert grown >= at_first + len(kept) // 2
        more = [[number] for number in range(20_000)]
        gc.collect()
        assert gc.get_freeze_count() <= grown, "the same series as before"
        assert len(more) == len(kept)
    assert gc.get_freeze_count() == 0


def test_full_collections_are_rare_while_a_board_is_served() -> None:
    before = gc.get_threshold()
    with settled(lambda: 0):
        assert gc.get_threshold() == (*before[:2], FULL_AFTER)
    assert gc.get_threshold() == before


def test_existing_garbage_is_freed_before_freezing() -> None:
    class Ends:
        ended = False

        def __del__(self) -> None:
            Ends.ended = True

    one = Ends()
    one.self = one  # type: ignore[attr-defined]
    series = 0
    with settled(lambda: series):
        other = Ends()
        other.self = other  # type: ignore[attr-defined]
        del other
        series = 1_000
        gc.collect()
        assert Ends.ended
    del one
