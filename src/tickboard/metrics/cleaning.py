"""Cleaning: turns names and labels from outside into valid ones."""

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from tickboard.errors import InputError
from tickboard.expressions.alignment import Labels
from tickboard.output.text import encodable

MAX_LABELS = 64


MAX_NAME = 256


MAX_LABEL_VALUE = 1_024
"""The most labels of a series; the most characters of a metric's name, title and unit and of a label's name; and those
of a label's value. Anything larger is refused."""


MAX_KEY_BYTES = 1_024
"""A sender's key for a series is kept as it is up to this many bytes. Longer ones are hashed: there may be 100,000."""


_BAD_NAME = re.compile(r"[^A-Za-z0-9_.:/-]+")


_BAD_LABEL = re.compile(r"[^A-Za-z0-9_.]+")


_FIRST = re.compile(r"[A-Za-z_]")


def clean(name: str, labels: Iterable[tuple[str, str]]) -> tuple[str, Labels]:
    """Return a metric's name and labels in a valid form.

    Raises:
        InputError: the name is missing, something is too long, or there are too many labels.
    """
    if len(name) > MAX_NAME:
        raise InputError(f"metric {name[:40]!r}…: the name has {len(name)} characters: use {MAX_NAME} at most")
    found = _BAD_NAME.sub("_", name)
    if not found or not any(character.isalnum() for character in found):
        raise InputError(f"metric name {name!r} has no letter or digit: use letters, digits and _ . : / -")
    if not _FIRST.match(found):
        found = f"_{found}"
    given = dict(labels)
    if len(given) > MAX_LABELS:
        raise InputError(f"metric {name!r} has {len(given)} labels: send {MAX_LABELS} at most")
    pairs = tuple(_clean_labels(given))
    check_values(name, pairs)
    return found, pairs


def check_values(name: str, labels: Labels) -> None:
    """Check that the labels of a series of metric `name` are not too long."""
    for label, value in labels:
        if len(value) > MAX_LABEL_VALUE or len(label) > MAX_NAME:
            raise InputError(f"metric {name!r}: label {label[:40]!r} is too long: {MAX_LABEL_VALUE} characters at most")


def check_texts(name: str, title: str, unit: str) -> None:
    """Check that a metric's texts, which are sent to every viewer, are not too long."""
    for what, text in (("title", title), ("unit", unit)):
        if len(text) > MAX_NAME:
            raise InputError(f"metric {name!r}: the {what} has {len(text)} characters: use {MAX_NAME} at most")


def _clean_labels(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return labels in a valid form, sorted.

    Two labels whose names become the same, such as ``a-b`` and ``a/b``, become one with both values, so that series
    which differ in either stay different.
    """
    found: dict[str, str] = {}
    for label, value in sorted(labels.items()):
        name = _clean_label(label)
        found[name] = f"{found[name]};{encodable(value)}" if name in found else encodable(value)
    return sorted(found.items())


def _clean_label(label: str) -> str:
    found = _BAD_LABEL.sub("_", label)
    return found if _FIRST.match(found) else f"_{found}"


def short(key: bytes) -> bytes:
    """Return a key for a series: the bytes as they are, or their hash if they are long."""
    return key if len(key) <= MAX_KEY_BYTES else blake2b(key, digest_size=16).digest()
