"""What routes ask of the board's announcer, which keeps and publishes what people do."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from tickboard.alerting.alerts import Alerts
from tickboard.alerting.log import AlertEvent
from tickboard.journal.journal import Journal
from tickboard.wire import Alert, Mark

Change = Callable[[Alerts, float], AlertEvent | Alert]
"""Does to the alerts, at a time, what somebody asks for; returns the alert as it is where nothing changes."""


class Announcing(Protocol):
    """The announcer of a board."""

    @property
    def journal(self) -> Journal | None:
        """Where alerts and marks are kept; None: in memory alone."""
        ...

    def act(self, change: Change) -> Awaitable[tuple[Alert, bool]]:
        """Make a change, keep the event and publish it; return the alert after that, and whether it is kept."""
        ...

    def mark(self, mark: Mark, permit: Callable[[], None]) -> Awaitable[tuple[Mark, bool]]:
        """Make a mark likewise, if `permit` does not raise; return it, or one that says the same already."""
        ...
