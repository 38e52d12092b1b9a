"""The board: what a dashboard file declares.

It is the top of the library: an ASGI application that runs by itself under ``tickboard run``, or mounted in any other.
"""

import logging
import os
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

import tickboard
from tickboard import panels, schedule, types
from tickboard.alerting.rules import NoData, Rule, check_rule, unused_name
from tickboard.configuration.config import Config
from tickboard.configuration.overrides import overridden
from tickboard.errors import BoardError, InputError
from tickboard.expressions.expr import Condition, condition
from tickboard.frames import timestamp
from tickboard.hub.hub import Hub
from tickboard.intake import MAX_SERIES_PER_SOURCE, Intake
from tickboard.journal.journal import Journal
from tickboard.live import Declared, Listener, Live
from tickboard.notify.destination import SEVERITIES, make_destination
from tickboard.notify.notifier import Service, configured
from tickboard.panels import MetricRef
from tickboard.runner import Sampler
from tickboard.series import MAX_SERIES, Handle, Registry
from tickboard.settings import Settings, read_settings
from tickboard.sources import datagrams, itself
from tickboard.sources.itself import Itself
from tickboard.sources.prometheus.scrape import Scrape
from tickboard.sources.statsd import StatsD

log = logging.getLogger("tickboard")


F = TypeVar("F", bound=Callable[[], object])
P = TypeVar("P", types.Card, types.Chart, types.Table, types.Row)


