"""Histories that are made while something else takes its time: the largest takes minutes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

PROCESSES = 2

Task = tuple[Callable[..., None], tuple[object, ...]]
"""A function, and its arguments."""


def prepare_all(tasks: Sequence[Task]) -> None:
    """Do tasks in processes of their own, the first ones first, and wait for them."""
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        for each in [pool.submit(function, *arguments) for function, arguments in tasks]:
            each.result()
