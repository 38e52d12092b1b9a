"""A host's introduction: who it is, and what a wall should know before it shows its ticks."""

from collections.abc import Callable, Generator

from msgspec import Struct
from msgspec.structs import replace

from tickboard import __version__
from tickboard.fleet.messages import PROTOCOL
from tickboard.fleet.options import HostOptions
from tickboard.fleet.overview import overview
from tickboard.hub.hub import Hub
from tickboard.wire import About, timestamp


class Introduction(Struct, frozen=True, eq=False):
    """Describes one board to walls.

    Attributes:
        options: its name and labels.
        hub: has the board.
        started: returns when the board started, POSIX seconds; 0: it has not.
        keeps_history: returns whether walls can fill holes from its history.
    """

    options: HostOptions
    hub: Hub
    started: Callable[[], float]
    keeps_history: Callable[[], bool]

    def about(self) -> Generator[None, None, About]:
        """Return the description, made in steps."""
        board = yield from self.hub.board.described(details=False)
        chosen = overview({info.name: info for info in board.metrics}, board.panels)
        names = {info.name for info in chosen}
        started = self.started()
        return About(
            self.options.host_name,
            self.hub.engine.alerts.log.epoch,
            __version__,
            PROTOCOL,
            board.title,
            board.interval_ms,
            dict(self.options.labels or ()),
            [replace(info, overview=True) for info in chosen],
            [rule for rule in board.rules if rule.metric in names],
            started=timestamp(started) if started else "",
            booted=_booted(),
            keeps_history=self.keeps_history(),
        )


def _booted() -> str:
    """Return when the machine started; empty if it hides that."""
    import psutil

    try:
        return timestamp(psutil.boot_time())
    except Exception:  # noqa: BLE001  # a platform or a container may hide it in any way
        return ""
