"""The tables of the journal that reach further back than the log: resolved alerts and marks.

The number of rows is bounded, and the caller decides which rows are too old. Each function runs inside the caller's
transaction and raises SQLite's errors.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from tickboard.alerting.log import AlertEvent, LogEvent
from tickboard.alerting.marks import MAX_MARKS, MarkEvent, ends
from tickboard.alerting.question import AlertQuestion, FoundAlerts
from tickboard.alerting.spans import Found, SpanQuestion
from tickboard.journal.encoded_rows import as_rows, as_text, decode_alert, decode_mark
from tickboard.wire import Severity

MAX_RESOLVED = 200_000
"""How many resolved alerts are kept. Beyond that, the ones that ended first are deleted."""

SPARE = 1_000
"""How many more there may be for a while, so that not every write counts them."""

DELETED = 2_000
"""The most rows that one write deletes for their age."""

SCHEMA = """
CREATE TABLE resolved (
    number INTEGER PRIMARY KEY, newest INTEGER NOT NULL, began TEXT NOT NULL, ended TEXT NOT NULL,
    severity TEXT NOT NULL, rule TEXT NOT NULL, metric TEXT NOT NULL, alert TEXT NOT NULL
);
CREATE INDEX resolved_at ON resolved (ended, began, newest, severity, rule, metric);
CREATE TABLE marks (number INTEGER PRIMARY KEY, time REAL NOT NULL, ended TEXT NOT NULL, mark TEXT NOT NULL);
"""


class Past:
    """The tables of one open file.

    Args:
        connection: to the file; it returns text as bytes.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # An upper bound of the number of resolved alerts; None: unknown.
        self._count: int | None = None

    def add(self, events: Iterable[LogEvent]) -> None:
        """Store the alerts that events resolve, or change after their end, if they can be encoded."""
        over = {
            event.begun or event.number: event
            for event in events
            if isinstance(event, AlertEvent) and event.alert.resolved is not None
        }
        if not over:
            return
        rows, _ = as_rows(over.values(), _row)
        self._connection.executemany("INSERT OR REPLACE INTO resolved VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._bound(len(rows))

    def add_marks(self, events: Iterable[MarkEvent]) -> None:
        """Store marks."""
        rows, _ = as_rows(events, lambda event: (event.number, event.time, ends(event.mark), as_text(event.mark)))
        if rows:
            self._connection.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)", rows)
            self._connection.execute(
                "DELETE FROM marks WHERE number <= (SELECT number FROM marks ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (MAX_MARKS,),
            )

    def delete_before(self, since: str) -> None:
        """Delete rows that ended before a time, a bounded number in each call."""
        self._connection.execute("DELETE FROM marks WHERE ended < ?", (since,))
        self._delete_oldest("WHERE ended < ?", DELETED, since)

    def copy(self, other: "Past") -> int:
        """Copy the resolved alerts that only another file has, as far as they can be read.

        Returns:
            How many could be read.
        """
        read = 0

        def rows() -> Iterator[tuple[object, ...]]:
            nonlocal read
            # The other file may be damaged: copy what can be read.
            with suppress(sqlite3.DatabaseError, UnicodeDecodeError, msgspec.MsgspecError):
                for number, newest, *texts in other._connection.execute("SELECT * FROM resolved"):  # noqa: SLF001
                    decode_alert(texts[-1])
                    yield number, newest, *(text.decode() for text in texts)
                    read += 1

        self._connection.executemany("INSERT OR IGNORE INTO resolved VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows())
        self._count = None
        return read

    def marks(self) -> list[MarkEvent]:
        """Return the marks, in the order they were made."""
        rows = self._connection.execute("SELECT number, time, mark FROM marks ORDER BY number")
        return [MarkEvent(number, decode_mark(mark), time) for number, time, mark in rows]

    def older(self, left: int) -> str:
        """Return the latest end of the alerts whose newest event has a number up to `left`; empty: there are none."""
        [(found,)] = self._connection.execute("SELECT max(ended) FROM resolved WHERE newest <= ?", (left,))
        return "" if found is None else str(found, "ascii")

    def find(self, asked: AlertQuestion, left: int) -> FoundAlerts:
        """Return the resolved alerts that match a question, if their newest event has a number up to `left`."""
        if asked.state == "active":
            return FoundAlerts(0, [])
        where, values = _conditions(asked, left)
        # The index covers the conditions, so alerts are read for the page only.
        source = f"FROM resolved INDEXED BY resolved_at WHERE {where}"
        [(total,)] = self._connection.execute(f"SELECT count(*) {source}", values)
        page = f"SELECT number {source} AND number < ? ORDER BY number DESC LIMIT ?"
        rows = self._connection.execute(
            f"SELECT number, alert FROM resolved WHERE number IN ({page}) ORDER BY number DESC",  # noqa: S608  # no values
            (*values, asked.before, asked.limit + 1),
        )
        return FoundAlerts(total, [(number, decode_alert(alert)) for number, alert in rows])

    def spans(self, asked: SpanQuestion, left: int) -> list[Found]:
        """Return when resolved alerts fired, by severity and step, if their newest event has a number up to `left`."""
        # The index covers the question, so no alert is read.
        rows = self._connection.execute(
            "SELECT severity, min(max(began, ?1)), max(ended), count(*) FROM resolved INDEXED BY resolved_at"
            " WHERE newest <= ?2 AND ended >= ?1 AND began < ?3 GROUP BY severity, substr(max(began, ?1), 1, ?4)",
            (asked.start, left, asked.end, asked.characters),
        )
        return [
            (msgspec.convert(severity.decode(), Severity), began.decode(), ended.decode(), count)
            for severity, began, ended, count in rows
        ]

    def _bound(self, added: int) -> None:
        if self._count is not None:
            self._count += added
        if self._count is None or self._count > MAX_RESOLVED + SPARE:
            [(self._count,)] = self._connection.execute("SELECT count(*) FROM resolved")
        if (extra := self._count - MAX_RESOLVED) > 0:
            self._delete_oldest("", extra)
            # If the transaction fails, they are still there.
            self._count = None

    def _delete_oldest(self, where: str, most: int, *values: str) -> None:
        oldest = f"SELECT number FROM resolved {where} ORDER BY ended LIMIT ?"  # noqa: S608  # no values
        self._connection.execute(f"DELETE FROM resolved WHERE number IN ({oldest})", (*values, most))  # noqa: S608


def upgrade(connection: sqlite3.Connection) -> None:
    """Create the tables in a file of format 1, and fill them from its log.

    If an alert's firing event has left the log, the alert counts as begun with its oldest event there.
    """
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute("ALTER TABLE events ADD COLUMN begun INTEGER NOT NULL DEFAULT 0")
    begun = {id.decode(): number for id, number in connection.execute("SELECT id, number FROM firing")}
    events: list[AlertEvent] = []
    for number, time, text in connection.execute("SELECT number, time, alert FROM events ORDER BY number"):
        alert = decode_alert(text)
        events.append(AlertEvent(number, "changed", alert, time, begun=begun.setdefault(alert.id, number)))
    connection.executemany(
        "UPDATE events SET begun = ? WHERE number = ?", [(event.begun, event.number) for event in events]
    )
    Past(connection).add(events)


def _conditions(asked: AlertQuestion, left: int) -> tuple[str, list[Any]]:
    """Return the SQL condition for a question, and its values."""
    conditions = ["newest <= ?"]
    values: list[Any] = [left]
    if asked.start is not None:
        conditions.append("ended >= ?")
        values.append(asked.start)
    if asked.end is not None:
        conditions.append("began < ?")
        values.append(asked.end)
    for column, wanted in asked.wanted.items():
        # Few questions ask for hosts, so these have no column of their own.
        value = "coalesce(json_extract(alert, '$.host'), '')" if column == "host" else column
        conditions.append(f"{value} IN ({', '.join('?' * len(wanted))})")
        values += wanted
    return " AND ".join(conditions), values


def _row(event: AlertEvent) -> tuple[object, ...]:
    alert = event.alert
    assert alert.resolved is not None
    return (
        event.begun or event.number,
        event.number,
        alert.timestamp,
        alert.resolved,
        alert.severity,
        alert.rule,
        alert.metric,
        as_text(alert),
    )
