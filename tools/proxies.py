"""Fetch the proxies that docs/deploy.md has recipes for, so that the tests can run them: nginx, Caddy, Apache, HAProxy.

Debian's packages, and the libraries that they need and this machine has not, are downloaded and unpacked into a folder,
by default ``.cache/proxies`` (TICKBOARD_PROXIES). Nothing is installed, no service is started, and no rights are
needed. A proxy that is already installed is used as it is.

Without apt the tests of missing proxies are skipped; where CI is set, that is an error.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PROGRAMS = {"nginx": "nginx", "caddy": "caddy", "apache2": "apache2-bin", "haproxy": "haproxy"}
"""The program of each proxy, and Debian's package that has it."""

FETCH_S = 600.0


def folder() -> Path:
    """Return where the packages are unpacked."""
    return Path(os.environ.get("TICKBOARD_PROXIES") or ROOT / ".cache" / "proxies")


def program(name: str) -> str | None:
    """Return the path of a proxy's program; None: it is not here."""
    for place in ("usr/sbin", "usr/bin"):
        if (found := folder() / "root" / place / name).is_file():
            return str(found)
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def environment() -> dict[str, str]:
    """Return the environment that a program needs to find the libraries that were unpacked with it."""
    libraries = sorted({str(each.parent) for each in (folder() / "root").rglob("*.so.*")})
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}


def main() -> int:
    """Fetch what is missing; return the exit status."""
    missing = [package for name, package in PROGRAMS.items() if program(name) is None]
    if not missing:
        return 0
    strict = bool(os.environ.get("CI"))
    try:
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise OSError("this machine has no apt-get")
        _fetch(missing)
    except (OSError, subprocess.SubprocessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        print(f"proxies: {', '.join(missing)} could not be fetched: {' '.join(reason)}", file=sys.stderr)
        print(
            "proxies: install nginx, caddy, apache2 and haproxy yourself, or do without: "
            + ("CI is set, so this is an error" if strict else "their tests are skipped"),
            file=sys.stderr,
        )
        return int(strict)
    return 0


def _fetch(packages: list[str]) -> None:
    """Download packages, with all that they need and this machine has not, and unpack them."""
    print(f"Fetching {', '.join(packages)}", flush=True)
    apt = folder() / "apt"
    for each in ("lists/partial", "cache/archives/partial", "packages"):
        (apt / each).mkdir(parents=True, exist_ok=True)
    try:
        _download(packages, apt, [])
    except subprocess.CalledProcessError:
        # This machine has no lists of packages yet, or old ones. Those of our own need no rights.
        own = ["-o", f"Dir::State::lists={apt / 'lists'}", "-o", f"Dir::Cache={apt / 'cache'}"]
        _run("apt-get", *own, "update")
        _download(packages, apt, own)
    for package in sorted((apt / "packages").glob("*.deb")):
        _run("dpkg-deb", "--extract", str(package), str(folder() / "root"))
    shutil.rmtree(apt)


def _download(packages: list[str], apt: Path, options: list[str]) -> None:
    found = _run("apt-get", *options, "install", "--simulate", "--no-install-recommends", *packages)
    needed = [line.split()[1] for line in found.splitlines() if line.startswith("Inst ")]
    _run("apt-get", *options, "download", *needed, cwd=apt / "packages")


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        capture_output=True,
        text=True,
        check=True,
        timeout=FETCH_S,
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
