"""The code blocks of the documentation, verbatim.

A comment before a block says how it is tested, if that differs from the usual: ``<!-- not run: REASON -->``, or
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
    """One code block.

    Attributes:
        page: the file that contains it.
        line: the number of its first line of code.
        language: the language of its fence, or an empty string.
        code: its text.
        marker: the comment before it, or an empty string.
    """

    page: Path
    line: int
    language: str
    code: str
    marker: str

    @property
    def place(self) -> str:
        """The page and line of the block."""
        return f"{self.page.relative_to(ROOT) if self.page.is_relative_to(ROOT) else self.page}:{self.line}"

    @property
    def not_run(self) -> str:
        """The reason why it is not run, or an empty string if it is run."""
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
    """Return the blocks of all pages in one of these languages that are run."""
    every = (block for page in PAGES for block in blocks_of(page))
    return [block for block in every if block.language in languages and not block.not_run]
