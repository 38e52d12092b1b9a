"""A board while it is served: the engine, the hub, the announcer, the recorder, and the parts beside them.

It is made from a board's declarations, and does not know how they were declared. When one board replaces another, as
under ``tickboard dev``, the hub, the announcer and the recorder continue: nobody is disconnected, no episode ends, and
no tick is missing from the history.
"""

import asyncio
import contextlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, MutableMapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from msgspec import Struct
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from tickboard import wire
from tickboard.alerting.host_alerts import keep_only
from tickboard.alerting.keeping import Keeping
from tickboard.alerting.log import LOG_AGE_S, AlertLog
from tickboard.alerting.rules import Rule
from tickboard.engine import Engine
from tickboard.fleet.caller import Caller
from tickboard.fleet.follow_options import FollowOptions, nats_servers
from tickboard.fleet.introduction import Introduction
from tickboard.fleet.nats_options import NatsOptions
from tickboard.fleet.options import HostOptions
from tickboard.fleet.publishing import PublishedBoard, Publishing
from tickboard.history.options import NO_HISTORY, HistoryOptions
from tickboard.history.store import History
from tickboard.hub.health import Vitals
from tickboard.hub.hub import Hub
from tickboard.journal.journal import Journal
from tickboard.loop.turns import turns
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.notify.notifier import Notifiers, Service
from tickboard.output.logs import log
from tickboard.problems import Scope
from tickboard.running.alert_calls import AlertCalls, AlertFunction, sources
from tickboard.running.announcer import Announcer
from tickboard.running.listeners import Listener, Listeners
from tickboard.running.recorder import TickRecorder
from tickboard.running.runner import Runner
from tickboard.running.sampling import Sampler
from tickboard.sending.options import RemoteWriteOptions
from tickboard.sending.remote_writing import RemoteWriting
from tickboard.server.app import create_app
from tickboard.server.later import import_later
from tickboard.server.requests.identity import IDENTITY, wall_identity
from tickboard.server.streams.descriptors import write_all
from tickboard.settings import Settings

if TYPE_CHECKING:
    from tickboard.fleet.fleet import Fleet

DASHBOARD_FILE = "dashboard file"
"""The source of the problem that a file cannot be loaded; it is cleared when a board is shown."""


class BoardSpec(Struct, frozen=True, eq=False):
    """The declarations of a board that are needed to serve it.

    Attributes:
        title: the page's heading.
        registry: the metrics and series.
        intake: takes samples from outside.
        rules: the alert rules; more may be added.
        samplers: the functions that set values.
        listeners: sources that listen for senders.
        services: where notifications are sent.
        alert_functions: functions to call with each alert, by name.
        routes: the board's own; they take precedence over the built-in ones.
        marks: marks from the board's program that are still to be made.
        describe: returns the board's description for the page, made in steps.
        remote_write: where its ticks are sent, if anywhere.
        host: its name and labels among other hosts, and where it publishes, if anywhere.
        follow: the hosts that it follows, if any.
    """

    title: str
    registry: Registry
    intake: Intake
    rules: list[Rule]
    samplers: list[Sampler]
    listeners: list[Listener]
    services: list[Service]
    alert_functions: list[tuple[str, AlertFunction]]
    routes: list[BaseRoute]
    marks: deque[wire.Mark]
    describe: Callable[[], Generator[None, None, wire.BoardInfo]]
    remote_write: RemoteWriteOptions
    host: HostOptions
    follow: FollowOptions


