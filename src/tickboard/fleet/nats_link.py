"""Hosts that are reached through NATS: finds them by asking, and follows the overview of each.

A host publishes its description, the messages of `tickboard.v2`, a beat every second, and a goodbye, each on a subject
of its own (`tickboard.fleet.messages`). A lost message is a hole, which the listener fills. What a host sends that
cannot be understood is dropped and logged once. Claims of other processes to the name of a host are noted.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import msgspec
import numpy as np
from starlette.types import Receive, Scope, Send

from tickboard.client.decoder import Decoder, ProtocolError, Tick, WatchedSeries
from tickboard.fleet.calls import Subscribable
from tickboard.fleet.calls_wall import WallCalls
from tickboard.fleet.link import LinkListener
from tickboard.fleet.messages import HOSTS, NAME, Beat, Bye, Claim, gone_s, host_in, possible_interval_ms, subject
from tickboard.fleet.missing_descriptions import MissingDescriptions
from tickboard.fleet.tick_check import TickCheck
from tickboard.metrics.selectors import Selectors
from tickboard.output.logs import log
from tickboard.output.text import one_line
from tickboard.problems import Reporter
from tickboard.wire import About, SeriesList, encode

ASK_S = 60.0
"""How often a wall asks who is there, in case that an answer was lost."""

ASK_AGAIN_S = 2.0
"""The least seconds between two questions, however many hosts are not known yet."""

MAX_LINKS = 10_000
"""The most hosts. Further ones are ignored."""

LIMIT = "following: too many hosts on NATS"
"""The source of the problem that there are more."""

MAX_HELD = 10
"""How many ticks of a host wait for the description of their series."""

KINDS = frozenset({b"\x01", b"\x02", b"\x03"})
"""The first bytes of windows, ticks and amended ticks."""

_LAYOUT = slice(4, 8)
"""Where a binary message has the number of its layout."""

MAX_PLACE = 200
"""The most characters of where another process runs."""

T = TypeVar("T", About, Beat, Claim, Bye)


class NatsLink:
    """One host through NATS; see `tickboard.fleet.link.Link`.

    Args:
        name: the host's.
        address: of the NATS server, for people.
        calls: makes calls to it.
    """

    kind = "nats"

    def __init__(self, name: str, address: str, calls: WallCalls) -> None:
        self.name = name
        self.address = address
        self._calls = calls

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on; see `tickboard.fleet.link.Link.asgi`."""
        await self._calls.asgi(self.name, scope, receive, send)


