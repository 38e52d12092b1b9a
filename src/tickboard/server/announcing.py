"""The interface of the board's announcer for routes: it stores and publishes people's actions."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from tickboard.alerting.alerts import Alerts
from tickboard.alerting.log import AlertEvent
from tickboard.journal.journal import Journal
from tickboard.wire import Alert, Mark

Change = Callable[[Alerts, float], AlertEvent | Alert]
"""Performs an action on the alerts at a time; returns the event, or the alert if nothing has changed."""


class Announcing(Protocol):
    """The announcer of a board."""

    @property
    def journal(self) -> Journal | None:
        """Where alerts and marks are stored; None: in memory alone."""
        ...

    def act(self, change: Change) -> Awaitable[tuple[Alert, bool]]:
        """Make a change, store and publish its event; return the alert afterwards, and whether it is stored."""
        ...

    def mark(self, mark: Mark, permit: Callable[[], None]) -> Awaitable[tuple[Mark, bool]]:
        """Make a mark likewise, if `permit` does not raise; return it, or an existing one with the same content."""
        ...
