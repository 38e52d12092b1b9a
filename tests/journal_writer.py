"""A program for tests whose children write a journal until they are killed, and report each number once it is kept.

It imports everything before it forks, so that a hundred children start as quickly as one.
"""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from tickboard.alerting.episodes import Episode
from tickboard.alerting.log import AlertEvent, EventKind, HostPosition
from tickboard.journal.journal import Journal
from tickboard.wire import Alert, Silence

SAID = 8
"""The size of a reported number in bytes."""


def alert(number: int) -> Alert:
    """Return an alert of some length, so that a transaction is more than a page."""
    return Alert(f"id{number}", "a message " * (number % 50), "warning", "2026-01-31T12:00:00.000Z", rule="r")


def event_of(number: int) -> tuple[EventKind, Alert]:
    """Return the kind and alert of an event: odd numbers fire an alert, and number + 3 resolves it."""
    return ("firing", alert(number)) if number % 2 else ("resolved", alert(number - 3))


async def write(path: Path) -> None:
    """Continue the journal forever.

    Each transaction has one to four events, and an episode, a silence and the position of a host that refer to the
    newest of them.
    """
    journal = Journal(path)
    number = journal.load().number
    for turn in itertools.count():
        events = []
        for _ in range(1 + turn % 4):
            number += 1
            events.append(AlertEvent(number, *event_of(number), 0.0))
        episode = Episode("r", (("number", "same"),), 1, float(number), 0.0, 0.0, 0.0, 0.0, None)
        other = Episode("r", (("number", str(number)),), 2, float(number), 0.0, 0.0, 0.0, 0.0, alert(number))
        await journal.commit(
            events,
            [episode, other],
            [(0.0, Silence("r", "", str(number), ""))],
            followed={"web-1": HostPosition("e", number)},
        )
        await journal.keep_position("n", number)
        write_number(number)


def write_number(number: int) -> None:
    """Write one number to standard output atomically."""
    os.write(sys.stdout.fileno(), number.to_bytes(SAID, "big"))


def main() -> None:
    """Fork a writer for each path in the input. It writes its process id first; a 0 follows once it was killed."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            write_number(os.getpid())
            asyncio.run(write(Path(line.rstrip("\n"))))
        os.waitpid(child, 0)
        write_number(0)


if __name__ == "__main__":
    main()
