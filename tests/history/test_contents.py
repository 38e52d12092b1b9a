"""What a history has: read again only when the file has changed."""

from contextlib import closing
from pathlib import Path

import numpy as np

from tickboard.history.contents import Contents
from tickboard.history.file import Database, open_to_read
from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History

ONE = Layout((("cpu", (), "%"),), np.arange(1))
TWO = Layout((("cpu", (), "%"), ("memory", (), "%")), np.arange(2))


def refreshed(contents: Contents, database: Database) -> Contents:
    with database.transaction("DEFERRED"):
        contents.refresh(database)
    return contents


def test_contents_are_read_again_when_the_file_has_changed(tmp_path: Path) -> None:
    with closing(History(tmp_path / "history", Retention(), lambda _: None)) as history:
        history.begin("first", 1_000, 60)
        history.append(1, 1_000.0, ONE, np.array([1.0]))
        history.flush()
        contents = Contents()
        with closing(open_to_read(history.path)) as database:
            [epoch] = refreshed(contents, database).epochs
            assert (epoch.first, epoch.last) == (1_000_000, 1_000_000)
            assert contents.expired == (0, 0, 0)
            assert contents.catalogue.id_of("memory", ()) == -1
            known, chosen = contents.epochs, contents.choose(())
            assert refreshed(contents, database).epochs is known
            assert contents.choose(()) is chosen
            assert len(chosen) == 1
            history.append(2, 1_001.0, TWO, np.array([1.0, 2.0]))
            history.flush()
            [epoch] = refreshed(contents, database).epochs
            assert (epoch.first, epoch.last) == (1_000_000, 1_001_000)
            assert contents.catalogue.id_of("memory", ()) > 0
            assert len(contents.choose(())) == 2
