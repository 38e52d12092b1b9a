"""The commands that read and change a history file: ``tickboard export`` and ``tickboard history``."""

import time
from collections.abc import Sequence
from pathlib import Path

from tickboard.cli.serving_options import count
from tickboard.cli.where import Where
from tickboard.errors import InputError
from tickboard.history.asking import question
from tickboard.history.backup import back_up
from tickboard.history.export_formats import FORMATS, Form
from tickboard.history.exporting import Export, exported
from tickboard.history.forgetting import forget as forget_series
from tickboard.history.inspecting import FileInfo, TierInfo, inspect
from tickboard.metrics.selectors import why_refused
from tickboard.output.terminal import Answers, complain, put
from tickboard.output.text import one_line
from tickboard.times import time_text

MAX_SHOWN = 200
"""The most characters of selectors in an error."""


def export(start: str, end: str, metrics: Sequence[str], form: Form, where: Where) -> bool:
    """Print every tick of a range of time; return whether there are any and all could be read.

    Raises:
        InputError: the range or a selector cannot be used, or the history does not exist.
    """
    asked = question(metrics, start, end, 1, int(time.time() * 1000), ("--from", "--to", "--metrics"))
    path = where.path()
    answers = Answers()
    with exported(path, asked) as ticks:
        for piece in FORMATS[form](ticks):
            answers.write_bytes(piece)
    missing = _missing(ticks, path, asked.start_ms, metrics)
    complain(*(f"tickboard: {line}" for line in missing))
    return bool(ticks.found) and not ticks.damaged


def _missing(ticks: Export, path: Path, start_ms: int, metrics: Sequence[str]) -> list[str]:
    """Return a line for each thing that is missing in an export."""
    lines = []
    if start_ms < ticks.kept_since_ms:
        lines.append(f"ticks before {time_text(ticks.kept_since_ms)} are no longer kept in {path}")
    if metrics and not ticks.series:
        lines.append(_unmatched(path, metrics))
    elif not ticks.found:
        lines.append(f"{path} has no values in this range: check --from and --to")
    if ticks.damaged:
        lines.append(f"the values of {count(ticks.damaged, 'column')} in {path} are damaged and missing")
    return lines


def info(where: Where) -> None:
    """Print what is kept, since when, and how large it is."""
    path = where.path()
    put(*_described(path, inspect(path)))


def backup(file: Path, where: Where) -> None:
    """Copy the history into a new file."""
    put(f"{file}: {_size(back_up(where.path(), file))}")


def forget(metrics: Sequence[str], where: Where) -> bool:
    """Remove series and all their values; return whether there were any.

    Raises:
        InputError: no selector is given or one cannot be used, or the history does not exist.
    """
    if not metrics:
        raise InputError("forget removes series for good: name them with --metrics, such as --metrics 'disk_*'")
    if why := why_refused(list(metrics), "--metrics"):
        raise InputError(why)
    path = where.path()
    forgotten = forget_series(path, tuple(metrics))
    if not forgotten:
        complain(f"tickboard: {_unmatched(path, metrics)}")
        return False
    put(f"{path}: {forgotten} series forgotten")
    return True


def _unmatched(path: Path, metrics: Sequence[str]) -> str:
    shown = one_line(" or ".join(metrics), MAX_SHOWN)
    return f"no series in {path} matches --metrics {shown}: give names, or globs such as 'disk_*'"


def _described(path: Path, found: FileInfo) -> list[str]:
    written = "a running board has it open" if found.is_open else "no board has it open"
    rows = f", {found.rows:,} of them not yet in a block ({_size(found.rows_bytes)})" if found.rows else ""
    ticks, *others = map(_described_tier, found.tiers)
    return [f"{path}: {found.series:,} series, {_size(found.size_bytes)}, {written}", f"{ticks}{rows}", *others]


def _described_tier(tier: TierInfo) -> str:
    name = "ticks" if tier.tier == "raw" else tier.tier
    if tier.oldest_ms is None or tier.newest_ms is None:
        return f"  {name}: none"
    parts = [f"  {name}: {tier.entries:,}, {time_text(tier.oldest_ms)} to {time_text(tier.newest_ms)}"]
    if tier.size_bytes:
        parts.append(_size(tier.size_bytes))
    if tier.value_bytes is not None:
        parts.append(f"{tier.value_bytes:.2f} bytes for a {'value' if tier.tier == 'raw' else 'bucket'}")
    return ", ".join(parts)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 2**10:,.1f} KiB" if size_bytes < 2**20 else f"{size_bytes / 2**20:,.1f} MiB"
