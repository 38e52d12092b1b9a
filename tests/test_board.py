"""A board is declared as one would say it, and describes itself to the page."""

import asyncio

import pytest
from tests.outlets import Inbox

from tickboard import Board, BoardError, InputError
from tickboard.settings import Settings
from tickboard.types import Card, Chart, Row


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


def test_every_epoch_is_another() -> None:
    epochs = set()
    for _ in range(20):
        one = Board()
        one.prepare(Settings())
        epochs.add(one.describe().epoch)
    assert len(epochs) == 20


def test_panels_are_shown_as_declared_and_inside_a_row_only_there(board: Board) -> None:
    cpu, load = board.gauge("cpu", "CPU", unit="%"), board.gauge("load", "Load")
    board.row(board.card(cpu), board.card(load), title="Now")
    board.chart(cpu, title="CPU over time", min=0, max=100)
    board.card(load)
    assert board.describe().panels == [
        Row([Card("cpu", "CPU"), Card("load", "Load")], "Now"),
        Chart(["cpu"], "CPU over time", "%", 0, 100),
        Card("load", "Load"),
    ]


def test_rows_may_hold_rows(board: Board) -> None:
    cpu = board.gauge("cpu")
    board.row(board.row(board.card(cpu)), board.chart(cpu))
    [outer] = board.describe().panels
    assert isinstance(outer, Row)
    assert [type(panel).__name__ for panel in outer.panels] == ["Row", "Chart"]


def test_rules_are_described_with_their_thresholds(board: Board) -> None:
    cpu = board.gauge("cpu", unit="%")
    board.alert(cpu > 90, "CPU: {value:.1f}%", severity="critical", for_="10s", clear=cpu < 80, keep="30s")
    [rule] = board.describe().rules
    assert (rule.condition, rule.metric, rule.threshold, rule.severity) == ("cpu > 90", "cpu", 90, "critical")


def test_what_is_wrong_is_refused_and_nothing_is_left_half_done(board: Board) -> None:
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
    with pytest.raises(InputError, match="'load' is not a metric of this board; it has cpu"):
        board.metric("load")
    assert board.describe().rules == []
    assert board.metric("cpu") is cpu


def test_a_decorated_sampler_stays_a_function(board: Board) -> None:
    @board.every("1s")
    def answer() -> int:
        return 42

    assert answer() == 42


def test_a_board_that_is_asked_before_it_was_prepared_prepares_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOW_SIZE", "7")
    board = Board(interval_ms=50)
    assert (board.settings.window_size, board.settings.interval_ms) == (7, 50)


def test_a_lifespan_samples_and_says_goodbye() -> None:
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


def test_a_rule_that_is_added_while_it_is_served_is_held_to_the_window() -> None:
    board = Board(interval_ms=1_000, window_size=60)
    cpu = board.gauge("cpu")
    board.alert(cpu.avg("1h") > 3, "m", name="too long")
    with pytest.raises(BoardError, match="the window is 60 s long"):
        board.prepare(Settings())
    other = Board(interval_ms=1_000, window_size=60)
    other.prepare(Settings())
    with pytest.raises(InputError, match="the window is 60 s long"):
        other.alert(other.gauge("cpu").avg("1h") > 3, "m")
