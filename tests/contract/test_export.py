"""An export of a board that runs, into the real Prometheus."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.prometheus import program, prometheus_with
from tests.serving import Server, serve

import tickboard

BOARD = Path(__file__).parents[1] / "boards" / "rising.py"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("history") / "history.sqlite"


@pytest.fixture(scope="module")
def server(file: Path) -> Iterator[Server]:
    with serve("run", str(BOARD), "--interval", "50", "--history", str(file)) as running:
        running.wait_for(lambda: running.json("/api/health")["seq"] > 80)
        yield running


def exported(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "tickboard", "export", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def newest(server: Server, file: Path) -> str:
    """Return the time of the newest tick, once it is in the file: a running board commits once a second."""
    end: str = server.json("/api/metrics/recent?count=1")[0]["timestamp"]
    server.wait_for(lambda: end.removesuffix("Z") in exported("--history", file, "--from", "-1m", "--format", "ndjson"))
    return end


def test_an_export_of_a_running_board_has_the_values_that_the_board_returns(server: Server, file: Path) -> None:
    end = newest(server, file)
    data = tickboard.history(server.url, start="-10m", end=end, points=5_000)
    lines = map(json.loads, exported("--history", file, "--to", end, "--format", "ndjson").splitlines())
    found: dict[str, list[tuple[str, float]]] = {}
    for line in lines:
        found.setdefault(line["name"], []).append((line["timestamp"], line["value"]))
    assert {*found} == {*data}
    for name, series in data.items():
        there = series.count > 0
        times = [f"{time}Z" for time in np.datetime_as_string(series.times[there])]
        assert found[name] == list(zip(times, series.avg[there].tolist(), strict=True))


def test_prometheus_answers_with_what_was_exported(server: Server, file: Path, tmp_path: Path) -> None:
    end = newest(server, file)
    data = tickboard.history(server.url, "first.a", "odd", start="-10m", end=end, points=5_000)
    text = tmp_path / "export"
    text.write_text(exported("--history", file, "--to", end, "--format", "openmetrics"))
    blocks = tmp_path / "blocks"
    made = subprocess.run(
        [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", text, blocks],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    with prometheus_with(blocks) as port:
        for name, written in (("first.a", "first_a"), ("odd", "odd")):
            series = data[name]
            there = series.count > 0
            answer = httpx.get(
                f"http://127.0.0.1:{port}/api/v1/query", params={"query": f"{written}[1h]", "time": end}
            ).json()
            [result] = answer["data"]["result"]
            assert result["metric"] == {"__name__": written}
            times = [round(time * 1000) for time, _ in result["values"]]
            assert times == series.times[there].astype(np.int64).tolist()
            assert [float(value) for _, value in result["values"]] == series.avg[there].tolist()
