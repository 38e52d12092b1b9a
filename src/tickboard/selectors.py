"""Selectors: which series a subscription asks for, by name, glob and label.

A selector is a name or a glob as in a shell, and label values or globs for them in braces where only some of the
series are wanted: ``disk.*``, ``disk_usage{mount="/home"}``, ``*{host="web-*"}``. The key of a series is a selector
that matches just that series. It takes texts and gives yes or no; it knows neither registry nor window.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from functools import lru_cache

import msgspec

MAX_SELECTORS = 1_000
"""In one subscription."""

MAX_GLOBS = 100
"""Of them; a glob is tried on every name, a plain name is looked up."""

_WITH_LABELS = re.compile(r"([^{}]*)\{(.*)\}", re.DOTALL)
_LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*("(?:[^"\\]|\\.)*")\s*(?:,|$)', re.DOTALL)
_GLOB = re.compile(r"[*?\[]")

_Labels = tuple[tuple[str, str], ...]


class Selectors:
    """The selectors of one subscription; with none of them, everything is asked for.

    A text that is no selector matches nothing, as a name that no metric has.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._names: set[str] = set()
        self._others: list[tuple[str, _Labels]] = []
        self._all = True
        for text in texts:
            self._all = False
            name, labels = _parsed(text)
            if labels or _GLOB.search(name):
                self._others.append((name, labels))
            else:
                self._names.add(name)

    def metric(self, name: str) -> bool | None:
        """Return whether all series of metric `name` are asked for; None: that is for their labels to say."""
        if self._all or name in self._names:
            return True
        wanted = [labels for pattern, labels in self._others if _matches(pattern, name)]
        return (() in wanted or None) if wanted else False

    def match(self, name: str, labels: Mapping[str, str]) -> bool:
        """Return whether the series of metric `name` with these labels is asked for."""
        return (
            self._all
            or name in self._names
            or any(
                _matches(pattern, name) and all(_has(labels, label, value) for label, value in wanted)
                for pattern, wanted in self._others
            )
        )


def too_many(texts: list[str]) -> bool:
    """Return whether a subscription asks for more than the server will look up."""
    return len(texts) > MAX_SELECTORS or sum(1 for text in texts if _GLOB.search(text)) > MAX_GLOBS


def _has(labels: Mapping[str, str], label: str, wanted: str) -> bool:
    value = labels.get(label)
    return value is not None and _matches(wanted, value)


def _matches(pattern: str, text: str) -> bool:
    return pattern == text or _compiled(pattern).match(text) is not None


@lru_cache(maxsize=1_024)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))


@lru_cache(maxsize=1_024)
def _parsed(text: str) -> tuple[str, _Labels]:
    """Return a selector's glob for the name and its labels' globs."""
    found = _WITH_LABELS.fullmatch(text)
    if found is None:
        return text, ()
    labels: list[tuple[str, str]] = []
    rest = found[2]
    while rest:
        label = _LABEL.match(rest)
        if label is None:
            return text, ()
        try:
            labels.append((label[1], msgspec.json.decode(label[2], type=str)))
        except msgspec.DecodeError:
            return text, ()
        rest = rest[label.end() :]
    return found[1] or "*", tuple(labels)
