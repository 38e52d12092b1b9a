"""The flags that every serving command takes, and how their values are read.

A flag of only one command is declared with that command in `tickboard.cli.main`. Modules that use the values are
imported when they are needed, so that help and completion don't load them.
"""

import os
from collections.abc import Callable, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Struct
from msgspec.structs import replace

from tickboard import schedule
from tickboard.errors import InputError, JournalError
from tickboard.output.secrets import public
from tickboard.output.terminal import complain, say
from tickboard.settings import BOUNDS, Settings, read_settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tickboard.board import Board
    from tickboard.fleet.options import HostOptions
    from tickboard.history.options import HistoryOptions
    from tickboard.hub.traffic import Traffic
    from tickboard.journal.journal import Journal
    from tickboard.sending.options import RemoteWriteOptions
    from tickboard.server.access.trusted_proxy import TrustedProxy
    from tickboard.server.requests.allowed import Allowed
    from tickboard.server.uvicorn.gate import Gate
    from tickboard.server.uvicorn.tls import Tls

NONE = "none"
"""In place of a file name: keep nothing."""

LogLevel = Literal["debug", "info", "warning", "error"]


DEFAULT_PROXY_ROLE: Literal["viewer"] = "viewer"


class Options(Struct, frozen=True):
    """The flags that every serving command takes."""

    host: Annotated[str, "The address to listen on; 0.0.0.0 lets other machines watch."] = "127.0.0.1"
    port: Annotated[int, "The port; 0 picks a free one."] = 3000
    interval: Annotated[
        str | None,
        "Time between two ticks: milliseconds, or a duration such as 250ms or 1s (METRIC_INTERVAL_MS, 1000).",
    ] = None
    window: Annotated[int | None, "Ticks in the window (WINDOW_SIZE, 60)."] = None
    max_connections: Annotated[
        int | None,
        "The most WebSockets and alert streams at a time; 0, the default: as many as open files allow.",
    ] = None
    max_per_address: Annotated[
        int,
        "The most connections from one address; 0: no limit. From this machine, only viewers count.",
    ] = 1000
    state: Annotated[
        str | None,
        "The file that keeps the log of alerts; none: in memory (TICKBOARD_STATE, or one for each board).",
    ] = None
    history: Annotated[
        str | None,
        "The file that keeps every tick; none: no history (TICKBOARD_HISTORY, or one beside that of --state).",
    ] = None
    keep: Annotated[str | None, "How long every tick is kept, such as 7d, the default."] = None
    keep_minutes: Annotated[str | None, "How long minutes are kept, such as 90d, the default."] = None
    keep_hours: Annotated[str | None, "How long hours are kept, such as 2y, the default."] = None
    history_size: Annotated[
        str | None,
        "The most that history may take on the disk, such as 1GiB, the default; the oldest ticks go first.",
    ] = None
    history_commit: Annotated[
        str | None,
        "The time between two writes of history to the disk, such as 1s, the default. 30s is kinder to an SD card.",
    ] = None
    remote_write: Annotated[
        str | None,
        "Where every tick is sent: http://prometheus:9090/api/v1/write; none: nowhere (TICKBOARD_REMOTE_WRITE).",
    ] = None
    remote_write_version: Annotated[
        Literal["1.0", "2.0"] | None,
        "The version of remote write; 1.0 by default. A receiver that does not support 2.0 is sent 1.0.",
    ] = None
    remote_write_label: Annotated[
        tuple[str, ...],
        "A label to add to each series that is sent, such as env=prod; may be repeated.",
    ] = ()
    name: Annotated[str | None, "The name of this host on a wall; that of the machine by default."] = None
    label: Annotated[tuple[str, ...], "A label of this host on a wall, such as env=prod; may be repeated."] = ()
    nats: Annotated[
        str | None,
        "NATS servers to publish on for walls: nats://nats.example.com, or several with commas; none: none "
        "(TICKBOARD_NATS).",
    ] = None
    nats_credentials: Annotated[Path | None, "A NATS credentials file."] = None
    nats_ca: Annotated[Path | None, "CA certificates in PEM that the NATS server's is checked with."] = None
    nats_cert: Annotated[Path | None, "A certificate in PEM to show to the NATS server."] = None
    nats_key: Annotated[Path | None, "Its key in PEM; by default it is in the file of --nats-cert."] = None
    auth: Annotated[
        Literal["none", "required"] | None,
        "required: everyone logs in; none: nobody does. By default, everyone, and on loopback only clients of a proxy.",
    ] = None
    access: Annotated[
        str | None,
        "The file that keeps users and tokens (TICKBOARD_ACCESS, or one for all boards of this user).",
    ] = None
    trusted_proxy: Annotated[
        tuple[str, ...],
        "The address or network of a proxy that logs people in, such as 10.0.0.2 or 10.0.0.0/24; may be repeated.",
    ] = ()
    proxy_user_header: Annotated[
        str | None,
        "The header in which that proxy passes on who it is: Remote-User, X-Forwarded-User, Tailscale-User-Login.",
    ] = None
    proxy_role: Annotated[
        Literal["viewer", "operator", "admin", "none"],
        "The role of people whom the proxy knows and tickboard user list does not.",
    ] = DEFAULT_PROXY_ROLE
    tls_cert: Annotated[Path | None, "A certificate in PEM, with its chain: the server speaks HTTPS."] = None
    tls_key: Annotated[Path | None, "Its key in PEM; by default it is in the file of --tls-cert."] = None
    hsts: Annotated[
        int | None,
        "Days for which browsers use HTTPS alone for this name (Strict-Transport-Security); none by default.",
    ] = None
    allow_host: Annotated[
        tuple[str, ...],
        "Another name that a server on loopback answers to, such as that of a proxy in front of it; may be repeated.",
    ] = ()
    allow_origin: Annotated[
        tuple[str, ...],
        "Another site whose pages may watch, read and write: https://wiki.example.com; may be repeated.",
    ] = ()
    allow_frame: Annotated[
        tuple[str, ...],
        "Another site whose pages may show the page in a frame: https://wiki.example.com, or self; may be repeated.",
    ] = ()
    root_path: Annotated[
        str | None,
        "The path that a proxy in front does not strip, such as /team/board (TICKBOARD_ROOT_PATH).",
    ] = None
    config: Annotated[
        Path | None,
        "A tickboard.toml: rules, notifiers, history, … A command with a FILE reads the one beside it by default.",
    ] = None
    log_level: Annotated[
        LogLevel,
        "What is logged to standard error. info adds viewers that connect and disconnect.",
    ] = "warning"

    def settings(self, default: Settings) -> Settings:
        """Return the settings of a board whose own are `default`.

        Raises:
            InputError: a flag or an environment variable holds a bad value.
        """
        interval_ms = None if self.interval is None else parse_interval(self.interval)
        return read_settings(os.environ, interval_ms=interval_ms, window_size=self.window, default=default)

    def configure(self, board: "Board") -> None:
        """Apply `--config`, if it was given, to a board that has no dashboard file.

        Raises:
            BoardError: the file can't be read, or something in it cannot be used.
        """
        if self.config is not None:
            from tickboard.cli.dashboard_file import read_config

            board.apply_config(read_config(self.config))

    def anchored(self) -> "Options":
        """Return the options with absolute paths, since a dashboard file may change the current folder."""
        access = _absolute(self.access or os.environ.get("TICKBOARD_ACCESS", "").strip()) or None
        files = ("tls_cert", "tls_key", "nats_credentials", "nats_ca", "nats_cert", "nats_key")
        absolute = {name: file.absolute() for name in files if (file := getattr(self, name)) is not None}
        return replace(
            self,
            state=_absolute(self._state),
            history=_absolute(self._history),
            access=access,
            **absolute,
        )

    @property
    def _state(self) -> str:
        return self.state if self.state is not None else os.environ.get("TICKBOARD_STATE", "").strip()

    @property
    def _history(self) -> str:
        return self.history if self.history is not None else os.environ.get("TICKBOARD_HISTORY", "").strip()

    @property
    def access_path(self) -> Path:
        """The file that keeps users and tokens.

        Raises:
            AccessError: there is no home folder.
        """
        return access_path(self.access)

    def named_journal(self, board: "Board") -> "Journal | None":
        """Return the journal in a file that a flag, the environment or the board names; None: no file is named.

        Raises:
            JournalError: the file cannot be used.
        """
        from tickboard.journal.journal import Journal

        path = Path(self._state) if self._state else board.state
        return None if path is None or self._state == NONE else Journal(path)

    def open_journal(self, board: "Board", file: Path | None) -> "Journal | None":
        """Return the journal that keeps a board's log of alerts; None: none does.

        If no file is named, the board has a file of its own. If that one cannot be used, a line is printed and the
        log is kept in memory.

        Args:
            board: the board, which may name a file.
            file: the dashboard file; None: the host board.

        Raises:
            JournalError: a named file cannot be used.
        """
        if self._state == NONE:
            return None
        if (named := self.named_journal(board)) is not None:
            return named
        from tickboard.journal.journal import Journal, default_path

        try:
            return Journal(default_path(file, os.environ))
        except JournalError as error:
            say(f"{error}. Until then, alerts are not kept after this run.")
            return None

    def history_of(self, board: "Board", file: Path | None) -> "HistoryOptions":
        """Return where a board's history is kept, and for how long. By default, its file is beside the journal.

        Args:
            board: the board, which may set some of these options.
            file: the dashboard file, or a path that stands for it; None: the host board.

        Raises:
            InputError: a flag cannot be used.
        """
        from tickboard.history.options import HistoryOptions

        given = {
            "file": self._history or None,
            "keep": self.keep,
            "keep_minutes": self.keep_minutes,
            "keep_hours": self.keep_hours,
            "size": self.history_size,
            "commit": self.history_commit,
        }
        options = HistoryOptions.read(given, _history_refusal).over(board.history_options)
        return options if options.file is not None else replace(options, file=self._default_history(board, file))

    def _default_history(self, board: "Board", file: Path | None) -> str:
        """Return the file of a history if no file is named; `NONE`: it has none."""
        if self._state == NONE:
            return NONE
        from tickboard.history.options import beside_state
        from tickboard.journal.journal import default_path

        try:
            state = Path(self._state) if self._state else board.state or default_path(file, os.environ)
        except JournalError:
            say("There is no home folder to keep history in: give a file with --history, or --history none.")
            return NONE
        return str(beside_state(state))

    def remote_write_of(self, board: "Board", history: "HistoryOptions") -> "RemoteWriteOptions":
        """Return where a board's ticks are sent by remote write.

        Args:
            board: the board, which may set some of these options.
            history: where its history is kept.

        Raises:
            InputError: a flag cannot be used, or there is no history to send from.
        """
        from tickboard.sending.options import RemoteWriteOptions

        url = self.remote_write
        if url is None:
            url = os.environ.get("TICKBOARD_REMOTE_WRITE", "").strip() or None
        given = {
            "url": url,
            "version": self.remote_write_version,
            "labels": _labels(self.remote_write_label, "remote-write-label") if self.remote_write_label else None,
        }
        options = RemoteWriteOptions.read(given, os.environ, _remote_write_refusal).over(board.remote_write_options)
        if options.is_wanted and history.path is None:
            raise InputError(
                "--remote-write sends ticks from the history, but none is kept: name its file with --history FILE, "
                "or give --remote-write none"
            )
        return options

    def host_of(self, board: "Board") -> "HostOptions":
        """Return the name and labels of a board as a host, and where it publishes.

        Args:
            board: the board, which may set some of these options.

        Raises:
            InputError: a flag cannot be used.
        """
        from tickboard.fleet.options import HostOptions

        given = {
            "nats": self.nats if self.nats is not None else os.environ.get("TICKBOARD_NATS", "").strip() or None,
            "name": self.name,
            "labels": _labels(self.label, "label") if self.label else None,
            "credentials": self.nats_credentials,
            "ca": self.nats_ca,
            "certificate": self.nats_cert,
            "key": self.nats_key,
        }
        return HostOptions.read(given, os.environ, _host_refusal).over(board.host_options)

    @property
    def prefix(self) -> str:
        """The path that the board is served under, without a slash at the end.

        Raises:
            InputError: it is not a path.
        """
        from tickboard.server.requests.prefix import parse_prefix

        if self.root_path is not None:
            return parse_prefix(self.root_path, "--root-path")
        return parse_prefix(os.environ.get("TICKBOARD_ROOT_PATH", ""), "TICKBOARD_ROOT_PATH")

    @property
    def allowed(self) -> "Allowed":
        """The names and sites that the flags allow.

        Raises:
            InputError: one of them is not a name or not an origin.
        """
        from tickboard.server.requests.allowed import FLAG, Allowed

        return Allowed.read(self.allow_host, self.allow_origin, self.allow_frame, FLAG)

    @property
    def tls(self) -> "Tls | None":
        """The certificate of the server; None: it speaks plain HTTP.

        Raises:
            InputError: the files cannot be used, or there is a key without a certificate.
        """
        from tickboard.server.uvicorn.tls import Tls

        if self.tls_cert is None:
            if self.tls_key is not None:
                raise InputError("--tls-key without --tls-cert: give the certificate too")
            return None
        return Tls(self.tls_cert, self.tls_key)

    @property
    def proxy(self) -> "TrustedProxy | None":
        """The proxy whose word on who people are is trusted; None: there is none.

        Raises:
            InputError: a network or the header is malformed, or one of them is missing.
        """
        from tickboard.server.access.trusted_proxy import TrustedProxy

        if not self.trusted_proxy and self.proxy_user_header is None:
            if self.proxy_role != DEFAULT_PROXY_ROLE:
                raise InputError(
                    f"--proxy-role={self.proxy_role} is for people whom a proxy names: give --trusted-proxy and "
                    "--proxy-user-header too"
                )
            return None
        return TrustedProxy.read(self.trusted_proxy, self.proxy_user_header, self.proxy_role)

    @property
    def hsts_days(self) -> int | None:
        """The days for which browsers use HTTPS alone; None: nothing is said about that.

        Raises:
            InputError: they are below 0.
        """
        if self.hsts is not None and self.hsts < 0:
            raise InputError(f"--hsts={self.hsts}: give days, as 365; 0 makes browsers forget it")
        return self.hsts

    def limited(self, served: "ASGIApp", traffic: "Callable[[], Traffic]") -> "tuple[ASGIApp, Gate]":
        """Return an application with its prefix and the limits on its connections, and the gate before it.

        Raises:
            InputError: a limit is below 0, or the prefix is not a path.
        """
        from tickboard.server.requests.connection_limits import Limits, lasting, raise_open_files
        from tickboard.server.requests.prefix import Prefix
        from tickboard.server.uvicorn.gate import Gate

        for flag, limit in (("--max-connections", self.max_connections), ("--max-per-address", self.max_per_address)):
            if limit is not None and limit < 0:
                raise InputError(f"{flag}={limit}: give 0 or more; 0 means no limit")
        places = raise_open_files()
        most = lasting(places, self.max_connections)
        gate = Gate(places, self.max_per_address, traffic)
        return Limits(Prefix(served, self.prefix), most, self.max_per_address, traffic), gate


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


