"""The history beside Debian's Prometheus with the same ticks, which it has from an export: long ranges in seconds."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from benchmarks.history.boards import record_earlier, served
from benchmarks.history.peers import answered, blocks_cells, debian, program, stamp, timed
from benchmarks.host_peers import free_port
from benchmarks.report import Table
from tickboard.history.inspecting import inspect

SERIES = 100

HOURS = 24

INTERVAL_MS = 1_000

QUESTIONS: list[tuple[str, int, int, int]] = [
    ("1 h of 1 series, each second", 1, 1, 1),
    ("1 h of 20 series, each 10 s", 20, 1, 10),
    ("1 h of 20 series, each minute", 20, 1, 60),
    ("23 h of 1 series, each minute", 1, 23, 60),
    ("23 h of 20 series, each minute", 20, 23, 60),
    ("23 h of 20 series, each 5 minutes", 20, 23, 300),
    ("23 h of all series, each 5 minutes", SERIES, 23, 300),
]
"""What is asked, of how many series, over how many hours, and the seconds of a bucket."""


def tables() -> Iterator[Table]:
    """Measure, and yield the table."""
    result = Table(
        "History: reading over HTTP, beside Prometheus with the same ticks",
        f"{HOURS} h of {SERIES} synthetic series with a tick a second, recorded by Tickboard, exported as OpenMetrics "
        "and made into blocks by Debian's `promtool`: the same questions to a served board and to Prometheus, as JSON "
        "over a connection that stays open, warm, medians of rounds in turn. Tickboard's answer has min, max, mean and "
        "count of each bucket, `query_range` the last value before each step. Below, the bytes of a value on the disk: "
        "of Tickboard's ticks with their directories, and of Prometheus' chunks and index. Limit: never slower.",
        ["question", "Tickboard", "Prometheus", "of Prometheus'"],
    )
    with TemporaryDirectory() as name:
        folder = Path(name)
        history, blocks = folder / "history.sqlite", folder / "blocks"
        record_earlier(history, SERIES, HOURS * 3600, sealed=True)
        end = int(time.time() - 180) // 600 * 600
        imported(history, folder / "export", blocks)
        with served(history, SERIES, INTERVAL_MS) as server, prometheus(folder, blocks) as port:
            for question, series, hours, step in QUESTIONS:
                start = end - hours * 3600
                took, found = timed(urls(server.port, port, series, start, end, step))
                if set(found.values()) != {series}:
                    raise RuntimeError(f"{question}: the answers have {found} series")
                ours, theirs = took["Tickboard"], took["Prometheus"]
                result.add(question, f"{ours:.2f} ms", f"{theirs:.2f} ms", f"{ours / theirs:.2f}")
        _, chunks, whole = blocks_cells(blocks)
        result.add("bytes of a value", f"{inspect(history).tiers[0].value_bytes or 0:.2f}", f"{whole} ({chunks})", "")
    yield result


def imported(history: Path, text: Path, blocks: Path) -> None:
    """Make Prometheus' blocks of a history."""
    export = [sys.executable, "-m", "tickboard", "export", "--history", str(history), "--from", f"-{HOURS + 1}h"]
    with text.open("wb") as output:
        subprocess.run([*export, "--format", "openmetrics"], stdout=output, check=True)
    tool = f"{debian()}/usr/bin/promtool"
    command = [tool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    text.unlink()


@contextlib.contextmanager
def prometheus(folder: Path, blocks: Path) -> Iterator[int]:
    """Run Prometheus, which scrapes nothing, and return its port."""
    port = free_port()
    configuration = folder / "prometheus.yml"
    configuration.write_text(json.dumps({"scrape_configs": []}))
    command = [f"{debian()}/usr/bin/prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={blocks}"]
    with program([*command, f"--web.listen-address=127.0.0.1:{port}"], {}):
        answered(port, "/-/ready")
        yield port


def urls(
    tickboard: int, prometheus: int, series: int, start: int, end: int, step: int
) -> Mapping[str, tuple[int, str]]:
    """Return the port and path of the same question for each program."""
    names = [f"metric_{number}" for number in range(series)]
    chosen = "&".join(f"metrics={each}" for each in names)
    asked = f"from={stamp(start)}&to={stamp(end)}&points={(end - start) // step}"
    query = quote(f'{{__name__=~"{"|".join(names)}"}}')
    steps = f"start={start + step}&end={end}&step={step}"
    return {
        "Tickboard": (tickboard, f"/api/history?{chosen}&{asked}&format=json"),
        "Prometheus": (prometheus, f"/api/v1/query_range?query={query}&{steps}"),
    }
