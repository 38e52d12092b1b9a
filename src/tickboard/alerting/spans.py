"""When alerts fired, thinned to as much as a picture of a long time can show.

For each severity, the alerts that began in the same step of the clock become one span, from the first beginning to the
last end: a short gap may be lost, a short alert never is. Times are RFC 3339 in UTC with milliseconds, so a step is a
common beginning of their texts. Nothing here reads a clock.
"""

from collections.abc import Iterable

from msgspec import Struct

from tickboard.times import parse_time
from tickboard.wire import Alert, AlertSpan, AlertSpans, Severity

STEPS = ((19, 1_000), (18, 10_000), (16, 60_000), (15, 600_000), (13, 3_600_000), (10, 86_400_000))
"""The possible steps: how many characters of a time name one, and its length in milliseconds."""


class SpanQuestion(Struct, frozen=True):
    """A question for the spans of a range of time.

    Attributes:
        start: the beginning of the range, inclusive.
        end: its end, exclusive.
        characters: how many characters of a time name its step.
        step_ms: the length of a step.
    """

    start: str
    end: str
    characters: int
    step_ms: int


Found = tuple[Severity, str, str, int]
"""One span: severity, beginning, end (empty: it fires), and how many alerts."""


def span_question(start: str, end: str, points: int) -> SpanQuestion:
    """Return a question with the shortest step of which the range has at most `points`, or else a day."""
    length_ms = parse_time("to", end, 0) - parse_time("from", start, 0)
    characters, step_ms = next((step for step in STEPS if length_ms <= points * step[1]), STEPS[-1])
    return SpanQuestion(start, end, characters, step_ms)


def spans_in(alerts: Iterable[Alert], asked: SpanQuestion) -> list[Found]:
    """Return a span for each alert that was firing in the range."""
    return [
        (alert.severity, max(alert.timestamp, asked.start), alert.resolved or "", 1)
        for alert in alerts
        if alert.timestamp < asked.end and (alert.resolved is None or alert.resolved >= asked.start)
    ]


def thinned(found: Iterable[Found], asked: SpanQuestion) -> AlertSpans:
    """Return the spans, one for each severity and step, in the order of their beginnings."""
    spans: dict[tuple[Severity, str], Found] = {}
    for severity, began, ended, count in found:
        place = severity, began[: asked.characters]
        _, first, last, known = spans.get(place, (severity, began, ended, 0))
        spans[place] = severity, min(first, began), max(last, ended) if last and ended else "", known + count
    listed = sorted(spans.values(), key=lambda span: (span[1], span[0]))
    return AlertSpans(
        asked.start,
        asked.end,
        asked.step_ms,
        [AlertSpan(severity, began, count, ended or None) for severity, began, ended, count in listed],
    )
