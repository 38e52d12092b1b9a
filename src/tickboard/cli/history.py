"""The commands that read the file of a history and change it: ``tickboard export`` and ``tickboard history``.

Whose file it is, they find by the rule by which a board that starts finds its own.
"""

import contextlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tickboard.board import Board
from tickboard.cli.dashboard_file import load_board
from tickboard.cli.serving_options import Options
from tickboard.errors import InputError
from tickboard.history.asking import END, START, question
from tickboard.history.backup import back_up
from tickboard.history.export_formats import FORMATS, Form
from tickboard.history.exporting import Export, exported
from tickboard.history.forgetting import forget
from tickboard.history.inspecting import FileInfo, TierInfo, inspect
from tickboard.metrics.selectors import why_refused
from tickboard.output.terminal import Answers, complain, put
from tickboard.times import time_text


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Whose history it is."""

    history: str | None = None
    "The file that keeps the history; without one, that of the board (TICKBOARD_HISTORY, or one beside --state)."

    board: Path | None = None
    "The dashboard file of the board; without one, the board of this machine."

    state: str | None = None
    "What the board was given as --state (TICKBOARD_STATE)."

    config: Path | None = None
    "What the board was given as --config."

    def path(self) -> Path:
        """Return the file, as the board finds it when it starts.

        Raises:
            InputError: the board keeps no history.
            BoardError: the board cannot be loaded.
        """
        options = Options(history=self.history, state=self.state, config=self.config).anchored()
        if options.history and options.history != "none":
            return Path(options.history)
        file = None if self.board is None else self.board.absolute()
        # What a dashboard file prints is no part of the answer.
        with contextlib.redirect_stdout(sys.stderr):
            if self.board is None:
                board = Board()
                options.configure(board)
            else:
                board = load_board(self.board, self.config)
            path = options.history_of(board, file).path
        if path is None:
            raise InputError("this board keeps no history: name the file of one with --history FILE")
        return path


HOST = Where()

history = App(name="history", help="Look at the file that keeps the history of a board, copy it, or remove series.")

Metrics = Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)]


def export(
    *,
    start: Annotated[str, Parameter(name="--from", allow_leading_hyphen=True)] = START,
    end: Annotated[str, Parameter(name="--to", allow_leading_hyphen=True)] = END,
    metrics: Metrics = (),
    form: Annotated[Form, Parameter(name="--format")] = "csv",
    where: Where = HOST,
) -> None:
    """Print every tick of a range of time, also while the board runs; exit with 1 if there is none.

    Args:
        start: The beginning of the range, inclusive: RFC 3339, an age such as -1d, or now.
        end: The end of the range, exclusive.
        metrics: Which series: a name, a glob or labels, such as 'disk.*'. May be repeated; all series by default.
        form: csv and ndjson are ordered by time; openmetrics is what promtool tsdb create-blocks-from reads.
        where: Whose history it is.
    """
    asked = question(metrics, start, end, 1, int(time.time() * 1000), ("--from", "--to"))
    path = where.path()
    answers = Answers()
    with exported(path, asked) as ticks:
        for piece in FORMATS[form](ticks):
            answers.write_bytes(piece)
    missing = _missing(ticks, path, asked.start_ms)
    complain(*(f"tickboard: {line}" for line in missing))
    if not ticks.found or ticks.damaged:
        raise SystemExit(1)


def _missing(ticks: Export, path: Path, start_ms: int) -> list[str]:
    """Return what is not in an export, and why."""
    lines = []
    if start_ms < ticks.kept_since_ms:
        lines.append(f"ticks before {time_text(ticks.kept_since_ms)} are not kept any more in {path}")
    if not ticks.series:
        lines.append(f"no series in {path} is asked for: see --metrics")
    elif not ticks.found:
        lines.append(f"{path} has no values in this range: see --from and --to")
    if ticks.damaged:
        lines.append(f"{len(ticks.damaged)} columns of blocks in {path} are damaged: their values are missing")
    return lines


@history.command(name="info")
def info(*, where: Where = HOST) -> None:
    """Print what is kept, from when on, and how large it is, also while the board runs.

    Args:
        where: Whose history it is.
    """
    path = where.path()
    put(*_described(path, inspect(path)))


@history.command(name="backup")
def backup(file: Path, /, *, where: Where = HOST) -> None:
    """Copy the history into another file, also while the board runs.

    Args:
        file: The copy. No file of this name may exist.
        where: Whose history it is.
    """
    put(f"{file}: {_size(back_up(where.path(), file))}")


@history.command(name="forget")
def forget_series(*, metrics: Metrics = (), where: Where = HOST) -> None:
    """Remove series and all their values from the history, while no board has it open.

    Args:
        metrics: Which series: a name, a glob or labels, such as 'disk.*'. May be repeated.
        where: Whose history it is.
    """
    if not metrics:
        raise InputError("forget removes series for good: name them with --metrics, such as --metrics 'disk.*'")
    if why := why_refused(list(metrics), "metrics"):
        raise InputError(why)
    path = where.path()
    forgotten = forget(path, metrics)
    if not forgotten:
        complain(f"tickboard: no series in {path} is asked for: see --metrics")
        raise SystemExit(1)
    put(f"{path}: {forgotten} series forgotten")


def _described(path: Path, found: FileInfo) -> list[str]:
    written = "a running board has it open" if found.is_open else "no board has it open"
    rows = f", {found.rows:,} of them in no block yet ({_size(found.rows_bytes)})" if found.rows else ""
    ticks, *others = map(_described_tier, found.tiers)
    return [f"{path}: {found.series:,} series, {_size(found.size_bytes)}, {written}", f"{ticks}{rows}", *others]


def _described_tier(tier: TierInfo) -> str:
    name = "ticks" if tier.tier == "raw" else tier.tier
    if tier.oldest_ms is None or tier.newest_ms is None:
        return f"  {name}: none"
    parts = [
        f"  {name}: {tier.entries:,}, {time_text(tier.oldest_ms)} to {time_text(tier.newest_ms)}",
        _size(tier.size_bytes),
    ]
    if tier.value_bytes is not None:
        parts.append(f"{tier.value_bytes:.2f} bytes for a {'value' if tier.tier == 'raw' else 'bucket'}")
    return ", ".join(parts)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:,.1f} MiB"
