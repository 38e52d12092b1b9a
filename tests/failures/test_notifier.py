"""Whatever a notification service does, ticks and other notifiers continue, the program can end, and it is reported.

The services are real Apprise plugins whose sending is foreign code; the other notifier is a real webhook.
"""

import asyncio
import subprocess
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.receivers import Webhook, webhook
from tests.serving import serve

from tickboard import Board, InputError
from tickboard.hub.traffic import Notified
from tickboard.notify import notifier
from tickboard.notify.message_text import Message

SECRET = "s3cr3t"


class Odd:
    """The behaviour of the odd service.

    Attributes:
        sends: called for each message; None: the message is accepted.
        taken: the titles of the accepted messages.
    """

    def __init__(self) -> None:
        self.sends: Callable[[], object] | None = None
        self.taken: list[str] = []


ODD = Odd()


def _send(body: str, title: str, *arguments: object, **more: object) -> object:
    if ODD.sends is not None:
        return ODD.sends()
    ODD.taken.append(title)
    return True


@pytest.fixture(autouse=True, scope="module")
def _plugin() -> None:
    """Register the odd service with Apprise, some of whose own plugins use deprecated Python features."""
    with warnings.catch_warnings(action="ignore"):
        from apprise.decorators import notify

        notify(on="odd", name="Odd")(_send)  # type: ignore[no-untyped-call]


@pytest.fixture
def receiver() -> Iterator[Webhook]:
    with webhook() as running:
        yield running


@pytest.fixture(autouse=True)
def odd() -> Iterator[Odd]:
    ODD.sends = None
    ODD.taken.clear()
    yield ODD
    ODD.sends = None


class World:
    """A board with two notifiers, one of which is odd."""

    def __init__(self, receiver: Webhook) -> None:
        self.board = Board("Shop", interval_ms=20)
        self.cpu = self.board.gauge("cpu")
        self.cpu.set(1)
        self.board.alert(self.cpu > 90, "hot")
        self.board.notify("odd", f"odd://{SECRET}@host", wait="10ms", limit=1000)
        self.board.notify("hook", f"json://127.0.0.1:{receiver.port}/", wait="10ms", limit=1000)

    @property
    def problem(self) -> str:
        """Return the problem of the odd notifier, or an empty string."""
        found = self.board.hub.problems.get("notifier odd")
        return "" if found is None else found.message

    @property
    def counts(self) -> Notified:
        return self.board.hub.traffic.notified["odd"]

    async def ticks(self, number: int = 3) -> None:
        seq = self.board.hub.engine.seq
        await until(lambda: self.board.hub.engine.seq >= seq + number)

    async def fire(self) -> None:
        self.cpu.set(95)
        await self.ticks()

    async def resolve(self) -> None:
        self.cpu.set(1)
        await self.ticks()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses between attempts."""
    monkeypatch.setattr("tickboard.notify.delivery.FIRST_BACKOFF_S", 0.05)
    monkeypatch.setattr("tickboard.notify.delivery.LONGEST_BACKOFF_S", 0.1)


def shorten_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten attempts that hang; on a busy machine, others may take as long."""
    assert notifier.Notifier.__init__.__defaults__ == (notifier.SEND_S,)
    monkeypatch.setattr(notifier.Notifier.__init__, "__defaults__", (0.3,))


@asynccontextmanager
async def running(world: World) -> AsyncIterator[None]:
    async with world.board.lifespan():
        yield


def raising(error: BaseException) -> Callable[[], object]:
    def send() -> object:
        raise error

    return send


def hanging(free: threading.Event) -> Callable[[], object]:
    def send() -> object:
        free.wait(30)
        return False

    return send


FREE = threading.Event()

