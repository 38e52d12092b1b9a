"""The page's JavaScript and CSS stay small. `python -m benchmarks page` shows each file."""

import gzip
import re

from tickboard.server.routes.page import STATIC

FIRST_PAINT = 61_000
"""Compressed bytes of what is loaded until the first charts are drawn, the worker's script included."""

EVERYTHING = 138_500
"""Compressed bytes of all JavaScript and CSS of a board without hosts."""

HOSTS = 20_000
"""Compressed bytes of what only a wall of hosts loads: its table, its alerts and its cells."""


def sizes() -> dict[str, int]:
    """Return the compressed size of each script and style sheet, by name."""
    assets = STATIC / "assets"
    found = {path.name: path for path in assets.iterdir() if path.suffix in {".js", ".css"}} if assets.is_dir() else {}
    assert found, "the page has not been built: make build"
    return {name: len(gzip.compress(path.read_bytes(), 9)) for name, path in found.items()}


def test_what_the_first_paint_loads_is_small() -> None:
    index = (STATIC / "index.html").read_text(encoding="utf-8")
    loaded = {
        name: size
        for name, size in sizes().items()
        if re.search(rf'"\./assets/{re.escape(name)}"', index) or name.startswith("shared.worker-")
    }
    assert {"index", "shared.worker"} < {name.split("-")[0] for name in loaded}
    assert sum(loaded.values()) < FIRST_PAINT, loaded


def test_all_scripts_and_style_sheets_are_small_together() -> None:
    everything = {name: size for name, size in sizes().items() if not name.startswith("hosts-")}
    assert sum(everything.values()) < EVERYTHING, everything


def test_what_only_a_wall_of_hosts_loads_is_small() -> None:
    hosts = {name: size for name, size in sizes().items() if name.startswith("hosts-")}
    assert {name.rsplit(".", 1)[1] for name in hosts} == {"js", "css"}
    assert sum(hosts.values()) < HOSTS, hosts
