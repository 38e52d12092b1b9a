"""The client's clock: it measures how long a client takes to send, and stands still while the server does not read.

Under ``tickboard run``, what a connection has received may stand in line for a while before it is read. A request finds
its clock in the scope, under `CLOCK`; other servers have none, and the monotonic clock takes its place.
"""

import time

CLOCK = "tickboard.client_clock"
"""The key in a request's scope."""


class ClientClock:
    """Seconds of a clock that can be stopped. Only differences have a meaning."""

    __slots__ = ("_behind_s", "_stopped_at")

    def __init__(self) -> None:
        self._behind_s = 0.0
        self._stopped_at: float | None = None

    def __call__(self) -> float:
        """Return what it shows."""
        return (time.monotonic() if self._stopped_at is None else self._stopped_at) - self._behind_s

    def stop(self) -> None:
        """Stop it."""
        self._stopped_at = time.monotonic()

    def resume(self) -> float:
        """Start it again; return for how many seconds it was stopped."""
        assert self._stopped_at is not None
        stood_s = time.monotonic() - self._stopped_at
        self._behind_s += stood_s
        self._stopped_at = None
        return stood_s
