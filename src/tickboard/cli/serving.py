"""The commands that serve a board: each puts a board, its settings and a server together."""

import hashlib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from tickboard.board import Board
from tickboard.cli.dashboard_file import load_board
from tickboard.cli.securing import greeting_of_access, keeper_of
from tickboard.cli.serving_options import Options, count, exposed
from tickboard.errors import InputError
from tickboard.hub.hub import Hub
from tickboard.output.logs import log
from tickboard.output.secrets import is_exposed, public
from tickboard.output.terminal import prepare_to_serve, say
from tickboard.panels.chosen import Snapshot
from tickboard.server.access.proxy_gate import gated
from tickboard.server.requests.detail_access import DetailAccess
from tickboard.server.requests.guard import Guard, server_name
from tickboard.server.requests.strict_transport import StrictTransport
from tickboard.server.uvicorn.listening import bare, is_loopback, listen, url_of
from tickboard.server.uvicorn.serving import Program, uvicorn_config

if TYPE_CHECKING:
    from tickboard.journal.journal import Journal
    from tickboard.sources.pipe import Format


def host(scrape: Sequence[str], statsd: str | None, options: Options) -> None:
    """Serve the board of this machine.

    Args:
        scrape: the URLs of Prometheus targets to show too.
        statsd: the UDP port for StatsD, and an address before a colon; None: none.
        options: the flags.
    """
    from tickboard.cli.host_board import host_board, host_title

    prepare_to_serve(options.log_level)
    board, measured = host_board()
    for url in scrape:
        try:
            board.scrape(url)
        except InputError as error:
            # The message begins with the method's name, which is the flag's too.
            raise InputError(f"--{error}") from error
    for url in filter(is_exposed, scrape):
        log.warning("%s", exposed("--scrape", url))
    if statsd is not None:
        # It has no authentication, so it does not follow --host.
        address, _, port = statsd.rpartition(":")
        if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65_535):
            raise InputError(f"--statsd={statsd[:60]}: give a UDP port from 1 to 65535, as 8125 or 0.0.0.0:8125")
        board.statsd(bare(address) or "127.0.0.1", int(port))
    options.configure(board)
    if name := options.host_of(board).name:
        board.title = host_title(name)
    _prepare(board, options, None, options.open_journal(board, None))
    serve(measured, lambda: board, options, "host")


def run(file: Path, options: Options) -> None:
    """Serve a dashboard file."""
    prepare_to_serve(options.log_level)
    options, anchored = options.anchored(), file.absolute()
    board = load_board(file, options.config)
    _prepare(board, options, anchored, options.open_journal(board, anchored))
    serve(board, lambda: board, options, str(anchored))


def dev(file: Path, options: Options) -> None:
    """Serve a dashboard file and reload it when it changes."""
    from tickboard.cli.dev import Reloader

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
        options.host_of,
    )
    serve(reloader, lambda: reloader.board, options, str(file))


def follow(urls: Sequence[str], title: str, token_file: Path | None, metrics: Sequence[str], options: Options) -> None:
    """Serve a wall that follows hosts.

    Args:
        urls: their addresses.
        title: the page's heading.
        token_file: a file with the tokens that they are shown; None: there is none.
        metrics: selectors of series to show of each beside its overview.
        options: the flags.
    """
    prepare_to_serve(options.log_level)
    board = Board(title)
    options.configure(board)
    board.follow(*urls, token_file=token_file, metrics=metrics)
    for url in filter(is_exposed, urls):
        log.warning("%s", exposed("follow", url))
    hosts = board.follow_options.hosts
    if not hosts:
        raise InputError(
            "there is no host to follow: give the address of its page, as http://web-1:3000, or of a NATS server, as "
            "nats://nats:4222"
        )
    # A wall with the same first host continues the same log and history.
    first = hashlib.sha256(public(hosts[0].reveal()).encode()).hexdigest()[:8]
    named = Path("/", f"wall-{first}")
    _prepare(board, options, named, options.open_journal(board, named))
    serve(board, lambda: board, options, f"wall {title}")


