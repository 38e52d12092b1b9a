"""TOML with lines: the values of a document, and the line of each key, for errors.

It takes bytes and returns a `Toml`, or raises one error that names the file and the line. Python's own `tomllib` reads
the values but reports no lines, so the text, once it is known to be valid, is scanned again for its keys. Nothing here
knows what the keys mean.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from tickboard.errors import BoardError

MAX_BYTES = 1_048_576
"""The largest file that is accepted."""

MAX_DOTS = 1_000
"""The most dots in a line that is not a comment. The time to read a dotted key grows with the square of its length."""

MAX_DEPTH = 8
"""The most names in the path of a key whose line is recorded. No known key has a longer path."""

KeyPath = tuple[str, ...]
"""The names that lead to a value: ``("rules", "cpu_usage", "severity")``."""

# Keys and values as in TOML 1.0 (toml.io/en/v1.0.0), for text that is known to be valid.
_KEY = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_DOTTED = rf"{_KEY}(?:[ \t]*+\.[ \t]*+{_KEY})*+"
_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_HEADER = re.compile(rf"\[\[?[ \t]*+({_DOTTED})[ \t]*+\]\]?")
_PAIR = re.compile(rf"({_DOTTED})[ \t]*+=")
_PART = re.compile(
    r'"""(?:[^\\]|\\.)*?""""{0,2}'
    r"|'''.*?''''{0,2}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|#[^\n]*+"
    r"""|[\[\]{}\n]|[^"'#\[\]{}\n]++""",
    re.DOTALL,
)
_PLACE = re.compile(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)$")


class Toml(Struct, frozen=True):
    """A TOML document.

    Attributes:
        file: its name, for errors.
        values: its values.
        lines: the line of each key, counted from 1; a key inside ``{}`` has the line of the statement around it.
    """

    file: str
    values: dict[str, Any]
    lines: Mapping[KeyPath, int]

    def line(self, path: KeyPath) -> int | None:
        """Return the line of a key, or of the nearest key around it; None: neither has one."""
        for length in range(len(path), 0, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return None

    def error(self, path: KeyPath, message: str) -> BoardError:
        """Return an error that names the file, the line and the key."""
        return BoardError(f"{shown_path(path)}: {message}" if path else message, self.file, self.line(path))


def read_toml(data: bytes, file: str) -> Toml:
    """Return the document in a file.

    Args:
        data: the file's bytes.
        file: its name, for errors.

    Raises:
        BoardError: it is too large, is not UTF-8, or is not TOML.
    """
    if len(data) > MAX_BYTES:
        raise BoardError(f"it has more than {MAX_BYTES // 1024} KiB: keep only what configures the board", file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BoardError("it is not UTF-8: save it as UTF-8", file, line) from error
    for number, each in enumerate(text.split("\n"), 1):
        if each.count(".") > MAX_DOTS and not each.lstrip().startswith("#"):
            raise BoardError(f"the line has more than {MAX_DOTS} dots: split it into several", file, number)
    import tomllib

    try:
        values = tomllib.loads(text)
    except ValueError as error:
        # tomllib's own errors are ValueErrors, and int raises one for a number with too many digits.
        raise _syntax_error(text, file, error) from error
    except RecursionError as error:
        raise BoardError("its values are nested too deeply: a rule is a table of plain values", file) from error
    toml = Toml(file, values, _lines(text.replace("\r\n", "\n")))
    _check_numbers(toml)
    return toml


def _check_numbers(toml: Toml) -> None:
    """Refuse whole numbers of more than 64 bits, as TOML allows; Python cannot even print very long ones."""
    waiting: list[tuple[KeyPath, Any]] = [((), toml.values)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*path, name), each) for name, each in value.items()]
        elif isinstance(value, list):
            waiting += [(path, each) for each in value]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise toml.error(path, "the number has more than 64 bits: write a smaller one")


def shown_path(path: KeyPath) -> str:
    """Return a path as it is written in TOML, on one line, with quotes where they are needed.

    Only the scheme of a URL is shown, because a URL that was put in the wrong place may contain a password.
    """
    return ".".join(name if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name) else _quoted(name) for name in path)


def _quoted(name: str) -> str:
    name = _without_url(name)
    text = name if len(name) <= 60 else f"{name[:57]}…"
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{"".join(one if one.isprintable() else ascii(one)[1:-1] for one in escaped)}"'


def _without_url(text: str) -> str:
    scheme, found, _ = text.partition("://")
    return f"{scheme}{found}…" if found else text


def _syntax_error(text: str, file: str, error: ValueError) -> BoardError:
    message = str(error)
    place = _PLACE.search(message)
    line = None
    if place is not None:
        message = message[: place.start()]
        line = int(place[1]) if place[1] else text.rstrip().count("\n") + 1
    # tomllib names a table that is declared twice, and the name may contain a URL.
    return BoardError(
        f'it is not valid TOML: {_without_url(message)}; write name = "text", name = 1 or [table]', file, line
    )


def _lines(text: str) -> dict[KeyPath, int]:
    """Return the line of each key of valid TOML."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    position, line = _past_blank(text, 0, 1)
    while position < len(text):
        header = _HEADER.match(text, position)
        found = header or _PAIR.match(text, position)
        assert found is not None  # valid TOML consists of headers and pairs
        path = _names(found[1])
        if header is not None:
            table = ()
        for length in range(1, min(len(path), MAX_DEPTH - len(table)) + 1):
            lines.setdefault(table + path[:length], line)
        position = found.end()
        if header is not None:
            table = path
        else:
            end = _end_of_value(text, position)
            line += text.count("\n", position, end)
            position = end
        position, line = _past_blank(text, position, line)
    return lines


def _past_blank(text: str, position: int, line: int) -> tuple[int, int]:
    blank = _BLANK.match(text, position)
    assert blank is not None  # it also matches empty text
    return blank.end(), line + text.count("\n", position, blank.end())


def _names(dotted: str) -> KeyPath:
    """Return the names of a dotted key, as ``a."b c"``."""
    import tomllib

    names: list[str] = []
    value: Any = tomllib.loads(f"{dotted} = 0")
    while isinstance(value, dict):
        ((name, value),) = value.items()
        names.append(name)
    return tuple(names)


def _end_of_value(text: str, position: int) -> int:
    """Return the end of the value that begins here: the first end of a line outside strings and brackets."""
    depth = 0
    while position < len(text):
        part = _PART.match(text, position)
        assert part is not None  # valid TOML closes its strings
        if part[0] == "\n" and depth == 0:
            break
        depth += (part[0] in {"[", "{"}) - (part[0] in {"]", "}"})
        position = part.end()
    return position
