"""Framing: tracks where a client is in its requests, and limits their heads and bodies.

It counts bytes and checks headers, without a socket, a parser or a clock. `tickboard.server.uvicorn.http` cuts received
data into pieces at `Framing.end_of_piece`, passes each to the parser, and reports here what the parser finds. A broken
rule raises `Refusal`. A parser hides the exceptions of its callbacks, so `Framing.refusal` remembers them.
"""

from tickboard.hub.traffic import Reason
from tickboard.server.requests.targets import origin_form
from tickboard.server.uvicorn.gate import MAX_HEAD_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL_BYTES, Refusal

PIECE_BYTES, MOST_PIECE_BYTES = 256, 16_384
"""The sizes of a piece of a chunked body. It is small so that few requests after its end, and few one-byte chunks, fit
into one piece."""

HEAD_END = b"\r\n\r\n"

NOTHING, HEAD, CONTENT, CHUNKS = range(4)
"""What the parser is reading: nothing, a head, a body of known length, a body in chunks."""


class Framing:
    """The state of one client's data.

    Attributes:
        head_bytes: the bytes of the current head so far; 0 if none has begun.
        content: the bytes of the body so far, without the chunked coding.
    """

    __slots__ = (
        "_at",
        "_chunked",
        "_codings",
        "_content_before",
        "_host",
        "_in_head",
        "_length",
        "_overhead",
        "_refused",
        "_since_content",
        "content",
        "head_bytes",
    )

    def __init__(self) -> None:
        self._at = NOTHING
        self.head_bytes = self.content = 0
        self._length = self._overhead = self._since_content = self._content_before = 0
        self._chunked = self._in_head = False
        self._host = b""
        self._codings: list[bytes] = []
        self._refused: Refusal | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no message has begun."""
        return self._at == NOTHING

    @property
    def in_body(self) -> bool:
        """Whether a body is being sent."""
        return self._at >= CONTENT

    @property
    def has_body(self) -> bool:
        """Whether the head that has just ended declares a body."""
        return self._chunked or self._length > 0

    # --- pieces ---

    def end_of_piece(self, data: bytes, at: int) -> int:
        """Return where the next piece ends: after one head, or a part of a body that contains no further head."""
        if self._at == CONTENT:
            return min(len(data), at + self._length - self.content)
        if self._at == CHUNKS:
            most = min(len(data), at + MOST_PIECE_BYTES)
            end = data.find(HEAD_END, at + PIECE_BYTES, most)
            return most if end < 0 else end + len(HEAD_END)
        end = data.find(HEAD_END, at)
        end = len(data) if end < 0 else end + len(HEAD_END)
        return min(end, at + MAX_HEAD_BYTES + 1 - self.head_bytes)

    def begin_piece(self, size: int) -> None:
        """Count a piece that the parser is about to read."""
        self._in_head = not self.in_body
        self._content_before = self.content
        if self._in_head:
            self._at = HEAD
            self.head_bytes += size

    def end_piece(self, size: int) -> None:
        """Check the limits after the parser has read a piece.

        Raises:
            Refusal: the head is too large, or a body in chunks is mostly not content.
        """
        if self._in_head:
            if self._at == HEAD and self.head_bytes > MAX_HEAD_BYTES:
                raise self._too_large("the head of the request", MAX_HEAD_BYTES)
        elif self._at == CHUNKS:
            self._count_overhead(size, self.content - self._content_before)

    def refusal(self, piece: bytes, error: Exception) -> Refusal:
        """Return how to refuse a piece that the parser stopped at."""
        if self._refused is not None:
            return self._refused
        if self._in_head and piece.startswith(b"\x16\x03"):
            return Refusal(400, "malformed", "this port speaks HTTP, not TLS: use http://")
        if self._in_head and "PRI" in str(error):
            return Refusal(400, "malformed", "this port speaks HTTP/1.1, not HTTP/2")
        return Refusal(400, "malformed", f"this is not an HTTP/1.1 request: {error}")

    def _count_overhead(self, sent: int, content: int) -> None:
        """Limit the overhead of a chunked body: extensions, trailers and very many chunks."""
        self._overhead += sent - content
        self._since_content = 0 if content else self._since_content + sent
        if max(self._overhead - self.content, self._since_content) > MAX_HEAD_BYTES:
            raise self._refuse(400, "malformed", "the chunks of the body are mostly not content: send larger ones")

    # --- events of the parser ---

    def begin_message(self) -> None:
        """Start a request."""
        self._at = HEAD
        self.head_bytes = self.head_bytes or 1
        self._length = 0
        self._chunked = False
        self._host = b""
        self._codings = []

    def take_url(self, url: bytes) -> None:
        """Check the URL as far as it was received.

        Raises:
            Refusal: it is too long.
        """
        if len(url) > MAX_URL_BYTES:
            raise self._refuse(414, "too_large", f"the URL has more than {MAX_URL_BYTES} bytes: ask for less at a time")

    def take_header(self, name: bytes, value: bytes, before: int) -> bool:
        """Check a header; return False if it must be dropped.

        Headers after a body are dropped: nothing may change a head that was already checked.

        Args:
            name: the header's name in lower case.
            value: its value.
            before: how many headers preceded it.

        Raises:
            Refusal: it is too large, or one too many.
        """
        if self._at == CHUNKS:
            return False
        if before == MAX_HEADERS:
            raise self._refuse(431, "too_large", f"the request has more than {MAX_HEADERS} headers: send fewer")
        if len(name) + len(value) > MAX_HEADER_BYTES:
            raise self._too_large("a header", MAX_HEADER_BYTES)
        if name == b"content-length":
            self._length = int(value)
        elif name == b"transfer-encoding":
            self._codings.append(value.strip().lower())
        elif name == b"host":
            self._host = value
        return True

    def end_head(self, method: bytes, url: bytes, version: str, *, upgrades: bool) -> bytes:
        """End a head; return the URL in the form that the application gets.

        Raises:
            Refusal: the head is ambiguous, and a server must not guess.
        """
        self.head_bytes = 0
        if version not in {"1.0", "1.1"}:
            raise self._refuse(400, "malformed", "this port speaks HTTP/1.1")
        try:
            url = origin_form(method, url, self._host)
        except Refusal as refusal:
            self._refused = refusal
            raise
        if self._codings:
            if self._codings != [b"chunked"] or version == "1.0":
                raise self._refuse(400, "malformed", "Transfer-Encoding: send only chunked, in HTTP/1.1")
            self._chunked = True
        if upgrades and self.has_body:
            raise self._refuse(400, "malformed", "a request with a body cannot use Upgrade")
        return url

    def begin_body(self) -> None:
        """Start a body."""
        self._at = CHUNKS if self._chunked else CONTENT
        self.content = self._overhead = self._since_content = 0

    def end_message(self) -> None:
        """End a request."""
        self._at = NOTHING

    def _refuse(self, status: int, reason: Reason, message: str) -> Refusal:
        self._refused = Refusal(status, reason, message)
        return self._refused

    def _too_large(self, what: str, most: int) -> Refusal:
        return self._refuse(431, "too_large", f"{what} has more than {most} bytes: send less")
