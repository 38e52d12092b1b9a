"""History: every tick of a board, kept in one file and read in any number of buckets.

It knows the names and labels of series, times and values, but not boards.

`tickboard.history` is also a public function. When this package is imported, Python replaces the function by the
package as the attribute `tickboard.history`, so the package itself can be called.
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
