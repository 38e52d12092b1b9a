"""The command line: puts a board, its settings and a server together.

What a person got wrong is told in one line on standard error, with exit status 2.
"""

import asyncio
import gc
import hashlib
import os
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, TextIO, cast

import msgspec
from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError
from rich.console import Console
from starlette.types import ASGIApp

import tickboard
from tickboard.board import Board
from tickboard.cli import history as history_commands
from tickboard.cli.dashboard_file import find_config, load_board, read_config
from tickboard.cli.dev import Reloader
from tickboard.cli.host_board import host_board
from tickboard.cli.mistakes import too_much
from tickboard.cli.serving_options import Options, count, exposed, fail, whole_number
from tickboard.configuration.config import config_schema
from tickboard.errors import InputError, OutputError, TickboardError
from tickboard.history.options import NO_HISTORY
from tickboard.hub.hub import Hub
from tickboard.hub.traffic import Notified
from tickboard.notify.message_text import trial
from tickboard.notify.notifier import Notifier, Service
from tickboard.output.logs import log
from tickboard.output.secrets import is_exposed, read_secret, remember_environment
from tickboard.output.terminal import Answers, complain, finish, prepare_to_serve, put, say
from tickboard.server.requests.detail_access import DetailAccess
from tickboard.server.requests.guard import Guard
from tickboard.server.uvicorn.listening import listen, url_of
from tickboard.server.uvicorn.serving import Program, uvicorn_config
from tickboard.settings import read_settings
from tickboard.sources.pipe import Format, Pipe
from tickboard.sources.stdin import Stdin

_WORD = re.compile(r"[^ \n]+")

app = App(
    name="tickboard",
    help="A live dashboard in Python. Alone, it shows what this machine is doing right now.",
    version=tickboard.__version__,
    console=Console(file=cast(TextIO, Answers())),
)


DEFAULT_OPTIONS = Options()


@app.default
def host(
    *,
    scrape: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    statsd: Annotated[int | None, Parameter(converter=whole_number)] = None,
    options: Options = DEFAULT_OPTIONS,
) -> None:
    """Show this machine: CPU, memory, disks, network and processes, and what is sent to it.

    Args:
        scrape: A Prometheus target to show too, such as http://localhost:9100/metrics. ${NAME} in it is read from the
            environment. May be repeated.
        statsd: Listen to StatsD on this UDP port too, such as 8125.
        options: Where and how often.
    """
    prepare_to_serve(options.log_level)
    board, measured = host_board()
    for url in scrape:
        board.scrape(url)
    for url in filter(is_exposed, scrape):
        log.warning("%s", exposed("--scrape", url))
    if statsd is not None:
        if not 1 <= statsd <= 65_535:
            raise InputError(f"--statsd={statsd}: give a UDP port from 1 to 65535, as 8125")
        board.statsd(options.host, statsd)
    options.configure(board)
    history = options.history_of(board, None)
    board.prepare(
        options.settings(board.defaults),
        journal=options.open_journal(board, None),
        history=history,
        remote_write=options.remote_write_of(board, history),
    )
    serve(measured, lambda: board, options)


@app.command
def run(file: Path, /, *, options: Options = DEFAULT_OPTIONS) -> None:
    """Serve a dashboard file.

    Args:
        file: A Python file that makes a Board.
        options: Where and how often.
    """
    prepare_to_serve(options.log_level)
    options, anchored = options.anchored(), file.absolute()
    board = load_board(file, options.config)
    history = options.history_of(board, anchored)
    board.prepare(
        options.settings(board.defaults),
        journal=options.open_journal(board, anchored),
        history=history,
        remote_write=options.remote_write_of(board, history),
    )
    serve(board, lambda: board, options)


