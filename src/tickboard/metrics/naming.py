"""Names for people: the title and the unit of a metric that came with neither, and labels that are fit to be shown.

Units are told from what OpenTelemetry writes (UCUM, as its semantic conventions use it) and from the suffixes that
Prometheus recommends for names (prometheus.io/docs/practices/naming).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256

MAX_LABEL = 64
"""Characters of a label that is made of a name which anyone may have chosen; a longer name is cut in the middle."""

# UCUM's, and the words that Prometheus' and OpenMetrics' metadata use.
_UNITS = {
    "1": "",
    "By": "B",
    "KiBy": "KiB",
    "MiBy": "MiB",
    "GiBy": "GiB",
    "kBy": "kB",
    "MBy": "MB",
    "bit": "bit",
    "Cel": "°C",
    "us": "µs",
    "min": "min",
    "h": "h",
    "d": "d",
    "bytes": "B",
    "bits": "bit",
    "seconds": "s",
    "milliseconds": "ms",
    "microseconds": "µs",
    "nanoseconds": "ns",
    "minutes": "min",
    "hours": "h",
    "days": "d",
    "percent": "%",
    "ratio": "",
    "celsius": "°C",
    "hertz": "Hz",
    "volts": "V",
    "amperes": "A",
    "watts": "W",
    "joules": "J",
    "meters": "m",
    "grams": "g",
    "kelvin": "K",
    "rpm": "rpm",
}

# Suffixes that say the unit where a name ends in them.
_SUFFIXES = {
    word: unit for word, unit in _UNITS.items() if word.islower() and len(word) > 2 and word not in {"bit", "min"}
} | {"ms": "ms", "us": "µs", "ns": "ns"}

_ANNOTATION = re.compile(r"\{([^{}]*)\}")
_WORDS = re.compile(r"[^A-Za-z0-9]+")
_KINDS = ("total", "count", "sum", "bucket", "info")
_ACRONYMS = frozenset(  # lower case, as they stand in names
    "api asgi cpu db dns fd fds gc gpu grpc http https id io ip jvm os otel ram rpc rss sql tcp tls udp url".split()  # noqa: SIM905
)


def unit_of(name: str, given: str = "") -> str:
    """Return the unit as people write it.

    Args:
        name: the metric's, as ``http_request_duration_seconds``.
        given: as the sender writes it, as ``By``, ``{request}``, ``By/s``, ``seconds``; from the name when empty.
    """
    if given:
        return "/".join(_one_unit(part) for part in given.split("/"))
    words = [word.lower() for word in _WORDS.split(name) if word]
    while words and words[-1] in _KINDS:
        words.pop()
    return _SUFFIXES.get(words[-1], "") if len(words) > 1 else ""


def rate_unit(unit: str) -> str:
    """Return the unit of the rate per second of what is counted in `unit`."""
    return unit if unit.endswith("/s") else f"{unit}/s"


def title_of(name: str) -> str:
    """Return what people read: ``http_request_duration_seconds`` is HTTP request duration."""
    words = [word for word in _WORDS.split(name) if word]
    kept = list(words)
    while len(kept) > 1 and kept[-1].lower() in _KINDS[:1]:
        kept.pop()
    if len(kept) > 1 and kept[-1].lower() in _SUFFIXES:
        kept.pop()
    shown = [word.upper() if word.lower() in _ACRONYMS else word for word in kept]
    if not shown:
        return name
    first = shown[0]
    return " ".join([first if first.isupper() else first[0].upper() + first[1:], *shown[1:]])


@lru_cache(32_768)
def group_of(name: str) -> str:
    """Return the first word of a name: metrics that share it belong together."""
    words = [word for word in _WORDS.split(name) if word]
    return words[0] if len(words) > 1 else ""


def safe_labels(names: Iterable[str]) -> dict[str, str]:
    """Return a label for each of some names, as `safe_label`, and all of them different.

    Where two names would have one label, each ends in digits made of the whole name: the same ones in every run, and in
    any order.
    """
    labels = {name: safe_label(name) for name in names}
    marked: set[str] = set()
    size = 4
    while alike := _alike(labels):
        if alike <= marked:
            size += 1
        marked |= alike
        labels |= {name: _marked(name, size) for name in marked}
    return labels


@lru_cache(4096)
def safe_label(name: str) -> str:
    """Return a name that anyone may have chosen as one that harms neither the wire nor the page.

    What cannot be printed, a lone surrogate among it, becomes ``\ufffd``, a double quote a single one; what is longer
    than `MAX_LABEL` is cut in the middle, and nothing at all becomes a question mark.
    """
    return _cut("".join(map(_safe, name)).strip() or "?", MAX_LABEL)


def _alike(labels: Mapping[str, str]) -> set[str]:
    """Return the names whose label another name has, too."""
    counts = Counter(labels.values())
    return {name for name, label in labels.items() if counts[label] > 1}


def _marked(name: str, size: int) -> str:
    """Return the label of a name with digits of it at the end."""
    digits = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:size]
    return f"{_cut(safe_label(name), MAX_LABEL - size - 1)}~{digits}"


def _cut(text: str, size: int) -> str:
    """Return a text without its middle where it is longer than `size`: names differ at their ends most often."""
    if len(text) <= size:
        return text
    ending = size // 2
    return f"{text[: size - ending - 1]}…{text[len(text) - ending :]}"


def _safe(character: str) -> str:
    if not character.isprintable():
        return "\ufffd"
    return "'" if character == '"' else character


def _one_unit(text: str) -> str:
    stripped = text.strip()
    if (found := _UNITS.get(stripped)) is not None:
        return found
    if annotation := _ANNOTATION.fullmatch(stripped):
        return annotation[1]
    return _ANNOTATION.sub("", stripped)[:20]
