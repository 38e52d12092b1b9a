"""Selectors: which series a subscription selects, by name, glob and label.

A selector is a name or a glob as in a shell. To select only some of its series, add label values or globs for them in
braces: ``disk_*``, ``disk_usage{mount="/home"}``, ``*{host="web-*"}``. The key of a series is a selector that matches
only that series. This module takes text and answers yes or no; it knows neither registry nor window.

Plain selectors are looked up, however many there are. Globs are tried on every series, so their number is limited: see
`why_refused`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec

from tickboard.expressions.globs import Glob, is_glob

MAX_SELECTORS = 1_000
"""The most selectors in one subscription."""

MAX_SELECTOR = 4_096
"""Characters of a selector; one for a series with a few labels has some hundred."""

MAX_GLOBS = 100
"""The most globs in one subscription. Globs, and labels without a name, are tried on every series."""

STEP_GLOBS = 5
"""How many globs are read in one step before others may run: at most 2 ms each."""

MAX_GLOB = 256
"""Characters of a glob for a name or a label's value: as many as a name may have."""

MAX_WILDCARDS = 32
"""The most question marks and brackets in a glob: they become regular expressions, which take a while to compile."""

MAX_FORMS = 100
"""The most distinct sets of label names among the selectors of one name: each is tried on every series of that name."""

_WITH_LABELS = re.compile(r"([^{}]*)\{(.*)\}", re.DOTALL)
_LABEL = re.compile(r'\s*+([A-Za-z_][A-Za-z0-9_.]*+)\s*+=\s*+("(?:[^"\\]|\\.)*+")\s*+(?:,|$)', re.DOTALL)

_Labels = tuple[tuple[str, str], ...]


class Selectors:
    """The selectors of one subscription; none: every series is selected.

    Text that is not a selector matches nothing, like an unknown name.

    Attributes:
        cost: the approximate cost of trying one series, in look-ups.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._names: set[str] = set()
        # The values, by name and the names of the labels.
        self._plain: dict[str, dict[tuple[str, ...], set[tuple[str, ...]]]] = {}
        self._globs: list[tuple[Glob, list[tuple[str, Glob]]]] = []
        self._all = True
        self.cost = 1
        for text in texts:
            self._all = False
            name, labels = _parsed(text)
            if _is_glob(name, labels):
                self._globs.append((Glob(name), [(label, Glob(value)) for label, value in labels]))
                self.cost += _cost(name, labels)
            elif labels:
                names, values = zip(*sorted(dict(labels).items()), strict=True)
                self._plain.setdefault(name, {}).setdefault(names, set()).add(values)
            else:
                self._names.add(name)

    @property
    def glob_cost(self) -> int:
        """The cost of trying only the globs on one series."""
        return self.cost - 1

    def read(self) -> Iterator[None]:
        """Read the globs in steps; otherwise that happens on demand."""
        for number, (name, labels) in enumerate(self._globs, 1):
            for glob in (name, *(value for _, value in labels)):
                glob.read()
            if not number % STEP_GLOBS:
                yield

    def metric(self, name: str) -> bool | None:
        """Return whether all series of metric `name` are selected; None: it depends on their labels."""
        if self._all or name in self._names:
            return True
        wanted = [labels for glob, labels in self._globs if glob.match(name)]
        if [] in wanted:
            return True
        return None if wanted or name in self._plain else False

    def match(self, name: str, labels: Mapping[str, str]) -> bool:
        """Return whether the series of metric `name` with these labels is selected."""
        if self._all or name in self._names:
            return True
        for names, values in self._plain.get(name, {}).items():
            if tuple(labels.get(label) for label in names) in values:
                return True
        return any(
            glob.match(name) and all(label in labels and value.match(labels[label]) for label, value in wanted)
            for glob, wanted in self._globs
        )


def why_refused(texts: list[str], what: str = "a subscription") -> str:
    """Return why selectors are too expensive, and what to ask for instead; empty if they are not.

    Args:
        texts: the selectors.
        what: the owner of the selectors, for the message.
    """
    if len(texts) > MAX_SELECTORS:
        return f"{what} has {len(texts)} selectors: send {MAX_SELECTORS} at most, or use globs"
    if longest := next((text for text in texts if len(text) > MAX_SELECTOR), ""):
        return f"selector {longest[:40]!r}… has {len(longest)} characters: send {MAX_SELECTOR} at most"
    globs = 0
    forms: dict[str, set[tuple[str, ...]]] = {}
    for text in texts:
        name, labels = _parsed(text)
        if _is_glob(name, labels):
            globs += 1
            for part in (name, *(value for _, value in labels)):
                if is_glob(part) and (why := _refusal(part)):
                    return why
        elif labels:
            forms.setdefault(name, set()).add(tuple(sorted(dict(labels))))
    if globs > MAX_GLOBS:
        return f"{what} has {globs} globs, or labels without a name: send {MAX_GLOBS} at most, or broader ones"
    if many := next((name for name, kinds in forms.items() if len(kinds) > MAX_FORMS), ""):
        return f"{what} has {len(forms[many])} sets of labels for {many[:40]!r}: send {MAX_FORMS} at most"
    return ""


def glob_cost(texts: Iterable[str]) -> int:
    """Return the approximate cost of trying the globs among these selectors on one series, in look-ups."""
    return sum(_cost(name, labels) for name, labels in map(_parsed, texts) if _is_glob(name, labels))


def _is_glob(name: str, labels: _Labels) -> bool:
    return any(is_glob(text) for text in (name, *(value for _, value in labels)))


def _refusal(glob: str) -> str:
    if len(glob) > MAX_GLOB:
        return f"glob {glob[:40]!r}… has {len(glob)} characters: send {MAX_GLOB} at most"
    if (count := glob.count("?") + glob.count("[")) > MAX_WILDCARDS:
        return f"glob {glob[:40]!r} has {count} question marks and brackets: send {MAX_WILDCARDS} at most"
    return ""


def _cost(name: str, labels: _Labels) -> int:
    """Return the cost of trying a glob: a long one may be compared at each position of a long text."""
    return 1 + (len(name) + sum(len(value) for _, value in labels)) // 16


@lru_cache(maxsize=1_024)
def _parsed(text: str) -> tuple[str, _Labels]:
    """Return a selector's glob for the name, and its globs for labels."""
    if len(text) > MAX_SELECTOR:
        return text, ()
    found = _WITH_LABELS.fullmatch(text)
    if found is None:
        return text, ()
    labels: list[tuple[str, str]] = []
    at, inner = 0, found[2]
    while at < len(inner):
        label = _LABEL.match(inner, at)
        if label is None:
            return text, ()
        try:
            labels.append((label[1], msgspec.json.decode(label[2], type=str)))
        except msgspec.DecodeError:
            return text, ()
        at = label.end()
    return found[1] or "*", tuple(labels)