class RunningBoard:
    """A board that is served.

    Args:
        declared: its declarations.
        settings: how often it ticks, and how long its window is.
        engine: makes its ticks.
        hub: publishes them.
        announcer: publishes alerts.
        alert_positions: where its alert functions resume, by source. The board that it replaces fills this when it
            stops.
        recorder: records its ticks; None: they are not recorded.
        fleet: the hosts that it follows; None: it follows none.
        publishing: publishes the board that it replaces; None: it replaces none.

    Attributes:
        fleet: as given.
        settings: its settings.
        engine: its engine.
        hub: its hub.
        history: its history on disk, or None.
        app: the ASGI application.
    """

    def __init__(
        self,
        declared: BoardSpec,
        settings: Settings,
        engine: Engine,
        hub: Hub,
        announcer: Announcer,
        alert_positions: Mapping[str, int] = MappingProxyType({}),
        recorder: TickRecorder | None = None,
        fleet: "Fleet | None" = None,
        publishing: Publishing | None = None,
    ) -> None:
        self.fleet = fleet
        self.settings = settings
        self.engine = engine
        self.hub = hub
        self.history: History | None = None if recorder is None else recorder.history
        self._recorder = recorder
        declared.intake.placement.late_s = 0.0 if recorder is None else recorder.late_s
        self._declared = declared
        self._announcer = announcer
        self._runner: Runner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._ticks_skipped = 0
        self._started = 0.0
        self._problems: Scope = hub.problems.scope()
        self._listeners = Listeners(declared.listeners, self._problems, hub.problems)
        self._notifiers = Notifiers(
            declared.services, declared.title, hub.traffic.notified, self.report, self._problems
        )
        self._sending = RemoteWriting(declared.remote_write, self.history, hub.traffic, self._problems)
        self._alert_calls: AlertCalls | None = None
        self._alert_positions = alert_positions
        # For the board that replaces this one: the sources of its alert functions, and where they resume.
        self._functions_after: list[str] = []
        self._positions_after: dict[str, int] = {}
        self._publishing = publishing or Publishing(hub)
        self._introduction = Introduction(declared.host, hub, lambda: self._started, lambda: self.history is not None)
        self.app: Starlette = create_app(
            hub,
            declared.intake,
            announcer,
            self._vitals,
            lambda: self.history,
            self._introduction.about,
            declared.routes,
            fleet,
        )

    @classmethod
    def fresh(
        cls,
        declared: BoardSpec,
        settings: Settings,
        journal: Journal | None,
        history: HistoryOptions = NO_HISTORY,
    ) -> Self:
        """Return a new board, with the alerts from a journal and the last ticks from a history.

        Args:
            declared: its declarations.
            settings: how often it ticks, and how long its window is.
            journal: stores the log of alerts; None: nothing is stored.
            history: where its ticks are stored. If that cannot be used, the board runs without it and reports that.

        Raises:
            InputError: the tokens for the hosts that it follows cannot be read.
            JournalError: the journal can't be read.
        """
        epoch = secrets.token_hex(6)
        if journal is None:
            engine = _engine(declared, settings, epoch, AlertLog(epoch))
        else:
            kept = journal.load()
            alert_log = AlertLog(
                kept.epoch,
                kept.events,
                kept.number,
                kept=True,
                firing=kept.firing,
                marks=kept.marks,
                older=kept.older,
            )
            alert_log.positions |= kept.positions
            alert_log.followed |= kept.followed
            engine = _engine(declared, settings, epoch, alert_log)
            engine.alerts.restore(kept.episodes, kept.silences)
            if journal.damaged is not None:
                log.warning("%s was damaged, and is now %s: the log starts over", journal.path, journal.damaged)
        # Even if the board has no history now: alerts that were kept so far must not be deleted because of that.
        engine.alerts.log.keeping = Keeping(_alerts_s(history))
        hub = Hub(engine, declared.describe, write_all, lambda steps, settle: turns().begin(steps, settle))
        recorded_ms = 0
        if (recorder := TickRecorder.open(history, hub.problems)) is not None:
            recorded_ms = recorder.history.newest_ms if recorder.history.is_open else 0
            span_s = settings.window_size * settings.interval_ms / 1000
            recorder.refill(engine, span_s, time.time(), padded=declared.follow.is_wanted)
        announcer = Announcer(hub, journal)
        fleet = _fleet(declared, settings, hub, announcer, journal, recorded_ms)
        return cls(declared, settings, engine, hub, announcer, recorder=recorder, fleet=fleet)

    def report(self, source: str, message: str | None) -> None:
        """Report a source's problem, or clear it if `message` is None; from any thread."""
        if self._loop is not None and threading.get_ident() != self._thread:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody watches any more
                self._loop.call_soon_threadsafe(self.report, source, message)
        elif message is None:
            self._problems.clear(source)
        else:
            self._problems.report(source, message)

    def make_marks(self) -> None:
        """Make the board's waiting marks, now or when it starts; from any thread."""
        if self._loop is None:
            return
        if threading.get_ident() == self._thread:
            self._make_marks()
            return
        try:
            self._loop.call_soon_threadsafe(self._make_marks)
        except RuntimeError:
            log.warning("the board has ended: this mark was not made: %r", self._declared.marks[-1].text)

    def _make_marks(self) -> None:
        while self._declared.marks:
            self._announcer.mark_now(self._declared.marks.popleft())

    def replaced_by(
        self, declared: BoardSpec, settings: Settings, history: HistoryOptions | None = None
    ) -> "RunningBoard":
        """Return another board, with this one's history and alerts; `show` it to this one's viewers.

        Args:
            declared: its declarations.
            settings: how often it ticks, and how long its window is.
            history: how its ticks are stored, in the same file; None: as before.

        Raises:
            InputError: the tokens for the hosts that it follows cannot be read.
        """
        fleet = self.fleet
        wanted = (declared.follow, _followed_nats(declared), settings.interval_ms)
        if fleet is None or wanted != (fleet.options, fleet.nats, fleet.interval_ms):
            fleet = _fleet(declared, settings, self.hub, self._announcer, self._announcer.journal)
        engine = _engine(declared, settings, secrets.token_hex(6), self.engine.alerts.log)
        if fleet is not None:
            fleet.reserve(declared.intake)
        engine.inherit(self.engine)
        positions: dict[str, int] = {}
        board = RunningBoard(
            declared,
            settings,
            engine,
            self.hub,
            self._announcer,
            positions,
            self._recorder,
            publishing=self._publishing,
            fleet=fleet,
        )
        # Nothing below raises: until here, this board goes on as before.
        if fleet is not None and fleet is self.fleet:
            # It goes on, and is no longer stopped with this board.
            fleet.bind(declared.intake)
            self.fleet = None
        if history is not None:
            self.engine.alerts.log.keeping.keep_s = _alerts_s(history)
            if self._recorder is not None:
                self._recorder.retain(history)
                declared.intake.placement.late_s = self._recorder.late_s
        self._problems.close()
        self._functions_after, self._positions_after = sources(declared.alert_functions), positions
        return board

    def show(self) -> None:
        """Show this board to the viewers of the one that it replaces."""
        self.hub.problems.clear(DASHBOARD_FILE)
        self.hub.switch(self.engine, self._declared.describe)

    @property
    def running(self) -> bool:
        """Whether it makes ticks."""
        return self._runner is not None

    async def start(self) -> None:
        """Start sampling, making ticks and publishing alerts, unless it has started."""
        if self._runner is not None:
            return
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        # For people, who compare it with other times.
        self._started = time.time()
        self._runner = Runner(
            self.engine,
            self.hub,
            self._announcer,
            self._declared.samplers,
            self._problems,
            interval_ms=self.settings.interval_ms,
            alert_check_s=self.settings.alert_check_s,
            recorder=self._recorder,
            fleet=self.fleet,
        )
        if self._recorder is not None:
            self._recorder.start()
        if self.fleet is None:
            # An earlier run may have followed hosts.
            self._announcer.announce(keep_only(self.engine.alerts.log, (), self._started))
        self._runner.start()
        self._make_marks()
        self._notifiers.start(self.engine.alerts.log, self.hub.listen, self._announcer.journal)
        self._alert_calls = AlertCalls(self._declared.alert_functions, self._problems)
        self._alert_calls.start(self.engine.alerts.log, self.hub.listen, self._alert_positions)
        # After a stop and another start, functions begin with the alerts from then on.
        self._alert_positions = {}
        self._sending.start()
        await self._publishing.use(PublishedBoard(self._introduction, self.settings.interval_ms, self.app, _identify))
        if self.fleet is not None:
            self.fleet.start()
        await self._listeners.start()
        import_later()

    async def stop(self) -> None:
        """Stop the parts that `start` started; viewers stay connected."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        self._ticks_skipped += runner.ticks_skipped
        await runner.stop()
        await self._listeners.stop()
        await self._notifiers.stop()
        await self._sending.stop()
        if self.fleet is not None:
            await self.fleet.stop()
        if self._alert_calls is not None:
            self._positions_after.update(await self._alert_calls.stop(self._functions_after))

    async def close(self) -> None:
        """Stop everything, then close the journal and the history."""
        await self._publishing.close()
        await self.stop()
        if self._loop is not None:
            self._make_marks()
        await self._announcer.close()
        if self._recorder is not None:
            await self._recorder.close()

    def _vitals(self) -> Vitals:
        skipped, silent_s = self._ticks_skipped, 0.0
        if (runner := self._runner) is not None:
            skipped += runner.ticks_skipped
            silent_s = max(0.0, time.monotonic() - runner.published)
        dropped = None if self.fleet is None else self.fleet.follower.dropped
        return Vitals(skipped, silent_s, self.settings.interval_ms / 1000, dropped)


def _engine(declared: BoardSpec, settings: Settings, epoch: str, alert_log: AlertLog) -> Engine:
    registry, ticks = declared.registry, settings.window_size
    engine = Engine(
        registry,
        declared.rules,
        ticks,
        epoch,
        _alert_id,
        declared.intake,
        alert_log,
        settings.interval_ms / 1000,
    )
    if not engine.fits:
        log.warning(
            "%d series x %d ticks take more than the %d MB that the window may take: further series are refused; use a "
            "smaller --window, or a larger Board(max_window_mb=…)",
            registry.width,
            ticks,
            registry.max_window_mb,
        )
    return engine


def _fleet(
    declared: BoardSpec,
    settings: Settings,
    hub: Hub,
    announcer: Announcer,
    journal: Journal | None,
    recorded_ms: int = 0,
) -> "Fleet | None":
    """Return the hosts that a board follows; None: it follows none. They are kept beside the journal."""
    if not declared.follow.is_wanted:
        return None
    from tickboard.fleet.fleet import Fleet
    from tickboard.fleet.roster import beside_journal

    return Fleet(
        declared.follow,
        declared.intake,
        hub.problems,
        settings.interval_ms,
        lambda: hub.engine.alerts,
        announcer,
        _followed_nats(declared),
        None if journal is None else beside_journal(journal.path),
        recorded_ms,
    )


def _followed_nats(declared: BoardSpec) -> NatsOptions | None:
    """Return how to reach the NATS servers whose hosts a board follows: with the files that it publishes with."""
    if not (servers := nats_servers(declared.follow)):
        return None
    host = declared.host
    return NatsOptions(servers, host.credentials, host.ca, host.certificate, host.key)


def _alerts_s(history: HistoryOptions) -> float:
    """Return how many seconds resolved alerts and marks are kept."""
    return max(LOG_AGE_S, history.retention.hours_s)


def _identify(scope: MutableMapping[str, Any], caller: Caller) -> None:
    """Record who makes a call through a wall."""
    scope[IDENTITY] = wall_identity(caller)


def _alert_id() -> str:
    return str(uuid4())
