"""Remote write of one board: a supervised sender, if remote write is wanted and the board has a history."""

from typing import TYPE_CHECKING

from tickboard.history.store import History
from tickboard.hub.traffic import RemoteWritten, Traffic
from tickboard.loop.supervisor import Supervisor
from tickboard.problems import Reporter
from tickboard.sending.options import RemoteWriteOptions

if TYPE_CHECKING:
    from tickboard.sending.sender import Sender


class RemoteWriting:
    """Sends the recorded ticks of a board. Call `start`, then `stop`.

    Args:
        options: what to send, and where.
        history: holds the ticks; None if the board has no history.
        traffic: gets the counters, which continue when another board replaces this one.
        problems: where failures are reported.
    """

    def __init__(
        self, options: RemoteWriteOptions, history: History | None, traffic: Traffic, problems: Reporter
    ) -> None:
        self._is_wanted = options.is_wanted
        self._problems = problems
        self._supervisor = Supervisor(problems)
        self._sender: Sender | None = None
        if not self._is_wanted:
            traffic.remote_written = None
            return
        counts = traffic.remote_written = traffic.remote_written or RemoteWritten()
        if history is not None:
            from tickboard.sending import sender

            self._sender = sender.Sender(options, history, counts, problems)

    def start(self) -> None:
        """Start sending, in the running loop."""
        if not self._is_wanted:
            return
        from tickboard.sending.sender import SOURCE

        if self._sender is not None:
            # Not the source of the sender's own problems, which may remain.
            self._supervisor.start(f"{SOURCE}: sender", self._sender.run)
        else:
            self._problems.report(SOURCE, "nothing is sent, because the board has no history to send from")

    async def stop(self) -> None:
        """Stop, without waiting for an answer."""
        await self._supervisor.stop()
