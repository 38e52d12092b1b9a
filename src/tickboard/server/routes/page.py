"""The page: serves the built files of the wheel, with a policy that forbids requests to other hosts."""

from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from tickboard.server.requests.response_headers import PAGE_POLICY, POLICY
from tickboard.server.routes.documents import Documents

STATIC = Path(__file__).parents[1] / "static"


class _Assets(StaticFiles):
    """Files whose names contain a hash of their content, so that browsers cache them forever."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in {200, 304}:
                message["headers"] = [
                    *message["headers"],
                    (b"cache-control", b"public, max-age=31536000, immutable"),
                    # Needed for the worker's script, too: a worker has the policy of its own response.
                    (POLICY.encode(), PAGE_POLICY.encode()),
                ]
            await send(message)

        await super().__call__(scope, receive, send_kept)


HEADERS = {"cache-control": "no-cache", POLICY: PAGE_POLICY}


async def _index(request: Request) -> Response:
    index = STATIC / "index.html"
    if not index.is_file():
        return not_built()
    return FileResponse(index, headers=HEADERS)


def not_built() -> Response:
    """Return the answer in a checkout without the page."""
    return PlainTextResponse("The page has not been built. In a checkout, run: make build\n", 503)


async def page_below(steps: int) -> Response:
    """Return the page for an address some steps below the board's own, with the assets of the board's own page.

    Args:
        steps: how many parts, each with its slash, the address has after that of the board.
    """
    try:
        page = await run_in_threadpool((STATIC / "index.html").read_text)
    except FileNotFoundError:
        return not_built()
    return HTMLResponse(page.replace('"./', f'"{"../" * steps}'), headers=HEADERS)


def page_routes() -> list[BaseRoute]:
    """Return the routes of the page."""
    compressed = [Middleware(Documents)]
    return [
        Route("/", _index, methods=["GET"], middleware=compressed),
        Mount("/assets", _Assets(directory=STATIC / "assets", check_dir=False), middleware=compressed),
    ]
