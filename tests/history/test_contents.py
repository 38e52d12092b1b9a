"""What a history has: read again only when the file has changed."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tickboard.history import contents as contents_module
from tickboard.history.contents import Contents
from tickboard.history.file import Database, open_to_read
from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History

ONE = Layout((("cpu", (), "%"),), np.arange(1))
THREE = Layout((("cpu", (), "%"), ("memory", (), "%"), ("disk", (), "%")), np.arange(3))
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


def test_chosen_series_are_kept_up_to_a_number_in_all_and_until_the_series_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents_module, "_KEPT_SERIES", 4)
    with closing(History(tmp_path / "history", Retention(), lambda _: None)) as history:
        history.begin("first", 1_000, 60)
        history.append(1, 1_000.0, TWO, np.array([1.0, 2.0]))
        history.flush()
        contents = Contents()
        with closing(open_to_read(history.path)) as database:
            refreshed(contents, database)
            one, other = contents.choose(()), contents.choose(("*",))
            assert contents.choose(()) is one
            assert contents.choose(("*",)) is other
            assert contents.choose(()) is one
            # The one that was not used the longest leaves.
            assert len(contents.choose(("cpu",))) == 1
            assert contents.choose(()) is one
            assert contents.choose(("*",)) is not other
            history.append(2, 1_001.0, THREE, np.ones(3))
            history.flush()
            assert len(refreshed(contents, database)._chosen) == 0
            assert len(contents.choose(())) == 3
            # More than all may have together are kept alone.
            monkeypatch.setattr(contents_module, "_KEPT_SERIES", 2)
            assert contents.choose(("*",)) is contents.choose(("*",))
            assert len(contents._chosen) == 1
