"""Notifiers: send notifications of alerts through Apprise, to chat, e-mail, telephones and webhooks.

A notifier is a task that reads the log of alert events from its own position, which survives restarts. So each alert is
sent at least once: twice is better than never. Each message is sent in a thread of its own with a time limit: a service
that hangs delays neither a tick nor another notifier.

Apprise's own log records are suppressed, since they may contain parts of the URL; only the status code of a failure is
reported. Apprise is imported when the first notifier is made, so a board without notifiers does not pay for it.
"""

import asyncio
import contextlib
import logging
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

import msgspec

from tickboard.alerting.log import AlertLog
from tickboard.configuration.config import Config
from tickboard.errors import InputError, TickboardError
from tickboard.hub.connections import Listen
from tickboard.hub.traffic import Notified
from tickboard.loop.supervisor import Supervisor
from tickboard.notify.delivery import Delivery
from tickboard.notify.destinations import Destination, make_destination
from tickboard.notify.message_text import Message, compose_message
from tickboard.notify.neutral import is_chat, neutral, renders_markdown
from tickboard.problems import Reporter

SEND_S = 30.0
"""How long one attempt to send may take. After that it counts as failed, and its thread is abandoned."""

MAX_HANGING = 3
"""How many abandoned threads one notifier may have; with so many, it sends nothing more until one ends."""

MAKE_S = 60.0
"""How long importing Apprise and reading a URL may take: a second on a PC, ten on a small computer."""

LOUD = frozenset({"apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib"})
"""The top-level loggers of the libraries that send: they would log URLs with tokens."""

_STATUS = re.compile(r"error=([1-5][0-9]{2})\b")


class DeliveryJournal(Protocol):
    """Stores positions across restarts."""

    async def keep_position(self, notifier: str, number: int) -> None:
        """Store the number up to which a notifier has sent everything."""
        ...


class Service:
    """One of Apprise's services, bound to one destination.

    Args:
        destination: the destination.

    Attributes:
        destination: the destination.
        kind: the service's name, such as ``Slack``.

    Raises:
        InputError: Apprise cannot use the URL, or does not work at all; the message contains nothing of the URL.
    """

    def __init__(self, destination: Destination) -> None:
        url = destination.url
        plugin = _make_plugin(destination)
        if plugin is None:
            scheme = f" with {url.scheme}://" if url.scheme else ""
            raise InputError(
                f"notifier {destination.name!r}: Apprise cannot use its URL{scheme}: "
                "write it like slack://token/token/token or ntfys://host/topic"
            )
        self.destination = destination
        self.kind = str(plugin.service_name)
        self._plugin = plugin
        self._schemes = frozenset(plugin.schemas())
        # Text that is too long would be refused again and again, so it is truncated; the URL may say to split it.
        self._overflow = None if "overflow=" in url.reveal() else "truncate"

    def send(self, message: Message) -> str:
        """Send a message and wait for the answer.

        Returns:
            Why it was not delivered; empty if it was.
        """
        with _quiet() as heard:
            title, body = self._neutral(message)
            delivered = self._plugin.notify(
                body,
                title,
                notify_type=message.kind,
                body_format="text",
                overflow=self._overflow,
            )
        if delivered is True:
            return ""
        if not isinstance(delivered, bool):
            return f"it returned {type(delivered).__name__}, not whether it accepted the message"
        return (
            f"the answer had status {heard[-1]}" if heard else "it could not be reached, or did not accept the message"
        )

    def _neutral(self, message: Message) -> tuple[str, str]:
        """Return the title and the body so that this service shows them as they are."""
        if not is_chat(self._schemes):
            return message.title, message.body
        rendered = renders_markdown(self._schemes)
        # Apprise escapes text in other formats, and the title as well if it becomes part of the body.
        plain = self._plugin.resolve_format("text") == "text"
        title = neutral(message.title, markdown=rendered and (plain or self._plugin.title_maxlen > 0))
        return title, neutral(message.body, markdown=rendered and plain)


