import os
import subprocess
import sys
from collections.abc import Callable
from errno import EIO, EOPNOTSUPP
from math import isnan
from pathlib import Path

import pytest

from tickboard.sources.host import pressure
from tickboard.sources.host.pressure import Pressure

AVERAGES = "avg10=99.00 avg60=99.00 avg300=99.00"
"""Only the totals are used, so these averages must be ignored."""


def write(root: Path, **lines: tuple[int, ...]) -> None:
    folder = root / "proc" / "pressure"
    folder.mkdir(parents=True, exist_ok=True)
    for resource, totals in lines.items():
        (folder / resource).write_text(
            "".join(f"{who} {AVERAGES} total={total}\n" for who, total in zip(("some", "full"), totals, strict=False))
        )


def test_shares_are_relative_to_the_time_between_two_readings(tmp_path: Path) -> None:
    write(tmp_path, cpu=(1_000, 0), memory=(50, 20), io=(7, 7))
    read = Pressure(tmp_path)
    assert all(isnan(share) for share in read(100).values())
    write(tmp_path, cpu=(501_000, 0), memory=(50, 20), io=(2_400_007, 200_007))
    assert read(102) == {
        ("pressure_some", "cpu"): 25,
        ("pressure_some", "memory"): 0,
        ("pressure_full", "memory"): 0,
        ("pressure_some", "io"): 100,
        ("pressure_full", "io"): 10,
    }


def test_an_old_kernel_has_no_full_line_for_the_cpu(tmp_path: Path) -> None:
    write(tmp_path, cpu=(0,))
    read = Pressure(tmp_path)
    read(100)
    write(tmp_path, cpu=(10_000,))
    assert read(101) == {("pressure_some", "cpu"): 1}


def test_a_kernel_without_pressure_information_has_no_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Pressure(tmp_path)(100) == {}

    monkeypatch.setattr(pressure, "read_file", _failing(EOPNOTSUPP))
    assert Pressure(tmp_path)(100) == {}


def test_any_other_error_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pressure, "read_file", _failing(EIO))
    with pytest.raises(OSError, match="pressure/cpu"):
        Pressure(tmp_path)(100)


def _failing(number: int) -> Callable[[str], bytes]:
    def read_file(path: str) -> bytes:
        raise OSError(number, os.strerror(number), path)

    return read_file


@pytest.mark.skipif(not Path("/proc/pressure/cpu").exists(), reason="this kernel does not tell the pressure")
def test_the_real_pressure_agrees_with_the_kernel() -> None:
    read = Pressure(Path("/"))
    before_first = _total()
    read(100)
    after_first = _total()
    _overload_the_cores()
    before_second = _total()
    # So long after that the share must be below 100 %, however busy the machine.
    found = read(100 + 1_000)
    after_second = _total()
    assert before_second > after_first
    share = found["pressure_some", "cpu"] * 10_000 * 1_000
    assert before_second - after_first <= share * (1 + 1e-9)
    assert share <= (after_second - before_first) * (1 + 1e-9)


def _overload_the_cores() -> None:
    code = "import time\nwhile time.process_time() < 0.2: pass"
    running = [subprocess.Popen([sys.executable, "-S", "-c", code]) for _ in range((os.cpu_count() or 1) + 1)]
    for each in running:
        each.wait(30)


def _total() -> int:
    return int(Path("/proc/pressure/cpu").read_text().split("total=")[1].split()[0])
