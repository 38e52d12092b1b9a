"""A connection to NATS that lasts: it connects again for ever, and reports a problem while it cannot.

Publishing never waits: messages wait in a bounded queue, and while there is no connection they are dropped, since what
is sent are states, which a wall that missed them asks for. Each connection is made by a new client, so that nothing
old is sent after an outage. Subscriptions last over connections. A server that stops answering is given up after
`ANSWER_S`.

Everything here runs in one event loop. The NATS client is imported when a connection is made.
"""

import asyncio
import random
import re
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from tickboard.fleet.nats_attempts import NatsAttempts, NatsLostError, close, discovered, error_text, explained
from tickboard.fleet.nats_options import NatsAddress, NatsOptions
from tickboard.hub.traffic import NatsTraffic
from tickboard.problems import Quiet, Reporter, described

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription as NatsSubscription

PING_S = 2.0
"""Seconds between two questions whether the server still answers."""

ANSWER_S = 4.0
"""How long the answer may take before the connection is given up."""

STOP_S = 1.0
"""How long sending may take to stop."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 4.0
"""The first and the longest pause before all servers are tried again; each is twice the one before, and varied."""

WELL_S = 10.0
"""After a connection that lasted this long, the pauses begin again with the first."""

AGAIN_S = 30.0
"""Seconds after which a subscription that the server refused is tried again: its permissions may have changed."""

MAX_WAITING_BYTES = 2**23
"""How many bytes of messages may wait to be sent; beyond that, the newest are dropped."""

MAX_RECEIVED_BYTES = 2**26
"""How many bytes of received messages may wait for one subscription; beyond that, the newest are dropped."""

_REFUSED = re.compile(r'for publish to "([^"]+)"')
"""What a server says of a message that it does not permit, in lower case, with the subject."""

MESSAGE_BYTES = 200
"""What a waiting message counts besides its content."""

Receive = Callable[[str, bytes, str], None]
"""Takes the subject, the content and the reply subject of a message. It returns quickly."""


class _Message(Struct, frozen=True):
    subject: str
    content: bytes
    reply: str


class Subscription:
    """What is subscribed to, over all connections, until `cancel`."""

    __slots__ = ("_connection", "made", "receive", "refused_at", "subject", "wanted")

    def __init__(self, connection: "NatsConnection", subject: str, receive: Receive) -> None:
        self.subject = subject
        self.receive = receive
        self.wanted = True
        self.made: NatsSubscription | None = None
        self.refused_at: float | None = None
        self._connection = connection

    def cancel(self) -> None:
        """Receive nothing more."""
        if self.wanted:
            self.wanted = False
            self._connection.forget(self)


class NatsConnection:
    """A connection to one of several NATS servers. A supervisor keeps `run` running.

    Args:
        options: the servers, and what they are shown.
        name: names the client in what the server shows of its clients.
        problems: where a lost connection and refusals are reported.
        without: what does not happen without NATS, for the problem: "nothing is published".
        echo: whether it receives its own messages.
        source: the source of its problems, and the beginning of the sources of some.

    Attributes:
        counts: its state and counters.
        address: the server, for people: the one that is connected, or the one that was tried last.
        max_payload: the most bytes that the server takes in one message.
    """

    def __init__(
        self,
        options: NatsOptions,
        name: str,
        problems: Reporter,
        without: str,
        *,
        echo: bool = True,
        source: str = "NATS",
    ) -> None:
        self.counts = NatsTraffic()
        self.address = str(options.servers[0])
        self.max_payload = 2**20
        self._options = options
        self._problems = problems
        self._without = without
        self._sources = [
            f"{source}{more}" for more in ("", ": permissions", ": large messages", ": slow", ": messages")
        ]
        self._quiet = {source: Quiet() for source in self._sources[1:]}
        self._found: list[NatsAddress] = []
        self._attempts = NatsAttempts(options, name, echo=echo)
        self._subscriptions: dict[Subscription, None] = {}
        self._watchers: list[Callable[[bool], None]] = []
        self._refusal_watchers: list[Callable[[str], bool]] = []
        self._waiting: deque[_Message | Subscription] = deque()
        self._waiting_bytes = 0
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._client: Client | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self.counts.connected

    # --- what others do with it ---

    @property
    def waiting_bytes(self) -> int:
        """The bytes of messages that wait to be sent; see `MAX_WAITING_BYTES`."""
        return self._waiting_bytes

    def publish(self, subject: str, content: bytes, reply: str = "") -> bool:
        """Send a message soon. Return False if it is dropped: nothing is connected, too much waits, or it is too large.

        Args:
            subject: where it is sent.
            content: at most `max_payload` bytes.
            reply: the subject for answers; empty: none.
        """
        size = len(content) + MESSAGE_BYTES
        if len(content) > self.max_payload:
            self._report(
                2,
                f"a message of {len(content)} bytes for {subject} is larger than {self.address} takes "
                f"({self.max_payload}): raise max_payload in the configuration of the NATS server",
            )
        elif self.connected and self._waiting_bytes + size <= MAX_WAITING_BYTES:
            self._waiting.append(_Message(subject, content, reply))
            self._waiting_bytes += size
            self._news.set()
            return True
        self.counts.dropped += 1
        return False

    def subscribe(self, subject: str, receive: Receive) -> Subscription:
        """Receive the messages of a subject, which may have wildcards, over all connections.

        An exception of `receive` is reported, and concerns its message alone.
        """
        subscription = Subscription(self, subject, receive)
        self._subscriptions[subscription] = None
        self._renew(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """End a subscription."""
        self._subscriptions.pop(subscription, None)
        self._renew(subscription)

    def watch(self, watcher: Callable[[bool], None]) -> None:
        """Call a function with True when a connection begins, and with False when it ends."""
        self._watchers.append(watcher)

    def watch_refusals(self, watcher: Callable[[str], bool]) -> None:
        """Call a function with the subject, in lower case, when the server does not permit a message on it.

        It returns whether nobody has to fix that: then no problem is reported.
        """
        self._refusal_watchers.append(watcher)

    async def flush(self, timeout_s: float) -> bool:
        """Wait until everything was sent and the server has answered; return whether it did in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._waiting and self.connected:
                    await asyncio.sleep(0.01)
                if self._client is None or not self.connected:
                    return False
                await self._client.flush(timeout_s)  # type: ignore[arg-type]  # its annotation says int
        except Exception:  # noqa: BLE001  # whatever the client raises, the rest was not sent
            return False
        return True

    # --- its life ---

    async def run(self) -> None:
        """Stay connected until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            why: list[str] = []
            servers = [*self._options.servers, *self._found]
            random.shuffle(servers)
            for server in servers:
                try:
                    await self._serve(server)
                except NatsLostError as lost:
                    why.append(f"{server} {lost}")
            self._problems.report(self._sources[0], f"{'; '.join(why)}: until it can be reached, {self._without}")
            if time.monotonic() - began > WELL_S:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _serve(self, server: NatsAddress) -> None:
        """Connect to a server, and use the connection until it is lost.

        Raises:
            NatsLostError: the connection could not be made, or is lost.
        """
        self.address = str(server)
        over = self._over = asyncio.Event()
        client = await self._attempts.connect(server, self._failed, over.set)
        self._client = client
        sender: asyncio.Task[BaseException | None] | None = None
        try:
            await self._begin(client, server)
            sender = asyncio.create_task(self._send(client))
            await self._watch_over(client, sender)
        finally:
            self._client = None
            self._end()
            if sender is not None:
                sender.cancel()
                await asyncio.wait([sender], timeout=STOP_S)
            await close(client)

    async def _begin(self, client: "Client", server: NatsAddress) -> None:
        """Subscribe, and tell everyone that there is a connection."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self.max_payload = client.max_payload
        self._found = discovered(client, server, self._options.servers)
        try:
            async with asyncio.timeout(ANSWER_S):
                for subscription in list(self._subscriptions):
                    subscription.made = subscription.refused_at = None
                    await self._subscribe(client, subscription)
                await client.flush(ANSWER_S)  # type: ignore[arg-type]  # its annotation says int
        except Exception as error:
            raise NatsLostError(explained(error, server)) from error
        self.counts.connections += 1
        self.counts.connected = True
        self._problems.clear(self._sources[0], f"{server} is connected")
        self._tell(True)

    def _end(self) -> None:
        self.counts.dropped += sum(isinstance(each, _Message) for each in self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        if self.connected:
            self.counts.connected = False
            self._tell(False)

    def _tell(self, connected: bool) -> None:
        for watcher in self._watchers:
            try:
                watcher(connected)
            except Exception as error:  # noqa: BLE001  # one part's failure must not end the connection
                self._report(4, f"a part failed as the connection began or ended: {described(error)}", error)

    async def _watch_over(self, client: "Client", sender: "asyncio.Task[BaseException | None]") -> None:
        """Return never: ask again and again whether the server answers.

        Raises:
            NatsLostError: it does not, or the connection has ended.
        """
        over = asyncio.create_task(self._over.wait())
        answer: asyncio.Task[float] | None = None
        try:
            while True:
                await asyncio.wait([over, sender], timeout=PING_S, return_when=asyncio.FIRST_COMPLETED)
                answer = asyncio.create_task(client.rtt(ANSWER_S))  # type: ignore[arg-type]  # says int
                await asyncio.wait([answer, over, sender], return_when=asyncio.FIRST_COMPLETED)
                if over.done() or sender.done() or client.is_closed:
                    error = client.last_error or (sender.result() if sender.done() else None)
                    raise NatsLostError(
                        "has closed the connection" if error is None else f"is lost: {error_text(error)}"
                    )
                if answer.exception() is not None:
                    raise NatsLostError(f"has not answered for {ANSWER_S:g} s")
                self._look_again(time.monotonic())
        finally:
            over.cancel()
            if answer is not None and not answer.cancel() and not answer.cancelled():
                answer.exception()  # it is known by now

    def _look_again(self, now: float) -> None:
        """Clear problems that are over, and try refused subscriptions again."""
        for source, quiet in self._quiet.items():
            if quiet.is_over(now):
                self._problems.clear(source, "")
        for subscription in self._subscriptions:
            if subscription.refused_at is not None and now - subscription.refused_at > AGAIN_S:
                self._renew(subscription)

    # --- sending and receiving ---

    def _renew(self, subscription: Subscription) -> None:
        """Subscribe or unsubscribe soon, in order with the messages."""
        if self.connected:
            self._waiting.append(subscription)
            self._news.set()

    async def _send(self, client: "Client") -> BaseException | None:
        """Send what waits, while this client is in use; return why it cannot be sent."""
        try:
            # A client that is being closed swallows the cancellation of this task.
            while self._client is client:
                await self._news.wait()
                self._news.clear()
                while self._waiting and self._client is client:
                    await self._send_one(client, self._waiting.popleft())
        except Exception as error:  # noqa: BLE001  # whatever the client raises, the connection is of no use any more
            return error
        return None

    async def _send_one(self, client: "Client", next_one: "_Message | Subscription") -> None:
        if isinstance(next_one, Subscription):
            await self._subscribe(client, next_one)
            return
        self._waiting_bytes -= len(next_one.content) + MESSAGE_BYTES
        # It waits while the server takes nothing.
        await client.publish(next_one.subject, next_one.content, next_one.reply)
        self.counts.sent += 1

    async def _subscribe(self, client: "Client", subscription: Subscription) -> None:
        if not subscription.wanted or subscription.refused_at is not None:
            made, subscription.made, subscription.refused_at = subscription.made, None, None
            if made is not None:
                # The client keeps a task for it, even if the server has refused it.
                await made.unsubscribe()
        if subscription.wanted and subscription.made is None:

            async def take(message: "Msg") -> None:
                self.counts.received += 1
                if not subscription.wanted:
                    return
                try:
                    subscription.receive(message.subject, message.data, message.reply)
                except Exception as error:  # noqa: BLE001  # it concerns this message alone
                    self._report(4, f"a message on {message.subject[:100]} failed: {described(error)}", error)

            subscription.made = await client.subscribe(
                subscription.subject, cb=take, pending_bytes_limit=MAX_RECEIVED_BYTES
            )

    def _failed(self, error: Exception) -> None:
        """Take an error that the client found beside what it was asked for."""
        from nats.errors import SlowConsumerError

        text = error_text(error)
        if isinstance(error, SlowConsumerError):
            self.counts.lost += 1
            self._report(3, f"messages of {self.address} arrive faster than they are handled: some are lost")
        elif "permissions violation" in text.lower():
            for subscription in self._subscriptions:
                if f'to "{subscription.subject.lower()}"' in text.lower():
                    subscription.refused_at = time.monotonic()
            refused = _REFUSED.search(text.lower())
            if refused is not None and any(watcher(refused[1]) for watcher in self._refusal_watchers):
                return
            self._report(1, f"{self.address}: {text}: allow it in the configuration of the NATS server")

    def _report(self, number: int, message: str, error: Exception | None = None) -> None:
        source = self._sources[number]
        self._quiet[source].failed(time.monotonic())
        if error is None:
            self._problems.report(source, message, kind=source)
        else:
            self._problems.report(source, message, error=error, kind=type(error))
