"""A short stress run: whatever fails, walls agree with hosts once it works again."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.fleet.namespaces import missing
from tests.long import LONG

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("over", [pytest.param([], id="nats"), pytest.param(["--http"], id="http", marks=LONG)])
def test_walls_agree_with_hosts_after_whatever_fails(over: list[str]) -> None:
    short = ["--seed", "4", "--minutes", "0.23", "--hosts", "4", "--walls", "2", "--longest", "5"]
    command = [sys.executable, "-m", "tests.fleet.stress", *short, *over]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every wall agrees with every host" in done.stdout
