"""Names for people: titles and units of metrics without any, and labels that are safe to show.

Units are recognised from what OpenTelemetry sends (UCUM, as in its semantic conventions) and from the suffixes that
Prometheus recommends for names (prometheus.io/docs/practices/naming).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256

MAX_LABEL = 64
"""Characters of a label made from an untrusted name; a longer name is cut in the middle."""

# UCUM's units, and the words in the metadata of Prometheus and OpenMetrics.
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

# Suffixes of a name that are its unit.
_SUFFIXES = {
    word: unit for word, unit in _UNITS.items() if word.islower() and len(word) > 2 and word not in {"bit", "min"}
} | {"ms": "ms", "us": "µs", "ns": "ns"}

_ANNOTATION = re.compile(r"\{([^{}]*)\}")
_WORDS = re.compile(r"[^A-Za-z0-9]+")
_KINDS = ("total", "count", "sum", "bucket", "info")
_ACRONYMS = frozenset(  # lower case, as in names
    "api asgi cpu db dns fd fds gc gpu grpc http https id io ip jvm os otel ram rpc rss sql tcp tls udp url".split()  # noqa: SIM905
)


def unit_of(name: str, given: str = "") -> str:
    """Return the unit as people write it.

    Args:
        name: the metric's name, such as ``http_request_duration_seconds``.
        given: the sender's unit, such as ``By``, ``{request}``, ``By/s`` or ``seconds``; empty: use the name.
    """
    if given:
        return "/".join(_one_unit(part) for part in given.split("/"))
    words = [word.lower() for word in _WORDS.split(name) if word]
    while words and words[-1] in _KINDS:
        words.pop()
    return _SUFFIXES.get(words[-1], "") if len(words) > 1 else ""


def rate_unit(unit: str) -> str:
    """Return the unit of a rate per second of something counted in `unit`."""
    return unit if unit.endswith("/s") else f"{unit}/s"


def title_of(name: str) -> str:
    """Return a title for people: ``http_request_duration_seconds`` becomes HTTP request duration."""
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
def group_of(name: str, size: int = 1) -> str:
    """Return the first words of a name, by which metrics are grouped; empty if it has no word beyond those."""
    words = [word for word in _WORDS.split(name) if word]
    return " ".join(words[:size]) if len(words) > size else ""


def safe_labels(names: Iterable[str]) -> dict[str, str]:
    """Return a distinct label for each name, made by `safe_label`.

    Where two names would have the same label, digits computed from the whole name are appended to each: the same digits
    in every run, and in any order.
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
    """Return an untrusted name in a form that harms neither the wire nor the page.

    Unprintable characters and lone surrogates become ``\ufffd``, and a double quote becomes a single one. A name longer
    than `MAX_LABEL` is cut in the middle, and an empty one becomes a question mark.
    """
    return _cut("".join(map(_safe, name)).strip() or "?", MAX_LABEL)


def _alike(labels: Mapping[str, str]) -> set[str]:
    """Return the names that share their label with another name."""
    counts = Counter(labels.values())
    return {name for name, label in labels.items() if counts[label] > 1}


def _marked(name: str, size: int) -> str:
    """Return the label of a name with digits of its hash appended."""
    digits = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:size]
    return f"{_cut(safe_label(name), MAX_LABEL - size - 1)}~{digits}"


def _cut(text: str, size: int) -> str:
    """Return text of at most `size` characters, without its middle: names mostly differ at their ends."""
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
