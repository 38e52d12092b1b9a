"""The board: what a dashboard file declares.

It is the top of the library: an ASGI application that runs under ``tickboard run``, or mounted in another application.
"""

import os
import threading
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar
from uuid import uuid4

import msgspec
from msgspec.structs import replace
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

import tickboard
from tickboard import schedule, wire
from tickboard.alerting.marks import MAX_MARKS, new_mark
from tickboard.alerting.rules import NoData, Rule, check_rule, unused_name
from tickboard.configuration.config import Config
from tickboard.errors import BoardError, InputError
from tickboard.expressions.expr import Condition, condition
from tickboard.fleet.follow_options import FollowOptions, nats_servers
from tickboard.fleet.options import HostOptions
from tickboard.fleet.wall_labels import HOST
from tickboard.history.board_history import BoardHistory
from tickboard.history.options import NO_HISTORY, HistoryOptions
from tickboard.hub.encodings import whole
from tickboard.hub.hub import Hub
from tickboard.journal.journal import Journal
from tickboard.metrics.declarations import Declaration, MetricDeclarations
from tickboard.metrics.handles import Gauge, Handle
from tickboard.metrics.intake import MAX_SERIES_PER_SOURCE, Intake
from tickboard.metrics.registry import MAX_SERIES, MAX_WINDOW_MB, Registry
from tickboard.notify.destinations import LIMIT, SEVERITIES, make_destination
from tickboard.notify.notifier import Service, configured_services
from tickboard.output.secrets import public, read_headers, read_secret, remember_environment
from tickboard.panels import declared
from tickboard.panels.chosen import Snapshot, default_panels, discovered_panels, has_hosts
from tickboard.panels.declarations import PanelDeclarations
from tickboard.running.alert_calls import AlertFunction
from tickboard.running.gauge_functions import GaugeFunction, GaugeFunctions
from tickboard.running.listeners import Listener
from tickboard.running.mounting import Mounting
from tickboard.running.running_board import BoardSpec, RunningBoard
from tickboard.running.sampling import Sampler, check_function, function_name
from tickboard.schedule import Duration
from tickboard.sending.options import RemoteWriteOptions
from tickboard.server.access.authorized import Authorize
from tickboard.server.requests.allowed import ARGUMENT, Allowed
from tickboard.server.routes.rates import ChangeRates
from tickboard.settings import Settings, read_settings
from tickboard.sources import own_metrics
from tickboard.sources.own_metrics import OwnMetrics
from tickboard.times import Time

if TYPE_CHECKING:
    from tickboard.client.decoder import Tick

H = TypeVar("H", bound=Handle)
F = TypeVar("F", bound=Callable[[], object])
A = TypeVar("A", bound=AlertFunction)


