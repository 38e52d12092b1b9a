"""The keeper: gives a server the records of its access file, and again whenever that file changes.

All work on the disk is done in one thread of its own, so a disk that hangs takes no thread from anything else. Records
reach the event loop in the order in which they were read or written, so a login is never undone by an older reading.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar, cast

from tickboard.access.audit import Audit
from tickboard.access.authority import Authority
from tickboard.access.file import AccessFile, Stamp
from tickboard.access.records import Records
from tickboard.errors import BusyError, TickboardError
from tickboard.loop.threads import Threads
from tickboard.problems import Reporter
from tickboard.server.access.open_streams import OpenStreams

T = TypeVar("T")

LOOK_S = 1.0
"""Seconds between two looks at the file, and at the credentials of open streams."""

CHANGE_S = 10.0
"""How long a change may take."""

SILENT_S = 10.0
"""A disk that has not answered for this long is reported."""

SOURCE = "access file"
"""The source of the reported problem."""


class Keeper:
    """Keeps the authority of one server up to date, and ends the streams of credentials that have ended.

    Args:
        file: the access file.
        authority: answers requests.
        problems: returns where it is reported that the file cannot be used.
        at_once: whether everyone has to log in, so that the file must be usable now. Otherwise it is first read when
            `ready` is called, and until then nothing about it is a problem.

    Attributes:
        streams: the open streams of everyone.
        audit: what happened since the start.
        at_once: the argument.

    Raises:
        AccessError: the file cannot be used at the start.
    """

    def __init__(
        self, file: AccessFile, authority: Authority, problems: Callable[[], Reporter], *, at_once: bool = True
    ) -> None:
        self.file = file
        self.authority = authority
        self.streams = OpenStreams()
        self.audit = Audit()
        self._problems = problems
        self._disk = Threads(SOURCE, 1)
        self._stamp: Stamp = ()
        self._looking: asyncio.Task[None] | None = None
        self._wanted, self._looked = asyncio.Event(), asyncio.Event()
        self.at_once = at_once
        if at_once:
            self.read()
            self._wanted.set()
            self._looked.set()

    def read(self) -> None:
        """Read the file now: at the start, while no other thread does.

        Raises:
            AccessError: it cannot be read.
        """
        self._stamp = self.file.stamp()
        self.authority.learn(self.file.read())

    async def ready(self) -> None:
        """Begin to follow the file, and return once it was looked at.

        Raises:
            BusyError: the disk does not answer.
        """
        self._wanted.set()
        try:
            async with asyncio.timeout(CHANGE_S):
                await self._looked.wait()
        except TimeoutError:
            raise BusyError("the access file cannot be read: its disk does not answer", int(CHANGE_S)) from None

    async def change(self, change: Callable[[Records], Records]) -> Records:
        """Change the records in the file, and return them once requests are answered by them.

        Raises:
            AccessError: the file cannot be changed.
            BusyError: the disk does not answer.
        """
        try:
            async with asyncio.timeout(CHANGE_S):
                records = await self._changed(change)
        except TimeoutError:
            raise BusyError("the access file cannot be written: its disk does not answer", int(CHANGE_S)) from None
        self._learn(records)
        return records

    async def watch(self) -> None:
        """Look at the file and at open streams every second, until cancelled; see `ready` for the beginning.

        Raises:
            Exception: a look has failed for a reason that is not the file's.
        """
        await self._wanted.wait()
        began = time.monotonic()
        while True:
            looking, now = self._looking, time.monotonic()
            if looking is None or looking.done():
                # The first one is at once: a link may be older than the server, and newer than what it has read.
                self._looking, began = asyncio.create_task(self._look()), now
            elif now - began > SILENT_S:
                self._report("its disk does not answer")
            self.end_streams()
            if looking is not None and looking.done():
                looking.result()
            await asyncio.sleep(LOOK_S)

    def end_streams(self) -> None:
        """End the streams of credentials that have ended."""
        now = time.time()
        self.streams.end_unless(lambda identity: self.authority.still(identity, now))

    async def _look(self) -> None:
        uses = self.authority.uses()
        try:
            # First, so that what was revoked ends even where nothing can be written.
            if (records := await self._on_disk(self._read_if_changed)) is not None:
                self._learn(records)
            if uses:
                self._learn(await self._changed(lambda records: records.with_uses(uses)))
        except TickboardError as error:
            self._report(str(error))
        else:
            self._problems().clear(SOURCE)
        finally:
            self._looked.set()

    def _read_if_changed(self) -> Records | None:
        if (stamp := self.file.stamp()) == self._stamp:
            return None
        records = self.file.read()
        self._stamp = stamp
        return records

    async def _changed(self, change: Callable[[Records], Records]) -> Records:
        return await self._on_disk(lambda: self.file.change(change))

    async def _on_disk(self, work: Callable[[], T]) -> T:
        result, error = await self._disk.call(work)
        if error is not None:
            raise error
        return cast(T, result)

    def _report(self, why: str) -> None:
        self._problems().report(SOURCE, f"{why}; until that is fixed, users and tokens are as they were", kind=SOURCE)

    def _learn(self, records: Records) -> None:
        self.audit.learn(time.time(), self.authority.records, records)
        self.authority.learn(records)
        self.end_streams()
