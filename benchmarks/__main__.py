"""Run the benchmarks, print their tables, and write them to docs/benchmarks.md; all of them take about an hour.

Usage: python -m benchmarks [--before REVISION] [--short] [NAME…]

With names, only the tables of those are written anew.
"""

import argparse
import functools
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks import (
    access_cost,
    fanout,
    frame_cost,
    history,
    host_peers,
    hostile,
    hosts,
    ingest,
    middleware_cost,
    page,
    parts,
    process_cost,
    rule_cost,
    soak,
    start_up,
    tick_cost,
)
from benchmarks.report import Report, Table

REPORT = Path(__file__).parents[1] / "docs" / "benchmarks.md"

# The quiet ones first: what waits for a second to pass is disturbed by a machine that is hot from the others.
BENCHMARKS: dict[str, Callable[[], Iterable[Table]]] = {
    "process": process_cost.tables,
    "host": host_peers.tables,
    "start": start_up.tables,
    "parts": parts.tables,
    "middleware": middleware_cost.tables,
    "access": access_cost.tables,
    "tick": tick_cost.tables,
    "rules": rule_cost.tables,
    "frame": frame_cost.tables,
    "page": page.tables,
    "soak": soak.tables,
    "history": history.tables,
    "hosts": hosts.tables,
    "ingest": ingest.tables,
    "fanout": fanout.tables,
    "hostile": hostile.tables,
}


def main(arguments: list[str]) -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and write docs/benchmarks.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--before", metavar="REVISION", help="the page that `page` measures beside this one")
    parser.add_argument("--short", action="store_true", help="one short round of `access` and `page`, and no report")
    options = parser.parse_args(arguments)
    names = options.names
    benchmarks = BENCHMARKS | {
        "access": functools.partial(access_cost.tables, short=options.short),
        "page": functools.partial(page.tables, options.before, short=options.short),
    }
    if unknown := set(names) - BENCHMARKS.keys():
        sys.exit(f"{', '.join(sorted(unknown))}: there are {', '.join(BENCHMARKS)}")
    report = Report(REPORT)
    with tempfile.TemporaryDirectory() as state:
        # Boards keep their alerts as they would, but not among those of whoever runs this.
        os.environ["XDG_STATE_HOME"] = state
        for name in names or BENCHMARKS:
            for table in benchmarks[name]():
                print(table.markdown(), flush=True)
                if options.short:
                    continue
                report.put(table)
                report.write()


if __name__ == "__main__":
    main(sys.argv[1:])
