"""Links: how a wall reaches one host, over HTTP or through NATS. A follower uses both in the same way."""

from collections.abc import Container
from typing import TYPE_CHECKING, Protocol

from starlette.types import Receive, Scope, Send

from tickboard.errors import TickboardError
from tickboard.wire import About

if TYPE_CHECKING:
    from tickboard.client.decoder import Tick


class CutOffError(TickboardError):
    """A host was lost after its answer had begun: the rest is missing."""

    status = 502


class Link(Protocol):
    """One host, as a wall reaches it.

    Attributes:
        address: for people: the URL of the host, or of the NATS server through which it is reached.
        kind: how it is reached, ``http`` or ``nats``.
    """

    address: str
    kind: str

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an ``http`` or ``websocket`` connection on to the host's own server, whose answer it gets.

        The path in the scope is that on the host; `tickboard.fleet.caller` says who asks. A request that may not pass
        is answered with 403 or 404 (`tickboard.fleet.passing`). If the host cannot be reached, the answer is 502, or
        504 if it does not answer in time; if it has too many calls, it is 503.

        Raises:
            CutOffError: the host was lost after its answer had begun. A WebSocket is closed with 1014 instead.
        """
        ...


class HostLinks(Protocol):
    """The hosts that a wall follows, as `tickboard.fleet.fleet.Fleet` has them."""

    @property
    def hosts(self) -> Container[str]:
        """Their names."""
        ...

    def link(self, name: str) -> Link | None:
        """Return the link to a host; None: it cannot be reached now."""
        ...


class LinkListener(Protocol):
    """Receives what hosts send. Links call its methods in the event loop; they return quickly and raise nothing."""

    def introduced(self, link: Link, about: About) -> None:
        """Receive a host's description: before anything else that it sends, and whenever it has changed."""
        ...

    def ticked(self, link: Link, tick: "Tick") -> None:
        """Receive a tick with the overview series, each once and in order; `Tick.missed` counts those that are lost."""
        ...

    def amended(self, link: Link, tick: "Tick") -> None:
        """Receive late values of an earlier tick; NaN: unchanged."""
        ...

    def heard(self, link: Link, seq: int, alerts: int, clock: float) -> None:
        """Record that a host is alive.

        Args:
            link: from where.
            seq: the host's newest tick.
            alerts: the number of its newest alert event; -1: unknown.
            clock: the host's time, POSIX seconds; NaN: unknown.
        """
        ...

    def contested(self, link: Link, place: str | None) -> None:
        """Take note that another process uses the host's name, or wants to.

        Args:
            link: to the host that has the name.
            place: where the other one runs; empty: unknown; None: there is none any more.
        """
        ...

    def said_bye(self, link: Link) -> None:
        """Record that a host ends on purpose."""
        ...

    def lost(self, link: Link, why: str) -> None:
        """Record that a host cannot be reached, and why, in words for people; empty: the reason is over."""
        ...
