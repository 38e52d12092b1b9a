"""Fetching a document from a board that runs elsewhere, without trusting the server.

The size of an answer and the time it takes are limited. Redirects are followed only within a host, and headers are sent
on only to the same port, or from HTTP to HTTPS on their own ports.
"""

import ssl
import threading
from collections.abc import Mapping
from queue import Empty, SimpleQueue

import httpx
from msgspec import Struct

from tickboard.client.authorization import may_follow
from tickboard.output.secrets import public

MAX_REDIRECTS = 5
"""The most redirects that are followed for one document, all within its host."""

FAILURES = (httpx.HTTPError, httpx.InvalidURL, ValueError)
"""The exceptions that `fetch` raises."""


class Fetched(Struct, frozen=True):
    """An answer of a server.

    Attributes:
        status: the HTTP status.
        body: the content.
    """

    status: int
    body: bytes


def fetch(
    address: str,
    headers: Mapping[str, str],
    timeout_s: float,
    most_bytes: int,
    body: bytes | None = None,
    method: str = "",
) -> Fetched:
    """Send a request and return the answer.

    The request runs in a thread of its own, which is abandoned if it takes too long: httpx limits the time of each
    read, but neither the number of reads nor the time to resolve a name.

    Args:
        address: the URL; a user and a password in it are sent.
        headers: sent with the request.
        timeout_s: the longest that the whole answer may take, in seconds.
        most_bytes: the most bytes of content that are read.
        body: the JSON to send; None: nothing.
        method: of the request; empty: GET, or POST with a body.

    Raises:
        Exception: one of `FAILURES`: there is no answer, or it is too slow or too large.
    """
    answers: SimpleQueue[Fetched | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_read(method, address, headers, timeout_s, most_bytes, body))
        except Exception as error:  # noqa: BLE001  # raised below, in the calling thread
            answers.put(error)

    threading.Thread(target=ask, name="tickboard fetch", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except Empty:
        raise httpx.ReadTimeout(f"its answer takes over {timeout_s:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _read(
    method: str, address: str, headers: Mapping[str, str], timeout_s: float, most_bytes: int, body: bytes | None
) -> Fetched:
    method = method or ("GET" if body is None else "POST")
    for _ in range(MAX_REDIRECTS + 1):
        # Trust the system's certificates, or those of SSL_CERT_FILE. No proxy from the environment, since most boards
        # are on loopback. No compression, since a few bytes may unfold to gigabytes.
        trusted = ssl.create_default_context() if address.lower().startswith("https") else False
        sent = {**headers, "Accept-Encoding": "identity"}
        if body is not None:
            sent["Content-Type"] = "application/json"
        with httpx.stream(
            method, address, headers=sent, content=body, timeout=timeout_s, verify=trusted, trust_env=False
        ) as answer:
            if answer.next_request is None:
                return Fetched(answer.status_code, _body(answer, most_bytes))
            here, there = httpx.URL(address), answer.next_request.url
            if there.host != here.host or answer.next_request.method != method:
                raise httpx.ReadError(f"it redirects to {public(str(there))}: give that address, if it is the board's")
        address, headers = str(there), headers if may_follow(_server(here), _server(there)) else {}
    raise httpx.TooManyRedirects(f"it redirects more than {MAX_REDIRECTS} times")


def _server(url: httpx.URL) -> tuple[bool, int]:
    """Return whether the server of a URL has TLS, and its port."""
    is_secure = url.scheme == "https"
    return is_secure, url.port or (443 if is_secure else 80)


def _body(answer: httpx.Response, most_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in answer.iter_raw():
        pieces.append(piece)
        if (size := size + len(piece)) > most_bytes:
            raise httpx.ReadError(f"its answer is longer than {most_bytes} bytes")
    return b"".join(pieces)
