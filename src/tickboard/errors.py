"""What can go wrong, split by whose fault it is.

Every error names the input and the mend in one line, and carries the HTTP status that says it best, so that the
command line, the REST routes and the page all show the same sentence. Nothing here knows who shows it.
"""


class TickboardError(Exception):
    """The root of all errors raised on purpose by Tickboard.

    Attributes:
        status: the HTTP status code that tells a web client whose fault it is.
    """

    status = 500


class InputError(TickboardError, ValueError):
    """A value given by a person or a program cannot be used."""

    status = 422


class BoardError(InputError):
    """A dashboard file, or what configures it, cannot be used.

    Args:
        message: what is wrong and how to mend it, in one line.
        file: the file that was read.
        line: the line in it, counted from 1, where one is known.
    """

    def __init__(self, message: str, file: str, line: int | None = None) -> None:
        where = f"{file}:{line}" if line is not None else file
        super().__init__(f"{where}: {message}")
        self.message = message
        self.file = file
        self.line = line


class LimitError(TickboardError):
    """A bound that protects the server is reached; what was there goes on."""

    status = 429


class PayloadError(TickboardError, ValueError):
    """The body of a request cannot be used.

    Args:
        message: what is wrong and how to mend it, in one line.
        status: 400 malformed, 413 too large, 415 of another type.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class ForeignError(TickboardError):
    """A page of another site asks for what only pages of this one may do."""

    status = 403


class AlertError(TickboardError):
    """What was asked of an alert cannot be done.

    Args:
        message: what is wrong and how to mend it, in one line.
        status: 404 there is no such alert, 409 it is over.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class JournalError(TickboardError):
    """The file that keeps the log of alerts cannot be used; what is in memory goes on."""

    status = 503
