"""The contents of a history without its values: its series, its epochs, and the times before which entries expired.

They are read again only when the file has changed, since each query takes as long as decoding a hundred ticks.
"""

from collections import OrderedDict
from collections.abc import Sequence

from tickboard.history.catalogue import Catalogue
from tickboard.history.epochs import Epoch, read_epochs
from tickboard.history.file import Database
from tickboard.history.layout import TIERS
from tickboard.history.spans import Chosen

_KEPT, _KEPT_SERIES = 64, 200_000
"""How many results of `Contents.choose` to keep, and how many series they may have together."""


class Contents:
    """The contents of a file, as of the last `refresh`.

    Attributes:
        catalogue: its series.
        epochs: the epochs that have a tick, oldest first.
        expired: for each tier, the time before which entries may have expired, POSIX milliseconds.
    """

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self.epochs: Sequence[Epoch] = ()
        self.expired: tuple[int, ...] = ()
        self._version = -1
        self._chosen: OrderedDict[tuple[str, ...], Chosen] = OrderedDict()

    def refresh(self, database: Database) -> None:
        """Read the contents again if another connection has changed the file.

        Args:
            database: always the same read-only connection, inside a transaction.
        """
        version: int = database.one("PRAGMA data_version")
        if version == self._version:
            return
        if self.catalogue.refresh(database):
            self._chosen.clear()
        self.epochs = tuple(read_epochs(database))
        values = dict(database.all("SELECT name, value FROM state"))
        self.expired = tuple(values[f"expired{tier}"] for tier in range(len(TIERS)))
        self._version = version

    def choose(self, patterns: tuple[str, ...]) -> Chosen:
        """Return the series that selectors match. No selectors match all series."""
        chosen = self._chosen.get(patterns)
        if chosen is None:
            chosen = self._chosen[patterns] = Chosen.of(self.catalogue.choose(patterns))
            while len(self._chosen) > 1 and self._are_too_many():
                self._chosen.popitem(last=False)
        self._chosen.move_to_end(patterns)
        return chosen

    def _are_too_many(self) -> bool:
        return len(self._chosen) > _KEPT or sum(map(len, self._chosen.values())) > _KEPT_SERIES
