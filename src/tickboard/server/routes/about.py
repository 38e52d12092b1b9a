"""``GET /api/about``: what a wall needs to know of this board as one of its hosts."""

from collections.abc import Callable, Generator

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.hub.hub import Hub
from tickboard.server.routes.documents import Documents
from tickboard.server.routes.large import Large
from tickboard.server.routes.operations import Paths, Ref, get
from tickboard.wire import About, encode

BOARD_VALUES = 4
"""The size of one metric in the description of a board, from which the answer is made, in values of a document."""

Describe = Callable[[], Generator[None, None, About]]
"""Returns the description in steps."""


def about_route(hub: Hub, describe: Describe) -> Route:
    """Return the route."""
    made = Large()

    def steps() -> Generator[None, None, list[bytes]]:
        return [encode((yield from describe()))]

    async def about(request: Request) -> Response:
        engine = hub.engine
        key = (engine.epoch, engine.seq, engine.registry.revision)
        return await made.answer(request, key, BOARD_VALUES * len(engine.registry.metrics), steps)

    return Route("/api/about", about, methods=["GET"], middleware=[Middleware(Documents)])


def describe(ref: Ref) -> Paths:
    """Describe this route."""
    return {"/api/about": get("about", "This board as a host: its name, labels and overview metrics", ref(About))}
