"""The probe: asks a board that runs elsewhere for its health, for the health check of a container or a service."""

import contextlib

import httpx
import msgspec

from tickboard.client.authorization import authorized
from tickboard.client.fetch import FAILURES, fetch
from tickboard.errors import InputError
from tickboard.output.secrets import public, redacted, remember_url
from tickboard.output.text import one_line
from tickboard.wire import HealthReason, HealthStatus

PATH = "/api/health"

TIMEOUT_S = 5.0
"""How long an answer may take; Docker's own limit is 30 s."""

STATUSES = (200, 503)
"""The statuses that a board answers with."""

MAX_BYTES = 2**20
"""The most bytes of an answer that are read."""

MAX_LINE = 4096
"""The most characters of the reasons that are printed; Docker keeps as many bytes."""


class _Answer(msgspec.Struct, frozen=True):
    """The fields of an answer that are read. Boards of other versions may send other fields too."""

    status: HealthStatus
    reasons: list[HealthReason] = []


def probe(url: str, timeout_s: float = TIMEOUT_S) -> tuple[bool, str]:
    """Ask a board for its health; return whether it publishes ticks, and one line with its status and the reasons.

    Args:
        url: the address of the page, as ``http://127.0.0.1:3000``, or of its ``/api/health``. A user and a query are
            sent, and never shown.
        timeout_s: how long the whole answer may take.

    Raises:
        InputError: it is not an http or https URL.
    """
    address = health_url(url)
    remember_url(address)
    shown = public(address)
    try:
        fetched = fetch(address, authorized(address, {}, None), timeout_s, MAX_BYTES)
    except FAILURES as error:
        why = one_line(redacted(str(error)), MAX_LINE) or type(error).__name__
        return False, f"failing: {shown} does not answer: {why}"
    answer: _Answer | None = None
    # An answer that cannot be decoded (not UTF-8, nested too deeply) is not that of a board.
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
        InputError: it is not an http or https URL.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise InputError(f"{public(url)!r}: {error}: give a URL as http://127.0.0.1:3000") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise InputError(f"{public(url)!r} is not the URL of a board: give one as http://127.0.0.1:3000")
    path = parsed.path.rstrip("/")
    return str(parsed.copy_with(path=path if path.endswith(PATH) else path + PATH))
