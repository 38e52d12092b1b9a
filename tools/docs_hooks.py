"""What MkDocs calls while it builds the docs site: it adds the generated pages and tables, and checks every link."""

import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page as MkDocsPage

sys.path.insert(0, str(Path(__file__).parent))

import links
import reference

ROOT = Path(__file__).resolve().parents[1]

_BENCHMARK = re.compile(r"^<!-- benchmark: (.*) -->$", re.MULTILINE)

log = logging.getLogger("mkdocs.hooks.tickboard")

GENERATED: dict[str, Callable[[], str]] = {
    "reference/python.md": reference.python,
    "reference/command-line.md": reference.command_line,
    "reference/tickboard-toml.md": reference.config,
    "reference/http.md": reference.http,
    "changelog.md": lambda: beside_docs("CHANGELOG.md"),
    "contributing.md": lambda: beside_docs("CONTRIBUTING.md"),
}
"""The pages that are made at each build."""


def beside_docs(name: str) -> str:
    """Return a page from beside docs/. Its links are changed to fit the site; links to other files become text."""
    text = (ROOT / name).read_text()
    text = text.replace("](docs/", "](")
    return re.sub(r"\[([^\]]+)\]\((?!https?:|#)(?![^)]*\.md\b)[^)]+\)", r"\1", text)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for path, make in GENERATED.items():
        files.append(File.generated(config, path, content=make()))
    files.append(File.generated(config, "images/icon.svg", abs_src_path=str(ROOT / "client" / "src" / "icon.svg")))
    return files


def on_page_markdown(markdown: str, page: MkDocsPage, config: MkDocsConfig, files: Files) -> str:
    """Put the tables of docs/benchmarks.md in place of ``<!-- benchmark: HEADING -->``."""
    return _BENCHMARK.sub(lambda found: benchmark(found[1]), markdown)


def benchmark(heading: str) -> str:
    """Return the first table under a heading of docs/benchmarks.md.

    Raises:
        ValueError: there is none.
    """
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    _, _, section = text.partition(f"\n## {heading}\n")
    table = re.search(r"(?:^\|.*\n)+", section.partition("\n## ")[0], re.MULTILINE)
    if table is None:
        raise ValueError(f"docs/benchmarks.md has no table under {heading!r}")
    return table[0]


def on_post_build(config: MkDocsConfig) -> None:
    """Warn of each broken link; with ``--strict`` a warning fails the build."""
    for problem in links.problems(Path(config.site_dir)):
        log.warning("%s", problem)
