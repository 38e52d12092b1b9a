"""A listener on NATS for tests: it keeps every message, and sends some."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import msgspec
from nats.aio.client import Client, RawCredentials
from nats.aio.msg import Msg
from tests.nats_servers import NatsServer

from tickboard.client.decoder import Decoder, Tick
from tickboard.fleet.messages import Beat
from tickboard.wire import About

T = TypeVar("T")

GUARD_S = 60.0
"""A hang guard."""


class Listener:
    """What was published about hosts.

    Attributes:
        heard: each message: its subject without the part that all have, and its content, in order.
        refused: what the server has refused, in lower case.
        client: the connection.
    """

    def __init__(self) -> None:
        self.client = Client()
        self.heard: list[tuple[str, bytes]] = []
        self.refused: list[str] = []

    async def refuse(self, error: Exception) -> None:
        if "violation" in str(error):
            self.refused.append(str(error))

    async def take(self, message: Msg) -> None:
        self.heard.append((message.subject.removeprefix("tickboard.host."), message.data))

    def of(self, subject: str, kind: type[T]) -> list[T]:
        """Return the messages on a subject, decoded."""
        return [msgspec.json.decode(data, type=kind) for where, data in self.heard if where == subject]

    def abouts(self, name: str) -> list[About]:
        return self.of(f"{name}.about", About)

    def beats(self, name: str) -> list[Beat]:
        return self.of(f"{name}.beat", Beat)

    def ticks(self, name: str, kind: str = "overview") -> list[Tick]:
        """Return the ticks on a subject, each once, as a client of `tickboard.v2` understands them.

        Those before the first list of series are left out.
        """
        decoder = Decoder(history=True)
        found: list[Tick] = []
        messages = [data for where, data in self.heard if where == f"{name}.{kind}"]
        while messages and messages[0][:1] != b"{":
            del messages[0]
        for data in messages:
            found += decoder.receive(data.decode() if data[:1] == b"{" else data)
        return found

    async def ask(self) -> None:
        """Ask who is there."""
        await self.client.publish("tickboard.hosts", b"")

    async def until(self, condition: Callable[[], T | None]) -> T:
        """Wait until something is true of what was heard, and return it."""
        end = time.monotonic() + GUARD_S
        while not (found := condition()):
            assert time.monotonic() < end, [(where, data[:200]) for where, data in self.heard[-20:]]
            await asyncio.sleep(0.05)
        return found


@contextlib.asynccontextmanager
async def listening(
    server: NatsServer | str, subject: str = "tickboard.host.>", credentials: str | None = None
) -> AsyncIterator[Listener]:
    """Listen while the context is open, also over restarts of the server.

    Args:
        server: the server, or its URL with a login.
        subject: what to listen to.
        credentials: the text of a credentials file.
    """
    listener = Listener()
    await listener.client.connect(
        server if isinstance(server, str) else server.url,
        reconnect_time_wait=0.05,  # type: ignore[arg-type]
        max_reconnect_attempts=-1,
        error_cb=listener.refuse,
        user_credentials=None if credentials is None else RawCredentials(credentials),
    )
    await listener.client.subscribe(subject, cb=listener.take)
    await listener.client.flush()
    try:
        yield listener
    finally:
        await listener.client.close()