@app.command
def dev(file: Path, /, *, options: Options = DEFAULT_OPTIONS) -> None:
    """Serve a dashboard file and reload it when it changes; viewers stay connected.

    Args:
        file: A Python file that makes a Board.
        options: Where and how often.
    """
    prepare_to_serve(options.log_level)
    options, file = options.anchored(), file.absolute()
    reloader = Reloader(
        file,
        options.settings,
        say,
        lambda board: options.open_journal(board, file),
        lambda board: options.history_of(board, file),
        options.config,
        lambda board: options.remote_write_of(board, options.history_of(board, file)),
    )
    serve(reloader, lambda: reloader.board, options)


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
        form: The form of the lines: a name, a value and a unit; JSON; or CSV. Recognised from the lines by default.
        options: Where and how often.
    """
    prepare_to_serve(options.log_level)
    if sys.stdin is None:
        raise InputError(
            "standard input is closed: pipe shows what a command prints, as in some-command | tickboard pipe"
        )
    board = Board(title)
    lines = Pipe(board.intake.source("pipe"), partial(board.report_problem, "pipe"), form)
    board.add_source(Stdin(sys.stdin.fileno(), lines, partial(board.report_problem, "standard input"), say))
    options.configure(board)
    # Pipes of the same title in the same folder go on with the same history.
    named = Path(f"pipe-{hashlib.sha256(title.encode(errors='surrogateescape')).hexdigest()[:8]}")
    history = options.history_of(board, named)
    board.prepare(
        options.settings(board.defaults),
        journal=options.named_journal(board),
        history=history,
        remote_write=options.remote_write_of(board, history),
    )
    serve(board, lambda: board, options)


@app.command
def check(file: Path, /, *, config: Path | None = None) -> None:
    """Load a dashboard file, and print what is in it or what is wrong with it.

    Args:
        file: A Python file that makes a Board.
        config: A tickboard.toml, instead of the one beside the file.
    """
    board = load_board(file, config)
    board.prepare(read_settings(os.environ, default=board.defaults), history=NO_HISTORY)
    described = board.describe()
    configured_by = find_config(file, config)
    files = f"{file}" if configured_by is None else f"{file} with {configured_by}"
    put(f"{files}: {board.title!r}, {count(described.metrics, 'metric')}, {count(described.rules, 'alert rule')}: good")


@app.command
def schema() -> None:
    """Print the JSON Schema of tickboard.toml, for editors."""
    # All of it is known text, and its examples of URLs are to be seen whole.
    Answers().write(f"{msgspec.json.format(msgspec.json.encode(config_schema()), indent=2).decode()}\n")


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print the script that completes commands and flags: source <(tickboard completion bash).

    Args:
        shell: Which shell reads it.
    """
    Answers().write(app.generate_completion(shell=shell))


@app.command(name="health")
def check_health(url: str = "http://127.0.0.1:3000", /) -> None:
    """Print the health of a running board on one line, and exit with 1 if it publishes no ticks.

    Args:
        url: The address of its page. ${NAME} in it is read from the environment.
    """
    # With its HTTP client, which a board that starts does without.
    from tickboard.cli.probe import probe

    if is_exposed(url):
        complain(f"tickboard: {exposed('health', url)}")
    healthy, line = probe(read_secret(url, os.environ).reveal())
    put(line)
    if not healthy:
        raise SystemExit(1)


@app.command(name="mark")
def make_mark(
    text: str,
    /,
    *,
    url: str = "http://127.0.0.1:3000",
    at: Annotated[str, Parameter(allow_leading_hyphen=True)] = "now",
    until: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    by: str = "",
) -> None:
    """Mark a moment on a running board, as a deployment, and exit with 1 if that cannot be done.

    Args:
        text: What happened, such as "deployed 1.4".
        url: The address of the board's page. ${NAME} in it is read from the environment.
        at: When: RFC 3339, an age such as -15m, or now.
        until: When it was over, likewise; without it, the mark is a moment.
        by: Who or what makes the mark.
    """
    # With its HTTP client, which a board that starts does without.
    from tickboard.client.mark import mark
    from tickboard.client.watch import RefusedError

    if is_exposed(url):
        complain(f"tickboard: {exposed('--url', url)}")
    try:
        made = mark(read_secret(url, os.environ).reveal(), text, at=at, until=until, by=by)
    except RefusedError as error:
        complain(f"tickboard: {error}")
        raise SystemExit(1) from None
    put(f"{made.timestamp}{f' to {made.until}' if made.until else ''}: {made.text}")


