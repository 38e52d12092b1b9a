"""The host's side of calls: each becomes a connection of the host's own ASGI application, with the caller's role.

The role is a part of the subject, so that a NATS server's permissions decide which roles a wall may use, and the table
of routes says what a role may do. The application runs in a task of its own, and sees that a wall has gone as it sees
that any client has. Calls are limited in number and in what they hold in memory.
"""

import asyncio
from collections.abc import Callable
from typing import Any, get_args

import msgspec
from starlette.types import ASGIApp, Message, Scope

from tickboard.fleet.caller import CALLER, MAX_NAME, Caller, CallerRole
from tickboard.fleet.calls import (
    CREDIT,
    DATA,
    END,
    HEADER,
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
    decode_opening,
    look_after,
    raw,
    texts,
)
from tickboard.fleet.messages import subject
from tickboard.fleet.passing import MAX_CALLS, RETRY_AFTER_S, TOO_BIG, request_headers, response_headers, why_refused
from tickboard.output.logs import log
from tickboard.output.text import one_line
from tickboard.wire import ErrorBody, encode

KEPT_CALLS = 20
"""How many more it serves for what walls ask for themselves: each reads the alerts, and fills holes."""

MAX_MESSAGE_BYTES = 2**20
"""The longest WebSocket message from a viewer; a board reads much shorter ones."""

LINGER_S = 2.0
"""How long the application has to end a call that is over, before it is cancelled, and again before it is abandoned."""

NOT_UTF8, FAILED = 1007, 1011
"""Close codes (RFC 6455, section 7.4.1)."""

Identify = Callable[[Scope, Caller], None]
"""Puts into a scope what the application reads of who asks."""


class HostCalls:
    """Serves the calls to one host. A supervisor keeps `run` running while the host publishes under its name.

    Args:
        connection: to NATS.
        name: the host's.
        app: its board, with the routes of the table.
        identify: see `Identify`.

    Attributes:
        refused: how many calls were refused because there were too many.
    """

    def __init__(self, connection: Subscribable, name: str, app: ASGIApp, identify: Identify) -> None:
        self.refused = 0
        self.app = app
        self.identify = identify
        self._connection = connection
        self._name = name
        self._calls: dict[str, _Call] = {}
        connection.watch(self._connection_changed)

    def __len__(self) -> int:
        """The number of open calls."""
        return len(self._calls)

    async def run(self) -> None:
        """Serve calls until cancelled."""
        taking = self._connection.subscribe(subject(self._name, "ask", "*", "*", "*"), self._take)
        try:
            await look_after(lambda: [call.side for call in self._calls.values()])
        finally:
            taking.cancel()
            for call in list(self._calls.values()):
                call.side.end("the host serves no more calls")

    def _connection_changed(self, connected: bool) -> None:
        if not connected:
            for call in list(self._calls.values()):
                call.side.lost("the connection to NATS was lost")

    def _take(self, asked: str, frame: bytes, _: str) -> None:
        """Take a message of a wall."""
        now = asyncio.get_running_loop().time()
        call = self._calls.get(asked)
        if call is not None:
            call.side.take(frame, now)
        elif len(frame) >= HEADER.size:
            role, wall, number = asked.split(".")[-3:]
            side = Side(self._connection, subject(self._name, "answer", wall, number), asked, now)
            kind, _, _, place = HEADER.unpack_from(frame)
            if kind == OPEN and place == 1 and role in get_args(CallerRole):
                self._open(asked, side, frame, role, wall, now)
            elif kind not in {CREDIT, END}:
                # It may be of a call to the process before this one.
                side.end("the host does not know this call")

    def _open(self, asked: str, side: Side, frame: bytes, role: Any, wall: str, now: float) -> None:
        limit = MAX_CALLS + (KEPT_CALLS if _is_of_wall(frame) else 0)
        if len(self._calls) >= limit:
            self.refused += 1
            headers = [("retry-after", str(RETRY_AFTER_S)), ("content-type", "application/json")]
            side.put_now(START, encode(Starting(503, headers)))
            side.put_now(
                DATA, encode(ErrorBody(f"{self._name} has {len(self._calls)} calls: try again in a few seconds"))
            )
            return
        side.take(frame, now)
        call = self._calls[asked] = _Call(self, side, role, wall)
        task = asyncio.create_task(call.serve(), name="tickboard call")
        # The dictionary keeps the call, and so its task.
        call.task = task
        task.add_done_callback(lambda _: self._calls.pop(asked, None))


