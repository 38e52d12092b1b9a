"""The command line: puts a board, its settings and a server together.

What a person got wrong is told in one line on standard error, with exit status 2.
"""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator, Sequence, Sized
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated

import msgspec
import uvicorn
from cyclopts import App, CycloptsError, Parameter, Token, UnusedCliTokensError
from starlette.types import ASGIApp

import tickboard
from tickboard import schedule
from tickboard.board import Board
from tickboard.configuration.config import config_schema
from tickboard.dashboard_file import find_config, load_board, read_config
from tickboard.errors import InputError, JournalError, TickboardError
from tickboard.host_board import host_board
from tickboard.hub.hub import Hub
from tickboard.journal.journal import Journal, default_path
from tickboard.notify.digest import trial
from tickboard.notify.notifier import Notifier, Service
from tickboard.reload import Reloader
from tickboard.server.connection import Connection
from tickboard.server.dialogue import MAX_MESSAGE_BYTES
from tickboard.server.guard import Guard
from tickboard.server.http import HttpConnection
from tickboard.server.limits import Limits, raise_open_files
from tickboard.settings import BOUNDS, Settings, read_settings
from tickboard.sources.pipe import Format, Pipe
from tickboard.sources.stdin import Stdin
from tickboard.traffic import Notified, Traffic

GOODBYE_S = 0.35
"""How long viewers have to end by themselves after Ctrl-C."""

LAST_ANSWERS_S = 0.2
"""How long, after that, requests have to be answered."""

BACKLOG = 2_048
"""Connections that may wait to be accepted."""

app = App(
    name="tickboard",
    help="A live dashboard in Python. Alone, it shows what this machine is doing right now.",
    version=tickboard.__version__,
)


def _whole_number(wanted: object, tokens: Sequence[Token]) -> int:
    """Read a whole number; cyclopts itself would round 1.5."""
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"give a whole number, not {text!r}.") from None


@Parameter(name="*")
@dataclass(frozen=True)
class Options:
    """The flags that every serving command takes."""

    host: str = "127.0.0.1"
    "The address to listen on; 0.0.0.0 lets other machines watch."

    port: Annotated[int, Parameter(converter=_whole_number)] = 3000
    "The port; 0 picks a free one."

    interval: str | None = None
    "Time between two ticks: milliseconds, or as 250ms, 1s (METRIC_INTERVAL_MS, 1000)."

    window: Annotated[int | None, Parameter(converter=_whole_number)] = None
    "Ticks in the window (WINDOW_SIZE, 60)."

    max_connections: Annotated[int | None, Parameter(converter=_whole_number)] = None
    "WebSockets and alert streams that may be open; 0: any number. As many as there may be open files, if not given."

    max_per_address: Annotated[int, Parameter(converter=_whole_number)] = 1000
    "Of them from one address; 0: any number."

    state: str | None = None
    "The file that keeps the log of alerts across restarts; none: memory alone (TICKBOARD_STATE, or one for each)."

    allow_host: Annotated[tuple[str, ...], Parameter(negative=())] = ()
    "A further name that a server on loopback answers to, as that of a proxy in front of it; may be repeated."

    config: Path | None = None
    "A tickboard.toml: rules and notifiers; the one beside a dashboard file, if not given."

    def settings(self, default: Settings) -> Settings:
        """Return the settings of a board that asks for `default`.

        Raises:
            InputError: a flag or an environment variable holds a bad value.
        """
        interval_ms = None if self.interval is None else parse_interval(self.interval)
        return read_settings(os.environ, interval_ms=interval_ms, window_size=self.window, default=default)

    def configure(self, board: Board) -> None:
        """Let the file that was given, if one was, configure a board that no dashboard file makes.

        Raises:
            BoardError: it can't be read, or something in it cannot be.
        """
        if self.config is not None:
            board.apply(read_config(self.config))

    @property
    def _state(self) -> str:
        return self.state if self.state is not None else os.environ.get("TICKBOARD_STATE", "").strip()

    def named_journal(self, board: Board) -> Journal | None:
        """Return what keeps a board's log of alerts where somebody has named the file; None: nobody has.

        Raises:
            JournalError: it cannot be used.
        """
        path = Path(self._state) if self._state else board.state
        return None if path is None or self._state == "none" else Journal(path)

    def open_journal(self, board: Board, file: Path | None) -> Journal | None:
        """Return what keeps a board's log of alerts; None: nothing does.

        Args:
            board: it may name a file itself.
            file: the dashboard file; None: the host board.

        Raises:
            JournalError: the file that somebody named cannot be used. That of a board for which nobody did is passed
                over, and told of.
        """
        if self._state == "none":
            return None
        if (named := self.named_journal(board)) is not None:
            return named
        try:
            return Journal(default_path(file, os.environ))
        except JournalError as error:
            say(f"{error}. Until then the log of alerts does not outlive this run.")
            return None

    def limited(self, served: ASGIApp, traffic: Callable[[], Traffic]) -> ASGIApp:
        """Return an application with the limits on its connections.

        Raises:
            InputError: a limit is below 0.
        """
        for flag, limit in (("--max-connections", self.max_connections), ("--max-per-address", self.max_per_address)):
            if limit is not None and limit < 0:
                raise InputError(f"{flag}={limit}: give how many there may be; 0: any number")
        possible = raise_open_files()
        most = possible if self.max_connections is None else self.max_connections
        return Limits(served, most, self.max_per_address, traffic)


