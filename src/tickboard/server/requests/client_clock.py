"""The client's clock: measures how long a client takes to send, and stops while the server does not read.

Under ``tickboard run``, received data may wait in line for a while before it is read. A request finds its clock in the
scope, under `CLOCK`. Other servers have none; the monotonic clock is used then.
"""

import time

CLOCK = "tickboard.client_clock"
"""The key in a request's scope."""


class ClientClock:
    """A clock in seconds that can be stopped. Only differences have a meaning."""

    __slots__ = ("_behind_s", "_stopped_at")

    def __init__(self) -> None:
        self._behind_s = 0.0
        self._stopped_at: float | None = None

    def __call__(self) -> float:
        """Return its time."""
        return (time.monotonic() if self._stopped_at is None else self._stopped_at) - self._behind_s

    def stop(self) -> None:
        """Stop it."""
        self._stopped_at = time.monotonic()

    def resume(self) -> float:
        """Start it again; return how many seconds it was stopped."""
        assert self._stopped_at is not None
        stood_s = time.monotonic() - self._stopped_at
        self._behind_s += stood_s
        self._stopped_at = None
        return stood_s
