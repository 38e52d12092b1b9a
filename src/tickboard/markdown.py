"""Markdown as the content of a text panel.

It takes Markdown and returns elements as data. No HTML is made or passed on, so there is none to sanitise: raw HTML is
text like any other. It knows nothing of the page, which makes its own elements of these.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import dedent
from typing import Final, Literal, cast

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tickboard.errors import InputError
from tickboard.wire import Text, TextElement, TextNode, TextTag

MOST_CHARACTERS: Final = 20_000
"""The longest text: it is sent to each viewer with the board."""

MOST_DEPTH: Final = 40
"""How deeply elements may be nested."""

SCHEMES: Final = frozenset({"http", "https", "mailto"})
"""The schemes that a link may have."""

_SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]*):", re.IGNORECASE)


class _Markdown(MarkdownIt):
    """CommonMark with tables and strikethrough, without HTML."""

    def __init__(self) -> None:
        # By default, elements that are nested more than 20 deep are left out.
        super().__init__("commonmark", {"html": False, "maxNesting": 2 * MOST_DEPTH})
        self.enable(["table", "strikethrough"])

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the parser's name
        """Return whether an address may be a link; if not, its Markdown is shown as it is written."""
        found = _SCHEME.match(url)
        return found is None or found[1].lower() in SCHEMES


def read_markdown(markdown: str, title: str = "") -> Text:
    """Return the text panel of some Markdown.

    Args:
        markdown: the text. Indentation that all lines share is removed, so that it can follow the code around it.
        title: the panel's title; empty: the heading that the text begins with, if it does.

    Raises:
        InputError: the text is empty, longer than `MOST_CHARACTERS`, or nested more deeply than `MOST_DEPTH`.
    """
    source = dedent(markdown)
    if len(source) > MOST_CHARACTERS:
        raise InputError(f"board.text() has {len(source):,} characters: give {MOST_CHARACTERS:,} or fewer")
    tokens = _Markdown().parse(source)
    if not title and tokens and tokens[0].type == "heading_open":
        title = "".join(token.content for token in _flat(tokens[1:2])).strip()
        tokens = tokens[3:] if title else tokens
    content = _content(tokens, 4 if title else 3)
    if not (content or title):
        raise InputError('board.text() is empty: give it some Markdown, as board.text("# On call\\nAnn")')
    return Text(content, title)


def _flat(tokens: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens, and the parts of a line instead of the line."""
    for token in tokens:
        if token.type == "inline":
            yield from token.children or ()
        else:
            yield token


def _content(tokens: Sequence[Token], highest: int) -> list[TextNode]:
    """Return the elements of some tokens; headings begin at the level `highest`."""
    levels = sorted({token.tag for token in tokens if token.type == "heading_open"})
    headings = {tag: f"h{min(6, highest + rank)}" for rank, tag in enumerate(levels)}
    root: list[TextNode] = []
    stack, links = [root], 0
    for token in _flat(tokens):
        links += token.nesting if token.tag == "a" else 0
        if token.nesting < 0:
            stack.pop()
        elif token.hidden:
            # The paragraph of an item in a list without blank lines.
            stack.append(stack[-1])
        elif token.nesting == 0:
            stack[-1] += filter(None, [_leaf(token, linked=links > 0)])
        else:
            element = _element(token, headings.get(token.tag, token.tag))
            stack[-1].append(element)
            stack.append(element.content)
        if len(stack) > MOST_DEPTH:
            raise InputError(f"board.text() has elements nested more than {MOST_DEPTH} deep: nest them less")
    return root


def _element(token: Token, tag: str) -> TextElement:
    """Return an element that is to be filled."""
    read = token.attrs.get
    align = str(read("style", "")).removeprefix("text-align:")
    return TextElement(
        cast(TextTag, tag),
        [],
        str(read("href", "")),
        int(read("start", 1)),
        cast(Literal["left", "center", "right"], align) if align else None,
    )


def _leaf(token: Token, *, linked: bool) -> TextNode:
    """Return what has no parts. An image is a link to it, since the page loads nothing from other hosts."""
    match token.type:
        case "fence" | "code_block":
            return TextElement("pre", [TextElement("code", [token.content])])
        case "code_inline":
            return TextElement("code", [token.content])
        case "image":
            address = str(token.attrs["src"])
            text = token.content or address
            return text if linked else TextElement("a", [text], address)
        case "softbreak":
            return "\n"
        case "hardbreak" | "hr":
            return TextElement(cast(TextTag, token.tag))
        case _:
            return token.content
