"""A board under a path: mounted there, or behind a proxy that does not strip it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.serving import Server, serve, serve_app
from websockets.sync.client import connect

from tickboard import Board
from tickboard.errors import InputError
from tickboard.server.requests.prefix import parse_prefix

BOARDS = Path(__file__).parents[1] / "boards"


@pytest.fixture(scope="module", params=["flag", "environment"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    arguments = ["run", str(BOARDS / "rising.py"), "--interval", "50"]
    if request.param == "flag":
        arguments += ["--root-path", "/team/board/"]
    with serve(*arguments, env={"TICKBOARD_ROOT_PATH": "/team/board"}) as running:
        yield running


def parts_of(page: str) -> list[str]:
    """Return the relative addresses in a page."""
    return [part.partition('"')[0] for part in page.split('"./')[1:]]


def test_everything_works_below_an_unstripped_prefix(server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}/team/board/"
    page = httpx.get(base)
    assert page.headers["content-type"].startswith("text/html")
    assert parts_of(page.text)
    for path in parts_of(page.text):
        assert httpx.get(f"{base}{path}").status_code == 200
    assert httpx.get(f"{base}api/openapi.json").json()["servers"] == [{"url": "/team/board"}]
    assert httpx.get(f"{base}api/board").status_code == 200
    with httpx.stream("GET", f"{base}events/alerts") as stream:
        assert "retry: 2000" in next(stream.iter_text())
    with connect(f"ws://127.0.0.1:{server.port}/team/board/ws/metrics") as viewer:
        assert json.loads(viewer.recv(10))["type"] == "initial"
        assert json.loads(viewer.recv(10))["type"] == "metrics"
    assert f":{server.port}/team/board/\n" in server.output()


def test_a_request_that_bypasses_the_proxy_works_too(server: Server) -> None:
    assert httpx.get(f"{server.url}api/health").status_code == 200
    assert httpx.get(f"{server.url}api/openapi.json").json()["servers"] == [{"url": "/"}]
    assert httpx.get(f"{server.url}team/boards/").status_code == 404


@pytest.mark.parametrize("query", ["", "?a=1&b=%20x"])
def test_the_prefix_without_its_slash_is_redirected(server: Server, query: str) -> None:
    answer = httpx.get(f"{server.url}team/board{query}")
    assert (answer.status_code, answer.headers["location"]) == (308, f"./board/{query}")
    followed = httpx.get(f"{server.url}team/board{query}", follow_redirects=True)
    assert str(followed.url) == f"{server.url}team/board/{query}"
    assert followed.headers["content-type"].startswith("text/html")


class StrippedMount:
    """Mounts as some frameworks do: the prefix is stripped from the path, and only raw_path has the full one."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        self._app = app
        self._root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            path = scope["path"].removeprefix("/a/böard") or "/"
            scope = {**scope, "path": path, "root_path": self._root}
        await self._app(scope, receive, send)


def applications(board: Board) -> dict[str, ASGIApp]:
    fastapi = FastAPI()
    fastapi.mount("/a/böard", board)
    inner = Starlette(routes=[Mount("/böard", board)])
    return {
        "fastapi": fastapi,
        "twice": Starlette(routes=[Mount("/a", inner)]),
        "stripped": StrippedMount(board, ""),
        "stripped with root_path": StrippedMount(board, "/a/böard"),
    }


@pytest.mark.parametrize("kind", applications(Board("None")))
def test_a_mounted_board_is_found_without_the_trailing_slash(kind: str) -> None:
    with serve_app(applications(Board("Mounted", interval_ms=50))[kind]) as port:
        for query in ("", "?a=1"):
            answer = httpx.get(f"http://127.0.0.1:{port}/a/b%C3%B6ard{query}", follow_redirects=True)
            assert str(answer.url) == f"http://127.0.0.1:{port}/a/b%C3%B6ard/{query}"
            assert answer.headers["content-type"].startswith("text/html")
        assert httpx.get(f"http://127.0.0.1:{port}/a/b%C3%B6ard/api/stats").status_code == 200


@pytest.mark.parametrize(("text", "prefix"), [("", ""), ("/", ""), ("/a", "/a"), ("/a/b/", "/a/b"), (" /ü ", "/ü")])
def test_a_trailing_slash_is_stripped_from_the_prefix(text: str, prefix: str) -> None:
    assert parse_prefix(text, "--root-path") == prefix


@pytest.mark.parametrize("text", ["a", "http://x/a", "/a?b", "/a#b", "/a//b", "/a b", "/%61"])
def test_a_malformed_prefix_is_refused_with_an_error_that_names_it(text: str) -> None:
    with pytest.raises(
        InputError, match=r"--root-path=.*: give the path that the proxy passes on, such as /team/board"
    ):
        parse_prefix(text, "--root-path")
