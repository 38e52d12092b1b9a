"""Standard input, read in a thread of its own, so that it may be a pipe, a file or a terminal.

Reading continues whatever happens: if a read or the receiver fails, that is reported, and reading is tried again. The
end of the input is reported, too, and so is a long silence.
"""

import asyncio
import contextlib
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import NamedTuple, Protocol

from tickboard.errors import InputError
from tickboard.output.logs import log
from tickboard.problems import described

HOW = "pipe the output of a command into it: some-command | tickboard pipe"

CHUNK = 65_536

SLICE_S = 0.002
"""How long the loop may be blocked, give or take one step of the receiver."""

AGAIN_S = 1.0
"""Seconds before a failed read is tried again; they double each time it fails again at once."""

MAX_AGAIN_S = 30.0

SILENT_S = 300.0
"""A silence of this many seconds is reported: by then the series have left, and the page should say why."""


class InputDecoder(Protocol):
    """Processes the input in steps; others may run between any two."""

    def receive(self, data: bytes, now: float) -> Iterator[None]:
        """Process data; `now` is by the monotonic clock."""
        ...

    def end(self) -> Iterator[None]:
        """Process the end of the input."""
        ...


class Stdin:
    """Reads a descriptor to its end and passes the data to a receiver, in the loop.

    The next data is read when the receiver has processed the last: a command that prints faster has to wait, as with
    any pipe.

    Args:
        descriptor: the descriptor to read; a copy of it is used.
        receiver: processes the data.
        report: called with a problem of the input, and with None once there is none.
        say: called with a line for the person at the terminal.

    Raises:
        InputError: it cannot be read at all.
    """

    def __init__(
        self,
        descriptor: int,
        receiver: InputDecoder,
        report: Callable[[str | None], None],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        try:
            # A copy, since the number may be reused for another file.
            self._descriptor = os.dup(descriptor)
        except OSError as error:
            raise InputError(f"the input can't be read ({error.strerror}): {HOW}") from error
        self._receiver = receiver
        self._report_to = report
        self._say = say
        self._orders: SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Future[_Read]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._task: asyncio.Task[None] | None = None
        self._reported = False

    async def start(self) -> None:
        """Start reading."""
        if self._task is None:
            if os.isatty(self._descriptor):
                self._print(f"Reading what you type here; or {HOW}")
            # A daemon thread: a command that prints nothing more must not keep the program from ending.
            self._thread = threading.Thread(target=self._obey, name="standard input", daemon=True)
            self._thread.start()
            self._task = asyncio.create_task(self._take(), name="standard input")

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._orders.put(None)
            self._task.cancel()
            await asyncio.wait([self._task])

    # --- in the loop ---

    async def _take(self) -> None:
        """Process the input until its end, whatever fails meanwhile."""
        again_s = AGAIN_S
        while True:
            data, error = await self._read()
            if error is None and not data:
                break
            try:
                await self._in_slices(self._receiver.receive(data, time.monotonic()))
            except Exception as raised:  # noqa: BLE001  # whatever was wrong, reading continues
                error = raised
            if error is None:
                again_s = AGAIN_S
                self._report(None)
            else:
                self._report(f"{described(error)}; reading is tried again in {again_s:g} s")
                await asyncio.sleep(again_s)
                again_s = min(2 * again_s, MAX_AGAIN_S)
        try:
            await self._in_slices(self._receiver.end())
        except Exception:
            log.exception("the last line of the input")
        self._report("the input has ended: the page shows its last values until Ctrl-C")
        self._print("The input has ended; the board stays until Ctrl-C.")

    async def _read(self) -> "_Read":
        loop = asyncio.get_running_loop()
        coming: asyncio.Future[_Read] = loop.create_future()
        self._orders.put((loop, coming))
        silent = loop.call_later(
            SILENT_S,
            self._report,
            f"nothing has arrived for {SILENT_S / 60:g} min: the command prints nothing, hangs, or keeps its output "
            "in a buffer",
        )
        try:
            return await coming
        finally:
            silent.cancel()

    @staticmethod
    async def _in_slices(steps: Iterator[None]) -> None:
        until = time.monotonic() + SLICE_S
        for _ in steps:
            if time.monotonic() >= until:
                await asyncio.sleep(0)
                until = time.monotonic() + SLICE_S

    def _report(self, message: str | None) -> None:
        if message is None and not self._reported:
            return
        self._reported = message is not None
        try:
            self._report_to(message)
        except Exception:
            log.exception("standard input: %s", message or "works again")

    def _print(self, line: str) -> None:
        with contextlib.suppress(Exception):  # nobody may be reading it
            self._say(line)

    # --- in the thread ---

    def _obey(self) -> None:
        """Read once for each order from the loop."""
        try:
            while (order := self._orders.get()) is not None:
                loop, coming = order
                try:
                    read = _Read(self._read_now())
                except BaseException as error:  # noqa: BLE001  # the loop reports it
                    read = _Read(b"", error)
                try:
                    loop.call_soon_threadsafe(_settle, coming, read)
                except RuntimeError:
                    return  # the loop is closed: nothing waits for it any more
        finally:
            os.close(self._descriptor)

    def _read_now(self) -> bytes:
        while True:
            try:
                return os.read(self._descriptor, CHUNK)
            except BlockingIOError:
                # Another program that shares it has made it non-blocking, as ssh and node do.
                waiting = select.poll()
                waiting.register(self._descriptor, select.POLLIN)
                waiting.poll()


class _Read(NamedTuple):
    """The data that was read, empty at the end; or why it could not be read."""

    data: bytes
    error: BaseException | None = None


def _settle(coming: "asyncio.Future[_Read]", read: _Read) -> None:
    if not coming.done():
        coming.set_result(read)