WAYS: dict[str, tuple[Callable[[], object], str]] = {
    "raises": (raising(RuntimeError(f"cannot post to https://{SECRET}/")), "it could not be reached"),
    "exits": (raising(SystemExit(3)), "it could not be sent: SystemExit"),
    "interrupts": (raising(KeyboardInterrupt()), "it could not be sent: KeyboardInterrupt"),
    "cancels": (raising(asyncio.CancelledError(SECRET)), "it could not be sent: CancelledError"),
    "ends its generator": (raising(GeneratorExit()), "it could not be sent: GeneratorExit"),
    "ends its thread": (lambda: __import__("_thread").exit(), "it could not be sent: SystemExit"),
    "says no": (lambda: False, "it could not be reached"),
    "hangs": (hanging(FREE), "no answer within 0.3 s"),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("way", WAYS)
async def test_whatever_a_service_does_the_board_keeps_running_and_it_recovers(
    way: str, receiver: Webhook, odd: Odd, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "hangs":
        shorten_attempts(monkeypatch)
    FREE.clear()
    odd.sends, said = WAYS[way]
    world = World(receiver)
    async with running(world):
        await world.fire()
        await until(lambda: world.problem)
        assert said in world.problem
        assert world.problem.endswith("; it will be tried again until it does")
        assert world.counts.failed >= 1
        await until(lambda: receiver.taken)
        await world.ticks(20)
        await world.resolve()
        await until(lambda: len(receiver.taken) >= 2)
        odd.sends = None
        FREE.set()
        # One message contains everything that happened meanwhile.
        await until(lambda: odd.taken)
        await until(lambda: not world.problem)
        assert world.counts.sent >= 1
    assert SECRET not in caplog.text


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("answer", [None, 1, "sent", [], object()])
async def test_an_invalid_answer_does_not_count_as_a_delivery(
    answer: object, receiver: Webhook, odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(receiver)
    [service] = [each for each in world.board.notifiers if each.destination.name == "odd"]
    async with running(world):
        with monkeypatch.context() as answering:
            answering.setattr(service._plugin, "notify", lambda *arguments, **more: answer)
            await world.fire()
            await until(lambda: f"it returned {type(answer).__name__}, not whether" in world.problem)
        with monkeypatch.context() as answering:
            answering.setattr(service, "send", lambda message: 5)
            await until(lambda: "it returned int" in world.problem)
        await until(lambda: odd.taken)
        await until(lambda: not world.problem)
        assert len(receiver.taken) == 1


@pytest.mark.usefixtures("quick")
async def test_a_service_that_hangs_forever_does_not_delay_the_shutdown(
    receiver: Webhook, odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_attempts(monkeypatch)
    free = threading.Event()
    odd.sends = hanging(free)
    world = World(receiver)
    before = threading.active_count()
    async with running(world):
        await world.fire()
        await until(lambda: f"{notifier.MAX_HANGING} attempts still hang" in world.problem)
        failed = world.counts.failed
        await until(lambda: world.counts.failed > failed)
        assert len([each for each in threading.enumerate() if each.name == "notifier odd"]) == notifier.MAX_HANGING
        assert threading.active_count() <= before + 10
    free.set()


def test_the_program_ends_while_a_service_hangs(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text(
        "import time\n"
        "from apprise.decorators import notify\n"
        "from tickboard import Board\n\n"
        "@notify(on='odd')\n"
        "def hang(*arguments, **more):\n"
        "    print('hanging', flush=True)\n"
        "    time.sleep(600)\n\n"
        "board = Board(interval_ms=50)\n"
        "cpu = board.gauge('cpu')\n"
        "cpu.set(95)\n"
        "board.alert(cpu > 90, 'hot')\n"
        "board.notify('ops', 'odd://host', wait='10ms')\n"
    )
    with serve("run", str(file)) as server:
        server.wait_for(lambda: "hanging" in server.output())
        # It would be killed after ten seconds.
        assert server.stop() == 0


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "way",
    [
        raising(ZeroDivisionError("a defect")),
        raising(SystemExit(3)),
        raising(asyncio.CancelledError()),
        lambda: None,
    ],
    ids=["raises", "exits", "cancels", "ends"],
)
async def test_a_notifier_whose_task_ends_is_reported_and_restarted(
    way: Callable[[], object], receiver: Webhook, odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(receiver)
    run = notifier.Notifier.run
    failed = False

    async def end(self: notifier.Notifier, *arguments: Any) -> None:
        nonlocal failed
        if self._service.destination.name == "odd" and not failed:
            failed = True
            way()
        else:
            await run(self, *arguments)

    monkeypatch.setattr(notifier.Notifier, "run", end)
    source = "notifier odd: reader"
    async with running(world):
        await world.fire()
        await until(lambda: source in world.board.hub.problems)
        await until(lambda: odd.taken and receiver.taken)
        await until(lambda: source not in world.board.hub.problems)
        assert len(odd.taken) == 1


@pytest.mark.usefixtures("quick")
async def test_a_service_that_fails_on_and_off_does_not_flood_the_log(
    receiver: Webhook, odd: Odd, caplog: pytest.LogCaptureFixture
) -> None:
    turns = 0

    def alternate() -> bool:
        nonlocal turns
        turns += 1
        return turns % 2 == 0

    odd.sends = alternate
    world = World(receiver)
    async with running(world):
        for _ in range(15):
            await world.fire()
            await world.resolve()
        await until(lambda: world.counts.failed >= 10 and world.counts.sent >= 10)
    assert 1 <= caplog.text.count("notifier odd: ") <= 8


async def test_a_notifier_recovers_after_a_thread_could_not_be_started(
    receiver: Webhook, odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(receiver)
    [service] = [each for each in world.board.notifiers if each.destination.name == "odd"]
    sending = notifier.Notifier(service, "Shop", Notified(), lambda source, message: None)

    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    for _ in range(5):
        with monkeypatch.context() as failing:
            failing.setattr(threading.Thread, "start", full)
            reason = await sending.attempt(lambda: Message("title", "body", "info"))
        assert reason == "no thread could be started for it: can't start new thread"
    assert await sending.attempt(lambda: Message("title", "body", "info")) == ""
    assert odd.taken == ["title"]


# --- Apprise itself ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ImportError('no module named markdown')", "cannot be imported: no module named markdown: reinstall"),
        ("raise RuntimeError('odd')", "failed: RuntimeError: reinstall tickboard"),
        ("raise SystemExit(3)", "failed: SystemExit: reinstall tickboard"),
        ("import time\ntime.sleep(600)", "was not ready within 1 s: reinstall tickboard"),
        ("Apprise = AppriseAsset = None", "failed: TypeError: reinstall tickboard"),
    ],
    ids=["raises ImportError", "raises", "exits", "hangs", "is of another type"],
)
def test_a_broken_apprise_import_is_reported_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "apprise").mkdir()
    (tmp_path / "apprise" / "__init__.py").write_text(text)
    file = tmp_path / "board.py"
    file.write_text(
        "from tickboard import Board\n"
        "from tickboard.notify import notifier\n\n"
        "notifier.MAKE_S = 1\n"
        "board = Board()\n"
        f"board.notify('ops', 'json://{SECRET}@host/')\n"
    )
    program = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nfrom tickboard.cli.main import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", str(file)], capture_output=True, text=True, check=False, timeout=50
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert f"notifier 'ops': Apprise, which sends messages, {said}" in done.stderr
    assert SECRET not in done.stderr


def test_a_plugin_that_raises_when_created_does_not_leak_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **more: object) -> object:
        raise RuntimeError(f"cannot use {SECRET}")

    monkeypatch.setattr("apprise.Apprise.instantiate", fail)
    with pytest.raises(
        InputError, match=r"notifier 'ops': Apprise, which sends messages, failed: RuntimeError: "
    ) as raised:
        Board().notify("ops", f"json://{SECRET}@host/")
    assert SECRET not in str(raised.value)