class _Call:
    """One call, from its opening to its end."""

    def __init__(self, host: HostCalls, side: Side, role: CallerRole, wall: str) -> None:
        self.side = side
        self.task: asyncio.Task[None] | None = None
        self._host = host
        self._role = role
        self._wall = wall

    async def serve(self) -> None:
        """Serve the call."""
        try:
            scope = self._scope(decode_opening((await self.side.next()).content))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self.side.end(f"its opening cannot be understood: {error}")
            return
        exchange = _Exchange(self.side, scope["type"])
        try:
            if refusal := why_refused(scope):
                await exchange.answer_error(*refusal)
                return
            self._host.identify(scope, scope[CALLER])
            await exchange.finish(await self._run(scope, exchange))
        except CallOverError:
            return
        finally:
            self.side.end("the host has ended the call") if exchange.is_cut_off else self.side.lost("complete")

    def _scope(self, opening: Opening) -> Scope:
        caller = Caller(self._role, one_line(opening.name, MAX_NAME).strip())
        common: Scope = {
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "path": opening.path,
            "raw_path": b"",
            "root_path": "",
            "query_string": opening.query.encode("latin-1", errors="replace"),
            "headers": [],
            # For limits: each person of a wall has their own.
            "client": (f"{caller.name or 'somebody'} on wall {self._wall}", 0),
            "server": None,
            CALLER: caller,
        }
        common["headers"] = request_headers({"headers": raw(opening.headers)})
        if opening.method:
            return {**common, "type": "http", "scheme": "http", "method": opening.method}
        extensions: dict[str, object] = {"websocket.http.response": {}}
        kind = {"type": "websocket", "scheme": "ws", "subprotocols": opening.subprotocols, "extensions": extensions}
        return {**common, **kind}

    async def _run(self, scope: Scope, exchange: "_Exchange") -> BaseException | None:
        """Run the application; return its exception."""
        app = asyncio.ensure_future(self._host.app(scope, exchange.receive, exchange.send))
        over = asyncio.create_task(self.side.over.wait())
        try:
            await asyncio.wait([app, over], return_when=asyncio.FIRST_COMPLETED)
            if not app.done():
                await asyncio.wait([app], timeout=LINGER_S)
        finally:
            over.cancel()
            if not app.done():
                app.cancel()
                await asyncio.wait([app], timeout=LINGER_S)
        if not app.done():
            log.warning("a call does not end although it was cancelled; it is abandoned")
            return None
        error = asyncio.CancelledError("something else cancelled it") if app.cancelled() else app.exception()
        if error is not None and not self.side.over.is_set():
            log.error("the call %s failed", scope["path"], exc_info=error)
        return error


def _is_of_wall(frame: bytes) -> bool:
    """Return whether a wall opens a call for itself."""
    try:
        return decode_opening(frame[HEADER.size :]).wall
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


class _Exchange:
    """ASGI's `receive` and `send` of one call.

    Attributes:
        is_cut_off: whether the wall does not know yet how the call has ended.
    """

    def __init__(self, side: Side, kind: str) -> None:
        self.is_cut_off = True
        self._side = side
        self._is_socket = kind == "websocket"
        self._connected = self._began = self._accepted = self._has_body = False

    # --- receiving ---

    async def receive(self) -> Message:
        """Return the next message for the application."""
        try:
            return await (self._from_viewer() if self._is_socket else self._of_request())
        except CallOverError:
            return {"type": "websocket.disconnect", "code": 1006, "reason": ""} if self._is_socket else GONE

    async def _of_request(self) -> Message:
        if self._has_body:
            await self._side.over.wait()
            return GONE
        frame = await self._data()
        self._has_body = not frame.flags & MORE
        return {"type": "http.request", "body": frame.content, "more_body": not self._has_body}

    async def _from_viewer(self) -> Message:
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        content = bytearray()
        while True:
            frame = await self._data()
            if frame.kind != DATA:
                code, reason = code_in(frame)
                return {"type": "websocket.disconnect", "code": code, "reason": reason}
            content += frame.content
            if len(content) > MAX_MESSAGE_BYTES:
                raise self._break(TOO_BIG, f"a message has more than {MAX_MESSAGE_BYTES} bytes")
            if not frame.flags & MORE:
                break
        if not frame.flags & TEXT:
            return {"type": "websocket.receive", "bytes": bytes(content)}
        try:
            return {"type": "websocket.receive", "text": content.decode()}
        except UnicodeDecodeError:
            raise self._break(NOT_UTF8, "a message is not UTF-8") from None

    async def _data(self) -> CallFrame:
        frame = await self._side.next()
        if frame.kind in {OPEN, START} or (frame.kind != DATA and not self._is_socket):
            raise self._break(FAILED, "a frame came out of order")
        return frame

    def _break(self, code: int, why: str) -> CallOverError:
        """End the call because of what the wall has sent."""
        self._side.close_websocket(code, why)
        self._side.end(why)
        return CallOverError(why)

    # --- sending ---

    async def send(self, message: Message) -> None:
        """Send a message of the application.

        Raises:
            ConnectionResetError: the wall has gone.
        """
        try:
            await self._send(message)
        except CallOverError as error:
            raise ConnectionResetError(str(error)) from None

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                await self._start(message["status"], message.get("headers", ()))
            case "http.response.body" | "websocket.http.response.body":
                more = message.get("more_body", False)
                if message.get("body", b"") or not more:
                    await self._side.put(DATA, message.get("body", b""), MORE if more else 0)
                self.is_cut_off = self.is_cut_off and more
            case "websocket.accept":
                self._accepted = True
                self._began = True
                await self._side.put(START, encode(Starting(101, [], message.get("subprotocol"))))
            case "websocket.close" if not self._accepted:
                await self.answer_error(403, "the host has refused the WebSocket")
            case "websocket.close":
                self._side.close_websocket(message.get("code", 1000), message.get("reason") or "")
                self.is_cut_off = False
            case "websocket.send":
                text = message.get("text")
                if text is None:
                    await self._side.put(DATA, message.get("bytes") or b"")
                else:
                    await self._side.put(DATA, text.encode(errors="replace"), TEXT)

    async def _start(self, status: int, headers: Any) -> None:
        self._began = True
        await self._side.put(START, encode(Starting(status, texts(response_headers(headers)))))

    async def answer_error(self, status: int, why: str) -> None:
        """Answer with an error."""
        await self._start(status, [(b"content-type", b"application/json"), (b"cache-control", b"no-store")])
        await self._side.put(DATA, encode(ErrorBody(why)))
        self.is_cut_off = False

    async def finish(self, error: BaseException | None) -> None:
        """Send what the application has left out when it ended."""
        if not self._began:
            await self.answer_error(500, "the host has failed: its log says why")
        elif self._accepted and self.is_cut_off:
            self._side.close_websocket(1000 if error is None else FAILED, "")
            self.is_cut_off = False


GONE: Message = {"type": "http.disconnect"}
