"""The hosts of a wall are kept across its restarts, and a file that cannot be used never stops it."""

import asyncio
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.fleet.following import START, FakeHost, Wall

from tickboard.errors import JournalError
from tickboard.fleet import keeping
from tickboard.fleet.host import AGAIN_MS
from tickboard.fleet.keeping import SOURCE, KeptHosts
from tickboard.fleet.roster import HostPlace, KnownHost, Roster, beside_journal
from tickboard.wire import About

ABOUT = About("web-1", "id", "1.0", 1, "Web", 1000, {"env": "prod"})
PLACE = HostPlace("live", 1.0, 2.0, 3_000, -1000, [(1, 5)], "http://a:3000", "http")


def test_hosts_are_kept_and_forgotten(tmp_path: Path) -> None:
    path = beside_journal(tmp_path / "wall.sqlite")
    assert path.name == "wall.hosts.sqlite"
    roster = Roster(path)
    assert roster.load() == []
    roster.save([KnownHost(ABOUT, PLACE), KnownHost(About("b", "x", "", 1, "", 1000), PLACE)], [])
    moved = HostPlace("gone", 9.0, 8.0, 9_000, 0)
    roster.save([KnownHost(ABOUT, moved)], ["b", "none"])
    assert Roster(path).load() == [KnownHost(ABOUT, moved)]
    assert path.stat().st_mode & 0o077 == 0


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "hosts.sqlite"
    path.write_bytes(b"no database, but long enough to be one" * 100)
    path.chmod(0o600)
    with pytest.raises(JournalError, match=r"it was damaged, and is now .*hosts.sqlite.damaged-"):
        Roster(path).load()
    assert Roster(path).load() == []


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)


@pytest.mark.parametrize("about", ["x'7b'", "5"])
def test_contents_that_cannot_be_understood_are_damage(tmp_path: Path, about: str) -> None:
    path = tmp_path / "hosts.sqlite"
    roster = Roster(path)
    roster.save([KnownHost(ABOUT, PLACE)], [])
    change(path, f"UPDATE hosts SET about = {about}")
    with pytest.raises(JournalError, match="it was damaged"):
        Roster(path).load()


def test_a_file_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "hosts.sqlite"
    Roster(path).save([KnownHost(ABOUT, PLACE)], [])
    change(path, "PRAGMA user_version = 2")
    content = path.read_bytes()
    for use in (Roster(path).load, partial(Roster(path).save, [], ["web-1"])):
        with pytest.raises(JournalError, match=r"written by a newer tickboard \(format 2, this one knows 1\): update"):
            use()
    assert path.read_bytes() == content


def database(path: Path, *statements: str) -> Path:
    """Make a database of another program."""
    with closing(sqlite3.connect(path)) as other, other:
        for statement in statements:
            other.execute(statement)
    path.chmod(0o600)
    return path


def text(path: Path, content: bytes) -> Path:
    """Make a file that is no database."""
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("is_linked", [True, False])
def test_a_file_of_another_program_is_left_as_it_is(tmp_path: Path, is_linked: bool) -> None:
    others = [
        database(tmp_path / "a.sqlite", "PRAGMA application_id = 7"),
        database(tmp_path / "b.sqlite", "CREATE TABLE hosts (name TEXT)"),
        database(tmp_path / "c.sqlite", "CREATE TABLE notes (text TEXT)", "PRAGMA user_version = 1"),
        text(tmp_path / "notes.txt", b"no database, but long enough to be one" * 100),
        text(tmp_path / "short.txt", b"short"),
    ]
    for number, path in enumerate(others):
        content, used = path.read_bytes(), path
        if is_linked:
            used = tmp_path / f"{number}.hosts.sqlite"
            used.symlink_to(path)
        with pytest.raises(JournalError, match=r"is a file of another program: move it away, or give another file"):
            Roster(used).load()
        with pytest.raises(JournalError):
            Roster(used).save([KnownHost(ABOUT, PLACE)], [])
        assert path.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir() if not path.is_symlink()) == [path.name for path in others]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(PLACE, since=1e308),
        replace(PLACE, seen=-1.0),
        replace(PLACE, ticked_ms=10**18),
        replace(PLACE, shift_ms=-(10**15)),
        replace(PLACE, holes=[(1, 10**18)]),
    ],
)
def test_times_that_cannot_be_shown_are_damage(tmp_path: Path, wrong: HostPlace) -> None:
    Roster(tmp_path / "hosts.sqlite").save([KnownHost(ABOUT, wrong)], [])
    with pytest.raises(JournalError, match="it was damaged"):
        Roster(tmp_path / "hosts.sqlite").load()


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "hosts.sqlite"):
        with pytest.raises(JournalError):
            Roster(path).load()
    with pytest.raises(JournalError):
        Roster(tmp_path).save([], [])


async def stored(path: Path) -> None:
    """Run a wall that follows a host, and store that."""
    wall = Wall()
    kept = KeptHosts(path, wall.follower, 1000, wall.problems)
    kept.load(["http://a:3000"])
    host = FakeHost(wall)
    host.introduce()
    host.tick(wall.due + 1, 1)
    host.tick(wall.due + 9, 2)
    wall.tick()
    await kept.store()
    await kept.store()
    assert not wall.problems


