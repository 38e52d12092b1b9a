"""Serving: runs uvicorn's server for Tickboard, from the first connection to a shutdown that nothing can delay."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from functools import partial
from types import FrameType
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from tickboard.hub.hub import Hub
from tickboard.loop.garbage import Garbage
from tickboard.loop.supervisor import Supervisor
from tickboard.loop.watchdog import Watchdog
from tickboard.output.logs import log
from tickboard.problems import described
from tickboard.server.requests.proxied import Proxied
from tickboard.server.streams.client_messages import MAX_MESSAGE_BYTES
from tickboard.server.uvicorn.accepting import Acceptor
from tickboard.server.uvicorn.ending import EndsStreams
from tickboard.server.uvicorn.gate import Gate
from tickboard.server.uvicorn.http import HttpConnection
from tickboard.server.uvicorn.listening import is_loopback
from tickboard.server.uvicorn.tls import Tls
from tickboard.server.uvicorn.websocket import Connection

TESTED = ("0.54",)
"""Releases of uvicorn that our connection classes are tested with: they override non-public methods. With any other
release, uvicorn's own classes are used."""

DATE_S = 1.0
"""How often the header `Date` is updated."""

GOODBYE_S = 0.35
"""How long viewers have to disconnect by themselves after Ctrl-C."""

LAST_ANSWERS_S = 0.2
"""How long, after that, requests may take to be answered."""

LAST_TASKS_S = 1.0
"""How long tasks may take to end once they are cancelled."""


