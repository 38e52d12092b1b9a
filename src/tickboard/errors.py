"""What can go wrong, split by whose fault it is.

Every error names the input and the mend in one line, and carries the HTTP status that says it best, so that the
command line, the REST routes and the page all show the same sentence. Nothing here knows who shows it.
"""


class TickboardError(Exception):
    """The base of all errors that Tickboard raises on purpose.

    Attributes:
        status: the HTTP status for it.
    """

    status = 500


class InputError(TickboardError, ValueError):
    """A value given by a person or a program cannot be used."""

    status = 422


class PortTakenError(InputError):
    """Another program listens on the port that was asked for."""


class BoardError(InputError):
    """A dashboard file, or what configures it, cannot be used.

    Args:
        message: what is wrong and how to fix it, on one line.
        file: the file that was read.
        line: the line in it, counted from 1, if known.
    """

    def __init__(self, message: str, file: str, line: int | None = None) -> None:
        where = f"{file}:{line}" if line is not None else file
        super().__init__(f"{where}: {message}")
        self.message = message
        self.file = file
        self.line = line


class OutputError(TickboardError):
    """The answer of a command cannot be printed."""


class SampleError(TickboardError):
    """Some values could not be sampled, and have been taken back: none that is shown is stale for it.

    What is wrong is outside, so no traceback helps anybody.

    Attributes:
        detail: more for the owner of the board.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class LimitError(TickboardError):
    """A limit is reached. What was there before goes on."""

    status = 429


class BusyError(TickboardError):
    """The server has too much to do at once; the same will be taken later.

    Args:
        message: what there is too much of, in one line.
        retry_after_s: when it is worth trying again.
    """

    status = 503

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateError(LimitError):
    """Something is done too often.

    Args:
        message: what is wrong and how to fix it, in one line.
        retry_after_s: seconds after which it may be tried again.
    """

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PayloadError(TickboardError, ValueError):
    """The body of a request cannot be used.

    Args:
        message: what is wrong and how to fix it, on one line.
        status: 400 malformed, 408 too slow, 413 too large, 415 of another type.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class AlertError(TickboardError):
    """What was asked of an alert cannot be done.

    Args:
        message: what is wrong and how to fix it, on one line.
        status: 404 there is no such alert, 409 it is over.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class JournalError(TickboardError):
    """The file that keeps the log of alerts cannot be used; what is in memory goes on."""

    status = 503


class UsedError(JournalError):
    """Another process keeps its log of alerts in the file."""


class HistoryError(TickboardError):
    """The file that keeps the history cannot be used or read. The board goes on without it.

    Attributes:
        retry_after_s: when it is worth trying again: a disk may work again by then.
    """

    status = 503
    retry_after_s = 10


class TooMuchError(InputError):
    """More of the history is asked for than is read at once. The message says what to ask for instead."""


class NoHistoryError(TickboardError):
    """The board keeps no history."""

    status = 404

    def __init__(self) -> None:
        super().__init__(
            "this board keeps no history: start it with --history FILE, or declare Board(history=FILE); "
            "if that was done, the board's problems say what is wrong with the file"
        )
