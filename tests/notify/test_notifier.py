"""Notifiers against real receivers: some work, some hang, fail, recover or stay down."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.receivers import Mailbox, Webhook, mailbox, webhook
from tests.serving import serve

from tickboard import Board, InputError
from tickboard.alerting.log import AlertLog
from tickboard.errors import TickboardError
from tickboard.hub.traffic import Notified
from tickboard.journal.journal import Journal
from tickboard.notify import notifier as notify
from tickboard.notify.destinations import make_destination
from tickboard.notify.message_text import MAX_LINES, trial
from tickboard.notify.notifier import MAX_HANGING, Notifier, Service
from tickboard.wire import Acknowledgement, Alert, Silence

SECRET = "s3cr3t-t0k3n"
WHEN = "2026-01-31T12:00:00.000Z"
WAIT_S = 20.0

# aiosmtpd asks for TLS. This is loopback.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


@pytest.fixture
def receiver() -> Iterator[Webhook]:
    with webhook() as running:
        yield running


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as running:
        yield running


def drive(scenario: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(scenario())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


def alert(id: str, message: str = "", **fields: object) -> Alert:
    made = Alert(id, message or f"message {id}", "critical", WHEN, "cpu", {"host": id}, 95.0, rule="cpu", started=WHEN)
    return msgspec.structs.replace(made, **fields)


class Bench:
    """A log of alerts, and a notifier that reads it.

    Attributes:
        log: of alerts.
        counts: how many messages were sent, failed and dropped.
        problem: the problem shown on the page, or None.
    """

    def __init__(
        self,
        url: str,
        environ: dict[str, str] | None = None,
        *,
        log: AlertLog | None = None,
        send_s: float = 30.0,
        wait: str = "50ms",
    ) -> None:
        self.log = log or AlertLog("e")
        self.counts = Notified()
        self.problem: str | None = None
        self.problems = 0
        self.service = Service(make_destination("ops", url, environ or {}, wait=wait))
        self.notifier = Notifier(self.service, "Shop", self.counts, self._tell, send_s)
        self._wakes: set[Callable[[], None]] = set()

    def fire(self, *alerts: Alert) -> None:
        self._append("firing", *alerts)

    def resolve(self, *alerts: Alert) -> None:
        self._append("resolved", *(msgspec.structs.replace(one, resolved=WHEN) for one in alerts))

    def change(self, one: Alert) -> None:
        self._append("changed", one)

    @asynccontextmanager
    async def running(self, journal: notify.DeliveryJournal | None = None) -> AsyncIterator[None]:
        """Run the notifier while the context is open."""
        task = asyncio.create_task(self.notifier.run(self.log, self._subscribe, journal))
        await until(lambda: self._wakes or task.done())
        try:
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert not self._wakes

    def _append(self, kind: str, *alerts: Alert) -> None:
        for one in alerts:
            self.log.append(kind, one, time.time())  # type: ignore[arg-type]
        for wake in self._wakes:
            wake()

    def _subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        self._wakes.add(wake)
        return lambda: self._wakes.discard(wake)

    def _tell(self, source: str, message: str | None) -> None:
        assert source == "notifier ops"
        self.problem = message
        self.problems += message is not None


# --- successful delivery ---


def test_a_webhook_is_notified_when_an_alert_fires_and_when_it_is_resolved(receiver: Webhook) -> None:
    async def scenario() -> None:
        bench = Bench(f"json://127.0.0.1:{receiver.port}/")
        async with bench.running():
            bench.fire(alert("a", "CPU usage critical: 95.0%"))
            await until(lambda: len(receiver.taken) == 1)
            bench.resolve(alert("a", "CPU usage critical: 95.0%"))
            await until(lambda: len(receiver.taken) == 2)
            await until(lambda: bench.log.positions == {"ops": 2})
        assert receiver.titles == [
            "Shop: CRITICAL CPU usage critical: 95.0%",
            "Shop: RESOLVED CPU usage critical: 95.0%",
        ]
        assert [body["type"] for body in receiver.taken] == ["failure", "success"]
        assert bench.counts == Notified(2, 0, 0)
        assert bench.problems == 0

    drive(scenario)


def test_a_mail_is_sent_by_smtp_with_the_password_from_the_environment(box: Mailbox) -> None:
    async def scenario() -> None:
        url = f"mailto://me:${{PASSWORD}}@127.0.0.1:{box.port}/?from=board@example.org&to=ops@example.org&mode=insecure"
        bench = Bench(url, {"PASSWORD": "p@ss/w:rd"})
        async with bench.running():
            bench.fire(alert("a", "Disk <b>full</b>: /var\nBcc: all@example.org"), alert("b"))
            await until(lambda: box.mails)
            await until(lambda: bench.counts.sent == 1)
        [mail] = box.mails
        assert mail["subject"] == "Shop: 2 firing (2 critical)"
        assert mail["bcc"] is None
        assert box.recipients == [["ops@example.org"]]
        assert box.logins == [("me", "p@ss/w:rd")]
        text = mail.get_content()
        assert text.startswith("CRITICAL Disk <b>full</b>: /var Bcc: all@example.org (since 2026-01-31 12:00:00 UTC)")
        assert len(text.splitlines()) == 2

    drive(scenario)


def test_an_alert_that_fires_and_ends_within_the_wait_is_sent_once_as_both(receiver: Webhook) -> None:
    async def scenario() -> None:
        bench = Bench(f"json://127.0.0.1:{receiver.port}/", wait="300ms")
        async with bench.running():
            bench.fire(alert("a"))
            bench.resolve(alert("a"))
            await until(lambda: receiver.taken)
        assert receiver.titles == ["Shop: FIRED AND OVER message a"]

    drive(scenario)


def test_silenced_alerts_are_not_sent(receiver: Webhook) -> None:
    async def scenario() -> None:
        bench = Bench(f"json://127.0.0.1:{receiver.port}/")
        silence = Silence("cpu", WHEN, "known", WHEN)
        async with bench.running():
            bench.fire(alert("quiet", silenced=silence))
            bench.resolve(alert("quiet", silenced=silence))
            bench.fire(alert("seen", acknowledged=Acknowledgement(WHEN)))
            await until(lambda: bench.counts.sent)
        assert receiver.titles == ["Shop: CRITICAL message seen"]

    drive(scenario)


def test_ten_thousand_series_in_one_tick_are_one_short_message(receiver: Webhook) -> None:
    async def scenario() -> None:
        bench = Bench(f"json://127.0.0.1:{receiver.port}/", wait="200ms")
        alerts = [alert(str(n), f"Disk almost full: /data/{n} 99.1%") for n in range(10_000)]
        async with bench.running():
            bench.fire(*alerts)
            await until(lambda: receiver.taken)
            bench.resolve(*alerts)
            await until(lambda: len(receiver.taken) == 2)
            await until(lambda: bench.log.positions == {"ops": 20_000})
        assert receiver.titles == ["Shop: 10,000 firing (10,000 critical)", "Shop: 10,000 resolved"]
        for body in receiver.taken:
            assert len(body["message"].splitlines()) <= MAX_LINES
            assert len(body["message"]) < 1_000

    drive(scenario)


# --- failing receivers ---


def test_a_receiver_that_recovers_gets_every_alert_and_the_problem_is_cleared(receiver: Webhook) -> None:
    async def scenario() -> None:
        bench = Bench(f"json://127.0.0.1:{receiver.port}/")
        receiver.status = 503
        async with bench.running():
            bench.fire(alert("a"))
            await until(lambda: bench.problem)
            assert bench.problem == (
                "JSON did not accept a message: the answer had status 503; it will be tried again until it does"
            )
            bench.fire(alert("b"))
            receiver.status = 200
            await until(lambda: bench.counts.sent)
            assert bench.problem is None
        assert len(receiver.taken) == 1
        assert "message a" in receiver.text
        assert "message b" in receiver.text
        assert bench.counts.failed >= 1

    drive(scenario)


def test_an_unreachable_receiver_gets_every_alert_when_it_returns(receiver: Webhook) -> None:
    async def scenario() -> None:
        bench = Bench(f"json://127.0.0.1:{receiver.port}/")
        receiver.stop_listening()
        async with bench.running():
            bench.fire(alert("a"))
            await until(lambda: bench.problem)
            assert "could not be reached" in (bench.problem or "")
            receiver.start_listening()
            await until(lambda: receiver.taken)
            await until(lambda: bench.problem is None)
        assert receiver.titles == ["Shop: CRITICAL message a"]

    drive(scenario)


def test_a_receiver_that_stays_down_is_retried_with_backoff_and_its_position_stays(receiver: Webhook) -> None:
    async def scenario() -> None:
        bench = Bench(f"json://127.0.0.1:{receiver.port}/")
        receiver.stop_listening()
        began = time.monotonic()
        async with bench.running():
            bench.fire(alert("a"))
            await until(lambda: bench.counts.failed == 3)
            # The retries come one second and then two seconds later.
            assert time.monotonic() - began >= 3.0
            assert bench.log.positions == {"ops": 0}
        assert bench.counts.sent == 0

    drive(scenario)


def test_attempts_to_a_hanging_receiver_time_out_and_their_threads_are_bounded(receiver: Webhook) -> None:
    async def scenario() -> None:
        bench = Bench(f"json://127.0.0.1:{receiver.port}/", send_s=0.1)
        receiver.hangs = True
        before = threading.active_count()
        reasons = [await bench.notifier.attempt(lambda: trial("Shop")) for _ in range(MAX_HANGING + 2)]
        assert reasons[:MAX_HANGING] == ["no answer within 0.1 s"] * MAX_HANGING
        assert reasons[MAX_HANGING:] == [f"{MAX_HANGING} attempts still hang"] * 2
        # Each attempt has a thread here and one in the receiver.
        assert threading.active_count() - before <= 2 * MAX_HANGING
        receiver.stop_listening()
        receiver.hangs = False
        receiver.start_listening()
        async with asyncio.timeout(WAIT_S):
            while await bench.notifier.attempt(lambda: trial("Shop")):
                await asyncio.sleep(0.1)
        assert receiver.titles == ["Shop: test"]

    drive(scenario)


def test_ticks_and_other_notifiers_continue_while_one_hangs(receiver: Webhook, box: Mailbox) -> None:
    async def scenario() -> None:
        board = Board("Shop", interval_ms=20)
        cpu = board.gauge("cpu")
        cpu.set(95)
        board.alert(cpu > 90, "CPU: {value:.0f}")
        board.notify("hangs", f"json://127.0.0.1:{receiver.port}/", wait="10ms")
        board.notify(
            "mail",
            f"mailto://me:x@127.0.0.1:{box.port}/?from=a@example.org&to=b@example.org&mode=insecure",
            wait="10ms",
        )
        receiver.hangs = True
        async with board.lifespan():
            await until(lambda: receiver.asked)
            seq = board.hub.engine.seq
            await until(lambda: box.mails and board.hub.engine.seq >= seq + 50)
            assert receiver.taken == []
            assert board.hub.traffic.notified["hangs"] == Notified(0, 0, 0)
        assert not board.hub.subscribers

    drive(scenario)


def test_an_exception_of_a_service_is_reported_by_its_type_only(receiver: Webhook) -> None:
    class Broken(Service):
        def send(self, message: object) -> str:
            raise RuntimeError(f"cannot post to https://host/{SECRET}")

    async def scenario() -> None:
        bench = Bench(f"json://127.0.0.1:{receiver.port}/")
        notifier = Notifier(Broken(bench.service.destination), "Shop", bench.counts, bench._tell)
        assert await notifier.attempt(lambda: trial("Shop")) == "it could not be sent: RuntimeError"

    drive(scenario)


# --- restarts ---


class FakeJournal:
    """A journal that records positions, or fails as the test says.

    Attributes:
        positions: the positions, in order.
        tried: the positions that could not be written.
        error: what `keep_position` raises instead of writing, or None.
    """

    def __init__(self) -> None:
        self.positions: list[tuple[str, int]] = []
        self.tried: list[int] = []
        self.error: Exception | None = None

    async def keep_position(self, notifier: str, number: int) -> None:
        if self.error is not None:
            self.tried.append(number)
            raise self.error
        self.positions.append((notifier, number))


def test_alerts_not_sent_before_a_stop_are_sent_after_the_restart(receiver: Webhook, tmp_path: Path) -> None:
    async def scenario() -> None:
        url = f"json://127.0.0.1:{receiver.port}/"
        log, journal = kept_log(tmp_path)
        before = Bench(url, log=log)
        async with before.running(journal):
            before.fire(alert("told"))
            await until(lambda: log.positions == {"ops": 1})
            receiver.status = 500
            before.fire(alert("untold"))
            before.resolve(alert("told"))
            await until(lambda: before.counts.failed)
        await journal.commit(log.since(0))
        await journal.close()
        receiver.status = 200
        log, journal = kept_log(tmp_path)
        assert log.positions == {"ops": 1}
        after = Bench(url, log=log)
        async with after.running(journal):
            await until(lambda: after.counts.sent)
        await journal.close()
        assert receiver.titles == ["Shop: CRITICAL message told", "Shop: 1 firing, 1 resolved (1 critical)"]
        assert "CRITICAL message untold" in receiver.text
        assert "RESOLVED message told" in receiver.text
        log, journal = kept_log(tmp_path)
        assert log.positions == {"ops": 3}
        await journal.close()

    drive(scenario)


def kept_log(folder: Path) -> tuple[AlertLog, Journal]:
    """Return a journal and its log with the positions, as a start loads them."""
    journal = Journal(folder / "alerts.sqlite")
    kept = journal.load()
    log = AlertLog(kept.epoch, kept.events, kept.number)
    log.positions |= kept.positions
    return log, journal


FIRES_UNTIL_IT_IS_KILLED = """
import asyncio, sys, time
from pathlib import Path
from tickboard.alerting.log import AlertLog
from tickboard.notify.destinations import make_destination
from tickboard.journal.journal import Journal
from tickboard.notify.notifier import Notifiers, Service
from tickboard.problems import Problems
from tickboard.hub.traffic import Notified
from tickboard.wire import Alert