class NatsLinks:
    """All hosts of one NATS server or cluster. A supervisor keeps `run` and `calls.run` running.

    Args:
        connection: to NATS.
        listener: takes what hosts send.
        problems: where too many hosts are reported.
        metrics: selectors of series to follow beside the overview; with any, all ticks of the hosts are received.

    Attributes:
        calls: makes calls to the hosts.
    """

    def __init__(
        self, connection: Subscribable, listener: LinkListener, problems: Reporter, metrics: Sequence[str] = ()
    ) -> None:
        self.calls = WallCalls(connection)
        self._connection = connection
        self._listener = listener
        self._problems = problems
        self._metrics = metrics
        self._hosts: dict[str, _Host] = {}
        self._wants = asyncio.Event()
        self._missing = MissingDescriptions(ASK_AGAIN_S, ASK_S)
        connection.watch(self._connection_changed)

    async def run(self) -> None:
        """Follow the hosts until cancelled."""
        takes = (self._take_about, self._take_ticks, self._take_beat, self._take_claim, self._take_bye)
        kinds = ("about", "ticks" if self._metrics else "overview", "beat", "claim", "bye")
        taking = [self._connection.subscribe(subject("*", kind), take) for kind, take in zip(kinds, takes, strict=True)]
        try:
            while True:
                self._wants.clear()
                self._connection.publish(HOSTS, b"")
                await asyncio.sleep(ASK_AGAIN_S)
                try:
                    async with asyncio.timeout(ASK_S):
                        await self._wants.wait()
                except TimeoutError:
                    continue
        finally:
            for each in taking:
                each.cancel()

    def forget(self, name: str) -> None:
        """Forget a host, unless there is none of this name. If it comes back, it is introduced again."""
        if (host := self._hosts.pop(name, None)) is not None:
            why = "the wall has forgotten the host"
            self.calls.lost(name, why)
            self._listener.lost(host.link, why)
            self._problems.clear(LIMIT, "there is room again")

    def _connection_changed(self, connected: bool) -> None:
        self._missing.clear()
        if connected:
            self._connection.publish(HOSTS, b"")
        else:
            for host in self._hosts.values():
                host.lose()
        for host in self._hosts.values():
            self._listener.lost(
                host.link, "" if connected else f"there is no connection to NATS at {host.link.address}"
            )

    # --- what hosts send ---

    def _take_about(self, received: str, content: bytes, _: str) -> None:
        name = host_in(received)
        about = self._decoded(name, content, About)
        if about is None:
            return
        if about.name != name:
            self._complain(name, f"it describes itself as {about.name[:100]!r}: publish under its own name")
            return
        if (host := self._known(name)) is not None:
            with self._complaining(host):
                host.describe(about, self._now())

    def _take_ticks(self, received: str, content: bytes, _: str) -> None:
        name = host_in(received)
        host = self._hosts.get(name)
        if host is None:
            self._need(name, "ticks", is_known=False)
            return
        with self._complaining(host):
            self._need(name, "ticks", is_known=host.take(content))

    def _take_beat(self, received: str, content: bytes, _: str) -> None:
        name = host_in(received)
        beat, host = self._decoded(name, content, Beat), self._hosts.get(name)
        if beat is None:
            return
        self._need(name, "beats", is_known=host is not None and host.beat(beat, self._now()))

    def _need(self, name: str, what: str, *, is_known: bool) -> None:
        """Take note whether something of a host was understood; if not, ask for its description, unless just asked."""
        if is_known:
            self._missing.has(name, what)
            return
        is_wanted = name in self._hosts or (len(self._hosts) < MAX_LINKS and NAME.fullmatch(name))
        if is_wanted and self._missing.ask(name, what, self._now()):
            self._wants.set()

    def _take_claim(self, received: str, content: bytes, _: str) -> None:
        name = host_in(received)
        claim, host = self._decoded(name, content, Claim), self._hosts.get(name)
        if claim is not None and host is not None:
            host.rival(claim.since, one_line(claim.place, MAX_PLACE), self._now())

    def _take_bye(self, received: str, content: bytes, _: str) -> None:
        name = host_in(received)
        bye, host = self._decoded(name, content, Bye), self._hosts.get(name)
        if bye is not None and host is not None and bye.id == host.id:
            host.leave()
            self._listener.said_bye(host.link)

    def _known(self, name: str) -> "_Host | None":
        """Return a host, a new one if there is room for it and a host can have the name."""
        host = self._hosts.get(name)
        if host is None and not NAME.fullmatch(name):
            return None
        if host is None and len(self._hosts) < MAX_LINKS:
            link = NatsLink(name, self._connection.address, self.calls)
            host = self._hosts[name] = _Host(link, self._listener, self.calls, self._metrics)
        elif host is None:
            where = self._connection.address
            self._problems.report(
                LIMIT,
                f"{where} has over {MAX_LINKS} hosts: {name} and further ones are ignored; forget those that are gone",
                kind=LIMIT,
            )
        return host

    def _decoded(self, name: str, content: bytes, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._complain(name, f"its {kind.__name__.lower()} cannot be understood: {error}")
            return None

    @contextmanager
    def _complaining(self, host: "_Host") -> Iterator[None]:
        """Log what a host does wrong instead of raising it."""
        try:
            yield
        except (ProtocolError, UnicodeDecodeError) as error:
            self._complain(host.link.name, str(error))

    def _complain(self, name: str, why: str) -> None:
        """Log what a host does wrong; of an unknown name nothing, since anybody can make up many."""
        host = self._hosts.get(name)
        if host is not None and not host.has_erred:
            host.has_erred = True
            log.warning("host %s: %s (it is ignored, and not logged again)", name, why)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


class _Choice:
    """Takes some series out of ticks that have all.

    Args:
        selectors: which series.
    """

    def __init__(self, selectors: Iterable[str]) -> None:
        self._selectors = Selectors(selectors)
        self._all: tuple[WatchedSeries, ...] | None = None
        self._some: tuple[WatchedSeries, ...] = ()
        self._places = np.empty(0, np.intp)
        self._columns: dict[str, int] = {}

    def of(self, tick: Tick) -> Tick:
        """Return a tick with these series."""
        if tick.series is not self._all:
            self._all = tick.series
            places = [at for at, one in enumerate(tick.series) if self._selectors.match(one.name, one.labels)]
            self._places, self._some = np.array(places, np.intp), tuple(tick.series[at] for at in places)
            self._columns = {one.key: at for at, one in enumerate(self._some)}
        data = tick.array[self._places].tobytes()
        return replace(tick, series=self._some, data=data, columns=self._columns)


class _Rival(msgspec.Struct, frozen=True):
    """Another process that wants the name of a host; see `_Host.rival`."""

    since: float
    place: str
    heard: float


class _Host:
    """What was received from one host.

    Attributes:
        link: the way to it.
        id: that of the process that has the name; empty: none.
        is_introduced: whether the listener has its description.
        has_erred: whether something that it has sent could not be understood.
    """

    def __init__(self, link: NatsLink, listener: LinkListener, calls: WallCalls, metrics: Sequence[str]) -> None:
        self.link = link
        self.id = ""
        self.is_introduced = False
        self.has_erred = False
        self._listener = listener
        self._calls = calls
        self._decoder = Decoder()
        self._about: About | None = None
        self._series: SeriesList | None = None
        self._since = self._heard = 0.0
        # Of the process that receives the calls; 0: unknown.
        self._called = 0.0
        self._patience_s = gone_s(0)
        self._held: deque[bytes] = deque(maxlen=MAX_HELD)
        self._metrics = metrics
        self._choice: _Choice | None = None
        self._check = TickCheck()
        self._rival: _Rival | None = None
        self._said_of_rival: str | None = None

    def lose(self) -> None:
        """Forget what has to be said again, since messages may be lost."""
        self.is_introduced = False
        self._series = None
        self._decoder.connected()

    def leave(self) -> None:
        """Release the name of a process that ended on purpose: another one may have it at once."""
        self.lose()
        self.id, self._since = "", 0.0
        self._end_calls("the host has ended")

    def _end_calls(self, why: str) -> None:
        """End the calls to a process that does not have the name any more."""
        self._called = 0.0
        self._calls.lost(self.link.name, why)

    def describe(self, about: About, now: float) -> None:
        """Take a description, unless it is of another process than the one that has the name.

        Raises:
            ProtocolError: ticks that have waited for it cannot be understood.
        """
        if about.id != self.id and self._lives(now):
            return
        if about.id != self.id or (self._about is not None and about.started != self._about.started):
            # Layouts may be numbered anew. The next beat says of which process.
            self.lose()
            if about.id != self.id:
                self._end_calls("another process has its name")
            self.id, self._since = about.id, 0.0
        self._heard = now
        self._check.interval_ms = possible_interval_ms(about.interval_ms)
        self._patience_s = gone_s(self._check.interval_ms)
        if self._metrics:
            # These ticks have all series, which the host lists among them.
            self._choice = _Choice([*(each.name for each in about.metrics), *self._metrics])
        else:
            self._series = about.series
        known = msgspec.structs.replace(about, series=None)
        if known != self._about or not self.is_introduced:
            self._about, self.is_introduced = known, True
            self._listener.introduced(self.link, known)
        held = list(self._held)
        self._held.clear()
        for message in held:
            self.take(message)

    def take(self, content: bytes) -> bool:
        """Take a message about ticks; return False if the description is needed for it.

        Raises:
            ProtocolError: `tickboard.v2` does not allow it.
            UnicodeDecodeError: it is not a message of `tickboard.v2`.
        """
        if content[:1] not in KINDS:
            for _ in self._decoder.receive(content.decode() if content[:1] == b"{" else content):
                pass
            return True
        number = int.from_bytes(content[_LAYOUT], "little")
        described = {self._decoder.layout, None if self._series is None else self._series.layout}
        if not self.is_introduced or number not in described:
            self._held.append(content)
            return False
        if self._decoder.layout != number:
            self._decoder.receive(encode(self._series).decode())
        if self._check.doubts(content, self._decoder.epoch):
            return True
        if (late := self._decoder.amended(content)) is not None:
            self._listener.amended(self.link, self._chosen(late))
        for tick in self._decoder.receive(content):
            self._check.took(tick)
            self._listener.ticked(self.link, self._chosen(tick))
        return True

    def _chosen(self, tick: Tick) -> Tick:
        return tick if self._choice is None else self._choice.of(tick)

    def beat(self, beat: Beat, now: float) -> bool:
        """Take a beat; return False if the description is needed."""
        if beat.id != self.id:
            self.rival(beat.since, "", now)
            return self._lives(now)
        if self._since not in {0.0, beat.since}:
            # It was restarted: its layouts are numbered anew.
            self.lose()
        if self._called not in {0.0, beat.since}:
            # Its description may have come before.
            self._end_calls("the host was restarted")
        self._since, self._called, self._heard = beat.since, beat.since, now
        if self._check.beat(beat, now):
            # The list of series is kept, and so is the number that it has.
            self._decoder = Decoder()
        if self.is_introduced:
            self._see_rival(now)
            self._listener.heard(self.link, beat.seq, beat.alerts, beat.time)
        return self.is_introduced

    def rival(self, since: float, place: str, now: float) -> None:
        """Take note that a process wants the host's name; it may be the one that has it.

        Args:
            since: since when, POSIX seconds.
            place: where it runs; empty: unknown.
            now: when that was heard.
        """
        if since != self._since:
            same = self._rival is not None and self._rival.since == since
            self._rival = _Rival(since, place or (self._rival.place if same and self._rival else ""), now)

    def _see_rival(self, now: float) -> None:
        """Say when there is another process that wants the name, while this one has it, and when there is none."""
        rival = self._rival
        if rival is not None and (rival.since == self._since or now - rival.heard >= self._patience_s):
            rival = self._rival = None
        place = None if rival is None else rival.place
        if place != self._said_of_rival:
            self._said_of_rival = place
            self._listener.contested(self.link, place)

    def _lives(self, now: float) -> bool:
        """Return whether the process that has the name was heard from lately."""
        return bool(self.id) and now - self._heard < self._patience_s
