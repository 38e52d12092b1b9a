"""What goes into a journal and comes out of it: all that is kept, and what one transaction changes of it."""

from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from tickboard.alerting.episodes import Episode
from tickboard.alerting.log import AlertEvent, Events, LogEvent
from tickboard.alerting.marks import MAX_MARKS, MarkEvent
from tickboard.wire import Silence


class JournalContents(Struct, frozen=True):
    """All that a journal holds: read from it when it is opened, and written to a new file when it is lost.

    Attributes:
        epoch: of the log; made once with the file.
        number: the newest event's, even where that has left the log.
        events: as many as `Events` holds, oldest first.
        firing: the alerts that fire, in the order they began, as they are by now under the number of their beginning;
            also those that began before the oldest event.
        episodes: as last given.
        silences: as last given, each with when it ends, POSIX seconds; those that are over among them.
        positions: by the notifier's name, the number of the newest event that it has dealt with.
        marks: all marks, in the order they were made.
        older: the latest end of a resolved alert that is not among the events, RFC 3339; empty: there is none.
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


class Fate(Struct, frozen=True):
    """What becomes of one alert's row among those that fire.

    Attributes:
        begun: the event of its beginning; None: that was kept before, or it is over.
        newest: the newest of its events: ``resolved`` deletes the row.
    """

    begun: AlertEvent | None
    newest: AlertEvent


class JournalChange(Struct):
    """What one transaction writes; None: as it was.

    Attributes:
        epoch: a new name for the log.
        events: to be added; added to by `append` alone.
        marks: to be added, by their numbers.
        dropped: the numbers of changes and marks that the log holds no longer.
        fates: by the alert's id, what events make of it, also those that `events` has no room for; bounded by the
            series that there are.
        episodes: all that there are.
        silences: all that are in force, each with when it ends.
        positions: of notifiers, those that have moved.
        oldest: the number of the oldest event to keep; those before it are deleted.
        since: marks and resolved alerts that ended before this time are deleted; RFC 3339.
        whole: everything, for a new file; None: the file that there is goes on.
    """

    epoch: str | None = None
    # More than the log holds need not be kept: a disk that fails for long takes no more memory than this.
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

    def append(self, events: Iterable[LogEvent]) -> None:
        """Add events that came later, in order."""
        for event in events:
            if event.drops:
                self._drop(event.drops)
            self.events.append(event)
            if isinstance(event, AlertEvent):
                self._follow(event.alert.id, Fate(event if event.kind == "firing" else None, event))
            else:
                self._add_marks({event.number: event})

    def add(self, newer: "JournalChange") -> None:
        """Put what came later on top."""
        if newer.whole is not None:
            # All that came before it is in it.
            self.events.clear()
            self.marks.clear()
            self.dropped.clear()
            self.fates.clear()
            self.positions = {}
            self.epoch = self.episodes = self.silences = self.oldest = self.since = None
        for number in newer.dropped:
            self._drop(number)
        for event in newer.events:
            self.events.append(event)
        self._add_marks(newer.marks)
        for id, fate in newer.fates.items():
            self._follow(id, fate)
        self.positions |= newer.positions
        for name in ("epoch", "episodes", "silences", "oldest", "since", "whole"):
            if (value := getattr(newer, name)) is not None:
                setattr(self, name, value)

    def _add_marks(self, newer: dict[int, MarkEvent]) -> None:
        self.marks |= newer
        while len(self.marks) > MAX_MARKS:
            del self.marks[next(iter(self.marks))]

    def _drop(self, number: int) -> None:
        # What has not come into the file yet need not leave it.
        if not self.events.drop(number):
            self.dropped.add(number)

    def _follow(self, id: str, newer: Fate) -> None:
        """Keep what fires up to date, as `AlertLog` does."""
        before = self.fates.get(id)
        if before is None or newer.begun is not None:
            self.fates[id] = newer
        elif newer.newest.kind != "resolved":
            # One that is over may be changed, too, and stays so.
            if before.newest.kind != "resolved":
                self.fates[id] = Fate(before.begun, newer.newest)
        elif before.begun is None:
            self.fates[id] = newer
        else:
            # Begun and over before it was written: a disk that fails for long makes no heap of these.
            del self.fates[id]
