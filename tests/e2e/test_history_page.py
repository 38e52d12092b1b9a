"""The foot of the page says what is kept of the ticks, and a restart of the server leaves the charts as they were."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from tests.e2e.conftest import Watched
from tests.serving import Server, serve

from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History

BOARD = (
    "from tickboard import Board\nboard = Board(interval_ms=100, window_size=300)\nboard.gauge('cpu', 'CPU').set(5)\n"
)


def recorded(path: Path, ages_s: list[float]) -> None:
    """Make a history that has ticks of so long ago."""
    said: list[str | None] = []
    history = History(path, Retention(), said.append)
    history.begin("earlier", 100, 300)
    now = time.time()
    for seq, age_s in enumerate(ages_s, 1):
        history.append(seq, now - age_s, Layout((("cpu", (), ""),), np.array([0])), np.array([7.0]))
    history.close()
    assert not any(said)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    board, path = tmp_path / "board.py", tmp_path / "ticks.sqlite"
    board.write_text(BOARD)
    recorded(path, [3 * 86_400, *np.arange(12, 2, -0.1)])
    with serve("run", str(board), "--history", str(path)) as server:
        yield server


def test_the_foot_shows_the_retention_and_the_size_of_the_history(watched: Watched, server: Server) -> None:
    page = watched.page
    page.goto(server.url)
    expect(page.locator("footer")).to_have_text(re.compile(r"^History: every tick for 3 d · [\d.]+ [KM]iB$"))
    assert watched.errors == []


def test_the_window_has_the_ticks_before_the_restart(page: Page, server: Server) -> None:
    page.goto(server.url)
    card = page.locator('.metric-card[data-metric="cpu"]')
    expect(card).to_contain_text(re.compile(r"\(1\d\d samples\)"))
    expect(card.locator(".range")).to_have_text(re.compile(r"Min: 5.*Max: 7"))


def test_without_history_the_foot_is_empty(page: Page, tmp_path: Path) -> None:
    board = tmp_path / "board.py"
    board.write_text(BOARD)
    with serve("run", str(board), "--history", "none") as server:
        with page.expect_response("**/api/health") as answer:
            page.goto(server.url)
        assert answer.value.json()["history"] is None
        expect(page.locator('.metric-card[data-metric="cpu"]')).to_contain_text("samples")
        expect(page.locator("footer")).to_have_text("")
