"""Paths that try to escape from their folder, their site or their header."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send
from tests.security.raw import Answer, exchange, handshake, request
from tests.serving import Server, serve, serve_app

from tickboard import Board
from tickboard.server.requests.prefix import Slash
from tickboard.server.routes.page import STATIC

EMPTY = str(Path(__file__).parents[1] / "boards" / "empty.py")

PREFIX = "/team/board"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("run", EMPTY, "--root-path", PREFIX) as running:
        yield running


UP = [
    "..",
    "%2e%2e",
    "%2E.",
    ".%2e",
    "%252e%252e",
    "..%00",
    "..;",
    "%c0%ae%c0%ae",
    "%uff0e%uff0e",
    "....",
    "..%5c..",
]

SLASH = ["/", "%2f", "%252f", "\\", "%5c", "//", "%2f%2f", "/./", "%c0%af"]


def climbing_paths() -> Iterator[str]:
    for up in UP:
        for slash in SLASH:
            for depth in (1, 2, 12):
                yield f"/assets/{(up + slash) * depth}"


def test_no_path_escapes_from_the_assets_folder(server: Server) -> None:
    asset = next((STATIC / "assets").glob("*.css")).name
    assert exchange(server.port, request(target=f"/assets/{asset}")).status == 200
    for start in climbing_paths():
        for target in ("etc/passwd", "app.py", "index.html", "static/index.html"):
            answer = exchange(server.port, request(target=start + target))
            assert answer.status in {400, 404}, start + target
            assert b"root:" not in answer.body
            assert b"import" not in answer.body


@pytest.mark.parametrize(
    "target",
    [
        "/assets",
        "/assets/",
        "/assets//",
        "/assets/.",
        "/assets/%00",
        "/assets/x%00.js",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/\\\\evil.example\\share",
        "/assets/%5c%5cevil.example%5cshare",
        "/assets///evil.example/share",
        "/assets/C:/Windows/win.ini",
        "/assets/file:///etc/passwd",
        "/assets/~root",
        "/assets/%ff%fe",
        "/assets/" + "a" * 5_000,
        "/assets/" + "a/" * 2_500,
        "/index.html",
        "/static/index.html",
        "/.git/config",
        "/%2e%2e/etc/passwd",
        "/..",
        "//etc/passwd",
        "/nothing?\xff",
        "/nothing%ff%00%0d%0a",
    ],
)
def test_a_path_that_is_not_an_asset_gets_404(server: Server, target: str) -> None:
    answer = exchange(server.port, request(target=target.encode("latin-1")))
    assert answer.status in {400, 404, 307, 308}
    if answer.status in {307, 308}:
        assert stays_here(answer, target)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "in.js").write_text("in")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "assets" / "out.js").symlink_to(tmp_path / "secret.txt")
    monkeypatch.setattr("tickboard.server.routes.page.STATIC", tmp_path)
    with serve_app(Board("A", interval_ms=50)) as port:
        assert exchange(port, request(target="/assets/in.js")).body == b"in"
        assert exchange(port, request(target="/assets/out.js")).status == 404


# --- redirects ---


def stays_here(answer: Answer, target: str) -> bool:
    """Return whether a redirect stays on its server, as a browser would follow it."""
    location = answer.headers["location"]
    # Browsers treat a backslash as a slash, and drop tabs and newlines.
    read = location.replace("\\", "/").replace("\t", "").replace("\n", "").replace("\r", "")
    base = f"http://localhost{urlsplit('http://localhost' + target).path}"
    return urlsplit(urljoin(base, read)).netloc == "localhost"


ELSEWHERE = [
    "//evil.example",
    "//evil.example/",
    "//evil.example/..",
    "///evil.example",
    "/\\evil.example",
    "/%5cevil.example",
    "/%2f%2fevil.example/",
    "/%2fevil.example",
    "//evil.example/%2e%2e/",
    "//evil.example/team/board",
    "/.//evil.example",
    "/;//evil.example",
    "/%09/evil.example",
    "/%0d%0aSet-Cookie:%20a=b",
    "/%0d%0aLocation:%20http://evil.example/",
    "/%E5%98%8A%E5%98%8DSet-Cookie:a=b",
    "/?next=//evil.example",
    "?next=http://evil.example",
    "/@evil.example",
    ":80@evil.example/",
    "/javascript:alert(1)",
    "/http:evil.example",
]


def count_safe_redirects(port: int, prefix: str) -> int:
    """Request all of these below a prefix, and return the number of redirects."""
    redirects = 0
    targets = [f"{start}{end}" for start in ("", prefix, f"{prefix}/", f"{prefix}/api/stats") for end in ELSEWHERE]
    for target in [*targets, prefix, f"{prefix}?a=%0d%0ab", f"{prefix}/api/stats/", "/api/stats/?//evil.example"]:
        if not target.startswith("/"):
            continue
        answer = exchange(port, request(target=target))
        assert "set-cookie" not in answer.headers
        if 300 <= answer.status < 400:
            redirects += 1
            assert stays_here(answer, target), (target, answer.headers["location"])
    return redirects


def test_no_path_redirects_to_another_site(server: Server) -> None:
    assert count_safe_redirects(server.port, PREFIX) >= 3


def test_no_path_of_a_mounted_board_redirects_to_another_site() -> None:
    app = FastAPI()
    app.mount(PREFIX, Board("A", interval_ms=50))
    with serve_app(app) as port:
        assert count_safe_redirects(port, PREFIX) >= 2


@pytest.mark.parametrize("root", ["//evil.example", "/\\evil.example", "/javascript:alert(1)", "/\r\nSet-Cookie: a=b"])
def test_no_prefix_redirects_to_another_site(root: str) -> None:
    """A mount may use part of the path as its name, and servers pass it to applications in different ways."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    async def call(scope: Scope) -> None:
        await Slash(nothing)(scope, receive, send)

    for path in ("", root, "/"):
        raw = {"raw_path": quote(root).encode()}
        scope = {"type": "http", "method": "GET", "path": path, "root_path": root, "query_string": b"a=//evil.example"}
        asyncio.run(call(scope | raw))
        start = sent[-2]
        assert start["status"] == 308
        location = dict(start["headers"])[b"location"].decode()
        assert location.startswith("./")
        assert not {"\r", "\n", "\\"} & set(location)
        assert stays_here(Answer(308, {"location": location}, b""), quote(root))


def test_an_unknown_path_is_repeated_safely_in_the_error(server: Server) -> None:
    answer = exchange(server.port, request(target="/%0d%0aX-Injected:%20yes/%3Cscript%3E"))
    assert answer.status == 404
    assert "x-injected" not in answer.headers
    assert answer.headers["content-type"] == "application/json"
    answer = exchange(server.port, handshake("/X-Injected:%20yes/%1b%5b31m"))
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
