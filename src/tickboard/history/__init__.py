"""History: every tick of a board, kept in one file, and read again in as few buckets as are asked for.

It knows series by their names and labels, times and values, and nothing of boards.

`tickboard.history` is also a public function. Once this package is imported, Python sets it as the attribute
`tickboard.history` in place of the function, so the package itself can be called.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tickboard.client.history_data import HistoryData


class _Callable(ModuleType):
    def __call__(self, url: str, *metrics: str, **options: Any) -> "HistoryData":
        from tickboard.client.history import history

        return history(url, *metrics, **options)


sys.modules[__name__].__class__ = _Callable
