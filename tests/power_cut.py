"""A disk for tests that loses its power: what programs synced is on it, and of the rest any part."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE_BYTES = 4096
"""What the system writes to a disk at a time."""

REBUILT = ("-shm", "-lock")
"""Endings of files that SQLite ignores when no other process has them open."""


class Disk:
    """A folder whose files a power cut leaves as programs synced them.

    Args:
        folder: for the disk.
        seed: of the pages that a cut leaves.

    Attributes:
        files: the folder for the programs' files. It must not have folders in it.
        environ: for programs that use it.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("there is no C compiler to make a disk with")
        self._random = random.Random(seed)
        self.files, self._synced = folder.resolve() / "files", folder.resolve() / "synced"
        self.files.mkdir(parents=True)
        self._synced.mkdir()
        library = folder / "power_cut.so"
        source = Path(__file__).with_name("power_cut.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
        self.environ = {
            "LD_PRELOAD": str(library),
            "TEST_POWER_CUT_FILES": str(self.files),
            "TEST_POWER_CUT_SYNCED": str(self._synced),
        }

    def cut_power(self, *, strays: bool) -> None:
        """Leave in `files` what is on the disk. All programs that use it have been killed.

        Args:
            strays: whether each page that was not synced may be there, by chance. None is otherwise.
        """
        for part in self._synced.glob("*.part"):
            part.unlink()
        left = {file.name: file.read_bytes() for file in self._synced.iterdir()}
        if strays:
            for file in self.files.iterdir():
                left[file.name] = self._mixed(left.get(file.name, b""), file.read_bytes())
        for folder in (self.files, self._synced):
            shutil.rmtree(folder)
            folder.mkdir()
            for name, content in left.items():
                if not name.endswith(REBUILT):
                    (folder / name).write_bytes(content)

    def _mixed(self, synced: bytes, written: bytes) -> bytes:
        """Return a file with any of the pages that were written, and else those that were synced."""
        size = len(self._random.choice([synced, written]))
        content = bytearray(synced[:size].ljust(size, b"\0"))
        for start in range(0, size, PAGE_BYTES):
            page = written[start : min(start + PAGE_BYTES, size)]
            if self._random.random() < 0.5:
                content[start : start + len(page)] = page
        return bytes(content)
