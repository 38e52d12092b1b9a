"""The receiver: sends one request over HTTP, and returns its outcome, whatever the receiver answers.

It follows no redirect, reads only the beginning of an answer, and takes `TIMEOUT_S` at most. The text of an answer is
shown escaped, on one line and without secrets. Nothing here knows ticks or sends anything twice.
"""

import asyncio
import contextlib
import email.utils
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tickboard import __version__
from tickboard.errors import PayloadError
from tickboard.output.secrets import Secret, public
from tickboard.output.text import one_line
from tickboard.problems import described
from tickboard.sending.messages import CONTENT_TYPES, VERSION_HEADERS
from tickboard.sending.options import Version
from tickboard.sources.response_head import ResponseHead

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

TIMEOUT_S = 30.0
"""How long a receiver may take to answer: the default of Prometheus."""

MAX_ANSWER_BYTES = 4_096
"""How many bytes of an answer are read."""

MAX_SHOWN = 200
"""How many characters of an answer are shown."""

MAX_RETRY_AFTER_S = 600.0
"""The longest pause that a receiver may ask for."""

WRITTEN = "x-prometheus-remote-write-samples-written"
_WRITTEN = (WRITTEN, "x-prometheus-remote-write-histograms-written", "x-prometheus-remote-write-exemplars-written")

Kind = Literal["accepted", "refused", "unsupported", "failed"]


@dataclass(frozen=True)
class WriteAnswer:
    """The outcome of a request.

    Attributes:
        kind: accepted; refused for good, at least in part; unsupported, if the receiver does not know the version; or
            failed, so that it may be tried again.
        why: the reason in a few words; empty if it was accepted.
        status: the HTTP status; 0 if there was no answer.
        written: how many samples the receiver reports as written; None if it does not report it.
        retry_after_s: when to try again, if the receiver says so.
        in_doubt: whether a failed request may have been accepted.
    """

    kind: Kind
    why: str = ""
    status: int = 0
    written: int | None = None
    retry_after_s: float | None = None
    in_doubt: bool = False


class Receiver:
    """One address. Call `send` as often as you like, one request at a time, then `close`.

    Args:
        url: where to send; user and password in it are sent as Basic authentication.
        headers: sent with each request.
        timeout_s: how long an answer may take.

    Attributes:
        name: the address, without its secrets.
    """

    def __init__(self, url: Secret, headers: "Mapping[str, str]", timeout_s: float = TIMEOUT_S) -> None:
        # Imported here: a board without a receiver does not need it, and later it would delay ticks.
        import httpx

        self.name = one_line(public(url.reveal()), MAX_SHOWN)
        self._url = str(httpx.URL(url.reveal()))
        self._timeout_s = timeout_s
        self._headers = {**headers, "User-Agent": f"tickboard/{__version__}", "Accept-Encoding": "identity"}
        self._trusted = ssl.create_default_context() if self._url.lower().startswith("https") else False
        self._client: httpx.AsyncClient | None = None
        self._head = ResponseHead()
        self._knows_v2 = False

    async def send(self, body: bytes, version: Version) -> WriteAnswer:
        """Send a request and return its outcome. It raises only when cancelled."""
        import httpx

        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(body, version)
        except (TimeoutError, httpx.TimeoutException):
            why = f"it has not answered within {self._timeout_s:g} s"
            return WriteAnswer("failed", why, in_doubt=True)
        except httpx.ConnectError as error:
            return WriteAnswer("failed", f"it cannot be reached: {_error_text(error)}")
        except Exception as error:  # noqa: BLE001  # whatever the libraries raise, the request has failed
            return WriteAnswer("failed", f"its answer cannot be read: {_error_text(error)}", in_doubt=True)

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                await client.aclose()

    async def _post(self, body: bytes, version: Version) -> WriteAnswer:
        import httpx

        from tickboard.sources.cookies import NoCookies

        if self._client is None:
            # Connect directly, even if the environment names a proxy.
            self._client = httpx.AsyncClient(
                timeout=self._timeout_s,
                verify=self._trusted,
                trust_env=False,
                follow_redirects=False,
                cookies=NoCookies(),
            )
        headers = self._headers | {
            "Content-Type": CONTENT_TYPES[version],
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": VERSION_HEADERS[version],
        }
        self._head.begin()
        async with self._client.stream(
            "POST", self._url, content=body, headers=headers, extensions={"trace": self._head.trace}
        ) as answer:
            text = await _beginning(answer)
            return self._outcome(answer, text, version)

    def _outcome(self, answer: "httpx.Response", text: str, version: Version) -> WriteAnswer:
        status, written = answer.status_code, _written(answer)
        counts_written = any(name in answer.headers for name in _WRITTEN)
        if version == "2.0":
            if status == 415 or (not counts_written and (answer.is_success or (status == 400 and not self._knows_v2))):
                # A receiver of 1.0 that ignores the content type mistakes a request of 2.0 for an empty one.
                return WriteAnswer("unsupported", status=status)
            self._knows_v2 = self._knows_v2 or counts_written
        if answer.is_success:
            return WriteAnswer("accepted", status=status, written=written)
        why = f"it answers {status} {one_line(answer.reason_phrase, 80)}".rstrip()
        if text:
            why = f"{why}: {text}"
        if answer.has_redirect_location:
            where = one_line(public(answer.headers["Location"]), MAX_SHOWN)
            return WriteAnswer("failed", f"{why}: use the address that it redirects to, {where}", status)
        if answer.is_client_error and status != 429:
            return WriteAnswer("refused", why, status, written)
        # A receiver that fails may have accepted some of it.
        return WriteAnswer("failed", why, status, retry_after_s=_retry_after(answer), in_doubt=answer.is_server_error)


async def _beginning(answer: "httpx.Response") -> str:
    """Return the beginning of an answer's text, on one line."""
    found = b""
    # Not decompressed: we asked for no coding. Unread data closes the connection.
    async for chunk in answer.aiter_raw():
        found += chunk[: MAX_ANSWER_BYTES - len(found)]
        if len(found) >= MAX_ANSWER_BYTES:
            break
        # Thousands of chunks of one byte may have arrived at once.
        await asyncio.sleep(0)
    return one_line(found.decode(errors="replace").strip(), MAX_SHOWN)


def _written(answer: "httpx.Response") -> int | None:
    text = answer.headers.get(WRITTEN, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _retry_after(answer: "httpx.Response") -> float | None:
    """Return how many seconds the answer asks to wait, or None."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 19:
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        at = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    # The header is an instant.
    return min(max(at - time.time(), 0.0), MAX_RETRY_AFTER_S)


def _error_text(error: Exception) -> str:
    if isinstance(error, PayloadError):
        return str(error)
    return one_line(str(error), MAX_SHOWN) or described(error)