async def main(path, url):
    service = Service(make_destination("ops", url, {}, wait="20ms", limit=10_000))
    journal = Journal(Path(path))
    kept = journal.load()
    log = AlertLog(kept.epoch, kept.events, kept.number, kept=True)
    log.positions |= kept.positions
    wakes = []
    notifiers = Notifiers([service], "Shop", {}, lambda source, message: None, Problems())
    notifiers.start(log, lambda wake: wakes.append(wake) or (lambda: None), journal)
    while True:
        await asyncio.sleep(0.005)
        # No more wait than a message has lines for.
        if log.number - log.positions.get("ops", log.number) < 15:
            name = f"n{log.number + 1}"
            alert = Alert(name, f"<{name}>", "critical", "2026-01-31T12:00:00.000Z", rule=name)
            event = log.append("firing", alert, time.time())
            await journal.commit([event])
            log.publish(event.number)
            for wake in wakes:
                wake()
            print(event.number, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_alert_is_sent_after_a_kill_and_a_restart(receiver: Webhook, tmp_path: Path) -> None:
    url = f"json://127.0.0.1:{receiver.port}/"
    for events in (3, 20, 41):
        process = subprocess.Popen(
            [sys.executable, "-c", FIRES_UNTIL_IT_IS_KILLED, str(tmp_path / "alerts.sqlite"), url],
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout is not None
            for _ in range(events):
                assert process.stdout.readline()
            process.kill()

    async def scenario() -> None:
        log, journal = kept_log(tmp_path)
        assert log.number >= 64
        bench = Bench(url, log=log)
        async with bench.running(journal):
            await until(lambda: log.positions == {"ops": log.number})
        await journal.close()
        told = receiver.text
        assert [number for number in range(1, log.number + 1) if f"<n{number}>" not in told] == []

    drive(scenario)


def test_a_failing_journal_does_not_stop_notifications(receiver: Webhook) -> None:
    async def scenario() -> None:
        journal = FakeJournal()
        journal.error = TickboardError("the disk is full")
        bench = Bench(f"json://127.0.0.1:{receiver.port}/")
        async with bench.running(journal):
            bench.fire(alert("a"))
            await until(lambda: receiver.taken and 1 in journal.tried)
            journal.error = None
            bench.resolve(alert("a"))
            await until(lambda: journal.positions == [("ops", 2)])

    drive(scenario)


def test_a_new_notifier_sends_the_alerts_that_already_fire(receiver: Webhook) -> None:
    async def scenario() -> None:
        bench = Bench(f"json://127.0.0.1:{receiver.port}/")
        bench.fire(alert("a"), alert("b"))
        bench.resolve(alert("a"))
        async with bench.running():
            await until(lambda: receiver.taken)
        assert receiver.titles == ["Shop: CRITICAL message b"]

    drive(scenario)


def test_a_board_that_stops_and_starts_sends_nothing_twice(receiver: Webhook) -> None:
    async def scenario() -> None:
        board = Board("Shop", interval_ms=20)
        cpu = board.gauge("cpu")
        board.alert(cpu > 90, "CPU: {value:.0f}")
        board.notify("ops", f"json://127.0.0.1:{receiver.port}/", wait="10ms")
        cpu.set(95)
        await board.start()
        await until(lambda: receiver.taken)
        await until(lambda: board.hub.engine.alerts.log.positions["ops"] == 1)
        await board.stop()
        await board.start()
        cpu.set(1)
        await until(lambda: len(receiver.taken) == 2)
        await board.stop()
        assert receiver.titles == ["Shop: WARNING CPU: 95", "Shop: RESOLVED CPU: 95"]

    drive(scenario)


@pytest.mark.slow
def test_notifications_continue_after_a_stop_and_a_kill_of_the_board(receiver: Webhook, tmp_path: Path) -> None:
    file, state = tmp_path / "dashboard.py", str(tmp_path / "alerts.sqlite")
    text = f"""
from tickboard import Board

board = Board("Shop", interval_ms=50)
cpu = board.gauge("cpu")
cpu.set(95)
board.alert(cpu > 90, "CPU: {{value:.0f}}")
board.notify("ops", "json://127.0.0.1:{receiver.port}/", wait="10ms")
"""
    file.write_text(text)
    with serve("run", str(file), "--state", state) as running:
        running.wait_for(lambda: receiver.taken)
        running.wait_for(lambda: running.json("/api/health")["notifiers"]["ops"]["sent"])
        running.stop()
    with serve("run", str(file), "--state", state) as running:
        running.wait_for(lambda: running.json("/api/health")["seq"] >= 20)
        running.stop(signal.SIGKILL)
    # Replace only this 95: the receiver's port may contain one.
    file.write_text(text.replace("cpu.set(95)", "cpu.set(5)"))
    with serve("run", str(file), "--state", state) as running:
        running.wait_for(lambda: len(receiver.taken) == 2)
    assert receiver.titles == ["Shop: WARNING CPU: 95", "Shop: RESOLVED CPU: 95"]


# --- declarations ---


def test_an_invalid_notifier_is_refused_and_not_added() -> None:
    board = Board()
    board.notify("ops", "json://127.0.0.1:9/")
    for name, url, said in (
        ("ops", "json://127.0.0.1:9/", "notifier 'ops' is already declared: give another name"),
        (
            "chat",
            f"chat://{SECRET}",
            "notifier 'chat': Apprise cannot use its URL with chat://: write it like",
        ),
        ("chat", f"slack://{SECRET}", "notifier 'chat': Apprise cannot use its URL with slack://"),
        ("chat", SECRET, "notifier 'chat': Apprise cannot use its URL"),
        (f"slack://{SECRET}", "ops", "give the name first, then the URL"),
        ("chat", "$NOWHERE_TO_BE_FOUND", "the environment variable NOWHERE_TO_BE_FOUND of its URL is not set: set it"),
    ):
        with pytest.raises(InputError) as caught:
            board.notify(name, url)
        assert said in str(caught.value)
        assert SECRET not in str(caught.value)
    assert [service.destination.name for service in board.notifiers] == ["ops"]


def test_a_configuration_adds_notifiers_and_replaces_those_of_the_same_name(receiver: Webhook, tmp_path: Path) -> None:
    file, config = tmp_path / "dashboard.py", tmp_path / "tickboard.toml"
    file.write_text('from tickboard import Board\nboard = Board("Shop")\nboard.notify("ops", "json://127.0.0.1:9/")\n')
    config.write_text(
        f"""
[notifiers.ops]
url = "json://127.0.0.1:{receiver.port}/"
remind = "4h"

[notifiers.chat]
url = "$CHAT"
severities = ["critical"]
"""
    )
    result = run_notify(file, "--test", CHAT=f"json://127.0.0.1:{receiver.port}/{SECRET}")
    assert result.returncode == 0, result
    assert receiver.titles == ["Shop: test"] * 2
    config.write_text(f'\n[notifiers.chat]\nurl = "chat://{SECRET}"\n')
    result = run_notify("--test", "--config", config)
    assert result.stderr.startswith(
        f"tickboard: {config}:2: notifiers.chat: notifier 'chat': Apprise cannot use its URL with chat://"
    )
    assert SECRET not in result.stderr


def test_a_board_without_notifiers_does_not_load_apprise() -> None:
    program = """
import asyncio, sys
from tickboard import Board
import tickboard.cli.main
async def main():
    async with Board().lifespan():
        pass
asyncio.run(main())
print([name for name in sys.modules if name.partition(".")[0] in ("apprise", "requests", "yaml", "markdown")])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert result.stdout == "[]\n"


# --- secrets ---


def test_the_secret_is_not_logged_even_at_the_lowest_level(receiver: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        caplog.set_level(1)
        for name in ("apprise", "urllib3.connectionpool"):
            caplog.set_level(1, name)
        bench = Bench(f"json://me:{SECRET}@127.0.0.1:{receiver.port}/{SECRET}/?+x-token={SECRET}")
        assert await bench.notifier.attempt(lambda: trial("Shop")) == ""
        receiver.status = 401
        reasons = [await bench.notifier.attempt(lambda: trial("Shop"))]
        receiver.stop_listening()
        reasons.append(await bench.notifier.attempt(lambda: trial("Shop")))
        assert receiver.asked == [f"/{SECRET}/", f"/{SECRET}/"]
        assert SECRET not in caplog.text + repr(reasons) + repr(
            msgspec.structs.asdict(bench.service.destination)
        ) + repr(bench.service)
        # Others who use the same libraries are still logged.
        logging.getLogger("urllib3.connectionpool").debug("of somebody else")
        assert "of somebody else" in caplog.text

    drive(scenario)


def test_a_running_board_never_shows_the_secret(receiver: Webhook, tmp_path: Path) -> None:
    file = tmp_path / "dashboard.py"
    file.write_text(
        f"""
import logging
from tickboard import Board

logging.basicConfig(level=1)
board = Board("Shop", interval_ms=50)
cpu = board.gauge("cpu")
cpu.set(95)
board.alert(cpu > 90, "CPU: {{value:.0f}}")
board.notify("ops", "json://me:${{TOKEN}}@127.0.0.1:{receiver.port}/${{TOKEN}}", wait="10ms")
board.notify("chat", "$CHAT", wait="10ms")
"""
    )
    receiver.status = 500
    environment = {"TOKEN": SECRET, "CHAT": f"json://127.0.0.1:{receiver.port}/{SECRET}"}
    with serve("run", str(file), env=environment) as running:
        running.wait_for(lambda: all(each["failed"] >= 2 for each in running.json("/api/health")["notifiers"].values()))
        problems = running.json("/api/board")["problems"]
        assert {problem["source"] for problem in problems} == {"notifier ops", "notifier chat"}
        said = [
            httpx.get(f"{running.url}{path}").text
            for path in ("", "api/board", "api/health", "api/openapi.json", "metrics", "api/metrics/recent")
        ]
        assert 'tickboard_notifications_total{notifier="ops",result="failed"}' in "".join(said)
        receiver.status = 200
        running.wait_for(lambda: len(receiver.taken) == 2)
        running.wait_for(lambda: not running.json("/api/board").get("problems"))
        running.stop()
        said.append(running.output())
    assert "notifier ops: JSON did not accept a message: the answer had status 500" in said[-1]
    assert f"/{SECRET}" in receiver.asked
    assert SECRET not in "".join(said)
    assert SECRET not in receiver.text


# --- tickboard notify --test ---


def run_notify(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tickboard", "notify", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environ,
        check=False,
    )


def test_notify_test_reports_for_each_notifier_whether_it_was_delivered(
    receiver: Webhook, box: Mailbox, tmp_path: Path
) -> None:
    file = tmp_path / "dashboard.py"
    good = f"""
from tickboard import Board
board = Board("Shop")
board.notify("web", "json://127.0.0.1:{receiver.port}/${{TOKEN}}")
board.notify("mail", "mailto://me:${{TOKEN}}@127.0.0.1:{box.port}/?from=a@example.org&to=b@example.org&mode=insecure")
"""
    file.write_text(good)
    result = run_notify("--test", file, TOKEN=SECRET)
    assert result.returncode == 0, result
    assert [line.rpartition(" in ")[0] for line in sorted(result.stdout.splitlines())] == [
        "mail (E-Mail): delivered",
        "web (JSON): delivered",
    ]
    assert receiver.titles == ["Shop: test"]
    assert [mail["subject"] for mail in box.mails] == ["Shop: test"]

    receiver.status = 403
    result = run_notify(file, "--test", TOKEN=SECRET)
    assert result.returncode == 1
    assert "web (JSON): not delivered: the answer had status 403\n" in result.stdout
    assert "mail (E-Mail): delivered" in result.stdout
    assert result.stderr == ""
    assert SECRET not in result.stdout


def test_notify_test_without_notifiers_says_how_to_declare_one(tmp_path: Path) -> None:
    file = tmp_path / "dashboard.py"
    file.write_text('from tickboard import Board\nboard = Board("Shop")\n')
    result = run_notify(file, "--test")
    assert result.returncode == 2
    assert result.stderr == f"tickboard: {file} has no notifiers: declare one with board.notify\n"
    assert "the board of this machine has no notifiers" in run_notify("--test").stderr
    result = run_notify(file)
    assert result.returncode == 2
    assert "confirm it with --test" in result.stderr
    file.write_text('from tickboard import Board\nboard = Board("Shop")\nboard.notify("ops", "${MISSING}/b")\n')
    result = run_notify(file, "--test")
    assert result.stderr == (
        f"tickboard: {file}:3: notifier 'ops': the environment variable MISSING of its URL is not set: set it\n"
    )
