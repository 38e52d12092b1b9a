"""Globs for the names of metrics and the values of labels, as in a shell: ``web-*``, ``disk?``, ``[!a-c]x``.

Text without ``*``, ``?`` or ``[`` is no glob and matches only itself. A glob also matches the same text.
"""

import re
from collections.abc import Iterator

_WILDCARD = re.compile(r"[*?\[]")


def is_glob(text: str) -> bool:
    """Return whether a text has wildcards."""
    return _WILDCARD.search(text) is not None


class Glob:
    """A glob for a name or a label's value. Matching never backtracks over a star.

    The standard library's translation to a regular expression takes quadratic time for a glob with many unclosed
    brackets.
    """

    __slots__ = ("_parts", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._parts: list[_Part] | None = None

    def read(self) -> "list[_Part]":
        """Return the parts between the stars."""
        if self._parts is None:
            self._parts = [_Part(part) for part in _at_stars(self._text)]
        return self._parts

    def match(self, text: str) -> bool:
        """Return whether the glob matches the whole text."""
        if text == self._text:
            return True
        first, *middle = self._parts or self.read()
        if not middle:
            return len(text) == first.size and first.is_at(text, 0)
        last = middle.pop()
        at, end = first.size, len(text) - last.size
        if end < at or not first.is_at(text, 0) or not last.is_at(text, end):
            return False
        # The first match of a part is as good as any later one.
        for part in middle:
            at = part.find(text, at, end)
            if at < 0:
                return False
            at += part.size
        return True


class _Part:
    """The part of a glob between two stars; it always matches text of its own length."""

    __slots__ = ("_pattern", "_text", "size")

    def __init__(self, text: str) -> None:
        characters = list(_characters(text))
        self._text = text
        self.size = len(characters)
        self._pattern = re.compile("".join(characters), re.DOTALL) if is_glob(text) else None

    def is_at(self, text: str, at: int) -> bool:
        if self._pattern is None:
            return text.startswith(self._text, at)
        return self._pattern.match(text, at) is not None

    def find(self, text: str, at: int, end: int) -> int:
        if self._pattern is None:
            return text.find(self._text, at, end)
        found = self._pattern.search(text, at, end)
        return -1 if found is None else found.start()


def _at_stars(glob: str) -> list[str]:
    """Split a glob at its stars; one inside brackets does not count."""
    parts: list[str] = []
    begin = at = 0
    while at < len(glob):
        if glob[at] == "*":
            parts.append(glob[begin:at])
            begin = at = at + 1
        else:
            at = _bracket_end(glob, at) if glob[at] == "[" else at + 1
    return [*parts, glob[begin:]]


def _characters(part: str) -> Iterator[str]:
    """Yield a regular expression for each character to match."""
    at = 0
    while at < len(part):
        begin, at = at, _bracket_end(part, at) if part[at] == "[" else at + 1
        if at - begin > 1:
            yield _set(part[begin + 1 : at - 1])
        else:
            yield "." if part[begin] == "?" else re.escape(part[begin])


def _bracket_end(glob: str, at: int) -> int:
    """Return where a set in brackets ends; an unclosed bracket stands for itself."""
    begin = at + (2 if glob.startswith("!", at + 1) else 1)
    # A closing bracket at the beginning of a set is one of its characters.
    end = glob.find("]", begin + 1)
    return at + 1 if end < 0 else end + 1


def _set(inside: str) -> str:
    """Translate the inside of a bracketed set, such as ``!a-z``, to a regular expression."""
    negated = inside.startswith("!")
    rest = inside[1:] if negated else inside
    found: list[str] = []
    at = 0
    while at < len(rest):
        if rest[at + 1 : at + 2] == "-" and at + 2 < len(rest):
            low, high = rest[at], rest[at + 2]
            if low <= high:
                found.append(f"{re.escape(low)}-{re.escape(high)}")
            at += 3
        else:
            found.append(re.escape(rest[at]))
            at += 1
    if not found:
        # A reversed range matches nothing.
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{''.join(found)}]"
