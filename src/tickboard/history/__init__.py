"""History: every tick of a board, kept in one file, and read again in as few buckets as are asked for.

It knows series by their names and labels, times and values, and nothing of boards.

Python sets a package's folders as its attributes, so `tickboard.history` is this module from when it is imported. The
function of that name is public: the module can be called as it.
"""

import sys
from types import ModuleType
from typing import Any

from tickboard.client.history import history
from tickboard.client.history_data import HistoryData


class _Callable(ModuleType):
    def __call__(self, url: str, *metrics: str, **options: Any) -> HistoryData:
        return history(url, *metrics, **options)


sys.modules[__name__].__class__ = _Callable
