"""The output of the command line.

While a board is served, no fault of standard output or standard error may end it or delay it: a pipe whose reader has
gone, a full disk, a paused terminal, a character that the terminal lacks. So `say`, the log and a dashboard file's own
`print` queue their text, and a thread for each of the two streams writes it. A command that ends by itself prints with
`put`, which raises if its output cannot be written.

Text is escaped line by line, since parts of it may come from anywhere: see `tickboard.output.text`. Only a dashboard
file's own output is left as it is.
"""

import contextlib
import io
import logging
import os
import select
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, TextIO

from tickboard.errors import OutputError
from tickboard.output.logs import log, tidy
from tickboard.output.text import escaped, escaped_lines

MAX_CHARACTERS = 1_000_000
"""How many characters may wait to be written."""

WAIT_S = 1.0
"""How long to wait for room, once. After that, text is dropped until writing works again."""

FINISH_S = 1.0
"""How long the program waits at its end for the remaining text of a stream to be written."""

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Printer:
    """Writes text to a descriptor from a thread of its own.

    The thread uses `os.write`: a stream's lock, held by a write that never returns, would block everyone who prints,
    and the end of the interpreter.

    Args:
        descriptor: 1 or 2.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._texts: deque[str] = deque()
        self._waiting = 0
        self._dropped = 0
        self._stuck = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, text: str) -> None:
        """Queue text to be written, and return.

        If too much is waiting, the text is dropped. When writing works again, the number of drops is printed. Only the
        first time does it wait a moment, so that a terminal that is merely slow gets everything.
        """
        with self._changed:
            if not self._stuck:
                self._stuck = not self._changed.wait_for(lambda: self._waiting <= MAX_CHARACTERS, WAIT_S)
            if self._stuck:
                self._dropped += 1
                return
            self._texts.append(text)
            self._waiting += len(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="printing", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def finish(self, seconds: float) -> bool:
        """Wait until everything is written, at most `seconds`; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._texts)
                text = "".join(self._texts)
                self._texts.clear()
                dropped, self._dropped = self._dropped, 0
            written = self._write(text + (f"({dropped} prints were lost)\n" if dropped else ""))
            with self._changed:
                self._waiting -= len(text)
                self._stuck = self._stuck and self._waiting > MAX_CHARACTERS
                if not written:
                    self._dropped += dropped + 1
                self._changed.notify_all()

    def _write(self, text: str) -> bool:
        stream = sys.__stdout__ if self._descriptor == 1 else sys.__stderr__
        data = memoryview(text.encode(getattr(stream, "encoding", None) or "utf-8", "backslashreplace"))
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # another program that shares the terminal has made it non-blocking
                select.select([], [self._descriptor], [], 1.0)
            except OSError:
                return False
        return True


class SafeStream(io.TextIOBase):
    """Replaces standard output or standard error, so that a dashboard file's `print` can't fail or block.

    Args:
        printer: writes the text.
        beneath: the stream that it replaces.
    """

    def __init__(self, printer: Printer, beneath: TextIO | None) -> None:
        super().__init__()
        self._printer = printer
        self._beneath = beneath

    def write(self, text: str) -> int:
        """Queue text to be written; return the number of characters."""
        self._printer.put(text)
        return len(text)

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._beneath is not None and self._beneath.isatty()

    def fileno(self) -> int:
        """Return the descriptor."""
        return super().fileno() if self._beneath is None else self._beneath.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has it writable
        """The encoding."""
        return "utf-8" if self._beneath is None else self._beneath.encoding

    def __getattr__(self, name: str) -> Any:
        """Return other attributes of the stream beneath, such as ``buffer``."""
        return getattr(self._beneath, name)


class LogHandler(logging.Handler):
    """Writes the log to standard error, one record a line, each with its time in UTC.

    Records of other libraries are escaped here; Tickboard's own are escaped where they are logged.
    """

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(tidy)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record; one that cannot be formatted is written unformatted."""
        try:
            message = self.format(record)
        except Exception as error:  # noqa: BLE001  # its arguments are foreign: their __str__ may raise anything
            message = escaped(f"{record.msg!r} cannot be formatted: {type(error).__name__}")
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        ERRORS.put(f"{at}.{int(record.msecs):03d}Z {record.levelname} {message}\n")


OUTPUT, ERRORS = Printer(1), Printer(2)


def prepare() -> None:
    """Make standard output and standard error safe to print to, before anything else is opened.

    A descriptor that was closed before the program began would be reused for the next file that is opened: the journal
    or a client's socket would get what is printed. So it is opened, but for reading only, so that writing still fails.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = _complain_of
    warnings.showwarning = _show_warning
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable


def prepare_to_serve(level: str) -> None:
    """Print through the threads from now on, and log to standard error from this level on.

    Other libraries' records are shown from warnings on, or from `level` on if it is higher; all of them at debug. A
    dashboard file that configures logging itself keeps its configuration.
    """
    sys.stdout, sys.stderr = SafeStream(OUTPUT, sys.__stdout__), SafeStream(ERRORS, sys.__stderr__)
    own = LEVELS[level]
    other = own if own == logging.DEBUG else max(own, logging.WARNING)
    logging.lastResort = LogHandler()
    logging.getLogger("tickboard").setLevel(own)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi"):
        logging.getLogger(name).setLevel(other)
    # A dashboard file may have handlers of its own for the server's log records.
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi", "asyncio"):
        logging.getLogger(name).addFilter(tidy)
    if not logging.root.handlers:
        logging.root.setLevel(other)


def _complain_of(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _complain(f"{escaped_lines(''.join(traceback.format_exception(kind, error, trace)).rstrip())}\n")
    # The program ends now, and with it the thread that prints.
    ERRORS.finish(FINISH_S)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = f"{escaped_lines(warnings.formatwarning(message, category, filename, lineno, line).rstrip())}\n"
    if file is None:
        _complain(text)
    else:
        file.write(text)


def _log_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_type is not SystemExit:
        name = arguments.thread.name if arguments.thread is not None else "?"
        log.error("the thread %r has ended", name, exc_info=arguments.exc_value or arguments.exc_type())


def _log_unraisable(arguments: "sys.UnraisableHookArgs") -> None:
    error = arguments.exc_value or arguments.exc_type()
    log.error("%s %r", arguments.err_msg or "an exception was ignored in", arguments.object, exc_info=error)


def say(*lines: str) -> None:
    """Print lines while a board is served; return at once, and never raise."""
    OUTPUT.put(_printed(lines))


class Answers:
    """Standard output for the result of a command: a file whose `write` raises OutputError if the text is lost."""

    def write(self, text: str) -> int:
        """Write text at once; return the number of characters.

        Raises:
            OutputError: standard output cannot be written to.
        """
        with _lost_output():
            sys.stdout.write(text)
            sys.stdout.flush()
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Write a part of a document in UTF-8 at once, whatever the terminal's encoding.

        Raises:
            OutputError: standard output cannot be written to.
        """
        with _lost_output():
            sys.stdout.buffer.write(data)
            sys.stdout.flush()

    def flush(self) -> None:
        """Do nothing: all that was written has been flushed."""

    def __getattr__(self, name: str) -> Any:
        """Return other attributes of standard output, such as its encoding or whether it is a terminal."""
        return getattr(sys.stdout, name)


@contextlib.contextmanager
def _lost_output() -> Iterator[None]:
    """Raise OutputError where standard output cannot be written to."""
    try:
        if sys.stdout is None:
            raise OSError("it is closed")
        yield
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"standard output cannot be written to: {reason}") from error


def put(*lines: str) -> None:
    """Print the result of a command.

    Raises:
        OutputError: standard output cannot be written to.
    """
    Answers().write(_printed(lines))


def complain(*lines: str) -> None:
    """Print lines on standard error, if that is possible."""
    _complain(_printed(lines))


def _complain(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:
            print(text, end="", file=sys.stderr, flush=True)


def _printed(lines: Iterable[str]) -> str:
    return "".join(f"{escaped(line)}\n" for line in lines)


def finish() -> None:
    """Write the remaining text.

    Text that a stream still holds and cannot write would be reported by the interpreter at its end as "Exception
    ignored". So such a stream's descriptor is redirected to nowhere.
    """
    OUTPUT.finish(FINISH_S)
    ERRORS.finish(FINISH_S)
    _flush(sys.__stdout__, 1)
    _flush(sys.__stderr__, 2)


def _flush(stream: TextIO | None, descriptor: int) -> None:
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