class Board(MetricDeclarations, PanelDeclarations):
    """A live dashboard: metrics, samplers, rules and panels.

    Declare them, then run the file with ``tickboard run FILE``, or mount the board in an ASGI application. A mounted
    board starts with the first request, or with the application if you pass it ``board.lifespan``.

    Args:
        title: the page's heading.
        interval_ms: milliseconds between two ticks; ``METRIC_INTERVAL_MS`` and ``--interval`` win.
        window_size: ticks in the window; ``WINDOW_SIZE`` and ``--window`` win.
        routes: Starlette routes of your own; they take precedence over the board's.
        max_series: the most series, of declared and undeclared metrics together; 200,000 by default.
        max_series_per_source: the most series that one sender of undeclared metrics may add; 50,000 by default.
        max_window_mb: the most memory for the window and its stats; 256 by default. Beyond it, new series are refused.
            Series that the file declares are always served.
        forget: how long a series without new samples stays, if it has labels or its metric is not declared.
        state: the file that keeps the log of alerts across restarts; ``--state`` wins. If None, ``tickboard run`` uses
            a file of its own, and a mounted board keeps the log in memory.
        history: the file that keeps every tick across restarts, or ``"none"``; ``--history`` wins. If None,
            ``tickboard run`` uses a file of its own, and a mounted board keeps no history. See docs/history.md.
        keep: how long every tick is kept; 7 days by default. ``--keep`` wins; the next four have flags too.
        keep_minutes: how long minutes are kept; 90 days by default.
        keep_hours: how long hours are kept; 2 years by default.
        history_size: the maximum size of the history file; ``"1GiB"`` by default.
        history_commit: the time between two writes of history to the disk; a second by default.
        allow_hosts: further names that the board answers to on loopback, such as that of a proxy in front of it:
            ``"board.example.com"``.
        allow_origins: other sites whose pages may watch, read and write: ``"https://wiki.example.com"``.
        allow_frames: other sites whose pages may show the board in a frame; ``"self"``: the board's own site.
        authorize: a function, plain or async, of the ASGI scope of each request, and again while a stream is open. It
            returns ``"viewer"``, ``"operator"``, ``"sender"``, ``"admin"``, or a pair of these and a name; or None, so
            that the request is refused. For a board in an application whose users may not all see or change it.

    Raises:
        InputError: a limit is not a whole number of 0 or more, `forget` is not a duration, an option of the history
            cannot be used, an allowed name or origin is malformed, or `authorize` cannot be called.

    Attributes:
        registry: the board's metrics and series, for sources that write to them.
        intake: takes samples from outside, for metrics that are not declared.
        routes: as given. You can add more until the board is first served.
        state: as given.
        allowed: the allowed names and sites.
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
        max_window_mb: int = MAX_WINDOW_MB,
        forget: Duration = "5m",
        state: str | os.PathLike[str] | None = None,
        history: str | os.PathLike[str] | None = None,
        keep: Duration | None = None,
        keep_minutes: Duration | None = None,
        keep_hours: Duration | None = None,
        history_size: str | int | None = None,
        history_commit: Duration | None = None,
        allow_hosts: Iterable[str] = (),
        allow_origins: Iterable[str] = (),
        allow_frames: Iterable[str] = (),
        authorize: Authorize | None = None,
    ) -> None:
        self.title = title
        remember_environment(os.environ)
        limits: dict[str, object] = {
            "max_series": max_series,
            "max_series_per_source": max_series_per_source,
            "max_window_mb": max_window_mb,
        }
        for name, limit in limits.items():
            if not isinstance(limit, int) or limit < 0:
                raise InputError(f"Board({name}={limit!r}): give a whole number of 0 or more")
        super().__init__(Registry(max_series, max_window_mb))
        self.intake = Intake(
            self.registry, max_series_per_source=max_series_per_source, forget_s=schedule.duration(forget)
        )
        self.registry.pull = self._pull
        self.routes = list(routes)
        self.state = None if state is None else Path(state)
        self._history_options = HistoryOptions.read(
            {
                "file": history,
                "keep": keep,
                "keep_minutes": keep_minutes,
                "keep_hours": keep_hours,
                "size": history_size,
                "commit": history_commit,
            },
            _history_refusal,
        )
        self.allowed = Allowed.read(allow_hosts, allow_origins, allow_frames, ARGUMENT)
        if authorize is not None and not callable(authorize):
            raise InputError(f"Board(authorize={authorize!r:.40}): give a function of the ASGI scope")
        self._samplers: list[Sampler] = []
        self._gauge_functions = GaugeFunctions(self.registry, self._samplers)
        self._listeners: list[Listener] = []
        self._rules: list[Rule] = []
        self._services: dict[str, Service] = {}
        self._remote_write = RemoteWriteOptions()
        self._host = HostOptions()
        self._follow = FollowOptions()
        self._alert_functions: list[tuple[str, AlertFunction]] = []
        self._marks: deque[wire.Mark] = deque(maxlen=MAX_MARKS)
        self._mark_rates = ChangeRates("marks", "by the board's program")
        self._marking = threading.Lock()
        self._own: list[wire.Row] = []
        given = {"interval_ms": interval_ms, "window_size": window_size}
        self._defaults = replace(Settings(), **{name: value for name, value in given.items() if value is not None})
        self._live: RunningBoard | None = None
        self._mounting = Mounting(self._require_live, self.allowed, authorize)

    # --- metrics ---

    def _declare(self, handle_class: type[H], declaration: Declaration) -> H:
        return self.registry.declare(handle_class, declaration)

    def metric(self, name: str) -> Handle:
        """Return the handle of a declared metric, for conditions: ``board.metric("load") > 4``.

        Raises:
            InputError: no metric has this name.
        """
        return self.registry.handle(name)

    # --- samplers ---

    def every(self, when: Duration | None = None) -> Callable[[F], F]:
        """Run the decorated function, plain or async, at each instant of a schedule.

        Args:
            when: an interval, as ``"250ms"``, ``"5m"``, seconds or a timedelta; a cron text of six fields (seconds
                first) or five; None for every tick.

        If the function fails, the page shows a problem, and it runs again at the next instant. A run that takes longer
        than three intervals is reported. The return value is not used.

        Raises:
            InputError: the schedule is invalid, the function yields, or the board is being served.
        """
        if callable(when):
            raise InputError('@board.every takes a schedule: write @board.every("1s") or @board.every()')
        parsed = schedule.parse(when) if when is not None else None

        def register(function: F) -> F:
            name = function_name(function)
            self._require_not_served(f"sampler {name}")
            check_function(f"sampler {name}", function, "set the values")
            self._samplers.append(Sampler(name, function, parsed))
            return function

        return register

    def _pull(self, gauge: Gauge, function: GaugeFunction) -> None:
        self._require_not_served(f"function of gauge {gauge.metric.name}")
        self._gauge_functions.set(gauge, function)

    def _require_not_served(self, what: str) -> None:
        if self._live is not None and self._live.running:
            raise InputError(f"{what}: the board is already being served: declare it before the board starts")

    def _require_not_prepared(self, what: str) -> None:
        if self._live is not None:
            raise InputError(f"{what}: the board is already prepared: declare it before the first tick or request")

    def monitor_self(self) -> None:
        """Add a section with Tickboard's own metrics: viewers, frames, bytes, skips and the duration of a tick.

        Raises:
            InputError: the board is being served.
        """
        if self._own:
            return
        self._require_not_served("monitor_self")
        source = OwnMetrics(self.registry, lambda: self.hub)
        self._samplers.append(Sampler("monitor_self", source.sample, None))
        charts = [declared.chart(self.registry, names, title) for title, names in own_metrics.CHARTS]
        self._own = [declared.row(charts, "Tickboard itself", note="what this dashboard costs", folded=True)]

    # --- sources ---

    def scrape(
        self,
        url: str,
        *,
        every: Duration = "1s",
        job: str = "",
        timeout: Duration = "5s",
        headers: Mapping[str, str] | None = None,
        verify: bool = True,
    ) -> None:
        """Read a target's metrics on a schedule, like Prometheus, as text or OpenMetrics.

        Its series get the label ``instance``, with its host and port, and ``job`` if you give one. ``scrape_up`` and
        ``scrape_duration`` report each scrape. If a scrape fails, the page says so, and the target's series have no
        values until it answers again.

        Args:
            url: the address, such as ``"http://localhost:9100/metrics"``. ``$NAME`` and ``${NAME}`` are read from the
                environment. A user, password and query in it are sent and never shown.
            every: a schedule, as for `every`.
            job: a label that several targets share.
            timeout: how long an answer may take.
            headers: sent with each request, as ``{"Authorization": "Bearer ${TOKEN}"}``; never shown.
            verify: whether the certificate of an https target must be valid.

        Raises:
            InputError: an argument cannot be used, a variable is not set, or the board is being served.
        """
        self._require_not_served(f"scrape {public(url)}")
        due = schedule.parse(every)
        try:
            address = read_secret(url, os.environ).reveal()
            sent = read_headers(headers or {}, os.environ)
        except InputError as error:
            raise InputError(f"scrape {public(url)}: {error}") from error
        from tickboard.sources.prometheus.scrape import Scrape

        target = Scrape(
            self.intake, address, self.report_problem, job=job, timeout=timeout, headers=sent, verify=verify
        )
        self.add_source(target)
        self._samplers.append(Sampler(target.name, target.sample, due, awaited=False))

    def statsd(
        self,
        host: str = "127.0.0.1",
        port: int = 8125,
        path: str | os.PathLike[str] | None = None,
        *,
        relative: bool = True,
    ) -> None:
        """Listen for StatsD and DogStatsD over UDP, or over a Unix datagram socket.

        Args:
            host: the address to listen on.
            port: the port.
            path: the path of a Unix socket, instead of UDP.
            relative: whether a gauge of ``+3`` or ``-3`` is a change, as in StatsD. In DogStatsD it is a value.

        If it cannot listen there, the page and the log give the reason, and the rest of the board keeps running.

        Raises:
            InputError: the board is being served.
        """
        self._require_not_served("statsd")
        source = self.intake.source(f"statsd {path or f'{host}:{port}'}")
        from tickboard.sources.datagrams import DatagramListener
        from tickboard.sources.statsd import StatsD

        listener = DatagramListener(
            StatsD(source, relative=relative),
            host=host,
            port=port,
            path=path,
            report=partial(self.report_problem, source.name),
        )
        self.add_source(listener)
        self._samplers.append(Sampler(source.name, listener.sample, None))

    def add_source(self, listener: Listener) -> None:
        """Add a source of your own, which writes to `intake` or to handles. It is started and closed with the board.

        An exception is shown as a problem, and a start that failed is tried again.

        Raises:
            InputError: it lacks the method ``start`` or ``close``, or the board is being served.
        """
        self._require_not_served(f"source {listener!r}")
        if not all(callable(getattr(listener, name, None)) for name in ("start", "close")):
            raise InputError(f"{listener!r} cannot listen: give it async methods start() and close()")
        self._listeners.append(listener)

    def report_problem(self, source: str, message: str | None) -> None:
        """Report the problem of a source; None clears it.

        The page, the log, ``/api/health`` and ``/metrics`` show it. You can call this from any thread.
        """
        self._require_live().report(source, message)

    # --- marks ---

    def mark(self, text: str, *, at: Time | None = None, until: Time | None = None, by: str = "") -> None:
        """Mark a moment, or a span of time: ``board.mark("deployed 1.4")``.

        Marks are sent to all viewers, and kept as long as history. A mark made before the board is served is published
        when serving begins. You can call this from any thread.

        Args:
            text: what happened; up to 200 characters.
            at: when: RFC 3339, an age as ``"-15m"``, ``"now"``, POSIX seconds, or a datetime with a timezone. If None,
                now.
            until: when it ended; None: it is a moment.
            by: who or what made the mark.

        Raises:
            InputError: an argument cannot be used.
            LimitError: more than 10 marks were made at once, or more than one a second after that.
        """
        mark = new_mark(str(uuid4()), text, at, until, by, int(time.time() * 1000), self._keep_marks_s())
        with self._marking:
            self._mark_rates.take(time.monotonic(), "")
        self._marks.append(mark)
        # Checked after the mark is stored, since another thread may begin to serve the board at this moment.
        if self._live is not None:
            self._live.make_marks()

    def _keep_marks_s(self) -> float:
        if self._live is None:
            return self._history_options.retention.hours_s
        return self._live.engine.alerts.log.keeping.keep_s

    # --- rules ---

    def alert(
        self,
        when: Condition,
        message: str,
        *,
        severity: wire.Severity = "warning",
        for_: Duration = "0s",
        clear: Condition | None = None,
        keep: Duration = "0s",
        no_data: NoData = "keep",
        name: str = "",
    ) -> None:
        """Add a rule: an alert fires when a condition becomes true, and is resolved when it becomes false.

        Args:
            when: a condition such as ``cpu > 90``. It is evaluated for each series of a metric with labels.
            message: a format text with ``{value}``, as ``{value:.1f}``, ``{metric}``, ``{threshold}`` and labels.
            severity: info, warning or critical.
            for_: how long the condition must be true before the alert fires.
            clear: the condition that ends the alert; None: `when` is false.
            keep: how long the alert keeps firing after it is cleared.
            no_data: what a missing value means: ``"keep"`` changes nothing, ``"alert"`` counts as a breach,
                ``"resolve"`` ends the alert.
            name: the rule's name, for ``tickboard.toml``, silences and restarts. By default, that of its first metric.

        Raises:
            InputError: an argument cannot be used. The rule is not added.
        """
        watched = condition(when)
        ends = condition(clear) if clear is not None else None
        taken = {rule.name for rule in self._rules}
        if name in taken:
            raise InputError(f"an alert named {name!r} already exists: give this one another name=")
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

    def on_alert(self, function: A) -> A:
        """Call the decorated function, plain or async, with each alert that fires and each that is resolved.

        It gets a `tickboard.Alert`; ``alert.resolved`` is None while it fires. Alerts are passed one at a time, in
        order. An exception is shown as a problem, and the next alert is passed.

        Raises:
            InputError: the function cannot be called or yields, or the board is being served.
        """
        name = function_name(function)
        check_function(f"alert function {name}", function, "handle the alert")
        self._require_not_served(f"alert function {name}")
        self._alert_functions.append((name, function))
        return function

    def apply_config(self, config: Config) -> None:
        """Apply a ``tickboard.toml``: rules, notifiers, how history is kept, where ticks are sent, and the host's name.

        Call it before the board is served.

        Args:
            config: the file, as ``tickboard.cli.dashboard_file.read_config(path)`` returns it.

        Raises:
            BoardError: something in it cannot be used. The board stays as it was.
            InputError: the board is already prepared.
        """
        from tickboard.configuration.overrides import overridden

        self._require_not_prepared("apply_config")
        rules = overridden(self._rules, config, self.registry)
        options = HistoryOptions.read(
            msgspec.to_builtins(config.history), lambda key, why: config.toml.error(("history", key), why)
        )
        sending = RemoteWriteOptions.read(
            msgspec.to_builtins(config.remote_write),
            os.environ,
            lambda key, why: config.toml.error(("remote_write", key), why),
        )
        host = HostOptions.read(
            msgspec.to_builtins(config.host), os.environ, lambda key, why: config.toml.error(("host", key), why)
        )
        following = FollowOptions.read(
            msgspec.to_builtins(config.follow), os.environ, lambda key, why: config.toml.error(("follow", key), why)
        ).beside(Path(config.toml.file))
        self._services = configured_services(self._services, config, os.environ)
        self._rules[:] = rules
        self._history_options = options.over(self._history_options)
        self._remote_write = sending.over(self._remote_write)
        self._host = host.over(self._host)
        self._follow = following.over(self._follow)

    def notify(
        self,
        name: str,
        url: str,
        *,
        severities: Iterable[wire.Severity] = SEVERITIES,
        wait: Duration = "5s",
        limit: int = LIMIT,
        remind: Duration | None = None,
        resolved: bool = True,
    ) -> None:
        """Send alerts through Apprise too: to chat, e-mail, phones and webhooks.

        Args:
            name: its name on the page and in the log.
            url: an Apprise URL. ``$NAME`` and ``${NAME}`` are read from the environment. It is never shown.
            severities: the severities of the alerts that it sends.
            wait: how long the first alert waits for others, to share a message.
            limit: the most messages in a minute. Further alerts go into the next message.
            remind: how long until an alert that still fires, and is not acknowledged, is sent again, as ``4h``.
            resolved: whether to send the end of an alert.

        Raises:
            InputError: an argument cannot be used, or the board is already prepared. The notifier is not added.
        """
        self._require_not_prepared(f"notifier {name}")
        if name in self._services:
            raise InputError(f"notifier {name!r} is already declared: give another name")
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

    def remote_write(
        self,
        url: str,
        *,
        version: Literal["1.0", "2.0"] = "1.0",
        metrics: Iterable[str] = (),
        headers: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        delay: Duration = 0,
    ) -> None:
        """Send every tick to Prometheus, VictoriaMetrics, Mimir or another receiver of remote write.

        Ticks are sent from the history, which the board must keep, so an outage or a restart leaves no gap.
        ``--remote-write`` and ``tickboard.toml`` win. See docs/prometheus-storage.md.

        Args:
            url: the receiver, such as ``"http://localhost:9090/api/v1/write"``. ``${NAME}`` is read from the
                environment. A user, password and query in it are sent and never shown.
            version: the version of the protocol. A receiver that does not support 2.0 is sent 1.0.
            metrics: only these, by name, glob or label: ``["cpu_usage", "disk_*"]``. None: all.
            headers: sent with each request, as ``{"Authorization": "Bearer ${TOKEN}"}``; never shown.
            labels: added to each series. By default ``job`` is ``tickboard``, and ``instance`` the name of the machine.
            delay: how long to wait before a tick is sent, so that it includes late values; 5 minutes at most.

        Raises:
            InputError: an argument cannot be used, a variable is not set, or the board is already prepared.
        """
        self._require_not_prepared("remote_write")
        given: dict[str, object] = {
            "url": url,
            "version": version,
            "metrics": [metrics] if isinstance(metrics, str) else list(metrics),
            "headers": headers,
            "labels": labels,
            "delay": delay,
        }
        self._remote_write = RemoteWriteOptions.read(
            given, os.environ, lambda key, why: InputError(f"remote_write({key}=…): {why}")
        )

    def publish(
        self,
        nats: str | None = None,
        *,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        credentials: str | os.PathLike[str] | None = None,
        ca: str | os.PathLike[str] | None = None,
        certificate: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
    ) -> None:
        """Publish the board on NATS, for walls; without `nats`, only name it for walls that follow it over HTTP.

        Flags and ``tickboard.toml`` win. While NATS is out of reach, everything else continues. See docs/publishing.md.

        Args:
            nats: servers, as ``"nats://a:4222,nats://b:4222"``. ``${NAME}`` is read from the environment. A user,
                password or token in a URL is sent and never shown.
            name: the host's name, unique among the hosts of a wall; by default, that of the machine.
            labels: added to the host's series on a wall, as ``{"env": "prod"}``.
            credentials: a credentials file of NATS.
            ca: certificates in PEM that the server's is checked with; by default, those that the system trusts.
            certificate: the host's own certificate, in PEM.
            key: its key, in PEM; by default, it is in the same file.

        Raises:
            InputError: an argument cannot be used, a variable is not set, or the board is already prepared.
        """
        self._require_not_prepared("publish")
        given: dict[str, object] = {"nats": nats, "name": name, "labels": labels}
        files = {"credentials": credentials, "ca": ca, "certificate": certificate, "key": key}
        given |= {option: None if file is None else Path(file) for option, file in files.items()}
        self._host = HostOptions.read(given, os.environ, lambda option, why: InputError(f"publish({option}=…): {why}"))

    def follow(self, *urls: str, token_file: str | os.PathLike[str] | None = None, metrics: Iterable[str] = ()) -> None:
        """Follow other boards as hosts: ``board.follow("http://web-1:3000", "http://web-2:3000")``.

        The overview metrics of each host become metrics of this board, with the label ``host`` and the host's own
        labels, for panels and rules: ``metric("cpu_usage", host="web-1")``. ``host_up`` is 1 while a host is there, and
        0 when it is gone. Its alerts are shown with those of this board. See docs/many-hosts.md.

        Args:
            urls: the addresses of the hosts' pages; or of NATS servers, as ``"nats://nats.example.com"``: every host
                that publishes on them is followed. ``${NAME}`` in them is read from the environment.
            token_file: a file with a line ``URL TOKEN`` for each host that needs a token.
            metrics: metrics of the hosts to show beside their overview, by name, glob or label: ``["requests"]``.

        Raises:
            InputError: an address or a selector is malformed, an address is given twice, or the board is already
                prepared.
        """
        self._require_not_prepared("follow")
        given = {
            "hosts": urls,
            "token_file": None if token_file is None else os.fspath(token_file),
            "metrics": metrics if isinstance(metrics, str) else list(metrics),
        }
        more = FollowOptions.read(given, os.environ, lambda key, why: InputError(f"follow: {why}"))
        self._follow = self._follow.and_also(more)

    @property
    def notifiers(self) -> list[Service]:
        """The declared notifiers."""
        return list(self._services.values())

    # --- life ---

    def describe(self) -> wire.BoardInfo:
        """Return the description of the board that is sent to the page."""
        return whole(self._described())

    def _described(self) -> Generator[None, None, wire.BoardInfo]:
        """Return the description in steps, as of the first step."""
        live = self._require_live()
        revision, metrics = self.registry.metrics_revision, Snapshot.of(self.registry)
        shown = yield from self._all_panels(metrics)
        return wire.BoardInfo(
            self.title,
            live.engine.epoch,
            live.settings.interval_ms,
            live.settings.window_size,
            tickboard.__version__,
            list(metrics.metrics.values()),
            shown,
            [rule.describe() for rule in self._rules],
            list(live.hub.problems.values()),
            revision,
        )

    def _all_panels(self, metrics: Snapshot) -> Generator[None, None, list[wire.Panel]]:
        own = {name for _, names in own_metrics.CHARTS for name in names} if self._own else set()
        discovered = [name for name in list(self.intake.discovered) if name in metrics.metrics]
        shown = self._panels or (yield from default_panels(metrics, own.union(discovered)))
        if self._follow.is_wanted and not self._panels:
            shown = [declared.hosts(), *shown]
        if has_hosts(shown):
            # They are in the table of hosts.
            discovered = [name for name in discovered if HOST not in metrics.metrics[name].labels]
        found = yield from discovered_panels(self.registry, metrics, discovered)
        return [*shown, *found, *self._own]

    def prepare(
        self,
        settings: Settings | None = None,
        replaces: "Board | None" = None,
        journal: Journal | None = None,
        history: HistoryOptions | None = None,
        remote_write: RemoteWriteOptions | None = None,
        host: HostOptions | None = None,
    ) -> None:
        """Make the engine, so that the board can be served. If you don't call it, the first request does.

        Args:
            settings: None: those of the environment.
            replaces: a served board, whose viewers, window, history and alerts move to this one.
            journal: keeps the log of alerts; None: the journal in the file `state`.
            history: where ticks are kept; None: as the board declares. A board that replaces another stays with its
                file.
            remote_write: where ticks are sent; None: as the board declares.
            host: its name, and where it publishes; None: as the board declares.

        Raises:
            InputError: the environment has an invalid value, a rule needs a longer window, or remote write is declared
                without a history.
            JournalError: the file of `state` cannot be used.
        """
        if settings is None:
            settings = read_settings(os.environ, default=self._defaults)
        self._check_rules(settings)
        if remote_write is not None:
            self._remote_write = remote_write
        if host is not None:
            self._host = host
        self._host.check(follows_nats=bool(nats_servers(self._follow)))
        if history is None and replaces is None and self._remote_write.is_wanted and not self._history_options.path:
            raise InputError(
                "remote_write sends ticks from the history, but none is kept: name its file, as "
                "Board(history='ticks.sqlite')"
            )
        if replaces is None:
            if journal is None and self.state is not None:
                journal = Journal(self.state)
            self._live = RunningBoard.fresh(self._declared(), settings, journal, history or self._history_options)
        else:
            live = replaces._require_live()  # noqa: SLF001  # another board of this class
            self._live = live.replaced_by(self._declared(), settings, history)
            self._live.show()

    def _declared(self) -> BoardSpec:
        return BoardSpec(
            self.title,
            self.registry,
            self.intake,
            self._rules,
            self._samplers,
            self._listeners,
            self.notifiers,
            self._alert_functions,
            self.routes,
            self._marks,
            self._described,
            self._remote_write,
            self._host,
            self._follow,
        )

    def _check_rules(self, settings: Settings) -> None:
        """Check every rule, including that the window is long enough for it."""
        for rule in self._rules:
            try:
                check_rule(rule, self.registry.metrics, self._window_s(settings))
            except InputError as error:
                raise BoardError(str(error), rule.file, rule.line) from error

    @staticmethod
    def _window_s(settings: Settings) -> float:
        return settings.window_size * settings.interval_ms / 1000

    def tick(self, now: float | None = None) -> "Tick":
        """Run the samplers that are due and make one tick, without a server: for tests of a dashboard file.

            board.tick()
            cpu.set(95)
            board.tick()
            assert [alert.rule for alert in board.firing] == ["cpu_usage"]

        Exceptions of samplers propagate. Scrapes, sources that listen and `on_alert` functions are not run, and no
        history is kept.

        Args:
            now: its time, POSIX seconds; None: one interval after the last tick, or now for the first.

        Raises:
            InputError: the board is being served, or a sampler is async and so is the caller.
        """
        from tickboard.running.manual_tick import make_tick

        if self._live is None:
            self.prepare(history=NO_HISTORY)
        live = self._require_live()
        if live.running:
            raise InputError("tick() is for tests: this board is being served and makes its own ticks")
        return make_tick(live.engine, self._samplers, live.settings.interval_ms / 1000, now)

    @property
    def firing(self) -> list[wire.Alert]:
        """The alerts that fire now, in the order they began."""
        return [event.alert for event in self._require_live().engine.alerts.log.firing()]

    @property
    def history(self) -> BoardHistory:
        """What the board has recorded: ``board.history.read("cpu_usage", start="-1d")``."""
        return BoardHistory(lambda: self._require_live().history)

    @property
    def defaults(self) -> Settings:
        """The board's own settings, before flags and environment."""
        return self._defaults

    @property
    def history_options(self) -> HistoryOptions:
        """The options of history that the board and its ``tickboard.toml`` set, before flags and environment."""
        return self._history_options

    @property
    def remote_write_options(self) -> RemoteWriteOptions:
        """The options of remote write that the board and its ``tickboard.toml`` set, before flags and environment."""
        return self._remote_write

    @property
    def host_options(self) -> HostOptions:
        """The name and labels of the host and where it publishes, as the board and its ``tickboard.toml`` set them."""
        return self._host

    @property
    def follow_options(self) -> FollowOptions:
        """The hosts that the board and its ``tickboard.toml`` follow."""
        return self._follow

    @property
    def hub(self) -> Hub:
        """The hub, which knows who is connected. `prepare` makes it."""
        return self._require_live().hub

    @property
    def settings(self) -> Settings:
        """The settings in force. `prepare` sets them."""
        return self._require_live().settings

    async def start(self) -> None:
        """Start samplers and ticks. Does nothing if they are running."""
        await self._require_live().start()

    async def stop(self) -> None:
        """Stop samplers and ticks. Viewers stay connected."""
        await self._require_live().stop()

    async def close(self) -> None:
        """Stop samplers and ticks, and close the log of alerts."""
        await self._require_live().close()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Run the board while the context is open: pass it as the lifespan of an application that mounts the board."""
        async with self._mounting.lifespan():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        await self._mounting(scope, receive, send)

    def _require_live(self) -> RunningBoard:
        if self._live is None:
            self.prepare()
        assert self._live is not None
        return self._live


def _history_refusal(option: str, why: str) -> InputError:
    argument = {"file": "history", "size": "history_size", "commit": "history_commit"}.get(option, option)
    return InputError(f"Board({argument}=…): {why}")
