"""Processes that write a history, killed at random moments, for tests."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.history_writer import SAID

ROOT = Path(__file__).parents[2]


class Writers:
    """Processes that write one file, one after another, each killed at a random moment.

    Args:
        path: of the file.
        chance: the random moments.
        syncs: whether writers report what survives a power cut, and not what survives a kill.
        environ: more variables of their environment.
    """

    def __init__(
        self, path: Path, chance: random.Random, *, syncs: bool = False, environ: Mapping[str, str] | None = None
    ) -> None:
        self._path = path
        self._chance = chance
        command = [sys.executable, "-m", "tests.history_writer", *(["syncs"] if syncs else [])]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(environ or {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def kill_one(self, start_ms: int, name: str, after: int) -> int:
        """Start a writer, kill it shortly after it reported some ticks, and return the last tick it reported."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{self._path}\t{start_ms}\t{name}\n".encode())
        self._process.stdin.flush()
        pid = self._heard()
        said = 0
        for _ in range(after):
            said = self._heard()
        for _ in range(self._chance.randrange(20_000)):
            pass
        os.kill(pid, signal.SIGKILL)
        while number := self._heard():
            said = number
        return said

    def _heard(self) -> int:
        assert self._process.stdout is not None
        return int.from_bytes(self._process.stdout.read(SAID), "big")
