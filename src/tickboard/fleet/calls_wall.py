"""The wall's side of calls: passes connections of viewers on to hosts through NATS.

`WallCalls.asgi` is the whole of it. What may pass is decided in `tickboard.fleet.passing`, on both sides. A slow viewer
makes the host wait, by the credit that frames need. When either side of a call ends, so does the other.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count

import msgspec
from starlette.types import Receive, Scope, Send

from tickboard.client.connection import error_text
from tickboard.fleet.caller import caller_of
from tickboard.fleet.calls import (
    DATA,
    MORE,
    OPEN,
    START,
    TEXT,
    CallFrame,
    CallOverError,
    Opening,
    Side,
    Starting,
    Subscribable,
    code_in,
    decode_starting,
    look_after,
    raw,
    texts,
)
from tickboard.fleet.link import CutOffError
from tickboard.fleet.messages import host_in, subject
from tickboard.fleet.passing import (
    BAD_GATEWAY,
    MAX_CALLS,
    MAX_MESSAGE_BYTES,
    NORMAL,
    TOO_BIG,
    answer_refusal,
    close_code,
    content_of,
    least_role,
    request_headers,
    response_headers,
    why_refused,
)
from tickboard.fleet.viewer_side import body_of, first_of, until_gone, why_useless
from tickboard.wire import encode

MAX_ALL_CALLS = 5_000
"""How many calls a wall makes at a time for its viewers to all hosts."""

MAX_OWN_CALLS = 20
"""How many calls a wall makes at a time to one host for itself."""

MAX_JOINING_BYTES = 2**27
"""The most bytes of all messages whose pieces are being joined, 128 MiB. A WebSocket that needs more is closed."""

TRY_AGAIN_LATER, NOT_UTF8 = 1013, 1007
"""Close codes (IANA's registry of WebSocket close codes)."""

NOT_PERMITTED = "the NATS server does not permit it"
"""Why a call is over that the wall may not make."""

ACCEPTED = 101
"""The status of an accepted WebSocket."""

MAX_ERROR_BYTES = 2**16
"""The most bytes of an error that are read."""

HEAD_S = 30.0
"""How many seconds may pass until an answer begins."""


class WallCalls:
    """Makes the calls of one wall. A supervisor keeps `run` running.

    Args:
        connection: to NATS.
    """

    def __init__(self, connection: Subscribable) -> None:
        self._connection = connection
        self._wall = secrets.token_hex(8)
        self._numbers = count(1)
        self._sides: dict[int, tuple[str, Side]] = {}
        # By the host's name, and whether they are the wall's own.
        self._calls: Counter[tuple[str, bool]] = Counter()
        self._of_viewers = 0
        self._joining_bytes = 0
        connection.watch(self._connection_changed)
        connection.watch_refusals(self._refused)

    def __len__(self) -> int:
        """The number of open calls."""
        return len(self._sides)

    async def run(self) -> None:
        """Receive answers until cancelled."""
        taking = self._connection.subscribe(subject("*", "answer", self._wall, "*"), self._take)
        try:
            await look_after(lambda: [side for _, side in self._sides.values()])
        finally:
            taking.cancel()
            self._end(lambda _: True, "the wall makes no more calls")

    def lost(self, name: str, why: str) -> None:
        """End all calls to a host that is gone, or was restarted."""
        self._end(lambda host: host == name, why)

    def _end(self, chosen: Callable[[str], bool], why: str) -> None:
        for name, side in list(self._sides.values()):
            if chosen(name):
                side.end(why)

    def _connection_changed(self, connected: bool) -> None:
        if not connected:
            for _, side in list(self._sides.values()):
                side.lost("the connection to NATS was lost")

    def _refused(self, refused: str) -> bool:
        """End the call whose subject the server does not permit, and return whether that needs no fix.

        A wall that may only look, such as a display, may not make an operator's calls.
        """
        asked, _, number = refused.rpartition(".")
        if not asked.endswith(f".{self._wall}"):
            return False
        if number.isdecimal() and (found := self._sides.get(int(number))):
            found[1].lost(NOT_PERMITTED)
        return asked.endswith(f".ask.operator.{self._wall}")

    def _take(self, answered: str, frame: bytes, _: str) -> None:
        """Take a message of a host."""
        number = answered.rpartition(".")[2]
        name, side = self._sides.get(int(number) if number.isdecimal() else 0, ("", None))
        # A host that answers for another one is not allowed to by the permissions, and not believed either.
        if side is not None and host_in(answered) == name:
            side.take(frame, asyncio.get_running_loop().time())

    async def asgi(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on to a host; see `tickboard.fleet.link.Link.asgi`.

        Args:
            name: the host's.
            scope: ASGI's, with the path on the host.
            receive: ASGI's.
            send: ASGI's.
        """
        if refusal := why_refused(scope):
            await answer_refusal(scope, send, *refusal)
            return
        if not self._connection.connected:
            await answer_refusal(scope, send, 502, f"{name} cannot be reached: there is no connection to NATS")
            return
        if why := self._why_full(name, is_wall=(caller := caller_of(scope)).is_wall):
            await answer_refusal(scope, send, 503, why)
            return
        number, now = next(self._numbers), asyncio.get_running_loop().time()
        answer = subject(name, "answer", self._wall, str(number))
        side = Side(self._connection, subject(name, "ask", least_role(scope), self._wall, str(number)), answer, now)
        self._sides[number] = name, side
        self._calls[name, caller.is_wall] += 1
        self._of_viewers += not caller.is_wall
        opening = Opening(
            scope["path"],
            "" if scope["type"] == "websocket" else scope["method"],
            scope["query_string"].decode("latin-1"),
            texts(request_headers(scope)),
            list(scope.get("subprotocols", ())),
            caller.name,
            caller.is_wall,
        )
        try:
            serve = self._websocket if scope["type"] == "websocket" else self._http
            await serve(name, side, opening, scope, receive, send)
        finally:
            side.end("the viewer has left")
            del self._sides[number]
            self._calls -= Counter({(name, caller.is_wall): 1})
            self._of_viewers -= not caller.is_wall

    def _why_full(self, name: str, *, is_wall: bool) -> str:
        """Return why a host gets no further call; empty: it does."""
        if not is_wall and self._of_viewers >= MAX_ALL_CALLS:
            return f"the wall has {MAX_ALL_CALLS} calls to its hosts: close some of their boards, or try again"
        most = MAX_OWN_CALLS if is_wall else MAX_CALLS
        if self._calls[name, is_wall] < most:
            return ""
        if is_wall:
            return f"the wall itself has {most} calls to {name}: it tries again"
        return f"{name} has {most} calls from this wall: close some of its boards, or try again"

    # --- requests ---

    async def _http(self, name: str, side: Side, opening: Opening, scope: Scope, receive: Receive, send: Send) -> None:
        if (body := await body_of(scope, receive, send)) is not None:
            await first_of(partial(self._ask, name, side, opening, body, scope, send), partial(until_gone, receive))

    async def _ask(self, name: str, side: Side, opening: Opening, body: bytes, scope: Scope, send: Send) -> None:
        start = await self._start(name, side, opening, body, scope, send)
        if start is None:
            return
        headers = response_headers(raw(start.headers))
        await send({"type": "http.response.start", "status": start.status, "headers": headers})
        more = True
        try:
            while more:
                frame = await side.next()
                if frame.kind != DATA:
                    raise CallOverError("a frame came out of order")
                more = bool(frame.flags & MORE)
                await send({"type": "http.response.body", "body": frame.content, "more_body": more})
        except CallOverError as error:
            raise CutOffError(f"{name} was lost: {error}") from error
        side.lost("complete")

    async def _start(
        self, name: str, side: Side, opening: Opening, body: bytes | None, scope: Scope, send: Send
    ) -> Starting | None:
        """Return the beginning of the answer; None: the viewer got another answer."""
        try:
            async with asyncio.timeout(HEAD_S):
                await side.put(OPEN, encode(opening))
                if body is not None:
                    await side.put(DATA, body)
                start = _starting(await side.next(), is_socket=body is None)
        except TimeoutError:
            await answer_refusal(scope, send, 504, f"{name} does not answer")
            return None
        except CallOverError as error:
            status = 403 if str(error) == NOT_PERMITTED else 502
            await answer_refusal(scope, send, status, f"{name} cannot be reached: {error}")
            return None
        if why := why_useless(name, start.status):
            await answer_refusal(scope, send, 502, why)
            return None
        return start

    # --- WebSockets ---

    async def _websocket(
        self, name: str, side: Side, opening: Opening, scope: Scope, receive: Receive, send: Send
    ) -> None:
        await receive()
        start = await self._start(name, side, opening, None, scope, send)
        if start is None:
            return
        if start.status != ACCEPTED:
            await answer_refusal(scope, send, start.status, await _error_in(side, name))
            return
        # One that was not offered would be written into the answer as the host has sent it.
        chosen = start.subprotocol if start.subprotocol in opening.subprotocols else None
        await send({"type": "websocket.accept", "subprotocol": chosen, "headers": []})
        await first_of(partial(self._to_viewer, side, send), partial(_to_host, side, receive))

    async def _to_viewer(self, side: Side, send: Send) -> None:
        """Pass messages of a host on until it closes the WebSocket, then close the viewer's with the same code."""
        code, reason = BAD_GATEWAY, ""
        try:
            while True:
                frame = await side.next()
                if frame.kind != DATA:
                    code, reason = code_in(frame)
                    code = close_code(code)
                    side.lost("complete")
                    break
                message = frame.content if not frame.flags & MORE else await self._joined(side, frame.content)
                if frame.flags & TEXT:
                    await send({"type": "websocket.send", "text": message.decode()})
                else:
                    await send({"type": "websocket.send", "bytes": message})
        except UnicodeDecodeError:
            code = NOT_UTF8
        except _TooMuchError as error:
            code = error.code
        except CallOverError:
            pass
        await send({"type": "websocket.close", "code": code, "reason": reason})

    async def _joined(self, side: Side, first: bytes) -> bytes:
        """Return a message that comes in pieces.

        Raises:
            CallOverError: the call is over.
            _TooMuchError: it is too long, or too many are joined at the same time.
        """
        content, counted = bytearray(first), 0
        try:
            while True:
                frame = await side.next()
                content += frame.content
                self._joining_bytes += len(content) - counted
                counted = len(content)
                if frame.kind != DATA:
                    raise CallOverError("a frame came out of order")
                if counted > MAX_MESSAGE_BYTES:
                    raise _TooMuchError(TOO_BIG)
                if self._joining_bytes > MAX_JOINING_BYTES:
                    raise _TooMuchError(TRY_AGAIN_LATER)
                if not frame.flags & MORE:
                    return bytes(content)
        finally:
            self._joining_bytes -= counted


class _TooMuchError(Exception):
    """A WebSocket is closed because of a message of its host.

    Args:
        code: the close code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def _to_host(side: Side, receive: Receive) -> None:
    """Pass messages of a viewer on until it closes the WebSocket, then close that of the host with the same code."""
    try:
        while (message := await receive())["type"] != "websocket.disconnect":
            is_text, content = content_of(message)
            await side.put(DATA, content, TEXT if is_text else 0)
    except CallOverError:
        # The other direction knows why.
        await asyncio.Event().wait()
    code = message.get("code")
    side.close_websocket(code if code == close_code(code) else NORMAL, message.get("reason") or "")
    side.lost("complete")


def _starting(frame: CallFrame, *, is_socket: bool) -> Starting:
    """Return the beginning of an answer.

    Raises:
        CallOverError: it is none.
    """
    if frame.kind != START:
        raise CallOverError("a frame came out of order")
    try:
        start = decode_starting(frame.content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CallOverError(f"the beginning of its answer cannot be understood: {error}") from error
    if not (is_socket and start.status == ACCEPTED) and not 200 <= start.status <= 599:
        raise CallOverError(f"its answer has the status {start.status}")
    return start


async def _error_in(side: Side, name: str) -> str:
    """Return the error with which a host refuses a WebSocket."""
    content = b""
    try:
        while len(content) <= MAX_ERROR_BYTES:
            frame = await side.next()
            content += frame.content
            if frame.kind != DATA or not frame.flags & MORE:
                break
    except CallOverError:
        pass
    side.lost("complete")
    return f"{name}: {error_text(content)}"