def configured_services(
    services: Mapping[str, Service], config: Config, environ: Mapping[str, str]
) -> dict[str, Service]:
    """Return the services of a board by name; those of a configuration replace others of the same name.

    Args:
        services: the declared services.
        config: the configuration.
        environ: the environment variables with their secrets.

    Raises:
        BoardError: a notifier cannot be made; with its line in the configuration.
    """
    found = dict(services)
    for name, table in config.notifiers.items():
        given = {key: value for key, value in msgspec.structs.asdict(table).items() if value is not msgspec.UNSET}
        try:
            found[name] = Service(make_destination(name, environ=environ, **given))
        except InputError as error:
            raise config.toml.error(("notifiers", name), str(error)) from error
    return found


class Notifier:
    """Notifies one destination of alerts while `run` runs.

    Args:
        service: the service and its destination.
        board: the board's title, which begins each message.
        counts: counts the messages.
        report: called with a source and its problem, or None once there is none.
        send_s: how long one attempt to send may take.
    """

    def __init__(
        self,
        service: Service,
        board: str,
        counts: Notified,
        report: Callable[[str, str | None], None],
        send_s: float = SEND_S,
    ) -> None:
        self._service = service
        self._board = board
        self._counts = counts
        self._report = partial(report, f"notifier {service.destination.name}")
        self._send_s = send_s
        self._busy = 0

    async def run(
        self,
        log: AlertLog,
        subscribe: Listen,
        journal: DeliveryJournal | None = None,
    ) -> None:
        """Send the events of the log from this notifier's position on, until it is cancelled.

        The position is kept in the log. Without one, the notifier is new, and starts with all firing alerts.

        Args:
            log: the log of the board's alert events.
            subscribe: wakes it when there are events.
            journal: stores the position across restarts.
        """
        name = self._service.destination.name
        delivery = Delivery(self._service.destination, log)
        delivery.begin(log.positions.get(name), time.monotonic())
        awake = asyncio.Event()
        leave = subscribe(awake.set)
        try:
            while True:
                awake.clear()
                while delivery.read(time.monotonic()):
                    await asyncio.sleep(0)
                self._counts.dropped += delivery.take_dropped()
                if log.positions.get(name) != delivery.position:
                    log.positions[name] = delivery.position
                    await _keep_position(journal, name, delivery.position)
                due = delivery.due()
                if due is not None and due <= time.monotonic():
                    await self._send(delivery)
                else:
                    await _wait(awake, due)
        finally:
            leave()

    async def attempt(self, compose: Callable[[], Message]) -> str:
        """Compose a message and send it, both in a thread: composing very many alerts takes a while, too.

        Returns:
            Why it was not delivered; empty if it was.
        """
        if self._busy >= MAX_HANGING:
            return f"{self._busy} attempts still hang"
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def settle(reason: str) -> None:
            self._busy -= 1
            if not done.done():
                done.set_result(reason)

        def work() -> None:
            try:
                answer: object = self._service.send(compose())
                reason = answer if isinstance(answer, str) else f"it returned {type(answer).__name__}"
            except BaseException as error:  # noqa: BLE001  # a plugin may raise anything, and its text may hold the URL
                reason = f"it could not be sent: {type(error).__name__}"
            with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits for it any more
                loop.call_soon_threadsafe(settle, reason)

        # A daemon thread: one that hangs must not keep the program from ending.
        thread = threading.Thread(target=work, name=f"notifier {self._service.destination.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            return f"no thread could be started for it: {error}"
        self._busy += 1
        try:
            async with asyncio.timeout(self._send_s):
                return await done
        except TimeoutError:
            return f"no answer within {self._send_s:g} s"

    async def _send(self, delivery: Delivery) -> None:
        taken = delivery.take(time.monotonic())
        reason = await self.attempt(partial(compose_message, self._board, taken, time.time(), lost=delivery.lost))
        if reason:
            delivery.failed(time.monotonic())
            self._counts.failed += 1
            self._report(
                f"{self._service.kind} did not accept a message: {reason}; it will be tried again until it does"
            )
        else:
            delivery.delivered(time.monotonic())
            self._counts.sent += 1
            self._report(None)


class Notifiers:
    """All notifiers of a board. Call `start`, then `stop`.

    Args:
        services: the services and their destinations.
        board: the board's title.
        notified: counters of messages, by the notifier's name.
        report: called with a source and its problem, or None once there is none.
        problems: where a notifier that ended and was restarted is reported.
    """

    def __init__(
        self,
        services: Iterable[Service],
        board: str,
        notified: dict[str, Notified],
        report: Callable[[str, str | None], None],
        problems: Reporter,
    ) -> None:
        self._notifiers = {
            service.destination.name: Notifier(
                service, board, notified.setdefault(service.destination.name, Notified()), report
            )
            for service in services
        }
        self._supervisor = Supervisor(problems)

    def start(self, log: AlertLog, subscribe: Listen, journal: DeliveryJournal | None = None) -> None:
        """Start the notifiers, in the running loop. For the arguments, see `Notifier.run`."""
        for name, notifier in self._notifiers.items():
            # Another source than the service's own problem, which may remain.
            self._supervisor.start(f"notifier {name}: reader", partial(notifier.run, log, subscribe, journal))

    async def stop(self) -> None:
        """Stop them, without waiting for a service that hangs."""
        await self._supervisor.stop()


def _make_plugin(destination: Destination) -> Any:
    """Return Apprise's plugin for a destination, or None if there is none for its URL.

    It is made in a thread, since the imported foreign code may hang.

    Raises:
        InputError: Apprise does not work.
    """
    made: Future[Any] = Future()

    def make() -> None:
        try:
            from apprise import Apprise, AppriseAsset

            # Apprise loads all its services here, and some use deprecated parts of Python.
            with _quiet(), warnings.catch_warnings(action="ignore"):
                # A redirect would send the headers with their tokens to another host, maybe one behind a firewall.
                asset = AppriseAsset(
                    storage_mode="memory",
                    pgp_autogen=False,
                    pem_autogen=False,
                    http_redirects=False,
                    app_id="Tickboard",
                )
                made.set_result(Apprise.instantiate(destination.url.reveal(), asset=asset))
        except ImportError as error:
            made.set_exception(InputError(f"cannot be imported: {error}"))
        except BaseException as error:  # noqa: BLE001  # it may raise anything, and the text may contain the URL
            made.set_exception(InputError(f"failed: {type(error).__name__}"))

    threading.Thread(target=make, name=f"notifier {destination.name}", daemon=True).start()
    try:
        return made.result(MAKE_S)
    except InputError as error:
        why = str(error)
    except TimeoutError:
        why = f"was not ready within {MAKE_S:g} s"
    raise InputError(f"notifier {destination.name!r}: Apprise, which sends messages, {why}: reinstall tickboard")


async def _keep_position(journal: DeliveryJournal | None, name: str, position: int) -> None:
    if journal is not None:
        # The journal reports its own failures, and writes again with the next position.
        with contextlib.suppress(TickboardError):
            await journal.keep_position(name, position)


async def _wait(awake: asyncio.Event, due: float | None) -> None:
    """Wait until there are events, or until `due` by the monotonic clock."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None if due is None else max(due - time.monotonic(), 0.0)):
            await awake.wait()


class _Ear(logging.Filter):
    """Suppresses what a sending thread logs, and records the status codes in it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        statuses: list[str] | None = getattr(self.heard, "statuses", None)
        if statuses is None:
            return True
        statuses += _STATUS.findall(record.getMessage())
        return False


_EAR = _Ear()


@contextlib.contextmanager
def _quiet() -> Iterator[list[str]]:
    """Suppress log records of this thread while it sends; yield a list that receives the status codes in them."""
    for name, known in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] in LOUD and isinstance(known, logging.Logger):
            known.addFilter(_EAR)
    statuses: list[str] = []
    _EAR.heard.statuses = statuses
    try:
        yield statuses
    finally:
        _EAR.heard.statuses = None
