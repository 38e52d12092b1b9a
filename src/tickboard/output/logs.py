"""The log that every part of Tickboard writes to: ``logging.getLogger("tickboard")``.

Where it goes is for the application to decide: Tickboard adds no handler here. It only makes sure that every handler
can write each record, and that a record is what was logged. Its arguments and an exception's text are anybody's: they
may hold what controls a terminal, lines that look like records of their own, secrets, and lone surrogates, for which a
file that is open as UTF-8 refuses the line just when something is wrong.
"""

import contextlib
import logging

from tickboard.output.text import INDENT, escaped_lines

log = logging.getLogger("tickboard")

_formatter = logging.Formatter()
_TIDY = "tickboard_tidy"


def tidy(record: logging.LogRecord) -> bool:
    """Escape a record's message and traceback, once, where there is something to escape; return True.

    Lines after the first are indented: see `escaped_lines`.
    """
    if getattr(record, _TIDY, False):
        return True
    setattr(record, _TIDY, True)
    with contextlib.suppress(Exception):  # the arguments are foreign: their __str__ may raise
        message = record.getMessage()
        if (better := escaped_lines(message)) != message:
            record.msg, record.args = better, ()
    if record.exc_info and not record.exc_text:
        # Formatters take the text that is there, and make none of their own.
        with contextlib.suppress(Exception):  # so may an exception's
            record.exc_text = _formatter.formatException(record.exc_info)
    if record.exc_text:
        record.exc_text = INDENT + escaped_lines(record.exc_text)
    if record.stack_info:
        record.stack_info = INDENT + escaped_lines(record.stack_info)
    return True


log.addFilter(tidy)
