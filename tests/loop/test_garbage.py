"""The garbage collector beside the event loop: full collections are rare, and come between two ticks."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tickboard.loop import garbage
from tickboard.loop.garbage import LEAST_BLOCKS, NEVER, SHARE, Garbage, collect_frozen, until_pause_s


class Cycle:
    """An object that only a collection frees."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def unfreeze_afterwards() -> Iterator[None]:
    yield
    gc.unfreeze()


@contextmanager
def started(one: Garbage) -> Iterator[None]:
    one.start()
    try:
        yield
    finally:
        one.stop()


def made(series: int = 0) -> Garbage:
    return Garbage(lambda: series, lambda: 1.0)


async def test_python_starts_no_full_collection_meanwhile() -> None:
    before = gc.get_threshold()
    with started(made()):
        assert gc.get_threshold() == (*before[:2], NEVER)
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


async def test_garbage_that_exists_at_the_start_is_freed_and_the_rest_set_aside() -> None:
    ended = weakref.ref(Cycle())
    with started(made()):
        assert ended() is None
        assert gc.get_freeze_count() > 0


async def test_old_garbage_is_freed_while_the_loop_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LOOK_S", 0.01)
    monkeypatch.setattr(garbage, "SHARE", 0)
    with started(Garbage(lambda: 0, lambda: 0.05)):
        kept = Cycle()
        gc.collect(1)
        ended = weakref.ref(kept)
        del kept
        gc.collect(1)
        assert ended() is not None, "the quick collections no longer look at it"
        async with asyncio.timeout(30):
            while ended() is not None:
                await asyncio.sleep(0.01)


def collect(one: Garbage, monkeypatch: pytest.MonkeyPatch, times: list[float], blocks: int) -> None:
    """Collect as if that took from one time to the other, and left so many blocks."""
    with monkeypatch.context() as patched:
        # Only here: other threads may look at the time, too.
        patched.setattr(garbage, "time", SimpleNamespace(monotonic=iter(times).__next__))
        patched.setattr("sys.getallocatedblocks", lambda: blocks)
        one.collect()


def test_a_full_collection_is_due_after_growth_or_a_long_time(monkeypatch: pytest.MonkeyPatch) -> None:
    one = made()
    collect(one, monkeypatch, [100.0, 100.05], 1_000_000)
    assert not one.is_due(100.05 + 0.05 * SHARE - 1, 2_000_000)
    assert one.is_due(100.05 + 0.05 * SHARE + 1, 1_000_000)
    assert one.is_due(101, 2_000_001)
    collect(one, monkeypatch, [200.0, 200.05], 1_000)
    assert not one.is_due(201, 1_000 + LEAST_BLOCKS), "twice of little is little"


async def test_objects_of_many_new_series_are_set_aside() -> None:
    series = 0
    with started(Garbage(lambda: series, lambda: 1.0)):
        at_first = gc.get_freeze_count()
        kept = [[number] for number in range(20_000)]
        gc.collect(1)
        assert gc.get_freeze_count() <= at_first, "no series has come"
        series = 600
        gc.collect(0)
        assert gc.get_freeze_count() <= at_first, "what is youngest is most often garbage"
        gc.collect(1)
        grown = gc.get_freeze_count()
        assert grown >= at_first + len(kept) // 2
        more = [[number] for number in range(20_000)]
        gc.collect(1)
        assert gc.get_freeze_count() <= grown, "the same series as before"
        assert len(more) == len(kept)


def test_garbage_among_objects_set_aside_can_be_freed() -> None:
    kept = Cycle()
    gc.freeze()
    ended = weakref.ref(kept)
    del kept
    gc.collect()
    assert ended() is not None
    collect_frozen()
    assert ended() is None
    assert gc.get_freeze_count() > 0


@pytest.mark.parametrize(
    ("now", "interval_s", "wait_s"),
    [
        (1000.0, 1.0, 0.2),
        (1000.25, 1.0, 0.0),
        (1000.5, 1.0, 0.0),
        (1000.75, 1.0, 0.45),
        (1000.0, 0.25, 0.05),
        (1000.1, 0.25, 0.0),
        (1000.2, 0.25, 0.1),
        (1000.0, 10.0, 0.2),
        (1009.0, 10.0, 0.0),
        (1009.75, 10.0, 0.45),
    ],
)
def test_a_pause_is_between_two_ticks_and_nearer_to_the_last(now: float, interval_s: float, wait_s: float) -> None:
    assert until_pause_s(now, interval_s) == pytest.approx(wait_s)
