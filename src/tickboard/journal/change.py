"""The data of a journal: its whole contents, and the changes that one transaction writes."""

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from tickboard.alerting.episodes import Episode
from tickboard.alerting.log import AlertEvent, Events, HostPosition, LogEvent
from tickboard.alerting.marks import MAX_MARKS, MarkEvent
from tickboard.wire import Silence


class JournalContents(Struct, frozen=True):
    """The whole contents of a journal: read when it opens, and written to a new file if the old one is lost.

    Attributes:
        epoch: the log's; created with the file.
        number: the number of the newest event, even if that event has left the log.
        events: the newest ones, as many as `Events` holds; oldest first.
        firing: the firing alerts in their current state, each under the number of its firing event, in that order;
            including those that began before the oldest event.
        episodes: as of the last commit.
        silences: as of the last commit, each with its end in POSIX seconds; some may be over.
        positions: by notifier name, the number of the newest event it has handled.
        marks: all marks, in the order they were made.
        older: the latest end of a resolved alert that is not among the events, RFC 3339; empty if there is none.
        followed: how far the alert streams of other hosts were read, by the host's name.
    """

    epoch: str
    number: int
    events: Sequence[LogEvent]
    firing: list[AlertEvent]
    episodes: list[Episode]
    silences: list[tuple[float, Silence]]
    positions: dict[str, int]
    marks: list[MarkEvent] = field(default_factory=list)
    older: str = ""
    followed: dict[str, HostPosition] = field(default_factory=dict)


class Fate(Struct, frozen=True):
    """How one alert's row in the table of firing alerts changes.

    Attributes:
        begun: its firing event; None if that was written earlier, or the alert is over.
        newest: its newest event; ``resolved`` deletes the row.
    """

    begun: AlertEvent | None
    newest: AlertEvent


class JournalChange(Struct):
    """The changes that one transaction writes; None means unchanged.

    Attributes:
        epoch: a new name for the log.
        events: the events to add; only `append` adds to them.
        marks: the marks to add, by number.
        dropped: the numbers of changes and marks that have left the log.
        fates: by alert id, including alerts whose events no longer fit into `events`; bounded by the number of series.
        episodes: all current ones.
        silences: all that are in force, each with its end.
        positions: of the notifiers whose position has changed.
        oldest: the number of the oldest event to keep; those before it are deleted.
        since: marks and resolved alerts that ended before this time are deleted; RFC 3339.
        whole: the full contents of a new file; None keeps the present file.
        followed: how far the alert streams of all hosts were read.
    """

    epoch: str | None = None
    # Bounded like the log itself, so that a disk that fails for a long time does not fill the memory.
    events: Events = field(default_factory=Events)
    marks: dict[int, MarkEvent] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    fates: dict[str, Fate] = field(default_factory=dict)
    episodes: list[Episode] | None = None
    silences: list[tuple[float, Silence]] | None = None
    positions: dict[str, int] = field(default_factory=dict)
    oldest: int | None = None
    since: str | None = None
    whole: JournalContents | None = None
    followed: dict[str, HostPosition] | None = None

    def append(self, events: Iterable[LogEvent]) -> None:
        """Add later events, in order."""
        for event in events:
            if event.drops:
                self._drop(event.drops)
            self.events.append(event)
            if isinstance(event, AlertEvent):
                self._follow(event.alert.id, Fate(event if event.kind == "firing" else None, event))
            else:
                self._add_marks({event.number: event})

    def add(self, newer: "JournalChange") -> None:
        """Merge a later change into this one."""
        if newer.whole is not None:
            # It includes everything before it.
            self.events.clear()
            self.marks.clear()
            self.dropped.clear()
            self.fates.clear()
            self.positions = {}
            self.epoch = self.episodes = self.silences = self.oldest = self.since = self.followed = None
        for number in newer.dropped:
            self._drop(number)
        for event in newer.events:
            self.events.append(event)
        self._add_marks(newer.marks)
        for id, fate in newer.fates.items():
            self._follow(id, fate)
        self.positions |= newer.positions
        for name in ("epoch", "episodes", "silences", "oldest", "since", "whole", "followed"):
            if (value := getattr(newer, name)) is not None:
                setattr(self, name, value)

    def _add_marks(self, newer: dict[int, MarkEvent]) -> None:
        self.marks |= newer
        while len(self.marks) > MAX_MARKS:
            del self.marks[next(iter(self.marks))]

    def _drop(self, number: int) -> None:
        # An event that was never written need not be deleted.
        if not self.events.drop(number):
            self.dropped.add(number)

    def _follow(self, id: str, newer: Fate) -> None:
        """Update the firing alerts, as `AlertLog` does."""
        before = self.fates.get(id)
        if before is None or newer.begun is not None:
            self.fates[id] = newer
        elif newer.newest.kind != "resolved":
            # An alert that is over may still change; it stays over.
            if before.newest.kind != "resolved":
                self.fates[id] = Fate(before.begun, newer.newest)
        elif before.begun is None:
            self.fates[id] = newer
        else:
            # It began and ended before it was written. Dropping it bounds this table while the disk fails.
            del self.fates[id]
