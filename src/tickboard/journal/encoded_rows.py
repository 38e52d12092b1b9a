"""Converts values to rows of the journal's tables, and back."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from tickboard.alerting.episodes import Episode
from tickboard.alerting.log import AlertEvent, EventKind, LogEvent
from tickboard.alerting.marks import MarkEvent
from tickboard.expressions.alignment import Labels
from tickboard.wire import Alert, Mark, Silence

G = TypeVar("G")
R = TypeVar("R", bound=tuple[Any, ...])

decode_alert = msgspec.json.Decoder(Alert).decode
decode_mark = msgspec.json.Decoder(Mark).decode
decode_silence = msgspec.json.Decoder(Silence).decode

_encode = msgspec.json.Encoder().encode
_decode_labels = msgspec.json.Decoder(Labels).decode


def as_text(value: object) -> str:
    """Return a value as JSON."""
    return _encode(value).decode()


def as_rows(items: Iterable[G], row: Callable[[G], R]) -> tuple[list[R], UnicodeEncodeError | None]:
    """Return the rows of the items that can be encoded, and the last encoding error.

    One bad item must not block the rest.
    """
    rows: list[R] = []
    unkept: UnicodeEncodeError | None = None
    for one in items:
        try:
            made = row(one)
            for value in made:
                if isinstance(value, str):
                    value.encode()
        except UnicodeEncodeError as error:
            unkept = error
        else:
            rows.append(made)
    return rows, unkept


def episode_row(episode: Episode) -> tuple[object, ...]:
    """Return the row of an episode."""
    # SQLite keeps NaN as NULL.
    return (
        episode.rule,
        as_text(episode.labels),
        episode.state,
        episode.lasted_s,
        episode.unseen_s,
        episode.started,
        episode.breached,
        episode.peak,
        None if episode.alert is None else as_text(episode.alert),
    )


def episode_of(row: Sequence[Any]) -> Episode:
    """Return the episode of a row."""
    rule, labels, state, *numbers, text = row
    lasted_s, unseen_s, started, breached, peak = (math.nan if number is None else number for number in numbers)
    alert = None if text is None else decode_alert(text)
    return Episode(rule.decode(), _decode_labels(labels), state, lasted_s, unseen_s, started, breached, peak, alert)


def event_row(event: LogEvent) -> tuple[object, ...]:
    """Return the row of an event: its number, kind, time, alert or mark, and the number of its beginning."""
    if isinstance(event, MarkEvent):
        return event.number, event.kind, event.time, as_text(event.mark), 0
    return event.number, event.kind, event.time, as_text(event.alert), event.begun


def event_of(row: Sequence[Any]) -> LogEvent:
    """Return the event of a row."""
    number, kind, time, content, begun = row
    if kind == MarkEvent.kind.encode():
        return MarkEvent(number, decode_mark(content), time)
    return AlertEvent(number, _kind(kind), decode_alert(content), time, begun=begun)


def _kind(text: bytes) -> EventKind:
    kind: EventKind = msgspec.convert(text.decode(), type=EventKind)
    return kind
