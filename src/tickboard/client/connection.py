"""The connection to a board: its handshake, the meaning of its failures, and when to try again."""

import random
import re
import ssl
from collections.abc import Mapping

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    SecurityError,
)
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from tickboard.client.authorization import may_follow
from tickboard.client.decoder import ProtocolError
from tickboard.output.secrets import public, redacted
from tickboard.output.text import one_line
from tickboard.wire import ErrorBody

SUBPROTOCOL = Subprotocol("tickboard.v2")


MAX_MESSAGE_BYTES = 2**28
"""The longest message that is accepted, 256 MiB: it bounds the memory that a faulty server can use in this process.

The longest message of a board is a window. A window of 60 ticks has 48 MB with 200,000 series, the most a board can
have. A window of a million ticks, the longest, fits with up to 64 series; for more, subscribe to fewer at a time.
"""


CLOSE_TIMEOUT_S = 2.0
"""How long closing waits for the server's close frame, in seconds."""


FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 10.0
"""The bounds of the pause between two attempts to connect."""


MAX_REASON = 500
"""The most characters of the reason for a failed connection that are shown."""


LONGEST_RETRY_AFTER_S = 300.0
"""The longest ``Retry-After`` of a server that is obeyed; a longer one counts as this."""


LOST = (OSError, ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidURI, ProtocolError)
"""The exceptions of opening and reading if there is no connection or it was lost."""


async def open_connection(address: str, headers: Mapping[str, str]) -> ClientConnection:
    """Open a connection, with headers in its handshake, and return it; raises `LOST`."""
    # The library does flow control: with 16 unread messages it stops reading, and the server sends this slow viewer
    # less. It also sends the pings that detect a server that has vanished.
    try:
        connection = await _Opening(
            address,
            additional_headers=headers,
            subprotocols=[SUBPROTOCOL],
            compression=None,  # floats hardly compress, and the server does not offer it
            max_size=MAX_MESSAGE_BYTES,
            close_timeout=CLOSE_TIMEOUT_S,
        )
    except ValueError as error:
        raise ProtocolError(f"it redirects to an invalid address: {error}") from error
    if connection.subprotocol != SUBPROTOCOL:
        await connection.close(1002)
        raise ProtocolError(f"it does not support {SUBPROTOCOL}")
    return connection


class _Opening(open_websocket):
    """A handshake that follows redirects on the same host only: no server sends this process to another machine."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        # It removes credentials if the scheme or the port differ, too.
        headers, found = self.additional_headers, super().process_redirect(exc)
        if isinstance(found, str):
            there = parse_uri(found)
            if there.host != self.ws_uri.host:
                return SecurityError(f"it redirects to {public(found)}: give that address, if it is the board's")
            if may_follow((self.ws_uri.secure, self.ws_uri.port), (there.secure, there.port)):
                self.additional_headers = headers
        return found


def may_pass(error: Exception) -> bool:
    """Return whether the failure of a first connection may be temporary."""
    match error:
        case InvalidStatus():
            return error.response.status_code >= 500 or error.response.status_code in {408, 425, 429}
        case InvalidMessage():
            # The connection was lost before there was a response.
            return isinstance(error.__cause__, EOFError)
        case ssl.SSLCertVerificationError() | InvalidHandshake() | InvalidProxy() | InvalidURI() | ProtocolError():
            return False
    return True


def explain_failure(address: str, error: Exception) -> str:
    """Return the message for a first connection that failed permanently, and how to fix it."""
    fix = "give the address that you open in a browser"
    if isinstance(error, InvalidStatus) and error.response.status_code in {401, 403, 421}:
        fix = (
            "check whether the board needs a token (token= or TICKBOARD_TOKEN), a proxy in front of it a login, or the "
            "server an --allow-host"
        )
    elif isinstance(error, ssl.SSLError):
        fix = "use the name that the certificate is for, and one that this machine trusts"
    elif isinstance(error, InvalidProxy):
        fix = "check the proxy settings in this process's environment"
    elif isinstance(error, ProtocolError):
        fix = "the board must be Tickboard 0.1 or newer, and a proxy in between must pass on Sec-WebSocket-Protocol"
    return f"cannot watch {public(address)}: {reason(error)}; {fix}"


def reason(error: Exception) -> str:
    """Return why a connection failed, on one line."""
    if isinstance(error, InvalidStatus):
        text = error_text(error.response.body or b"")
        detail = f" ({text})" if text else ""
        return f"the server answered {error.response.status_code}{detail}"
    if isinstance(error, ConnectionClosed) and error.sent is not None and error.sent.code == 1009:
        return f"it sent a message of more than {MAX_MESSAGE_BYTES} bytes (ask for fewer metrics)"
    return one_line(redacted(str(error)), MAX_REASON) or type(error).__name__


def error_text(body: bytes | bytearray) -> str:
    """Return the message of an error response, on one line: a board's error, or another server's text."""
    try:
        text = msgspec.json.decode(body, type=ErrorBody).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body[:MAX_REASON].decode(errors="replace")
    lines = text.splitlines()
    first = redacted(lines[0].strip())[:MAX_REASON] if lines else ""
    return first if first.isprintable() and "<" not in first else ""


def pause_after(error: Exception, attempts: int, rng: random.Random | None = None) -> float:
    """Return how many seconds to wait before the next attempt.

    The pause is random, so that a thousand clients of a restarted server do not reconnect at once; its upper bound
    doubles with every attempt. A full server's ``Retry-After`` is added.

    Args:
        error: the failure of the last attempt.
        attempts: how many attempts have failed since the last success.
        rng: the source of randomness.
    """
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempts + 1, 16))
    pause_s = (rng or random).uniform(FIRST_PAUSE_S, longest)
    retry_after = error.response.headers.get("Retry-After", "") if isinstance(error, InvalidStatus) else ""
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        pause_s += min(float(retry_after), LONGEST_RETRY_AFTER_S)
    return pause_s
