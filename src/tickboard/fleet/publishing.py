"""Publishing of one board after another: a publisher, if it is wanted, that continues when a board is replaced."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct
from starlette.types import ASGIApp, Scope

from tickboard.fleet.caller import Caller
from tickboard.fleet.introduction import Introduction
from tickboard.fleet.options import HostOptions
from tickboard.hub.hub import Hub

if TYPE_CHECKING:
    from tickboard.fleet.publisher import Publisher


class PublishedBoard(Struct, frozen=True, eq=False):
    """What is published of a board.

    Attributes:
        introduction: describes it, and says where it is published, if anywhere.
        interval_ms: milliseconds between two ticks.
        app: its application, which serves the calls of walls.
        identify: puts into the scope of a call who makes it.
    """

    introduction: Introduction
    interval_ms: int
    app: ASGIApp
    identify: Callable[[Scope, Caller], None]


class Publishing:
    """Publishes what a hub shows, as the options of its current board say.

    Args:
        hub: has the board.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._options = HostOptions()
        self._publisher: Publisher | None = None
        self._problems = hub.problems.scope()

    async def use(self, board: PublishedBoard) -> None:
        """Publish a board from now on; a publisher with the same options continues."""
        options = board.introduction.options
        if self._publisher is not None and options != self._options:
            await self.close()
        self._options = options
        if self._publisher is None and options.nats:
            from tickboard.fleet.publisher import Publisher

            self._problems = self._hub.problems.scope()
            self._publisher = Publisher(board, self._hub, self._problems)
            self._hub.traffic.published = self._publisher.connection.counts
            self._publisher.start()
        elif self._publisher is not None:
            self._publisher.show(board)

    async def close(self) -> None:
        """Say goodbye, and publish no more."""
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            self._hub.traffic.published = None
            await publisher.close()
            self._problems.close()
