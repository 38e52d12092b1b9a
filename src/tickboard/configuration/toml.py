"""TOML with lines: the values of a document, and where each of its keys stands, so that an error can say so.

It takes bytes and gives a `Toml`, or one error that names the file and the line. The values are those of Python's own
`tomllib`, which tells no lines; so the text, once it is known to be good, is gone through again for its keys alone.
What the keys mean, it doesn't know.
"""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from tickboard.errors import BoardError

MAX_BYTES = 1_048_576
"""Of one file; a larger one is refused."""

MAX_DOTS = 1_000
"""In one line that is no comment. To read a dotted key costs the square of its length."""

MAX_DEPTH = 8
"""Names that lead to a key whose line is known; no key that means something has more."""

KeyPath = tuple[str, ...]
"""The names that lead to a value: ``("rules", "cpu_usage", "severity")``."""

# Keys and values as in TOML 1.0 (toml.io/en/v1.0.0), for a text that is known to be good.
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
    """A document that was read.

    Attributes:
        file: where it came from, as errors name it.
        values: what it holds.
        lines: the line of each key, counted from 1; a key inside ``{}`` has that of the statement around it.
    """

    file: str
    values: dict[str, Any]
    lines: Mapping[KeyPath, int]

    def line(self, path: KeyPath) -> int | None:
        """Return the line of a key, or of what is nearest around it; None for the document as a whole."""
        for length in range(len(path), 0, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return None

    def error(self, path: KeyPath, message: str) -> BoardError:
        """Return an error that names the file, the line and the key."""
        return BoardError(f"{shown_path(path)}: {message}" if path else message, self.file, self.line(path))


def read_toml(data: bytes, file: str) -> Toml:
    """Return the document that a file holds.

    Args:
        data: the file's bytes, `MAX_BYTES` of them at most.
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
        # tomllib's own errors are ValueErrors; for a number of too many digits it lets int's through.
        raise _syntax_error(text, file, error) from error
    except RecursionError as error:
        raise BoardError("its values are nested too deeply: a rule is a table of plain values", file) from error
    toml = Toml(file, values, _lines(text.replace("\r\n", "\n")))
    _check_numbers(toml)
    return toml


def _check_numbers(toml: Toml) -> None:
    """Refuse whole numbers of more than 64 bits, as TOML allows; Python cannot even show one of many digits."""
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
    """Return a path as one writes it in TOML, names quoted where they have to be, on one line.

    Of a URL only the scheme is shown: one that was written in the wrong place may hold a password.
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
    said = str(error)
    place = _PLACE.search(said)
    line = None
    if place is not None:
        said = said[: place.start()]
        line = int(place[1]) if place[1] else text.rstrip().count("\n") + 1
    # Of a table that stands there twice tomllib tells the name.
    return BoardError(
        f'it is not valid TOML: {_without_url(said)}; write name = "text", name = 1 or [table]', file, line
    )


def _lines(text: str) -> dict[KeyPath, int]:
    """Return the line of each key of a text that is good TOML."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    position, line = _past_blank(text, 0, 1)
    while position < len(text):
        header = _HEADER.match(text, position)
        found = header or _PAIR.match(text, position)
        assert found is not None  # good TOML is headers and pairs
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
    assert blank is not None  # it matches nothing, too
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
    """Return where the value that begins here ends: at the first end of a line outside strings and brackets."""
    depth = 0
    while position < len(text):
        part = _PART.match(text, position)
        assert part is not None  # good TOML closes its strings
        if part[0] == "\n" and depth == 0:
            break
        depth += (part[0] in {"[", "{"}) - (part[0] in {"]", "}"})
        position = part.end()
    return position
