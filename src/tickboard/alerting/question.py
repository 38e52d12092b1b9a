"""Questions about alerts: which of those that fire and those that fired somebody wants to see, page by page."""

from msgspec import Struct

from tickboard.wire import Alert


class AlertQuestion(Struct, frozen=True):
    """Which alerts are asked for.

    Attributes:
        state: ``all``, ``active`` or ``resolved``.
        wanted: by the name of a field of an alert (severity, rule, metric), the values that it may have.
        limit: how many alerts a page has.
        before: the number that the page's alerts began before.
        start: only alerts that were firing at this time or began later, RFC 3339 in UTC with milliseconds; None: no
            limit.
        end: only alerts that began to fire before this time; None: no limit.
    """

    state: str
    wanted: dict[str, frozenset[str]]
    limit: int
    before: int
    start: str | None = None
    end: str | None = None

    @property
    def is_of_range(self) -> bool:
        """Whether a range of time is asked for."""
        return self.start is not None or self.end is not None

    def matches(self, alert: Alert) -> bool:
        """Return whether an alert is asked for, on whatever page."""
        return (
            (self.state == "all" or (alert.resolved is None) == (self.state == "active"))
            and (self.end is None or alert.timestamp < self.end)
            and (self.start is None or alert.resolved is None or alert.resolved >= self.start)
            and all(getattr(alert, name) in values for name, values in self.wanted.items())
        )


class FoundAlerts(Struct, frozen=True):
    """Alerts that were found.

    Attributes:
        total: how many were found, on all pages.
        page: the page's, each with the number of its beginning, the newest first; one more than the question's limit if
            there are further pages.
    """

    total: int
    page: list[tuple[int, Alert]]
