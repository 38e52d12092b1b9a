"""How much a browser loads: the built page's files, compressed as the server sends them."""

import gzip
from pathlib import Path

import tickboard
from benchmarks.report import Table

STATIC = Path(tickboard.__file__).parent / "server" / "static"

LIMIT_KB = 60


def tables() -> list[Table]:
    """Return the table of this benchmark."""
    result = Table(
        "The page",
        "All that a browser loads for the dashboard, compressed by gzip. Nothing comes from another host.",
        ["file", "size", "compressed", "limit"],
    )
    code = {".js", ".css"}
    files = [path for path in sorted(STATIC.rglob("*")) if path.suffix in code | {".html", ".svg", ".webmanifest"}]
    if not files:
        result.add("not built: run `make build`", "", "", f"< {LIMIT_KB} kB")
        return [result]
    total = 0
    for path in files:
        content = path.read_bytes()
        compressed = len(gzip.compress(content, 9))
        total += compressed if path.suffix in code else 0
        result.add(f"`{path.relative_to(STATIC)}`", f"{len(content) / 1e3:.1f} kB", f"{compressed / 1e3:.1f} kB", "")
    result.add("JavaScript and CSS together", "", f"{total / 1e3:.1f} kB", f"< {LIMIT_KB} kB")
    return [result]


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
