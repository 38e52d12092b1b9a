"""Run all benchmarks, print their tables, and write them to docs/benchmarks.md; it takes about two minutes."""

from datetime import UTC, datetime
from pathlib import Path

from benchmarks import frame_cost, page_weight, parts, process_cost, start_up, tick_cost
from benchmarks.report import machine

REPORT = Path(__file__).parents[1] / "docs" / "benchmarks.md"

# The quiet ones first: what waits for a second to pass is disturbed by a machine that is hot from the others.
BENCHMARKS = (process_cost, start_up, parts, tick_cost, frame_cost, page_weight)


def main() -> None:
    """Measure and write the report."""
    head = (
        "# Benchmarks\n\n"
        "Written by `make bench` (`python -m benchmarks`), which measures them anew. Figures are\n"
        "medians over several rounds; ratios are against a peer in the same run. A limit stands beside its figure\n"
        "where there is one.\n\n"
        f"Measured on {datetime.now(UTC):%Y-%m-%d} on {machine()}.\n"
    )
    print(head, flush=True)
    sections = [head]
    for benchmark in BENCHMARKS:
        for table in benchmark.tables():
            sections.append(table.markdown())
            print(sections[-1], flush=True)
    REPORT.write_text("\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    main()
