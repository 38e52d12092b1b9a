"""Earlier revisions of this project, unpacked, so that a benchmark can run them beside this checkout."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ROOT / ".cache" / "revisions"


def git(*arguments: str) -> str:
    """Return what git prints about this checkout.

    Raises:
        RuntimeError: it fails, or prints nothing.
    """
    done = subprocess.run(["git", *arguments], cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode or not done.stdout.strip():
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.strip() or 'found nothing'}")
    return done.stdout.strip()


def commit_of(revision: str) -> str:
    """Return the whole hash of a revision.

    Raises:
        RuntimeError: git does not know it.
    """
    return git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")


def unpack(commit: str, folder: Path) -> None:
    """Write the files of a commit into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)


def unpacked(commit: str) -> Path:
    """Return the folder with the files of a commit, unpacked once and kept."""
    folder = KEPT / commit
    if not folder.is_dir():
        unfinished = folder.with_suffix(".new")
        unpack(commit, unfinished)
        unfinished.rename(folder)
    return folder
