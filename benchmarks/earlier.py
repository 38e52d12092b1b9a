"""The fan-out and ingest of this checkout beside those of an earlier revision, in turn within one run.

Usage: python -m benchmarks.earlier [--short] REVISION

It prints its tables, and takes about seven minutes. Both use the packages that are installed here. It needs Linux and
two cores.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fanout import throughput
from benchmarks.fanout.servers import NEVER, running
from benchmarks.ingest import PROTOCOLS, whole
from benchmarks.report import Table
from benchmarks.revisions import ROOT, commit_of, unpacked

TURNS = 3
FANOUT_TURNS = 5


@dataclass(frozen=True)
class Tree:
    """One of the two that are compared.

    Attributes:
        name: what a table calls it.
        root: its folder.
    """

    name: str
    root: Path

    def environment(self) -> dict[str, str]:
        """Return the environment in which `tickboard` is that of this tree."""
        return os.environ | {"PYTHONPATH": str(self.root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}

    def board(self, part: str, interval_ms: int) -> tuple[list[str], dict[str, str]]:
        """Return the command that runs a board of the benchmarks."""
        file = str(self.root / "benchmarks" / part)
        command = [sys.executable, "-m", "tickboard", "run", file, "--port", "0", "--interval", str(interval_ms)]
        return [*command, "--max-per-address", "0"], self.environment()

    def rate(self, protocol: str) -> float:
        """Return the samples a second of a protocol, from bytes to the tick."""
        code = f"from benchmarks.ingest import {protocol}; print({protocol}.rate()[0])"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{protocol} of {self.name}: {done.stderr[-500:]}")
        return float(done.stdout)


def tables(revision: str, *, short: bool = False) -> Iterator[Table]:
    """Give the tables.

    Args:
        revision: the earlier one, as git calls it.
        short: whether one round is enough.
    """
    commit = commit_of(revision)
    trees = (Tree(f"before ({commit[:8]})", unpacked(commit)), Tree("this checkout", ROOT))
    yield fanout(trees, 1 if short else FANOUT_TURNS)
    yield decoding(trees, 1 if short else TURNS)
    yield whole_server(trees, 1 if short else TURNS)


def fanout(trees: tuple[Tree, Tree], turns: int) -> Table:
    """Return the table of the fan-out."""
    figures = {tree: throughput.Figures() for tree in trees}
    for _ in range(turns):
        for tree, each in figures.items():
            with running(tree.name, tree.board("fanout/peers/board.py", NEVER)) as server:
                throughput.measure(server, each)
    result = _table(f"Fan-out, {throughput.VIEWERS:,} viewers", trees, turns)
    _compare(result, "messages/s", [figures[tree].rate for tree in trees])
    _compare(result, "µs of CPU a message", [figures[tree].cpu_us for tree in trees])
    return result


def decoding(trees: tuple[Tree, Tree], turns: int) -> Table:
    """Return the table of each protocol, from bytes to the tick."""
    result = _table("Ingest: from bytes to the tick, samples/s", trees, turns)
    rates: dict[tuple[str, Tree], list[float]] = {(name, tree): [] for name in PROTOCOLS for tree in trees}
    for _ in range(turns):
        for (name, tree), each in rates.items():
            each.append(tree.rate(name))
    for name, (protocol, _) in PROTOCOLS.items():
        _compare(result, protocol, [rates[name, tree] for tree in trees])
    return result


def whole_server(trees: tuple[Tree, Tree], turns: int) -> Table:
    """Return the table of remote write into a whole server."""
    figures: dict[Tree, list[whole.Figures]] = {tree: [] for tree in trees}
    for _ in range(turns):
        for tree, each in figures.items():
            with running(tree.name, tree.board("ingest/board.py", whole.INTERVAL_MS)) as server:
                each.append(whole.measure(server, ticks=True))
    result = _table("Ingest: remote write into a whole server", trees, turns)
    _compare(result, "samples/s", [[each.rate for each in figures[tree]] for tree in trees])
    _compare(result, "µs of CPU a sample", [[each.cpu_us for each in figures[tree]] for tree in trees])
    return result


def _table(title: str, trees: tuple[Tree, Tree], turns: int) -> Table:
    meaning = f"Medians of {turns} rounds, in each of which the two took turns; lowest and highest in parentheses."
    return Table(title, meaning, ["figure", *(tree.name for tree in trees), "ratio"])


def _compare(table: Table, figure: str, values: list[list[float]]) -> None:
    """Add a row: the figure of both trees, and the median of each round's ratio."""
    before, now = values
    ratios = [one / other for one, other in zip(now, before, strict=True)]
    table.add(
        figure, *map(_spread, values), f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def _spread(values: list[float]) -> str:
    middle, low, high = (
        f"{value / 1e3:,.0f} k" if value >= 1e4 else f"{value:.2f}"
        for value in (statistics.median(values), min(values), max(values))
    )
    return f"{middle} ({low} to {high})"


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.earlier", description="Compare with a revision.")
    parser.add_argument("revision", metavar="REVISION", help="the earlier revision, as git calls it")
    parser.add_argument("--short", action="store_true", help="one round")
    options = parser.parse_args(arguments)
    for table in tables(options.revision, short=options.short):
        print(table.markdown(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
