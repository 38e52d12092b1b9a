r"""Untrusted text, made safe to show: on the wire, on a terminal and in a log.

This is the one place where control characters are escaped. A character that moves a terminal's cursor, reverses the
order of a line, or forges a line of the log is written as in Python, ``\x1b``. Known secrets are hidden as well.

Python decodes file names that are not UTF-8 with lone surrogates, which cannot be encoded again.
"""

import re

from tickboard.output.secrets import redacted

_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1
    "\u2028\u2029"  # line and paragraph separators
    "\u202a-\u202e\u2066-\u2069"  # what overrides and isolates the direction of a text (UAX 9)
    "\ud800-\udfff]"  # lone surrogates
)
_UNSEEN_IN_LINES = re.compile(_UNSEEN.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
_BREAKS = dict.fromkeys((*b"\t\n\v\f\r", 0x85, 0x2028, 0x2029), " ")

INDENT = "  "
"""What the lines of a record begin with, but for the first."""


def encodable(text: str) -> str:
    """Return a text as UTF-8 can have it: with a question mark for each lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def escaped(text: str) -> str:
    """Return a text as one line of a terminal or a log may have it: control characters escaped, secrets hidden."""
    return _UNSEEN.sub(_escape, redacted(text))


def escaped_lines(text: str) -> str:
    """Return a text of several lines, as a traceback, likewise; line ends and tabs stay.

    Lines after the first are indented, so that none can be taken for another record.
    """
    return _UNSEEN_IN_LINES.sub(_escape, redacted(text)).replace("\n", f"\n{INDENT}")


def one_line(text: str, length: int) -> str:
    """Return a text on one line, cut where it is longer than `length`.

    Line ends are spaces, other control characters are escaped, and secrets are hidden.
    """
    # Before it is cut, since of half a secret nobody knows that it is one; but of megabytes only the beginning is read.
    line = escaped(text[: 8 * length + 1_000].translate(_BREAKS))
    return line if len(line) <= length else f"{line[: length - 1]}…"


def _escape(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


MARK = b"\xef\xbb\xbf"
"""The byte order mark in UTF-8, which some editors and .NET's writers put before a text."""


def without_mark(text: bytes) -> bytes:
    """Return a text in UTF-8 without the byte order mark at its beginning, where it has one."""
    return text.removeprefix(MARK)