@app.command
def notify(
    file: Path | None = None,
    /,
    *,
    test: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    config: Path | None = None,
) -> None:
    """Send a test message to every notifier of a board, and exit with 1 if one was not delivered.

    Args:
        file: A Python file that makes a Board. Without one, the board of this machine.
        test: Required, so that no message is sent by mistake.
        config: A tickboard.toml, instead of the one beside the file.
    """
    if not test:
        raise InputError("notify sends a test message to every notifier of the board: say so with --test")
    board = host_board()[0] if file is None else load_board(file, config)
    if file is None and config is not None:
        board.apply_config(read_config(config))
    if not board.notifiers:
        raise InputError(f"{file or 'the board of this machine'} has no notifiers: declare one with board.notify")
    if not asyncio.run(send_tests(board)):
        raise SystemExit(1)


app.command(history_commands.export)
app.command(history_commands.history)


def main() -> None:
    """Run the command line and exit.

    The status is 0 when it ended as it should, 1 when its answer is no or cannot be printed, 2 when a person got
    something wrong.
    """
    remember_environment(os.environ)
    try:
        _run()
    finally:
        finish()
        # The system takes all memory back at once; the collector would look through it first, and hold up the end.
        gc.freeze()


def _run() -> None:
    try:
        app(exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        fail(f"{too_much(error)} See tickboard --help.")
    except CycloptsError as error:
        # Split at spaces and line ends alone: other white space is to be seen.
        fail(f"{' '.join(_WORD.findall(str(error)))} See tickboard --help.")
    except OutputError as error:
        # A reader who has seen enough, as head, is no error to speak of.
        if not isinstance(error.__cause__, BrokenPipeError):
            complain(f"tickboard: {error}")
        raise SystemExit(1) from None
    except TickboardError as error:
        fail(str(error))
    except KeyboardInterrupt:
        # Ctrl-C before it serves, as while a dashboard file is being loaded; the status is a shell's for SIGINT.
        raise SystemExit(130) from None


def serve(served: ASGIApp, board: Callable[[], Board], options: Options) -> None:
    """Serve an application until Ctrl-C.

    Args:
        served: the application: the board, or what is around it.
        board: returns the board that it shows at the moment.
        options: where to listen.

    Raises:
        InputError: the address can't be listened on, a limit is below 0, or what is allowed is no name or origin.
    """

    def hub() -> Hub:
        return board().hub

    if options.remote_write is not None and is_exposed(options.remote_write):
        log.warning("%s", exposed("--remote-write", options.remote_write))
    limited, gate = options.limited(served, lambda: hub().traffic)
    flags = options.allowed
    with listen(options.host, options.port) as listening:
        bound = listening.getsockname()[0]
        guarded = DetailAccess(Guard(limited, bound, [options.host], lambda: flags | board().allowed), bound)
        say(*greeting(board(), url_of(options.host, listening) + (f"{options.prefix}/" if options.prefix else "")))
        Program(uvicorn_config(guarded, gate), hub, gate).run(sockets=[listening])


async def send_tests(board: Board) -> bool:
    """Send a test message to every notifier, say what became of each as soon as it is known, and return whether all
    were delivered.
    """

    async def send(service: Service) -> bool:
        began = time.monotonic()
        reason = await Notifier(service, board.title, Notified(), board.report_problem).attempt(
            partial(trial, board.title)
        )
        name = f"{service.destination.name} ({service.kind})"
        put(f"{name}: not delivered: {reason}" if reason else f"{name}: delivered in {time.monotonic() - began:.1f} s")
        return not reason

    return all(await asyncio.gather(*map(send, board.notifiers)))


def greeting(board: Board, url: str) -> list[str]:
    """Return the lines that are printed at the start: the address, the metrics and the interval."""
    names = list(board.registry.metrics)
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    every = f"a tick every {board.settings.interval_ms} ms, {board.settings.window_size} ticks in the window"
    return [
        f"{board.title} is live at {url}",
        f"  {count(names, 'metric')}, {every}",
        f"  {shown or 'no metrics yet'}",
        "  Ctrl-C ends it.",
    ]
