"""Errors, grouped by whose fault they are.

Each message names the bad input and how to fix it, on one line. Each error has an HTTP status, so the command line, the
REST routes and the page show the same sentence. Nothing here knows how it is shown.
"""


class TickboardError(Exception):
    """The base of all errors that Tickboard raises on purpose.

    Attributes:
        status: the HTTP status for it.
    """

    status = 500


class InputError(TickboardError, ValueError):
    """A value from a person or a program cannot be used."""

    status = 422


class PortTakenError(InputError):
    """Another program already listens on the port."""


class BoardError(InputError):
    """A dashboard file or its configuration cannot be used.

    Args:
        message: what is wrong and how to fix it, on one line.
        file: the path of the file.
        line: the line in it, counted from 1; None: not known.
    """

    def __init__(self, message: str, file: str, line: int | None = None) -> None:
        where = f"{file}:{line}" if line is not None else file
        super().__init__(f"{where}: {message}")
        self.message = message
        self.file = file
        self.line = line


class OutputError(TickboardError):
    """A command's output cannot be printed."""


class SampleError(TickboardError):
    """Some values could not be sampled, and were removed, so that the board shows no stale value.

    The cause is outside the program, so no traceback is shown.

    Attributes:
        detail: details for the owner of the board.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class RefusedError(TickboardError):
    """A board that runs elsewhere refused a connection or a request, cannot be reached, or is not a board."""

    status = 502


class LimitError(TickboardError):
    """A limit is reached. Existing series and connections are not affected."""

    status = 429


class BusyError(TickboardError):
    """The server is overloaded; the same request may succeed later.

    Args:
        message: what is wrong, on one line.
        retry_after_s: seconds after which to try again.
    """

    status = 503

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateError(LimitError):
    """Something is done too often.

    Args:
        message: what is wrong and how to fix it, on one line.
        retry_after_s: seconds after which to try again.
    """

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PayloadError(TickboardError, ValueError):
    """The body of a request cannot be used.

    Args:
        message: what is wrong and how to fix it, on one line.
        status: 400 malformed, 408 too slow, 413 too large, 415 wrong type.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class AlertError(TickboardError):
    """An operation on an alert is not possible.

    Args:
        message: what is wrong and how to fix it, on one line.
        status: 404 there is no such alert, 409 it is resolved.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class LiveHostError(TickboardError):
    """A host cannot be forgotten while it is live."""

    status = 409


class JournalError(TickboardError):
    """The file of the alert log cannot be used. The log in memory still works.

    Attributes:
        retry_after_s: seconds after which to try again: a disk may work again by then.
    """

    status = 503
    retry_after_s = 10


class UsedError(JournalError):
    """Another process uses the file of the alert log."""


class HistoryError(TickboardError):
    """The history file cannot be used or read. The board works without it.

    Attributes:
        retry_after_s: seconds after which to try again: a disk may work again by then.
    """

    status = 503
    retry_after_s = 10


class TooMuchError(InputError):
    """A question asks for more of the history than is read at once. The message says what to ask for instead."""


class NoHistoryError(TickboardError):
    """The board keeps no history."""

    status = 404

    def __init__(self) -> None:
        super().__init__(
            "this board keeps no history: start it with --history FILE, or declare Board(history=FILE); "
            "if you did, the board's problems say what is wrong with the file"
        )
