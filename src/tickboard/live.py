"""A board while it is served: the engine, the hub, the teller, and what runs beside them.

It is made of what a board declares, and knows nothing of how that was declared. When a board takes the place of
another, as under ``tickboard dev``, the hub and the teller go on: nobody is disconnected, and no episode ends.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self
from uuid import uuid4

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from tickboard import types
from tickboard.alerting.log import AlertLog
from tickboard.alerting.rules import Rule
from tickboard.engine import Engine
from tickboard.errors import TickboardError
from tickboard.hub.hub import Hub
from tickboard.intake import Intake
from tickboard.journal.journal import Journal
from tickboard.notify.notifier import Notifiers, Service
from tickboard.runner import Runner, Sampler
from tickboard.series import Registry
from tickboard.server.app import create_app
from tickboard.server.descriptors import write_all
from tickboard.settings import Settings
from tickboard.teller import Teller

log = logging.getLogger("tickboard")


class Listener(Protocol):
    """A source that waits for others to send."""

    async def start(self) -> None:
        """Begin to listen."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


@dataclass(frozen=True, eq=False)
class Declared:
    """What a board declares, as far as serving it needs to know.

    Attributes:
        title: the page's heading.
        registry: the metrics and series.
        intake: where samples come from outside.
        rules: the alert rules; more may be added.
        samplers: what sets values.
        listeners: sources that wait for others to send.
        services: where alerts are told outside the page.
        routes: the board's own; they go before the built-in ones.
        describe: gives the Board as the page wants it.
        tell: shows what is wrong with a source, or with None that it is mended.
    """

    title: str
    registry: Registry
    intake: Intake
    rules: list[Rule]
    samplers: list[Sampler]
    listeners: list[Listener]
    services: list[Service]
    routes: list[BaseRoute]
    describe: Callable[[], types.Board]
    tell: Callable[[str, str | None], None]


class Live:
    """A board that is served.

    Args:
        declared: what it is made of.
        settings: how often it ticks, and how long its window is.
        engine: what makes its ticks.
        hub: who sees them.
        teller: who tells of alerts.

    Attributes:
        settings: as given.
        engine: as given.
        hub: as given.
        app: the ASGI application.
    """

    def __init__(self, declared: Declared, settings: Settings, engine: Engine, hub: Hub, teller: Teller) -> None:
        self.settings = settings
        self.engine = engine
        self.hub = hub
        self._declared = declared
        self._teller = teller
        self._runner: Runner | None = None
        self._ticks_skipped = 0
        self._notifiers = Notifiers(declared.services, declared.title, hub.traffic.notified, declared.tell)
        self.app: Starlette = create_app(hub, declared.intake, teller.act, self._skipped, declared.routes)

    @classmethod
    def fresh(cls, declared: Declared, settings: Settings, journal: Journal | None) -> Self:
        """Return a board that is served from now on, with the alerts that a journal has kept.

        Raises:
            JournalError: the journal can't be read.
        """
        epoch = secrets.token_hex(6)
        if journal is None:
            engine = _engine(declared, settings, epoch, AlertLog(epoch))
        else:
            kept = journal.load(time.time())
            alert_log = AlertLog(kept.epoch, kept.events, kept.number, kept=True, firing=kept.firing)
            alert_log.positions |= kept.positions
            engine = _engine(declared, settings, epoch, alert_log)
            engine.alerts.restore(kept.episodes, kept.silences)
            if journal.damaged is not None:
                log.warning("%s was damaged, and is now %s: the log begins anew", journal.path, journal.damaged)
        hub = Hub(engine, declared.describe, write_all)
        return cls(declared, settings, engine, hub, Teller(hub, journal))

    def replaced_by(self, declared: Declared, settings: Settings) -> "Live":
        """Return another board, with this one's history and alerts; `show` it to this one's viewers."""
        engine = _engine(declared, settings, secrets.token_hex(6), self.engine.alerts.log)
        engine.inherit(self.engine)
        return Live(declared, settings, engine, self.hub, self._teller)

    def show(self) -> None:
        """Let the viewers of the board that this one replaces see it."""
        # What was wrong with the old board's samplers is no longer of interest.
        self.hub.problems.clear()
        self.hub.switch(self.engine, self._declared.describe)

    @property
    def running(self) -> bool:
        """Whether ticks are made."""
        return self._runner is not None

    async def start(self) -> None:
        """Begin to sample, to make ticks and to tell of alerts, if it hasn't begun."""
        if self._runner is not None:
            return
        self._runner = Runner(
            self.engine,
            self.hub,
            self._teller,
            self._declared.samplers,
            interval_ms=self.settings.interval_ms,
            alert_check_s=self.settings.alert_check_s,
        )
        self._runner.start()
        for listener in self._declared.listeners:
            try:
                await listener.start()
            except TickboardError as error:
                # One that cannot listen is told of; all the rest of the board goes on.
                self._declared.tell("listener", str(error))
        self._notifiers.start(self.engine.alerts.log, self.hub.listen, self._teller.journal)

    async def stop(self) -> None:
        """End what `start` began; viewers stay connected."""
        if self._runner is None:
            return
        runner, self._runner = self._runner, None
        self._ticks_skipped += runner.ticks_skipped
        await runner.stop()
        for listener in self._declared.listeners:
            await listener.close()
        await self._notifiers.stop()

    async def close(self) -> None:
        """End all, and then what keeps the log of alerts."""
        await self.stop()
        await self._teller.close()

    def _skipped(self) -> int:
        return self._ticks_skipped + (self._runner.ticks_skipped if self._runner is not None else 0)


def _engine(declared: Declared, settings: Settings, epoch: str, alert_log: AlertLog) -> Engine:
    return Engine(declared.registry, declared.rules, settings.window_size, epoch, _alert_id, declared.intake, alert_log)


def _alert_id() -> str:
    return str(uuid4())