DEFAULT_OPTIONS = Options()

TAKE_A_FILE = ("run", "dev", "check", "notify")
"""The commands for a dashboard file."""


@app.default
def host(
    *,
    scrape: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    statsd: Annotated[int | None, Parameter(converter=_whole_number)] = None,
    options: Options = DEFAULT_OPTIONS,
) -> None:
    """Show this machine: CPU, memory, disks, network, processes; and what is sent to it.

    Args:
        scrape: The URL of metrics in Prometheus' format to show too, as http://localhost:9100/metrics; may be repeated.
        statsd: Listen to StatsD on this UDP port too, as 8125.
        options: Where and how often.
    """
    board, measured = host_board()
    for url in scrape:
        board.scrape(url)
    if statsd is not None:
        if not 1 <= statsd <= 65_535:
            raise InputError(f"--statsd={statsd}: give a UDP port from 1 to 65535, as 8125")
        board.statsd(statsd, options.host)
    options.configure(board)
    board.prepare(options.settings(board.defaults), journal=options.open_journal(board, None))
    serve(measured, board, lambda: board.hub, options)


@app.command
def run(file: Path, /, *, options: Options = DEFAULT_OPTIONS) -> None:
    """Serve a dashboard file.

    Args:
        file: A Python file that makes a Board.
        options: Where and how often.
    """
    board = load_board(file, options.config)
    board.prepare(options.settings(board.defaults), journal=options.open_journal(board, file))
    serve(board, board, lambda: board.hub, options)


@app.command
def dev(file: Path, /, *, options: Options = DEFAULT_OPTIONS) -> None:
    """Serve a dashboard file and reload it when it changes; viewers stay connected.

    Args:
        file: A Python file that makes a Board.
        options: Where and how often.
    """
    reloader = Reloader(file, options.settings, say, lambda board: options.open_journal(board, file), options.config)
    serve(reloader, reloader.board, lambda: reloader.hub, options)


@app.command
def pipe(
    *,
    title: str = "Live Dashboard",
    form: Annotated[Format, Parameter(name="--format")] = "auto",
    options: Options = DEFAULT_OPTIONS,
) -> None:
    """Show the numbers that a command prints: some-command | tickboard pipe.

    Args:
        title: The page's heading.
        form: What the lines are: a name, a value and a unit; JSON; or CSV. Told from the lines by itself.
        options: Where and how often.
    """
    board = Board(title)
    lines = Pipe(board.intake.source("pipe"), partial(board.tell, "pipe"), form)

    def end() -> None:
        lines.end()
        say("The input has ended; the board stays until Ctrl-C.")

    board.listen(Stdin(sys.stdin.fileno(), lines.receive, end))
    options.configure(board)
    board.prepare(options.settings(board.defaults), journal=options.named_journal(board))
    serve(board, board, lambda: board.hub, options)


