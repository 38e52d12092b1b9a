"""An event is published only after it is written to the journal, or if it cannot be written."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tickboard import Board
from tickboard.alerting.actions import acknowledge, silence
from tickboard.alerting.alerts import Alerts
from tickboard.errors import AlertError, JournalError
from tickboard.hub.connections import Subscriber
from tickboard.journal.journal import Journal
from tickboard.running.announcer import SOURCE, Announcer
from tickboard.settings import Settings


class World:
    """A board with one rule, whose ticks are made by hand, and a reader of its log."""

    def __init__(self, path: Path | None) -> None:
        self.board = Board()
        self.cpu = self.board.gauge("cpu")
        self.board.alert(self.cpu > 90, "hot", for_="2s")
        self.journal = Journal(path) if path is not None else None
        self.board.prepare(Settings(), journal=self.journal)
        self.hub = self.board.hub
        self.announcer = Announcer(self.hub, self.journal)
        self.told: list[str] = []
        self._reader = Subscriber(self._read, "", self.alerts.log.published)
        self.hub.subscribers.add(self._reader)
        self._now = 1_000.0

    @property
    def alerts(self) -> Alerts:
        return self.hub.engine.alerts

    def tick(self, value: float, ticks: int = 1) -> None:
        for _ in range(ticks):
            self._now += 1
            self.cpu.set(value)
            self.announcer.announce(self.hub.engine.tick(self._now, 1.0).events)

    def _read(self) -> None:
        log = self.alerts.log
        self.told += [event.kind for event in log.since(self._reader.number)]
        self._reader.number = log.published


async def wait_for_published(world: World, *kinds: str) -> None:
    async with asyncio.timeout(10):
        while world.told != list(kinds):
            await asyncio.sleep(0.005)


async def test_without_a_journal_events_are_published_at_once() -> None:
    world = World(None)
    world.tick(95, 3)
    assert world.told == ["firing"]
    world.announcer.keep_episodes()
    await world.announcer.close()


async def test_with_a_journal_events_are_published_when_they_are_written(tmp_path: Path) -> None:
    world = World(tmp_path / "alerts.sqlite")
    world.tick(95, 3)
    assert world.told == []
    world.tick(1)
    await wait_for_published(world, "firing", "resolved")
    await world.announcer.close()
    assert [event.kind for event in Journal(tmp_path / "alerts.sqlite").load().events] == ["firing", "resolved"]


async def test_the_state_of_an_episode_survives_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path / "alerts.sqlite")
    world.tick(95, 2)
    world.announcer.keep_episodes()
    await world.announcer.close()
    again = World(tmp_path / "alerts.sqlite")
    again.tick(95)
    await wait_for_published(again, "firing")
    changed, kept = await again.announcer.act(
        lambda alerts, now: silence(alerts, [alerts.active()[0].id], now, 60, "known")
    )
    [alert] = changed.alerts
    assert kept
    assert alert.silenced is not None
    assert again.told == ["firing", "changed"]
    await again.announcer.close()
    third = World(tmp_path / "alerts.sqlite")
    third.tick(95)
    await third.announcer.close()
    assert third.told == []
    assert [one.silenced for one in third.alerts.active()] == [alert.silenced]


async def test_events_that_cannot_be_written_are_still_published_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "alerts.sqlite")
    assert world.journal is not None
    full = JournalError("the disk is full")
    commit, epoch = world.journal.commit, world.alerts.log.epoch

    async def fails(*arguments: object, **more: object) -> None:
        raise full

    monkeypatch.setattr(world.journal, "commit", fails)
    world.tick(95, 3)
    await wait_for_published(world, "firing")
    assert world.hub.problems[SOURCE].message == "the disk is full"
    monkeypatch.setattr(world.journal, "commit", commit)
    world.tick(1)
    await wait_for_published(world, "firing", "resolved")
    assert world.hub.problems == {}
    await world.announcer.close()
    # After a crash, the number could belong to another event, so nobody may continue in the old epoch.
    assert world.alerts.log.epoch != epoch
    assert Journal(tmp_path / "alerts.sqlite").load().epoch == world.alerts.log.epoch


async def test_a_refused_action_changes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "alerts.sqlite")
    with pytest.raises(AlertError, match="there is no alert 'x'"):
        await world.announcer.act(lambda alerts, now: acknowledge(alerts, ["x"], now))
    await world.announcer.close()
    with sqlite3.connect(tmp_path / "alerts.sqlite") as file:
        assert file.execute("SELECT count(*) FROM events").fetchall() == [(0,)]
    file.close()


async def test_a_board_keeps_its_alerts_in_the_given_file(tmp_path: Path) -> None:
    path = tmp_path / "state" / "alerts.sqlite"
    for _ in range(2):
        board = Board(interval_ms=20, state=path)
        cpu = board.gauge("cpu")
        cpu.set(95)
        board.alert(cpu > 90, "hot")
        board.prepare(Settings(20))
        async with board.lifespan():
            async with asyncio.timeout(10):
                while board.hub.engine.seq < 3:
                    await asyncio.sleep(0.01)
        assert board.hub.engine.alerts.log.number == 1