def pipe(title: str, form: "Format", options: Options) -> None:
    """Serve a board that shows the numbers on standard input."""
    from tickboard.sources.pipe import Pipe
    from tickboard.sources.stdin import Stdin

    prepare_to_serve(options.log_level)
    if sys.stdin is None:
        raise InputError(
            "standard input is closed: pipe shows what a command prints, as in some-command | tickboard pipe"
        )
    board = Board(title)
    lines = Pipe(board.intake.source("pipe"), partial(board.report_problem, "pipe"), form)
    board.add_source(Stdin(sys.stdin.fileno(), lines, partial(board.report_problem, "standard input"), say))
    options.configure(board)
    # A pipe with the same title in the same folder continues the same history.
    named = Path(f"pipe-{hashlib.sha256(title.encode(errors='surrogateescape')).hexdigest()[:8]}")
    _prepare(board, options, named, options.named_journal(board))
    serve(board, lambda: board, options, f"pipe {title}")


def _prepare(board: Board, options: Options, named: Path | None, journal: "Journal | None") -> None:
    """Make a board ready to be served; its history is named after the path `named`, or None for the host board."""
    history = options.history_of(board, named)
    board.prepare(
        options.settings(board.defaults),
        journal=journal,
        history=history,
        remote_write=options.remote_write_of(board, history),
        host=options.host_of(board),
    )


def serve(served: ASGIApp, board: Callable[[], Board], options: Options, named: str) -> None:
    """Serve an application until Ctrl-C.

    Args:
        served: the application: the board, or one that contains it.
        board: returns the board that it shows now.
        options: the flags.
        named: what tokens call the board.

    Raises:
        InputError: the address can't be listened on, a limit is below 0, or an allowed name or origin is malformed.
        AccessError: people have to log in, and the access file cannot be used.
    """

    def hub() -> Hub:
        return board().hub

    if options.remote_write is not None and is_exposed(options.remote_write):
        log.warning("%s", exposed("--remote-write", options.remote_write))
    if options.nats is not None and any(map(is_exposed, options.nats.split(","))):
        from tickboard.fleet.options import shown_servers

        log.warning("%s", exposed("--nats", shown_servers(options.nats)))
    flags, tls, proxy, hsts_days = options.allowed, options.tls, options.proxy, options.hsts_days
    scheme = "http" if tls is None else "https"
    with listen(options.host, options.port) as listening:
        bound = listening.getsockname()[0]
        keeper = keeper_of(options, bound, named, lambda: hub().problems)
        own = server_name(options.host)
        closed = gated(served, keeper, lambda: hub().problems, proxy, lambda: (flags | board().allowed).hosts | {own})
        limited, gate = options.limited(closed, lambda: hub().traffic)
        guarded: ASGIApp = Guard(limited, bound, [options.host], lambda: flags | board().allowed)
        if keeper is None or not keeper.at_once:
            guarded = DetailAccess(guarded, bound)
        if hsts_days is not None:
            guarded = StrictTransport(guarded, hsts_days)
        path = f"{options.prefix}/" if options.prefix else ""
        say(
            *greeting(board(), url_of(options.host, listening, scheme) + path),
            *greeting_of_access(options.host, listening, path, keeper, scheme),
            "  Ctrl-C ends it.",
        )
        trusted = is_loopback if proxy is None else lambda peer: is_loopback(peer) or proxy.includes(peer)
        Program(uvicorn_config(guarded, gate, is_trusted=trusted), hub, gate, tls).run(sockets=[listening])


def greeting(board: Board, url: str) -> list[str]:
    """Return the lines printed at the start: the address, metrics, the interval, and what it follows and publishes."""
    names = list(Snapshot.of(board.registry).metrics)
    hosts = [public(host.reveal()) for host in board.follow_options.hosts or ()]
    every = f"a tick every {board.settings.interval_ms} ms, {board.settings.window_size} ticks in the window"
    host = board.host_options
    published = [f"  publishes as {host.host_name} on {', '.join(map(str, host.nats))}"] if host.nats else []
    # A wall has no metrics before its hosts have answered.
    return [
        f"{board.title} is live at {url}",
        f"  {count(names, 'metric')}, {every}",
        *([f"  {_first(names) or 'no metrics yet'}"] if names or not hosts else []),
        *([f"  follows {_first(hosts)}"] if hosts else []),
        *published,
    ]


def _first(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
