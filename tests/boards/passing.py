"""A wall that shows the boards of the hosts in ``HOSTS``: a list of a name, an address and a token for each."""

import json
import os

from starlette.types import Receive, Scope, Send

from tickboard import Board
from tickboard.fleet.http_passing import HttpPassing
from tickboard.server.routes.host_boards import host_board_routes


class PassingLink:
    """A link that passes connections on, and nothing else."""

    kind = "http"

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self._passing = HttpPassing(address, {"Authorization": f"Bearer {token}"} if token else {})

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._passing.asgi(scope, receive, send)


class Links:
    """The links to all hosts; none to one without an address."""

    def __init__(self) -> None:
        self.hosts = {name: (address, token) for name, address, token in json.loads(os.environ["HOSTS"])}
        self._links = {name: PassingLink(*place) for name, place in self.hosts.items() if place[0]}

    def link(self, name: str) -> PassingLink | None:
        return self._links.get(name)


board = Board("Wall")
board.gauge("own", "Own").set(1)
board.routes += host_board_routes(Links())
