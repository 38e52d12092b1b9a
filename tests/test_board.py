"""Declaring a board, and its description for the page."""

import asyncio
import re
from collections.abc import Callable

import pytest
from tests.outlets import Inbox

from tickboard import Board, BoardError, InputError
from tickboard.configuration.config import parse_config
from tickboard.hub import initials
from tickboard.settings import Settings


@pytest.fixture
def board() -> Board:
    board = Board("Mine")
    board.prepare(Settings())
    return board


def test_a_bare_board_describes_itself(board: Board) -> None:
    described = board.describe()
    assert (described.title, described.interval_ms, described.window_size) == ("Mine", 1000, 60)
    assert described.panels == []
    assert described.epoch == board.hub.engine.epoch


def test_every_board_has_a_new_epoch() -> None:
    epochs = set()
    for _ in range(20):
        one = Board()
        one.prepare(Settings())
        epochs.add(one.describe().epoch)
    assert len(epochs) == 20


def test_rules_are_described_with_their_thresholds(board: Board) -> None:
    cpu = board.gauge("cpu", unit="%")
    board.alert(cpu > 90, "CPU: {value:.1f}%", severity="critical", for_="10s", clear=cpu < 80, keep="30s")
    [rule] = board.describe().rules
    assert (rule.condition, rule.metric, rule.threshold, rule.severity) == ("cpu > 90", "cpu", 90, "critical")


def test_an_invalid_declaration_is_refused_and_changes_nothing(board: Board) -> None:
    cpu = board.gauge("cpu", labels=["core"])
    with pytest.raises(InputError, match="cpu is not a condition"):
        board.alert(cpu, "m")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="duration 'soon'"):
        board.alert(cpu > 1, "m", for_="soon")
    with pytest.raises(
        InputError, match=r"\{host\} is unknown; it may use \{value\}, \{metric\}, \{threshold\}, \{core\}"
    ):
        board.alert(cpu > 1, "{host}")
    with pytest.raises(InputError, match="schedule"):
        board.every("often")
    with pytest.raises(InputError, match=r'write @board\.every\("1s"\)'):
        board.every(lambda: None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="'load' is not a metric of this board: use one of cpu"):
        board.metric("load")
    assert board.describe().rules == []
    assert board.metric("cpu") is cpu


@pytest.mark.parametrize("name", ["max_series", "max_series_per_source", "max_window_mb"])
@pytest.mark.parametrize("limit", ["x", -1, 1.5, None])
def test_an_invalid_limit_is_refused_with_its_name(name: str, limit: object) -> None:
    with pytest.raises(InputError, match=re.escape(f"Board({name}={limit!r}): give a whole number of 0 or more")):
        Board(**{name: limit})  # type: ignore[arg-type]


def test_a_decorated_sampler_stays_a_function(board: Board) -> None:
    @board.every("1s")
    def answer() -> int:
        return 42

    assert answer() == 42


def test_a_board_prepares_itself_when_first_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOW_SIZE", "7")
    board = Board(interval_ms=50)
    assert (board.settings.window_size, board.settings.interval_ms) == (7, 50)


def test_a_lifespan_runs_samplers_and_closes_viewers_at_its_end() -> None:
    async def scenario() -> None:
        board = Board(interval_ms=10)
        ticked = asyncio.Event()
        board.gauge("a")

        @board.every()
        async def sample() -> None:
            if board.hub.engine.seq > 2:
                ticked.set()

        async with board.lifespan():
            await asyncio.wait_for(ticked.wait(), 5)
            viewer = Inbox()
            board.hub.join(viewer)
            await board.start()
        assert viewer.closed == 1001
        seq = board.hub.engine.seq
        await board.stop()
        await asyncio.sleep(0.05)
        assert board.hub.engine.seq == seq

    asyncio.run(scenario())


def test_a_board_takes_over_viewers_and_history() -> None:
    old, new = Board("old"), Board("new")
    old.gauge("a").set(1)
    new.gauge("a")
    old.prepare(Settings())
    viewer = Inbox()
    old.hub.join(viewer)
    for _ in old.hub.publish(old.hub.engine.tick(1.0, 1.0)):
        pass
    viewer.take()
    new.prepare(Settings(), replaces=old)
    assert new.hub is old.hub
    assert new.hub.engine.seq == 1
    board, _ = viewer.take()
    assert board["board"]["title"] == "new"