@app.command
def check(file: Path, /, *, config: Path | None = None) -> None:
    """Load a dashboard file, say what is in it or what is wrong with it, and end.

    Args:
        file: A Python file that makes a Board.
        config: A tickboard.toml, in place of the one beside the file.
    """
    board = load_board(file, config)
    board.prepare(read_settings(os.environ, default=board.defaults))
    described = board.describe()
    configured_by = find_config(file, config)
    files = f"{file}" if configured_by is None else f"{file} with {configured_by}"
    print(
        f"{files}: {board.title!r}, {count(described.metrics, 'metric')}, {count(described.rules, 'alert rule')}: good"
    )


@app.command
def schema() -> None:
    """Print the JSON Schema of tickboard.toml, for editors, and end."""
    print(msgspec.json.format(msgspec.json.encode(config_schema()), indent=2).decode())


@app.command
def notify(
    file: Path | None = None,
    /,
    *,
    test: Annotated[bool, Parameter(negative=())] = False,
    config: Path | None = None,
) -> None:
    """Send a test message to every notifier of a board, and say whether it was delivered; exit with 1 if one wasn't.

    Args:
        file: A Python file that makes a Board; without one, the board of this machine.
        test: Do it.
        config: A tickboard.toml, in place of the one beside the file.
    """
    if not test:
        raise InputError("notify sends a test message to every notifier of the board: say so with --test")
    board = host_board()[0] if file is None else load_board(file, config)
    if file is None and config is not None:
        board.apply(read_config(config))
    if not board.notifiers:
        raise InputError(f"{file or 'the board of this machine'} has no notifiers: declare one with board.notify")
    if not asyncio.run(send_tests(board)):
        raise SystemExit(1)


