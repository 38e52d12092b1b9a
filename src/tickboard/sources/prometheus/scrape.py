"""Scraping: asks a target for its metrics, as Prometheus does, and reads what it says."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from tickboard import schedule
from tickboard.errors import InputError
from tickboard.intake import Intake, Source
from tickboard.sources.prometheus.exposition import Exposition

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 32 * 2**20
"""Of an answer, undone of its compression."""

ACCEPT = "application/openmetrics-text;version=1.0.0;q=1,text/plain;version=0.0.4;q=0.9,*/*;q=0.1"

Tell = Callable[[str, str | None], None]
"""Takes the name of a target and what is wrong with it; None: nothing is any more."""


class _FailedError(Exception):
    """A target has said nothing that can be used; says why."""


class Scrape:
    """One target: `sample` again and again, then `close`.

    Its series get the labels ``instance`` (its host and port) and, where one is given, ``job``. ``scrape_up`` (1 or 0)
    and ``scrape_duration`` (s), with the same labels, say how the last scrape went.

    Args:
        intake: where to write.
        url: of the target's metrics; a name and password in it are sent, and never shown.
        tell: what is done with what is wrong.
        job: what several targets have in common.
        timeout: how long an answer may take, as ``"5s"``.
        headers: sent with each request, as ``{"Authorization": "Bearer …"}``; never shown.
        verify: whether the certificate of an https target must be valid.

    Attributes:
        name: what it is called where people see it: the URL as it may be shown.

    Raises:
        InputError: the URL or the timeout is none, or the target is scraped already.
    """

    def __init__(
        self,
        intake: Intake,
        url: str,
        tell: Tell,
        *,
        job: str = "",
        timeout: str = "5s",
        headers: Mapping[str, str] | None = None,
        verify: bool = True,
    ) -> None:
        host = _place(url)
        self.name = f"scrape {_shown(url)}"
        self._url = url
        self._tell = tell
        self._timeout_s = schedule.duration(timeout)
        if not self._timeout_s:
            raise InputError(f"{self.name}: timeout={timeout!r}: give more than 0, as '5s'")
        self._headers = {
            "Accept": ACCEPT,
            "User-Agent": "tickboard",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{self._timeout_s:g}",
            **(headers or {}),
        }
        self._verify = verify
        self._client: httpx.AsyncClient | None = None
        self._remark = ""
        self._source = _own_source(intake, self.name)
        self._labels = (("instance", host), *((("job", job),) if job else ()))
        self._exposition = Exposition(self._source, self._labels)
        self._own_columns()

    async def sample(self) -> None:
        """Scrape once, and tell what is wrong.

        A target that cannot be reached, is too slow or has no metrics has no values until it has some again.
        """
        began, now = time.monotonic(), time.time()
        try:
            remark = await self._scrape(now)
        except _FailedError as error:
            self._exposition.clear()
            self._went(0.0, began)
            self._remark = ""
            self._tell(self.name, str(error))
            return
        self._went(1.0, began)
        # The first of them stays until there is none: the next text has another value in the same line.
        self._remark = (self._remark or remark) if remark else ""
        self._tell(self.name, self._remark or None)

    async def start(self) -> None:
        """Do nothing: it is `sample` that begins."""

    async def close(self) -> None:
        """Close the connection to the target."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _went(self, up: float, began: float) -> None:
        """Say how a scrape went."""
        self._source.set(self._own_columns(), [up, time.monotonic() - began])

    def _own_columns(self) -> list[int]:
        """Return those of ``scrape_up`` and ``scrape_duration``, made anew where they have left meanwhile."""
        known = self._source.known
        return [
            known[name] if name in known else self._source.gauge(name, name, self._labels, unit=unit)
            for name, unit in (("scrape_up", ""), ("scrape_duration", "s"))
        ]

    async def _scrape(self, now: float) -> str:
        """Take what the target says; return what is wrong with some of it, or nothing.

        Raises:
            _FailedError: there is nothing that can be taken.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                text, kind = await self._get()
        except TimeoutError:
            raise _FailedError(f"it did not answer within {self._timeout_s:g} s") from None
        exposition = self._exposition
        for _ in exposition.receive(text, now, openmetrics="openmetrics" in kind):
            await asyncio.sleep(0)
        if not exposition.samples and text.strip() and b"# EOF" not in text:
            raise _FailedError(
                f"it answers with {kind or 'something'} that has no metrics: give the URL of its metrics"
            )
        refusal = self._source.take_refusal()
        refused = f"{refusal.samples} samples were refused, the others taken: {refusal.reason}" if refusal else ""
        return exposition.problem or refused

    async def _get(self) -> tuple[bytes, str]:
        """Return the target's answer and its content type."""
        # Some megabytes that a board without targets does without.
        import httpx

        client = self._client = self._client or self._open()
        parts: list[bytes] = []
        size = 0
        try:
            async with client.stream("GET", self._url) as answer:
                if answer.status_code != 200:
                    raise _FailedError(_answered(answer))
                async for part in answer.aiter_bytes():
                    size += len(part)
                    if size > MAX_BODY_BYTES:
                        raise _FailedError(f"it says more than {MAX_BODY_BYTES} bytes: let it say less")
                    parts.append(part)
                return b"".join(parts), answer.headers.get("content-type", "").lower()
        except httpx.TimeoutException:
            raise TimeoutError from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _FailedError(f"it cannot be asked: {str(error) or type(error).__name__}") from None

    def _open(self) -> "httpx.AsyncClient":
        import ssl

        import httpx

        # What the system trusts; and a target is asked itself, whatever proxy the environment names.
        trusted = ssl.create_default_context() if self._verify and self._url.lower().startswith("https") else False
        return httpx.AsyncClient(timeout=self._timeout_s, verify=trusted, headers=self._headers, trust_env=False)


def _own_source(intake: Intake, name: str) -> Source:
    """Return a source that nothing else writes to: what a target calls its series is its own.

    Raises:
        InputError: there is none.
    """
    if name in intake.sources:
        raise InputError(f"{name} is there already: ask a target once")
    source = intake.source(name)
    if source.name != name:
        raise InputError(f"{name} is one too many: there are {len(intake.sources)} sources; ask fewer targets")
    return source


def _answered(answer: "httpx.Response") -> str:
    said = f"it answers {answer.status_code} {answer.reason_phrase}".rstrip()
    if answer.has_redirect_location:
        return f"{said}: give the address that it leads to, {_shown(answer.headers['Location'])}"
    return said


def _place(url: str) -> str:
    """Return the host and port of a target.

    Raises:
        InputError: it is no URL that can be scraped.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise InputError(f"scrape {_shown(url)!r}: give a URL, as http://localhost:9100/metrics")
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port or (443 if parts.scheme == 'https' else 80)}"


def _shown(url: str) -> str:
    """Return a URL without the name and password in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
