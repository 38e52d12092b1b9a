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
    "\u202a-\u202e\u2066-\u2069"  # characters that override or isolate the direction of text (UAX 9)
    "\ud800-\udfff]"  # lone surrogates
)
_UNSEEN_IN_LINES = re.compile(_UNSEEN.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))
_BREAKS = dict.fromkeys((*b"\t\n\v\f\r", 0x85, 0x2028, 0x2029), " ")

INDENT = "  "
"""Precedes every line of a record but the first."""


def encodable(text: str) -> str:
    """Return text that UTF-8 can encode: lone surrogates become question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def escaped(text: str) -> str:
    """Return text as safe for one line of a terminal or a log: control characters escaped, secrets hidden."""
    return _UNSEEN.sub(_escape, redacted(text))


def escaped_lines(text: str) -> str:
    """Escape several lines of text, such as a traceback, likewise; line ends and tabs stay.

    Lines after the first are indented, so that none can be mistaken for another record.
    """
    return _UNSEEN_IN_LINES.sub(_escape, redacted(text)).replace("\n", f"\n{INDENT}")


def one_line(text: str, length: int) -> str:
    """Return text on one line, truncated to `length`.

    Line ends become spaces, other control characters are escaped, and secrets are hidden.
    """
    # Hide secrets before truncating, since half a secret is not recognised; but read only the beginning of megabytes.
    line = escaped(text[: 8 * length + 1_000].translate(_BREAKS))
    return line if len(line) <= length else f"{line[: length - 1]}…"


def _escape(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


MARK = b"\xef\xbb\xbf"
"""The byte order mark in UTF-8, which some editors and .NET's writers put at the start of text."""


def without_mark(text: bytes) -> bytes:
    """Return UTF-8 text without the byte order mark at its beginning, if there is one."""
    return text.removeprefix(MARK)