def access_path(given: str | None) -> Path:
    """Return the file that keeps users and tokens, as the flag ``--access`` or else the environment says.

    Raises:
        AccessError: there is no home folder.
    """
    from tickboard.access.file import default_access_path

    return Path(given) if given else default_access_path(os.environ)


def _absolute(file: str) -> str:
    return file if file in {"", NONE} else str(Path(file).absolute())


def _history_refusal(option: str, why: str) -> InputError:
    flag = {"file": "history", "size": "history-size", "commit": "history-commit"}.get(option, option)
    return InputError(f"--{flag.replace('_', '-')}: {why}")


def _labels(texts: Sequence[str], flag: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--{flag}={text:.40}: give a name and a value, as env=prod")
        if name in found:
            raise InputError(f"--{flag}={text:.40}: {name:.40} is there twice: give each name once")
        found[name] = value
    return found


def _remote_write_refusal(option: str, why: str) -> InputError:
    flag = {"url": "", "labels": "-label"}.get(option, f"-{option}")
    return InputError(f"--remote-write{flag}: {why}")


def _host_refusal(option: str, why: str) -> InputError:
    flag = {"nats": "nats", "name": "name", "labels": "label", "certificate": "nats-cert"}.get(option, f"nats-{option}")
    return InputError(f"--{flag}: {why}")


def fail(message: str) -> None:
    """Print one line on standard error, and exit with status 2."""
    complain(f"tickboard: {message}")
    raise SystemExit(2)


def exposed(where: str, url: str) -> str:
    """Return the warning about a URL on the command line that contains a secret."""
    return (
        f"{where} {public(url)}: every user of this machine can read the user, password or query of its URL, for "
        "example with ps: write it as '${NAME}', in single quotes, and set NAME in the environment"
    )


def count(things: Sized, name: str) -> str:
    """Return a number and a noun, in the plural unless it is 1."""
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
