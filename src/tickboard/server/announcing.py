"""The interface of the board's announcer for routes: it stores and publishes people's actions."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from tickboard.alerting.actions import ActionResult
from tickboard.alerting.alerts import Alerts
from tickboard.journal.journal import Journal
from tickboard.wire import Mark

Change = Callable[[Alerts, float], ActionResult]
"""Performs an action on the alerts at a time."""


class Announcing(Protocol):
    """The announcer of a board."""

    @property
    def journal(self) -> Journal | None:
        """Where alerts and marks are stored; None: in memory alone."""
        ...

    def act(self, change: Change) -> Awaitable[tuple[ActionResult, bool]]:
        """Make a change, store and publish its events; return what changed, and whether it is stored."""
        ...

    def mark(self, mark: Mark, permit: Callable[[], None]) -> Awaitable[tuple[Mark, bool]]:
        """Make a mark likewise, if `permit` does not raise; return it, or an existing one with the same content."""
        ...
