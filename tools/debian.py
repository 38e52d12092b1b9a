"""Programs out of Debian's packages, unpacked into .venv/debian and neither installed nor started as services.

Usage: python tools/debian.py PACKAGE… ; it prints the directory that they are under.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1] / ".venv" / "debian"


def unpacked(*packages: str) -> Path:
    """Return the directory that holds these packages, fetched when they aren't there yet, by one process at a time.

    Raises:
        OSError: this is no Debian, or a package cannot be had.
    """
    marks = ROOT / "unpacked"
    marks.mkdir(parents=True, exist_ok=True)
    with (ROOT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [package for package in packages if not (marks / package).exists()]
        if missing and not shutil.which("apt-get"):
            raise OSError(f"{', '.join(missing)} can be had from Debian's packages only, and there is no apt-get here")
        if missing:
            _fetch(missing, marks)
    return ROOT / "root"


def _fetch(packages: list[str], marks: Path) -> None:
    folder = ROOT / "packages"
    folder.mkdir(exist_ok=True)
    # As root, apt would hand the download to a user of its own, who may not write here.
    command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *packages]
    fetched = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if fetched.returncode and os.geteuid() == 0:
        # The lists of packages may be missing or old.
        subprocess.run(["apt-get", "-qq", "update"], capture_output=True, check=False)  # noqa: S607
        fetched = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if fetched.returncode:
        raise OSError(f"apt-get could not download {', '.join(packages)}: {' '.join(fetched.stderr.split())}")
    for package in packages:
        for file in sorted(folder.glob(f"{package}_*.deb")):
            subprocess.run(["dpkg-deb", "--extract", str(file), str(ROOT / "root")], check=True)  # noqa: S607
            file.unlink()
        (marks / package).touch()


if __name__ == "__main__":
    try:
        print(unpacked(*sys.argv[1:]))
    except OSError as error:
        sys.exit(f"tools/debian.py: {error}")
