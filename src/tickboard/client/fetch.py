"""Fetching one document of a board that is served elsewhere. Nothing that a server answers is trusted.

An answer is bounded in size and in time. A redirect is followed within its host alone, and what was to be sent with the
request goes to the same server only, or to the same host by https.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import httpx

from tickboard.output.secrets import public

MAX_REDIRECTS = 5
"""Within a host; to another one there are none."""

FAILURES = (httpx.HTTPError, httpx.InvalidURL, ValueError)
"""What `fetch` raises where there is no answer."""


@dataclass(frozen=True)
class Fetched:
    """An answer.

    Attributes:
        status: of HTTP.
        body: its content.
    """

    status: int
    body: bytes


def fetch(address: str, headers: Mapping[str, str], timeout_s: float, most_bytes: int) -> Fetched:
    """Return the answer to a GET.

    It is asked for in a thread that is left to itself when it takes too long: httpx bounds each read, and not how many
    there are, and a name may take as long as it likes to be resolved.

    Args:
        address: with a user and a query, if it needs them.
        headers: sent with it.
        timeout_s: how long the whole answer may take.
        most_bytes: of its content.

    Raises:
        Exception: one of `FAILURES`: there is none, or it is too slow or too large.
    """
    answers: SimpleQueue[Fetched | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(_read(address, headers, timeout_s, most_bytes))
        except Exception as error:  # noqa: BLE001  # it is raised where it is waited for
            answers.put(error)

    threading.Thread(target=ask, name="tickboard fetch", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except Empty:
        raise httpx.ReadTimeout(f"its answer takes over {timeout_s:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _read(address: str, headers: Mapping[str, str], timeout_s: float, most_bytes: int) -> Fetched:
    for _ in range(MAX_REDIRECTS + 1):
        # No proxy of the environment's: what is asked for is this board, mostly on loopback. No compression: a few
        # bytes of a compressed answer may be gigabytes.
        sent = {**headers, "Accept-Encoding": "identity"}
        with httpx.stream("GET", address, headers=sent, timeout=timeout_s, trust_env=False) as answer:
            if answer.next_request is None:
                return Fetched(answer.status_code, _body(answer, most_bytes))
            here, there = httpx.URL(address), answer.next_request.url
            if there.host != here.host:
                raise httpx.ReadError(f"it redirects to {public(str(there))}: give that address, if it is the board's")
        address, headers = str(there), headers if _is_as_safe(here, there) else {}
    raise httpx.TooManyRedirects(f"it redirects more than {MAX_REDIRECTS} times")


def _is_as_safe(here: httpx.URL, there: httpx.URL) -> bool:
    """Return whether what is meant for one address may be sent to another of its host."""
    is_same = (there.scheme, there.port) == (here.scheme, here.port)
    return is_same or (here.scheme == "http" and there.scheme == "https")


def _body(answer: httpx.Response, most_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for piece in answer.iter_raw():
        pieces.append(piece)
        if (size := size + len(piece)) > most_bytes:
            raise httpx.ReadError(f"its answer is longer than {most_bytes} bytes")
    return b"".join(pieces)
