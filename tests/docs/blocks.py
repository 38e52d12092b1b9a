"""The blocks of code in the documentation, as they stand there.

A comment before a block says how it is tested, where that is not the usual way: ``<!-- not run: REASON -->``, or
``<!-- runs until it prints -->`` for a program that does not end by itself.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r"""
    ^(?:[ ]*<!--[ ](?P<marker>[^>]*)[ ]-->\n+)?
    (?P<indent>[ ]*)```(?P<language>[^\n]*)\n
    (?P<code>.*?)
    ^(?P=indent)```[ ]*$
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes:
        page: the file that it stands in.
        line: of its first line of code.
        language: as its fence says; empty when it says none.
        code: its text.
        marker: the comment before it; empty when there is none.
    """

    page: Path
    line: int
    language: str
    code: str
    marker: str

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page}:{self.line}"

    @property
    def not_run(self) -> str:
        """Why it is not run; empty when it is."""
        return self.marker.removeprefix("not run:").strip() if self.marker.startswith("not run:") else ""

    @property
    def endless(self) -> bool:
        """Whether it is run only until it prints something."""
        return self.marker == "runs until it prints"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page, in order."""
    text = page.read_text()
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start("code")) + 1
        yield Block(page, line, found["language"].strip(), textwrap.dedent(found["code"]), found["marker"] or "")


def blocks_in(*languages: str) -> list[Block]:
    """Return the blocks in one of these languages that are to be run, of all pages."""
    every = (block for page in PAGES for block in blocks_of(page))
    return [block for block in every if block.language in languages and not block.not_run]
