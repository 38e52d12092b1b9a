"""The page: the built files that the wheel ships, served with what keeps a browser from asking anyone else."""

from pathlib import Path

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

STATIC = Path(__file__).parent / "static"

SECURITY_HEADERS = {
    # uPlot places its cursor by style attributes, which this policy allows; inline scripts it doesn't.
    "content-security-policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "base-uri 'self'; form-action 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class _Assets(StaticFiles):
    """Files whose names contain a hash of their content: a browser keeps them for good."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                message["headers"] = [
                    *message["headers"],
                    (b"cache-control", b"public, max-age=31536000, immutable"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        await super().__call__(scope, receive, send_kept)


async def _index(request: Request) -> Response:
    index = STATIC / "index.html"
    if not index.is_file():
        return PlainTextResponse("The page has not been built. In a checkout, run: make build\n", 503)
    return FileResponse(index, headers={"cache-control": "no-cache", **SECURITY_HEADERS})


def page_routes() -> list[BaseRoute]:
    """Return the routes of the page."""
    compressed = [Middleware(GZipMiddleware, minimum_size=1_000)]
    return [
        Route("/", _index, methods=["GET"]),
        Mount("/assets", _Assets(directory=STATIC / "assets", check_dir=False), middleware=compressed),
    ]