def uvicorn_config(
    app: ASGIApp,
    gate: Gate,
    log_level: str | None = None,
    is_trusted: Callable[[str], bool] = is_loopback,
) -> uvicorn.Config:
    """Return uvicorn's configuration for a board: with our connection classes, or with its own if ours are not tested.

    Args:
        app: the board, with its middleware.
        gate: shared by its connections.
        log_level: the level of uvicorn's own log; None: unchanged.
        is_trusted: returns whether a proxy with this address is trusted.
    """
    tested = uvicorn.__version__.rpartition(".")[0] in TESTED
    if not tested:
        log.warning(
            "Tickboard has not been tested with uvicorn %s: it serves, but slower and without its limits on "
            "connections; install uvicorn %s",
            uvicorn.__version__,
            " or ".join(f"{release}.*" for release in TESTED),
        )
    return uvicorn.Config(
        Proxied(app, is_trusted),
        interface="asgi3",
        lifespan="on",
        http=cast("type[asyncio.Protocol]", partial(HttpConnection, gate=gate)) if tested else "auto",
        ws=Connection if tested else "websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        log_config=None,
        log_level=log_level,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


class Server(EndsStreams, uvicorn.Server):
    """uvicorn's server, which closes the viewers' connections first, and continues whatever a task does.

    It leaves signals to the program that it is a part of; `Program` handles them itself.

    Args:
        config: uvicorn's.
        hub: returns the hub whose viewers are served.
        gate: shared by its connections.
        tls: its certificate; None: it speaks plain HTTP.

    Attributes:
        decided: set when it has started, or cannot start.
    """

    def __init__(self, config: uvicorn.Config, hub: Callable[[], Hub], gate: Gate, tls: Tls | None = None) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()
        super().__init__(config)
        self._tls = tls
        self._renewing: Supervisor | None = None
        self.decided = threading.Event()
        self._hub = hub
        self._gate = gate

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until asked to stop.

        If a task of a sampler exits the interpreter, the loop stops: that is reported, and the loop is resumed.
        """
        loop = (self.config.get_loop_factory() or asyncio.new_event_loop)()
        try:
            serving = loop.create_task(self.serve(sockets))
            while not serving.done():
                try:
                    loop.run_until_complete(serving)
                except (SystemExit, KeyboardInterrupt) as error:
                    if serving.done():
                        raise
                    self._hub().problems.report(
                        "event loop", f"{described(error)}: a task tried to end the program", error=error
                    )
        finally:
            self.decided.set()
            _close(loop)

    @property
    def should_exit(self) -> bool:
        """Whether it has been asked to shut down. It may be set in any thread, and in a signal handler."""
        return self._should_exit

    @should_exit.setter
    def should_exit(self, asked: bool) -> None:
        self._should_exit = asked
        if asked and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._asked.set)

    async def main_loop(self) -> None:
        """Wait until it is asked to shut down.

        uvicorn's own version checks ten times a second, which costs an idle board much of its CPU time. This one wakes
        once a second, to update the header `Date`.
        """
        if self.config.http == "auto":
            # An untested release may do more there.
            await super().main_loop()
            return
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DATE_S):
                    await self._asked.wait()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and wake the thread that waits for that."""
        if sockets is None or self.config.http == "auto" or sys.platform == "win32":  # its loop has no `add_reader`
            if self._tls is not None:
                self.config.ssl = self._tls.context
            await super().startup(sockets)
        else:
            await self._listen(sockets)
        self.decided.set()

    async def _listen(self, sockets: list[socket.socket]) -> None:
        """Start as uvicorn does, but accept connections with `Acceptor`."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        connections = self.server_state.connections
        problems = self._hub().problems
        acceptors = [Acceptor(each, self._connect, connections, self._gate, problems, self._tls) for each in sockets]
        for acceptor in acceptors:
            acceptor.start()
        self.servers = cast("list[asyncio.base_events.Server]", acceptors)
        if self._tls is not None:
            self._renewing = Supervisor(problems)
            self._renewing.start("TLS", partial(self._tls.watch, lambda: self._hub().problems))
        self.started = True

    def _connect(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        make = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close WebSockets with 1001, end the alert streams, let uvicorn end the rest, and cut whatever remains."""
        hub = self._hub()
        if self._renewing is not None:
            await self._renewing.stop()
        hub.close(1001)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                while hub.viewers or hub.readers:
                    await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(LAST_ANSWERS_S, self._cut)
        await super().shutdown(sockets)
        if self.force_exit:
            # Asked twice, uvicorn skips this, and the board would be cancelled anywhere. The watchdog handles hangs.
            await self.lifespan.shutdown()

    def _cut(self) -> None:
        # uvicorn would log each of these requests with a traceback, though ending them is normal here.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        for connection in list(self.server_state.connections):
            if (transport := getattr(connection, "transport", None)) is not None:
                transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the surrounding program."""
        yield


class Program(Server):
    """A server that is the whole program: it ends with status 0 on Ctrl-C and SIGTERM, and nothing can delay that."""

    def __init__(self, config: uvicorn.Config, hub: Callable[[], Hub], gate: Gate, tls: Tls | None = None) -> None:
        super().__init__(config, hub, gate, tls)
        self._watchdog = Watchdog()
        self._garbage = Garbage(lambda: hub().engine.registry.width, lambda: hub().engine.interval_s)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until asked to stop."""
        try:
            super().run(sockets)
        finally:
            self._garbage.stop()
            # The application's own threads may still delay the end of the interpreter.
            self._watchdog.leave()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and begin to watch the loop and to collect garbage."""
        self._watchdog.start()
        self._garbage.start()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to shut down; the watchdog ends the program if something hangs."""
        if self.should_exit:
            self._watchdog.hurry()
        else:
            self._watchdog.leave()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Shut down on SIGINT and SIGTERM. uvicorn's own version raises them again afterwards."""
        asked = [signal.SIGINT, signal.SIGTERM]
        before = {number: signal.signal(number, partial(_leave, self)) for number in asked}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop as `asyncio.run` does, but abandon tasks that ignore their cancellation."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=LAST_TASKS_S))
    loop.run_until_complete(loop.shutdown_asyncgens())
    # The remaining tasks are destroyed while pending. The loop would log that, but the supervisor has already.
    loop.set_exception_handler(lambda _, __: None)
    loop.close()


def _leave(server: Program, number: int, frame: FrameType | None) -> None:
    server.handle_exit(number, frame)