async def test_a_wall_begins_with_the_hosts_of_its_last_run(tmp_path: Path) -> None:
    await stored(tmp_path / "hosts.sqlite")
    wall = Wall()
    KeptHosts(tmp_path / "hosts.sqlite", wall.follower, 1000, wall.problems).load(["http://a:3000"])
    host = wall.follower.hosts["web-1"]
    assert (host.state, host.ticked_ms) == ("waiting", round(START + 10) * 1000 - AGAIN_MS)
    assert len(host.holes) == 1
    assert wall.info("web-1").title == "Board of web-1"
    again = FakeHost(wall)
    again.introduce()
    before = host.ticked_ms
    again.tick(START + 30, 5)
    assert host.holes.span == (before, round(START + 30) * 1000)


async def test_a_delay_of_ticks_is_not_taken_for_a_difference_of_the_clocks_after_a_restart(tmp_path: Path) -> None:
    wall = Wall()
    host = FakeHost(wall, ahead_s=5)
    host.introduce()
    for _ in range(2):
        wall.tick()
        host.beat()
    host.host.clock.delay_ms = 1000
    await KeptHosts(tmp_path / "hosts.sqlite", wall.follower, 1000, wall.problems).store()
    assert Roster(tmp_path / "hosts.sqlite").load()[0].place.shift_ms == -5000


async def test_what_was_filled_lately_is_filled_again_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wall = Wall()
    host = FakeHost(wall)
    host.introduce()
    host.tick(wall.due + 1, 1)
    host.tick(wall.due + 9, 2)
    [hole] = host.host.holes
    kept = KeptHosts(tmp_path / "hosts.sqlite", wall.follower, 1000, wall.problems)
    stored = Roster(tmp_path / "hosts.sqlite")

    host.host.fill(hole, time.monotonic())
    assert list(host.host.holes) == []
    await kept.store()
    assert stored.load()[0].place.holes == [hole]
    monkeypatch.setattr("tickboard.fleet.host.AGAIN_MS", -1)
    await kept.store()
    assert stored.load()[0].place.holes == []
    assert not host.host.filled


async def test_what_the_walls_history_does_not_have_is_missing(tmp_path: Path) -> None:
    await stored(tmp_path / "hosts.sqlite")
    for recorded_ms, newest_ms in ((START + 5) * 1000, (START + 5) * 1000), ((START + 50) * 1000, (START + 10) * 1000):
        wall = Wall()
        kept = KeptHosts(tmp_path / "hosts.sqlite", wall.follower, 1000, wall.problems)
        kept.load(["http://a:3000"], recorded_ms=round(recorded_ms))
        assert wall.follower.hosts["web-1"].ticked_ms == round(newest_ms) - AGAIN_MS


async def test_hosts_that_are_no_longer_followed_are_forgotten(tmp_path: Path) -> None:
    await stored(tmp_path / "hosts.sqlite")
    wall = Wall()
    kept = KeptHosts(tmp_path / "hosts.sqlite", wall.follower, 1000, wall.problems)
    kept.load(["http://b:3000"])
    assert wall.follower.hosts == {}
    await kept.store()
    assert Roster(tmp_path / "hosts.sqlite").load() == []


async def test_a_wall_that_cannot_keep_its_hosts_says_so_and_goes_on(tmp_path: Path) -> None:
    wall = Wall()
    kept = KeptHosts(tmp_path, wall.follower, 1000, wall.problems)
    kept.load([])
    assert "cannot keep the list of hosts" in wall.problems[SOURCE].message
    wall.problems.clear(SOURCE)
    FakeHost(wall).introduce()
    await kept.store()
    assert SOURCE in wall.problems
    nowhere = KeptHosts(None, wall.follower, 1000, wall.problems)
    nowhere.load([])
    await nowhere.store()


async def test_hosts_are_stored_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "NEW_S", 0.01)
    wall = Wall()
    host = FakeHost(wall)
    host.introduce()
    roster = Roster(tmp_path / "hosts.sqlite")
    kept = KeptHosts(tmp_path / "hosts.sqlite", wall.follower, 1000, wall.problems)
    running = asyncio.create_task(kept.run())
    async with asyncio.timeout(30):
        while not roster.load():
            await asyncio.sleep(0.01)
        # Its first tick is stored soon too, and not only every EVERY_S.
        monkeypatch.setattr(keeping, "EVERY_S", 1e9)
        host.tick(wall.due + 1, 1)
        while not roster.load()[0].place.ticked_ms:
            await asyncio.sleep(0.01)
    running.cancel()


async def test_what_a_host_made_before_its_first_tick_came_is_missing_after_a_restart(tmp_path: Path) -> None:
    wall = Wall()
    FakeHost(wall).introduce()
    await KeptHosts(tmp_path / "hosts.sqlite", wall.follower, 1000, wall.problems).store()
    later = Wall()
    KeptHosts(tmp_path / "hosts.sqlite", later.follower, 1000, later.problems).load(["http://a:3000"])
    host = later.follower.hosts["web-1"]
    assert host.ticked_ms == round(host.seen * 1000) - AGAIN_MS > 0


@pytest.mark.parametrize("nats", [True, False])
def test_hosts_of_nats_are_known_while_nats_is_followed(tmp_path: Path, nats: bool) -> None:
    path = tmp_path / "hosts.sqlite"
    reached = HostPlace("live", 1.0, 2.0, 3_000, 0, [], "nats://a:4222", "nats")
    Roster(path).save([KnownHost(ABOUT, reached)], [])
    wall = Wall()
    assert KeptHosts(path, wall.follower, 1000, wall.problems).load([], nats=nats)
    assert list(wall.follower.hosts) == (["web-1"] if nats else [])
