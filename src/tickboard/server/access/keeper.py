"""The keeper: gives a server the records of its access file, and again whenever that file changes.

All work on the disk is done in threads. Records reach the event loop in the order in which they were read or written,
so that a login is never undone by an older reading.
"""

import asyncio
import threading
import time
from collections.abc import Callable

from tickboard.access.audit import Audit
from tickboard.access.authority import Authority
from tickboard.access.file import AccessError, AccessFile, Stamp
from tickboard.access.records import Records
from tickboard.errors import BusyError
from tickboard.problems import Reporter
from tickboard.server.access.open_streams import OpenStreams

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
        self._disk = threading.Lock()
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
        loop = asyncio.get_running_loop()

        def work() -> Records:
            with self._disk:
                records = self.file.change(change)
                loop.call_soon_threadsafe(self._learn, records)
            return records

        try:
            async with asyncio.timeout(CHANGE_S):
                return await asyncio.to_thread(work)
        except TimeoutError:
            raise BusyError("the access file cannot be written: its disk does not answer", int(CHANGE_S)) from None

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
        loop = asyncio.get_running_loop()
        uses = self.authority.uses()

        def work() -> None:
            with self._disk:
                # First, so that what was revoked ends even where nothing can be written.
                if (stamp := self.file.stamp()) != self._stamp:
                    records = self.file.read()
                    self._stamp = stamp
                    loop.call_soon_threadsafe(self._learn, records)
                if uses:
                    loop.call_soon_threadsafe(self._learn, self.file.change(lambda records: records.with_uses(uses)))

        try:
            await asyncio.to_thread(work)
        except AccessError as error:
            self._report(str(error))
        else:
            self._problems().clear(SOURCE)
        finally:
            self._looked.set()

    def _report(self, why: str) -> None:
        self._problems().report(SOURCE, f"{why}; until that is fixed, users and tokens are as they were", kind=SOURCE)

    def _learn(self, records: Records) -> None:
        self.audit.learn(time.time(), self.authority.records, records)
        self.authority.learn(records)
        self.end_streams()
