"""Check a built site: every link and anchor leads somewhere, and no page loads anything from another host."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "link": "href"}
"""The tags whose address a browser asks for by itself."""


class Page(HTMLParser):
    """What one page links to, loads, and can be linked to at."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect a tag's names and addresses."""
        given = {name: value for name, value in attrs if value}
        self.anchors.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if address := given.get(LOADED.get(tag, "")):
            self.loaded.append(address)


def problems(site: Path) -> Iterator[str]:
    """Yield what is wrong with a site, one line for each address."""
    pages = {path.relative_to(site).as_posix(): Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    for name, page in pages.items():
        for address in page.loaded:
            if urlsplit(address).netloc:
                yield f"{name} loads {address} from another host"
        for address in [*page.links, *page.loaded]:
            if problem := _problem(name, address, pages, files):
                yield f"{name} links to {address}: {problem}"


def _problem(name: str, address: str, pages: dict[str, Page], files: set[str]) -> str:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return ""
    path = unquote(parts.path)
    target = name
    if path:
        target = normpath(path.lstrip("/") if path.startswith("/") else join(dirname(name), path)).removeprefix("./")
        if target == "." or path.endswith("/"):
            target = normpath(join(target, "index.html"))
    if target not in files:
        return "there is no such file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "there is no such anchor"
    return ""
