"""A disk that is slow because other tests use it is not one that hangs."""

import pytest

from tickboard.journal import journal


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let writes take long. Tests of disks that hang say what is too long for them."""
    monkeypatch.setattr(journal, "WRITE_S", 60.0)