def ticked(board: Board) -> None:
    """Make a tick and publish it."""
    engine = board.hub.engine
    for _ in board.hub.publish(engine.tick((engine.last_time or 0.0) + 1.0, 1.0)):
        pass


def test_a_board_takes_over_pushed_series_and_those_that_come_later() -> None:
    boards = [Board("old"), Board("new")]
    queues = [board.gauge("queue", labels=["city"]) for board in boards]
    old, new = boards
    old.alert(queues[0] > 3, "long")
    new.alert(queues[1] > 3, "long")
    old.prepare(Settings())
    source = old.intake.source("push")
    source.set([source.gauge("t", "temperature", [("room", "attic")], unit="°C")], [20])
    for value in (4, 5):
        queues[0].labels(city="Oslo").set(value)
        ticked(old)
    viewer = Inbox()
    old.hub.join(viewer)
    viewer.take()
    shown = old.describe().panels
    new.prepare(Settings(), replaces=old)
    described, initial = viewer.take()
    assert new.describe().panels == shown
    assert "temperature" in {metric["name"] for metric in described["board"]["metrics"]}
    assert [(metric["name"], metric["value"]) for metric in initial["data"]] == [("temperature", 20)] * 2
    [alert] = new.firing
    queues[1].labels(city="Oslo").set(6)
    ticked(new)
    told = viewer.take()
    amended = [metric["value"] for message in told if message["type"] == "amended" for metric in message["data"]]
    assert amended == [4, 5]
    [tick] = [message for message in told if message["type"] == "metrics"]
    assert [metric["value"] for metric in tick["data"]] == [6, 20]
    assert [one.id for one in new.firing] == [alert.id]


def test_a_rule_longer_than_the_window_is_refused() -> None:
    board = Board(interval_ms=1_000, window_size=60)
    cpu = board.gauge("cpu")
    board.alert(cpu.avg("1h") > 3, "m", name="too long")
    with pytest.raises(BoardError, match="the window is 60 s long"):
        board.prepare(Settings())
    other = Board(interval_ms=1_000, window_size=60)
    other.prepare(Settings())
    with pytest.raises(InputError, match="the window is 60 s long"):
        other.alert(other.gauge("cpu").avg("1h") > 3, "m")


async def test_a_large_window_is_encoded_in_turns_even_for_the_first_viewer(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initials, "MOST_AT_ONCE", 0)
    board.gauge("a").set(1)
    for _ in board.hub.publish(board.hub.engine.tick(1.0, 1.0)):
        pass
    viewer = Inbox()
    board.hub.join(viewer)
    assert not viewer.raw
    while not viewer.raw:
        await asyncio.sleep(0)
    assert viewer.messages()[0]["type"] == "initial"


def test_functions_added_to_a_served_board_are_refused() -> None:
    board = Board()
    load = board.gauge("load")

    async def scenario() -> None:
        async with board.lifespan():
            with pytest.raises(InputError, match=r"function of gauge load: .*: declare it before the board starts"):
                load.set_function(lambda: 1.0)
            with pytest.raises(InputError, match=r"alert function print: .*: declare it before the board starts"):
                board.on_alert(print)

    asyncio.run(scenario())


class Idle:
    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda board: board.every("1s")(print), "sampler print: the board is already being served"),
        (lambda board: board.monitor_self(), "monitor_self: the board is already being served"),
        (
            lambda board: board.scrape("http://u:p@localhost:9100/"),
            "scrape http://localhost:9100/: the board is already",
        ),
        (lambda board: board.statsd(port=0), "statsd: the board is already being served"),
        (lambda board: board.add_source(Idle()), "Idle object at .*: the board is already being served"),
        (lambda board: board.notify("ops", "json://localhost"), "notifier ops: the board is already prepared"),
        (lambda board: board.apply_config(parse_config(b"", "a.toml")), "apply_config: the board is already prepared"),
    ],
)
def test_declarations_that_a_served_board_would_ignore_are_refused(
    declare: Callable[[Board], object], message: str
) -> None:
    board = Board()

    async def scenario() -> None:
        async with board.lifespan():
            with pytest.raises(InputError, match=message):
                declare(board)

    asyncio.run(scenario())