def main() -> None:
    """Run the command line and exit: 0 when it ended as it should, 2 when a person got something wrong."""
    try:
        app(exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        fail(f"{_too_much(error)} See tickboard --help.")
    except CycloptsError as error:
        fail(f"{' '.join(str(error).split())} See tickboard --help.")
    except TickboardError as error:
        fail(str(error))
    except KeyboardInterrupt:
        # Ctrl-C before it serves, as while a dashboard file is being loaded; the status is a shell's for SIGINT.
        raise SystemExit(130) from None


def _too_much(error: UnusedCliTokensError) -> str:
    """Say what to write in place of the words that no command takes."""
    words = error.unused_tokens or [""]
    commands = (*TAKE_A_FILE, "pipe", "schema")
    if error.command_chain:
        command = error.command_chain[-1]
        return f"{words[0]!r} is too much: {command} takes {'one' if command in TAKE_A_FILE else 'no'} FILE."
    if words[0] in commands:
        return f"Flags go after the command: tickboard {words[0]}{' FILE' * (words[0] in TAKE_A_FILE)} [flags]."
    return f"There is no command {words[0]!r}: the commands are {', '.join(commands)}."


def fail(message: str) -> None:
    """Say what is wrong in one line, and exit with status 2."""
    print(f"tickboard: {message}", file=sys.stderr)
    raise SystemExit(2)


def say(message: str) -> None:
    """Print a line now, even into a pipe."""
    print(message, flush=True)


def parse_interval(text: str) -> int:
    """Return the milliseconds that ``--interval`` asks for.

    Raises:
        InputError: it is neither a number of milliseconds nor a duration, or out of bounds.
    """
    low, high, _ = BOUNDS["METRIC_INTERVAL_MS"]
    try:
        interval_ms = int(text) if text.isascii() and text.isdigit() else round(schedule.duration(text) * 1000)
    except (InputError, ValueError, OverflowError):
        interval_ms = 0
    if not low <= interval_ms <= high:
        raise InputError(
            f"--interval={text[:40]}: give milliseconds, as 500, or a duration, as 250ms or 2s: {low} ms to {high} ms"
        )
    return interval_ms


def serve(served: ASGIApp, board: Board, hub: Callable[[], Hub], options: Options) -> None:
    """Serve an application until Ctrl-C.

    Args:
        served: the application: the board, or what is around it.
        board: what it shows at first.
        hub: returns whose viewers must be told when the server ends.
        options: where to listen.

    Raises:
        InputError: the address can't be listened on, or a limit is below 0.
    """
    limited = options.limited(served, lambda: hub().traffic)
    with listen(options.host, options.port) as listening:
        config = uvicorn.Config(
            Guard(limited, options.host, options.allow_host),
            lifespan="on",
            http=HttpConnection,
            ws=Connection,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        # What the start has made stays: the collector need not look through it again while viewers wait.
        gc.collect()
        gc.freeze()
        say(greeting(board, address(options.host, listening.getsockname()[1])))
        Server(config, hub).run(sockets=[listening])


async def send_tests(board: Board) -> bool:
    """Send a test message to every notifier, say what became of each as soon as it is known, and return whether all
    were delivered.
    """

    async def send(service: Service) -> bool:
        began = time.monotonic()
        reason = await Notifier(service, board.title, Notified(), board.tell).attempt(partial(trial, board.title))
        name = f"{service.destination.name} ({service.kind})"
        say(f"{name}: not delivered: {reason}" if reason else f"{name}: delivered in {time.monotonic() - began:.1f} s")
        return not reason

    return all(await asyncio.gather(*map(send, board.notifiers)))


def greeting(board: Board, url: str) -> str:
    """Return what is said at the start: the address, the metrics and the interval."""
    names = list(board.registry.metrics)
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    every = f"a tick every {board.settings.interval_ms} ms, {board.settings.window_size} ticks in the window"
    return (
        f"{board.title} is live at {url}\n"
        f"  {count(names, 'metric')}, {every}\n"
        f"  {shown or 'no metrics yet'}\n"
        "  Ctrl-C ends it."
    )


def count(things: Sized, name: str) -> str:
    """Return how many there are, in words that fit one too."""
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def address(host: str, port: int) -> str:
    """Return the URL to open; for a server on all interfaces, the one on this machine."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        InputError: the port is taken or out of range, or the address is not one of this machine's.
    """
    if not 0 <= port <= 65_535:
        raise InputError(f"--port={port}: give a number from 0 to 65535; 0 picks a free one")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
            # Whoever reads the address may connect at once.
            listening.listen()
            # From here on who connects is kept waiting rather than refused: the address is told before the loop runs.
            listening.listen(BACKLOG)
        except BaseException:
            listening.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is taken: end what uses it, or choose another with --port") from error
        if error.errno == errno.EACCES:
            raise InputError(f"port {port} needs more rights: choose one above 1023 with --port") from error
        raise InputError(f"--host={host}: cannot listen there: {error.strerror or error}") from error
    return listening


class Server(uvicorn.Server):
    """uvicorn's server, which says goodbye to the viewers first, and ends with status 0 on Ctrl-C."""

    def __init__(self, config: uvicorn.Config, hub: Callable[[], Hub]) -> None:
        super().__init__(config)
        self._hub = hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close WebSockets with 1001 and end the alert streams, let uvicorn end the rest, and cut off what stays."""
        hub = self._hub()
        hub.close(1001)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                while hub.viewers or hub.readers:
                    await asyncio.sleep(0.01)
        asyncio.get_running_loop().call_later(LAST_ANSWERS_S, self._cut)
        await super().shutdown(sockets)

    def _cut(self) -> None:
        # uvicorn tells of every request that ends so, with a traceback: at the end that is nobody's fault.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        for connection in list(self.server_state.connections):
            if (transport := getattr(connection, "transport", None)) is not None:
                transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """End on the signals that ask for it; uvicorn's own version raises them again afterwards."""
        asked = [signal.SIGINT, signal.SIGTERM]
        before = {number: signal.signal(number, partial(_leave, self)) for number in asked}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _leave(server: Server, number: int, frame: FrameType | None) -> None:
    server.handle_exit(number, frame)
