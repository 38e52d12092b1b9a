"""The log that every part of Tickboard writes to: ``logging.getLogger("tickboard")``.

The application decides where it goes: Tickboard adds no handler here. It only makes sure that every handler can write
each record, and that no record can forge another. A record's arguments and an exception's text may come from anywhere:
they may contain control characters for a terminal, lines that look like other records, secrets, and lone surrogates,
for which a file opened as UTF-8 would refuse the line just when something is wrong.
"""

import contextlib
import logging

from tickboard.output.text import INDENT, escaped_lines

log = logging.getLogger("tickboard")

_formatter = logging.Formatter()
_TIDY = "tickboard_tidy"


def tidy(record: logging.LogRecord) -> bool:
    """Escape a record's message and traceback, once, if necessary; return True.

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
        # Formatters use the text that is there instead of making their own.
        with contextlib.suppress(Exception):  # formatting the exception may raise as well
            record.exc_text = _formatter.formatException(record.exc_info)
    if record.exc_text:
        record.exc_text = INDENT + escaped_lines(record.exc_text)
    if record.stack_info:
        record.stack_info = INDENT + escaped_lines(record.stack_info)
    return True


log.addFilter(tidy)
