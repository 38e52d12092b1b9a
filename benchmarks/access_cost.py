"""What access costs: a request with a token or a session at the gate, and a message to a viewer over TLS."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from timeit import repeat

from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks import tls_cost
from benchmarks.report import Table, duration
from tickboard.access.authority import Authority
from tickboard.access.credentials import fingerprint, new_secret, new_token
from tickboard.access.file import AccessFile
from tickboard.access.records import Person, Records, Session, Token
from tickboard.problems import Problems
from tickboard.server.access.access_gate import AccessGate
from tickboard.server.access.keeper import Keeper
from tickboard.server.access.login import cookie_name

REQUESTS, ROUNDS = 20_000, 9

TOKENS = 1_000
"""As many as a file may have."""


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer nothing."""


def cost(app: ASGIApp, path: str, headers: list[tuple[bytes, bytes]], rounds: int) -> float:
    """Return the seconds of a request, the least of some rounds: what others take of the machine is left out."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(message: object) -> None:
        """Discard it."""

    async def ask() -> None:
        for _ in range(REQUESTS):
            scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b""}
            await app(scope, receive, send)

    loop = asyncio.new_event_loop()
    try:
        return min(repeat(lambda: loop.run_until_complete(ask()), number=1, repeat=rounds)) / REQUESTS
    finally:
        loop.close()


def tables(*, short: bool = False) -> Iterator[Table]:
    """Measure, and give the tables.

    Args:
        short: whether one short round is enough.
    """
    yield requests(1 if short else ROUNDS)
    yield from tls_cost.tables(short=short)


def requests(rounds: int) -> Table:
    """Return what a login costs a request."""
    token, secret, now = new_token(), new_secret(), time.time()
    records = Records(
        people=(Person("ann", "operator"),),
        tokens=tuple(
            Token(f"t{each}", "viewer", fingerprint(token if each == 0 else str(each)), now) for each in range(TOKENS)
        ),
        sessions=(Session(fingerprint(secret), "ann", now, now),),
    )
    with tempfile.TemporaryDirectory() as folder:
        file = AccessFile(Path(folder) / "access.json")
        problems = Problems(lambda: None)
        keeper = Keeper(file, Authority("host"), lambda: problems)
        keeper.authority.learn(records)
        gate = AccessGate(nothing, keeper, lambda: problems)
        bearer = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]
        cookie = [(b"host", b"localhost"), (b"cookie", f"{cookie_name(file.path)}={secret}".encode())]
        plain = cost(nothing, "/api/stats", bearer, rounds)
        table = Table(
            "What a login costs a request",
            f"Over an application that does nothing, with {TOKENS:,} tokens; the limit is 20 µs.",
            ["request", "cost"],
        )
        for name, path, headers in (
            ("with a token", "/api/stats", bearer),
            ("with a token, of a path with a parameter", "/assets/index.js", bearer),
            ("with a session's cookie", "/api/stats", cookie),
        ):
            table.add(name, duration(cost(gate, path, headers, rounds) - plain))
        return table


if __name__ == "__main__":
    for each in tables():
        print(each.markdown())
