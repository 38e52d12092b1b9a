"""The probe: asks a board that is served elsewhere how it is, as a container's or a service's health check does."""

import contextlib

import httpx
import msgspec

from tickboard.client.fetch import FAILURES, fetch
from tickboard.errors import InputError
from tickboard.output.secrets import public, redacted, remember_url
from tickboard.output.text import one_line
from tickboard.wire import HealthReason, HealthStatus

PATH = "/api/health"

TIMEOUT_S = 5.0
"""How long an answer may take; Docker's own limit is 30 s."""

STATUSES = (200, 503)
"""Of the answer of a board."""

MAX_BYTES = 2**20
"""Bytes of an answer that are read."""

MAX_LINE = 4096
"""Characters of its reasons that are printed; Docker keeps as many bytes."""


class _Answer(msgspec.Struct, frozen=True):
    """What is read of an answer: boards of other versions have other fields beside these."""

    status: HealthStatus
    reasons: list[HealthReason] = []


def probe(url: str, timeout_s: float = TIMEOUT_S) -> tuple[bool, str]:
    """Ask a board for its health; return whether ticks are published, and one line that says how it is.

    Args:
        url: of the page, as ``http://127.0.0.1:3000``, or of its ``/api/health``; a user and a query are sent, and
            never shown.
        timeout_s: how long the whole answer may take.

    Raises:
        InputError: it is no http or https URL.
    """
    address = health_url(url)
    remember_url(address)
    shown = public(address)
    try:
        fetched = fetch(address, {}, timeout_s, MAX_BYTES)
    except FAILURES as error:
        why = one_line(redacted(str(error)), MAX_LINE) or type(error).__name__
        return False, f"failing: {shown} does not answer: {why}"
    answer: _Answer | None = None
    # Whatever it sends is not as a board's if it cannot be read: no UTF-8, nested too deeply.
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = msgspec.json.decode(fetched.body, type=_Answer)
    if answer is None or fetched.status not in STATUSES:
        fix = "give the board's address as a browser opens it, with its path"
        return False, f"failing: {shown} answers with status {fetched.status}, so it is not a board: {fix}"
    reasons = one_line("; ".join(f"{reason.source}: {reason.message}" for reason in answer.reasons), MAX_LINE)
    return answer.status != "failing", f"{answer.status}: {reasons}" if reasons else answer.status


def health_url(url: str) -> str:
    """Return the address of a board's health.

    Raises:
        InputError: it is no http or https URL.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise InputError(f"{public(url)!r}: {error}: give a URL as http://127.0.0.1:3000") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise InputError(f"{public(url)!r} is not the URL of a board: give one as http://127.0.0.1:3000")
    path = parsed.path.rstrip("/")
    return str(parsed.copy_with(path=path if path.endswith(PATH) else path + PATH))
