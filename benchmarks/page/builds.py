"""The two pages that are compared: the one of this checkout, and one of an earlier revision with its own server."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.revisions import ROOT, commit_of, git, unpack

KEPT = ROOT / ".cache" / "pages"


@dataclass(frozen=True)
class Build:
    """A checkout whose page is built.

    Attributes:
        name: what a table calls it.
        root: the folder that has `src/tickboard` with the page in it.
    """

    name: str
    root: Path

    def environment(self) -> dict[str, str]:
        """Return the environment in which `python -m tickboard` is that of this build."""
        return os.environ | {"PYTHONPATH": str(self.root / "src"), "PYTHONDONTWRITEBYTECODE": "1"}

    @property
    def static(self) -> Path:
        """The folder of the built page."""
        return self.root / "src" / "tickboard" / "server" / "static"


def here() -> Build:
    """Return the page of this checkout, as it was built last."""
    return Build("this page", ROOT)


def before(revision: str | None) -> Build:
    """Return the page of an earlier revision, built once and kept in `.cache/pages`.

    Args:
        revision: what git calls it; None for the newest that still draws with uPlot.

    Raises:
        RuntimeError: git does not know the revision, or its page cannot be built.
    """
    commit = commit_of(revision) if revision else _last_with_uplot()
    root = KEPT / commit
    build = Build(f"the page before ({commit[:7]})", root)
    if (build.static / "index.html").is_file():
        return build
    unpack(commit, root)
    command = [sys.executable, "tools/page.py", "build"]
    made = subprocess.run(command, cwd=root, env=build.environment(), text=True, capture_output=True, check=False)
    if made.returncode:
        shutil.rmtree(root)
        raise RuntimeError(f"the page of {commit} cannot be built: {made.stderr}")
    shutil.rmtree(root / "client" / "node_modules")
    return build


def _last_with_uplot() -> str:
    """Return the newest commit whose client/package.json still has uPlot: the parent of the one that removed it."""
    if "uplot" in (ROOT / "client" / "package.json").read_text(encoding="utf-8"):
        return git("rev-parse", "HEAD")
    removed = git("log", "-1", "--format=%H", "-S", '"uplot"', "--", "client/package.json")
    return git("rev-parse", f"{removed}^")