class Board:
    """A live dashboard: metrics, samplers, rules and panels.

    Declare them, then run the file with ``tickboard run FILE``, or mount the board in an ASGI application. Mounted, it
    begins to sample at the first request; to begin with the application, put ``board.lifespan`` into its lifespan.

    Args:
        title: the page's heading.
        interval_ms: milliseconds between two ticks; ``METRIC_INTERVAL_MS`` and ``--interval`` go before it.
        window_size: ticks in the window; ``WINDOW_SIZE`` and ``--window`` go before it.
        routes: Starlette routes of your own, served beside the board's and before them.
        max_series: series that it may have, of metrics declared or not; one more is refused.
        max_series_per_source: series that one sender of undeclared metrics may have.
        forget: a series that nothing has come for in so long leaves, as ``"5m"``.
        state: the file that keeps the log of alerts, so that it outlives a restart; ``--state`` goes before it. When
            None, ``tickboard run`` has a place for it, and a board that is mounted keeps it in memory.

    Attributes:
        registry: the board's metrics and series, for sources that write to them.
        intake: where samples come from outside, for metrics that need not be declared.
        gauge: declares a metric that goes up and down: `Registry.gauge`.
        counter: declares a metric that is counted and shown as a rate per second: `Registry.counter`.
        histogram: declares a metric that is observed many times a tick: `Registry.histogram`.
        routes: as given; more may be added until the board is first served.
        state: as given.
    """

    def __init__(
        self,
        title: str = "Live Dashboard",
        *,
        interval_ms: int | None = None,
        window_size: int | None = None,
        routes: Iterable[BaseRoute] = (),
        max_series: int = MAX_SERIES,
        max_series_per_source: int = MAX_SERIES_PER_SOURCE,
        forget: str = "5m",
        state: str | os.PathLike[str] | None = None,
    ) -> None:
        self.title = title
        self.registry = Registry(max_series)
        self.intake = Intake(
            self.registry, max_series_per_source=max_series_per_source, forget_s=schedule.duration(forget)
        )
        # Declaring is the registry's work, with nothing to add.
        self.gauge = self.registry.gauge
        self.counter = self.registry.counter
        self.histogram = self.registry.histogram
        self.routes = list(routes)
        self.state = None if state is None else Path(state)
        self._samplers: list[Sampler] = []
        self._listeners: list[Listener] = []
        self._rules: list[Rule] = []
        self._services: dict[str, Service] = {}
        self._panels: list[types.Panel] = []
        self._own: list[types.Row] = []
        given = {"interval_ms": interval_ms, "window_size": window_size}
        self._defaults = replace(Settings(), **{name: value for name, value in given.items() if value is not None})
        self._live: Live | None = None

    # --- metrics ---

    def metric(self, name: str) -> Handle:
        """Return the handle of a metric that a source has declared, for conditions: ``board.metric("load") > 4``.

        Raises:
            InputError: no metric has this name.
        """
        return self.registry.handle(name)

    # --- samplers ---

    def every(self, when: str | None = None) -> Callable[[F], F]:
        """Run the decorated function, plain or async, at each instant of a schedule.

        Args:
            when: a cron text of six fields (seconds first) or five, an interval as ``"250ms"``, ``"1s"`` or ``"5m"``,
                or None for every tick.

        Raises:
            InputError: the text is neither.
        """
        if callable(when):
            raise InputError('@board.every takes a schedule: write @board.every("1s") or @board.every()')
        parsed = schedule.parse(when) if when is not None else None

        def register(function: F) -> F:
            name = getattr(function, "__qualname__", repr(function))
            self._samplers.append(Sampler(name, function, parsed))
            return function

        return register

    def watch_itself(self) -> None:
        """Show in a section of its own who watches this board, what is sent to them, and how long a tick takes."""
        if self._own:
            return
        source = Itself(self.registry, lambda: self.hub)
        self._samplers.append(Sampler("watch_itself", source.sample, None))
        charts = [panels.chart(self.registry, names, title) for title, names in itself.CHARTS]
        self._own = [panels.row(charts, "Tickboard itself")]

    # --- sources ---

    def scrape(
        self,
        url: str,
        *,
        every: str = "1s",
        job: str = "",
        timeout: str = "5s",
        headers: Mapping[str, str] | None = None,
        verify: bool = True,
    ) -> None:
        """Ask a target for its metrics, as Prometheus does, in its text format or OpenMetrics.

        Its series get the label ``instance``, its host and port, and ``job`` where one is given; ``scrape_up`` and
        ``scrape_duration`` say how the last scrape went. When one fails, the page says so, and the target's series have
        no values until it answers again.

        Args:
            url: as ``"http://localhost:9100/metrics"``; a name and password in it are sent, and never shown.
            every: a schedule, as `every` takes it.
            job: what several targets have in common.
            timeout: how long an answer may take.
            headers: sent with each request, as ``{"Authorization": "Bearer …"}``; never shown.
            verify: whether the certificate of an https target must be valid.

        Raises:
            InputError: an argument cannot be used.
        """
        due = schedule.parse(every)
        target = Scrape(self.intake, url, self.tell, job=job, timeout=timeout, headers=headers, verify=verify)
        self.listen(target)
        self._samplers.append(Sampler(target.name, target.sample, due, awaited=False))

    def statsd(
        self,
        port: int = 8125,
        host: str = "127.0.0.1",
        path: str | os.PathLike[str] | None = None,
        *,
        relative: bool = True,
    ) -> None:
        """Take what programs send by StatsD or DogStatsD over UDP, or over a Unix datagram socket.

        Args:
            port: where to listen.
            host: on which address.
            path: of a Unix socket, in place of UDP.
            relative: whether a gauge of ``+3`` or ``-3`` is a change, as in StatsD; in DogStatsD it is a value.

        When it cannot listen there, the page and the log say why, and the rest of the board goes on.
        """
        source = self.intake.source(f"statsd {path or f'{host}:{port}'}")
        listener = datagrams.Listener(StatsD(source, relative=relative), host=host, port=port, path=path)
        self.listen(listener)
        self._samplers.append(Sampler("statsd", listener.sample, None))

    def listen(self, listener: Listener) -> None:
        """Let a source of your own listen for as long as ticks are made; it writes to `intake` or to handles."""
        self._listeners.append(listener)

    def tell(self, source: str, message: str | None) -> None:
        """Show on the page and in the log that a source has a problem; None: it has none any more."""
        hub = self.hub
        if message is None:
            hub.mended(source)
        elif source not in hub.problems or hub.problems[source].message != message:
            log.warning("%s: %s", source, message)
            hub.report(types.Problem(source, message, timestamp(time.time())))

    # --- rules ---

    def alert(
        self,
        when: Condition,
        message: str,
        *,
        severity: types.Severity = "warning",
        for_: str = "0s",
        clear: Condition | None = None,
        keep: str = "0s",
        no_data: NoData = "keep",
        name: str = "",
    ) -> None:
        """Tell everyone when a condition becomes true, and again when it ends.

        Args:
            when: as in ``cpu > 90``; for a metric with labels it is watched for each of its series.
            message: what to say; it may use ``{value}``, as ``{value:.1f}``, ``{metric}``, ``{threshold}`` and labels.
            severity: info, warning or critical.
            for_: how long the condition must last before it fires.
            clear: what ends it, where that is not just the condition's being false.
            keep: how long it goes on firing after it is cleared.
            no_data: what a missing value means: ``"keep"`` leaves all as it is, ``"alert"`` takes it for a breach,
                ``"resolve"`` for the end of one.
            name: by which it is overridden and silenced, and found again after a restart; that of its first metric
                when not given.

        Raises:
            InputError: something about it is wrong; the rule is not added.
        """
        watched = condition(when)
        ends = condition(clear) if clear is not None else None
        taken = {rule.name for rule in self._rules}
        if name in taken:
            raise InputError(f"an alert is named {name!r} already: give each its own name=")
        caller, _ = traceback.extract_stack(limit=2)
        rule = Rule(
            name or unused_name(watched.metric_name(), taken),
            watched,
            message,
            severity,
            schedule.duration(for_),
            ends,
            schedule.duration(keep),
            no_data,
            caller.filename,
            caller.lineno,
        )
        check_rule(rule, self.registry.metrics, self._window_s(self._live.settings) if self._live is not None else None)
        self._rules.append(rule)

    def apply(self, config: Config) -> None:
        """Override rules and notifiers, and add some, as a ``tickboard.toml`` says; before the board is served.

        Args:
            config: what the file says: ``tickboard.dashboard_file.read_config(path)``.

        Raises:
            BoardError: something in it cannot be; the board stays as it was.
        """
        rules = overridden(self._rules, config, self.registry)
        self._services = configured(self._services, config, os.environ)
        self._rules[:] = rules

    def notify(
        self,
        name: str,
        url: str,
        *,
        severities: Iterable[types.Severity] = SEVERITIES,
        wait: str = "5s",
        limit: int = 10,
        remind: str | None = None,
        resolved: bool = True,
    ) -> None:
        """Tell alerts outside the page too, through Apprise: chat, e-mail, telephones, webhooks.

        Args:
            name: what it is called on the page and in the log.
            url: as Apprise has it; ``$NAME`` and ``${NAME}`` are read from the environment; it is shown nowhere.
            severities: the alerts that are told there.
            wait: how long the first alert waits for others, to be one message with them.
            limit: messages a minute; what is over is put together in the next.
            remind: after how long an alert that still fires and that nobody has acknowledged is told again, as ``4h``.
            resolved: whether the end of an alert is told.

        Raises:
            InputError: something about it is wrong; the notifier is not added.
        """
        if name in self._services:
            raise InputError(f"notifier {name!r} is declared already: give another name")
        self._services[name] = Service(
            make_destination(
                name,
                url,
                os.environ,
                severities=severities,
                wait=wait,
                limit=limit,
                remind=remind,
                resolved=resolved,
            )
        )

    @property
    def notifiers(self) -> list[Service]:
        """Where alerts are told outside the page."""
        return list(self._services.values())

    # --- panels ---

    def card(self, metric: MetricRef, title: str = "") -> types.Card:
        """Show a card with the metric's average, newest value, min, max and count; inside `row`, only there."""
        return self._add(panels.card(self.registry, metric, title))

    def chart(
        self,
        *metrics: MetricRef,
        title: str = "",
        min: float | None = None,
        max: float | None = None,
        stacked: bool = False,
    ) -> types.Chart:
        """Show a chart of one or more metrics of one unit; inside `row`, only there."""
        return self._add(panels.chart(self.registry, metrics, title, min=min, max=max, stacked=stacked))

    def table(self, *metrics: MetricRef, label: str, title: str = "", limit: int = 10) -> types.Table:
        """Show the newest values of metrics with labels: a row for each value of `label`, the highest first.

        Inside `row`, only there.
        """
        return self._add(panels.table(self.registry, metrics, label, title, limit))

    def row(self, *children: types.Panel, title: str = "") -> types.Row:
        """Put panels side by side, as ``board.row(board.card(cpu), board.chart(cpu), title="CPU")``."""
        for child in children:
            # Made by this board a moment ago, it stands at the end already: the row takes it in. By identity, since
            # two panels may be alike.
            self._panels = [panel for panel in self._panels if panel is not child]
        return self._add(panels.row(children, title))

    def _add(self, panel: P) -> P:
        self._panels.append(panel)
        return panel

    # --- life ---

    def describe(self) -> types.Board:
        """Return the board as the page wants it."""
        live = self._require_live()
        return types.Board(
            self.title,
            live.engine.epoch,
            live.settings.interval_ms,
            live.settings.window_size,
            tickboard.__version__,
            list(self.registry.metrics.values()),
            self._all_panels(),
            [rule.describe() for rule in self._rules],
            list(live.hub.problems.values()),
        )

    def _all_panels(self) -> list[types.Panel]:
        own = {name for _, names in itself.CHARTS for name in names} if self._own else set()
        discovered = list(self.intake.discovered)
        declared = self._panels or panels.default_panels(self.registry, own.union(discovered))
        return [*declared, *panels.discovered_panels(self.registry, discovered), *self._own]

    def prepare(
        self, settings: Settings | None = None, replaces: "Board | None" = None, journal: Journal | None = None
    ) -> None:
        """Make the engine, so that the board can be served; the first request does it when nobody has.

        Args:
            settings: the environment's when None.
            replaces: a board that is being served: its viewers, its history and its alerts come to this one.
            journal: what keeps the log of alerts; that of `state` when None.

        Raises:
            InputError: the environment holds a bad value, or a rule asks for more than the window has.
            JournalError: the file of `state` cannot be used.
        """
        if settings is None:
            settings = read_settings(os.environ, default=self._defaults)
        self._check_rules(settings)
        if replaces is None:
            if journal is None and self.state is not None:
                journal = Journal(self.state)
            self._live = Live.fresh(self._declared(), settings, journal)
        else:
            live = replaces._require_live()  # noqa: SLF001  # another board of this class
            self._live = live.replaced_by(self._declared(), settings)
            self._live.show()

    def _declared(self) -> Declared:
        return Declared(
            self.title,
            self.registry,
            self.intake,
            self._rules,
            self._samplers,
            self._listeners,
            self.notifiers,
            self.routes,
            self.describe,
            self.tell,
        )

    def _check_rules(self, settings: Settings) -> None:
        """See that every rule can be watched in the window that there is."""
        for rule in self._rules:
            try:
                check_rule(rule, self.registry.metrics, self._window_s(settings))
            except InputError as error:
                raise BoardError(str(error), rule.file, rule.line) from error

    @staticmethod
    def _window_s(settings: Settings) -> float:
        return settings.window_size * settings.interval_ms / 1000

    @property
    def defaults(self) -> Settings:
        """The settings that the board itself asks for."""
        return self._defaults

    @property
    def hub(self) -> Hub:
        """Who is connected; made by `prepare`."""
        return self._require_live().hub

    @property
    def settings(self) -> Settings:
        """The settings it runs with; made by `prepare`."""
        return self._require_live().settings

    async def start(self) -> None:
        """Begin to sample and to make ticks, if it hasn't begun."""
        await self._require_live().start()

    async def stop(self) -> None:
        """End the samplers and ticks; viewers stay connected."""
        await self._require_live().stop()

    async def close(self) -> None:
        """End all: the samplers and ticks, and then what keeps the log of alerts."""
        await self._require_live().close()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Sample for as long as the context is open: for the lifespan of an application that mounts the board."""
        await self.start()
        try:
            yield
        finally:
            self._require_live().hub.close(1001)
            await self.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        live = self._require_live()
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
            return
        if not live.running:
            await self.start()
        await live.app(scope, receive, send)

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._require_live().hub.close(1001)
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _require_live(self) -> Live:
        if self._live is None:
            self.prepare()
        assert self._live is not None
        return self._live
