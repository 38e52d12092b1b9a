"""Queries for alerts, firing and resolved, page by page."""

from msgspec import Struct

from tickboard.wire import Alert


class AlertQuestion(Struct, frozen=True):
    """A query for alerts.

    Attributes:
        state: ``all``, ``active`` or ``resolved``.
        wanted: the allowed values of a field (severity, rule, metric, host), by the field's name.
        limit: how many alerts a page has.
        before: only alerts whose firing event has a lower number than this.
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
        """Return whether an alert matches, on whatever page."""
        return (
            (self.state == "all" or (alert.resolved is None) == (self.state == "active"))
            and (self.end is None or alert.timestamp < self.end)
            and (self.start is None or alert.resolved is None or alert.resolved >= self.start)
            and all(getattr(alert, name) in values for name, values in self.wanted.items())
        )


class FoundAlerts(Struct, frozen=True):
    """The alerts that match a query.

    Attributes:
        total: how many match, on all pages.
        page: the page's alerts, newest first, each with the number of its firing event; one more than the limit if
            there are further pages.
    """

    total: int
    page: list[tuple[int, Alert]]
