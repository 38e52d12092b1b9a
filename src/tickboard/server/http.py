"""The HTTP connection under ``tickboard run``: uvicorn's, whose response can be taken over.

A response without end needs nothing of HTTP any more once its head is sent. So the connection offers its transport, as
that for WebSockets does, with the scope's extension `DIRECT`; see `tickboard.server.connection`. It is to be taken when
the response has started; None then means that the content must be sent as usual. A request has one function more, to be
called before the response starts:

- ``last()``: the response is the connection's last, and ends where the connection ends. It says ``Connection: close``
  and has no transfer coding (RFC 9112, section 6.3), so that what follows its head are the bytes of the content alone,
  for HTTP/1.0 as for 1.1.
"""

import sys
from asyncio import Transport
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tickboard.server.connection import DIRECT, Taken


class HttpConnection(HttpToolsProtocol):
    """uvicorn's connection, with the offer."""

    def on_headers_complete(self) -> None:
        """Take a request's head, and offer the transport to the application."""
        before = self.cycle
        super().on_headers_complete()
        cycle = self.cycle
        # The head of a WebSocket's handshake makes no cycle; and see `Connection.handle_connect`.
        if cycle is before or self.scheme != "http" or sys.platform == "win32":
            return
        offer: dict[str, Any] = {"connections": self.connections, "on_end": [], "handed_over": False, "ended": False}
        offer |= {"last": partial(_last, cycle), "take": partial(self._take, cycle, offer)}
        extensions: dict[str, Any] = {DIRECT: offer}
        self.scope["extensions"] = extensions

    def _take(self, cycle: RequestResponseCycle, offer: dict[str, Any]) -> Transport | None:
        if not cycle.response_started or self.transport.is_closing():
            # Something between the application and this connection holds the head back: the content goes that way, too.
            cycle.chunked_encoding = None
            return None
        # For uvicorn the response is over.
        cycle.response_complete = True
        cycle.transport = Taken()
        self.server_state.total_requests += 1
        # Requests that came behind this one get no answer, and reading may have been paused for them.
        self.pipeline.clear()
        self.flow.resume_reading()
        self.connections.discard(self)
        offer["handed_over"] = True
        # What holds this connection, which is ten times as large as what takes its place.
        del offer["last"], offer["take"]
        self.parser = None  # type: ignore[assignment]  # as uvicorn itself does at the end
        return self.transport


def _last(cycle: RequestResponseCycle) -> None:
    cycle.keep_alive = False
    cycle.chunked_encoding = False
