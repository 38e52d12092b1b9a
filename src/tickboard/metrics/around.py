"""Measures a block of code, or each call of a function: ``with requests.time():``, ``@requests.time()``."""

import inspect
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar, cast

from tickboard.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])


_Ends = tuple[tuple["Around", Callable[[], None]], ...]

# The measured blocks that this task or thread is in, innermost last.
_ENDS: ContextVar[_Ends] = ContextVar("tickboard_around", default=())


class Around:
    """A context manager and a decorator, for any number of blocks and calls, in any threads and tasks.

    Args:
        begin: called before the block; it returns a function that is called after it, however the block ends. An
            exception from that function is raised only if the block itself raised none.
    """

    def __init__(self, begin: Callable[[], Callable[[], None]]) -> None:
        self._begin = begin

    def __enter__(self) -> None:
        _ENDS.set((*_ENDS.get(), (self, self._begin())))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ends = _ENDS.get()
        place = max(index for index, (owner, _) in enumerate(ends) if owner is self)
        _ENDS.set(ends[:place] + ends[place + 1 :])
        try:
            ends[place][1]()
        except Exception:
            if error is None:
                raise

    def __call__(self, function: F) -> F:
        """Wrap a function so that each call is measured; an async one until it has been awaited.

        Raises:
            InputError: it is a generator, which has no single end.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InputError(f"{function.__qualname__} is a generator: use `with` inside it, around the measured code")
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*arguments: object, **named: object) -> object:
                with self:
                    return await function(*arguments, **named)

            return cast(F, awaited)

        @wraps(function)
        def called(*arguments: object, **named: object) -> object:
            with self:
                return function(*arguments, **named)

        return cast(F, called)
