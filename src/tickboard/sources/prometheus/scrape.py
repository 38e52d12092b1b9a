"""Scraping: requests a target's metrics, as Prometheus does, and reads the response."""

import asyncio
import time
from collections.abc import Callable, Mapping
from itertools import chain, count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tickboard import schedule
from tickboard.errors import InputError, PayloadError
from tickboard.expressions.alignment import Labels
from tickboard.loop.turns import in_turns
from tickboard.metrics.intake import Intake
from tickboard.metrics.source import Source
from tickboard.output.secrets import public
from tickboard.output.text import one_line
from tickboard.problems import described
from tickboard.sources.prometheus.exposition import Exposition
from tickboard.sources.response_head import ResponseHead
from tickboard.sources.unfolding import CODINGS, unfold

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 32 * 2**20
"""The most bytes of a response, decompressed."""

MAX_SHOWN = 100
"""How many characters of a response are shown."""

ACCEPT = "application/openmetrics-text;version=1.0.0;q=1,text/plain;version=0.0.4;q=0.9,*/*;q=0.1"

Report = Callable[[str, str | None], None]
"""Called with a target's name and its problem, or None once there is none."""


class _FailedError(Exception):
    """A scrape failed; the text says why."""


class Scrape:
    """One target. Call `sample` again and again, then `close`.

    Its series get the labels ``instance`` (its host and port) and, if given, ``job``. ``scrape_up`` (1 or 0) and
    ``scrape_duration`` (s), with the same labels, describe the last scrape.

    Args:
        intake: where to write.
        url: the URL of the target's metrics. A user and password in it are sent, but neither they nor its query are
            ever shown.
        report: reports the target's problem.
        job: a label shared by several targets.
        timeout: how long a response may take, such as ``"5s"``.
        headers: sent with each request, such as ``{"Authorization": "Bearer …"}``; never shown.
        verify: whether the certificate of an https target must be valid.

    Attributes:
        name: its name for people: the URL without secrets, with a number if two look the same.

    Raises:
        InputError: the URL or the timeout is invalid, or the target is scraped already.
    """

    def __init__(
        self,
        intake: Intake,
        url: str,
        report: Report,
        *,
        job: str = "",
        timeout: schedule.Duration = "5s",
        headers: Mapping[str, str] | None = None,
        verify: bool = True,
    ) -> None:
        host = _place(url)
        self.name = f"scrape {public(url)}"
        self._url = url
        self._report = report
        self._timeout_s = schedule.duration(timeout)
        if not self._timeout_s:
            raise InputError(f"{self.name}: timeout={timeout!r}: give more than 0, such as '5s'")
        self._headers = {
            "Accept": ACCEPT,
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "tickboard",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{self._timeout_s:g}",
            **(headers or {}),
        }
        self._verify = verify
        self._client: httpx.AsyncClient | None = None
        self._head = ResponseHead()
        self._remark = ""
        self._may_be_cut = False
        self._source = _own_source(intake, self.name, _without_login(url))
        self.name = self._source.name
        labels = (("instance", host), *((("job", job),) if job else ()))
        self._source.labels = self._labels = _own_labels(intake, url, labels)
        self._exposition = Exposition(self._source, self._labels)
        self._own_columns()

    async def sample(self) -> None:
        """Scrape once, and report or clear the target's problem.

        A target that cannot be reached, is too slow or has no metrics has no values until a scrape succeeds again.
        """
        began, now = time.monotonic(), time.time()
        up = 0.0
        try:
            remark = await self._scrape(now)
            up = 1.0
        except _FailedError as error:
            self._remark, remark = "", str(error)
        except Exception as error:  # noqa: BLE001  # whatever the libraries raise, the scrape has failed
            self._remark, remark = "", f"it cannot be scraped: {described(error)}"
        finally:
            # Even if the scrape was cancelled: the earlier values are no longer current.
            if not up:
                self._exposition.clear()
            self._record(up, began)
        # Keep the first remark until there is none: the next text has other values in the same line.
        self._remark = (self._remark or remark) if remark else ""
        self._report(self.name, self._remark or None)

    async def start(self) -> None:
        """Do nothing; the first `sample` connects."""

    async def close(self) -> None:
        """Close the connection to the target."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _record(self, up: float, began: float) -> None:
        """Record the result of a scrape."""
        self._source.set(self._own_columns(), [up, time.monotonic() - began])

    def _own_columns(self) -> list[int]:
        """Return the columns of ``scrape_up`` and ``scrape_duration``; they are made again if they have left."""
        known = self._source.known
        return [
            known[name] if name in known else self._source.gauge(name, name, self._labels, unit=unit)
            for name, unit in (("scrape_up", ""), ("scrape_duration", "s"))
        ]

    async def _scrape(self, now: float) -> str:
        """Read the target's metrics; return the problem of a part of them, or an empty string.

        Raises:
            _FailedError: nothing could be used.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                text, kind = await self._get()
        except TimeoutError:
            raise _FailedError(f"it did not answer within {self._timeout_s:g} s") from None
        exposition, cut = self._exposition, ""
        if self._may_be_cut and not text.endswith(b"\n"):
            # The line may be incomplete: 12 may be the beginning of 1234.
            text = text[: text.rfind(b"\n") + 1]
            cut = "the answer ends in the middle of a line, which was left out: it may be incomplete; the rest was used"
        await in_turns(exposition.receive(text, now, openmetrics="openmetrics" in kind))
        if not exposition.samples and text.strip() and b"# EOF" not in text:
            raise _FailedError(
                f"it answers with {one_line(kind, MAX_SHOWN) or 'something'} that has no metrics: "
                "give the URL of its metrics"
            )
        refusal = self._source.take_refusal()
        refused = f"{refusal.samples} samples were refused, the others accepted: {refusal.reason}" if refusal else ""
        return exposition.problem or refused or cut

    async def _get(self) -> tuple[bytes, str]:
        """Return the target's response and its content type."""
        # Imported here, since it takes some megabytes that a board without targets does not need.
        import httpx

        client = self._client = self._client or self._open()
        self._head.begin()
        try:
            async with client.stream("GET", self._url, extensions={"trace": self._head.trace}) as answer:
                if answer.status_code != 200:
                    raise _FailedError(_answered(answer))
                # Not decompressed by httpx, which has no limit, and reads only the first member of gzip.
                # Without a length or chunks, the end of the connection is the end of the response, wherever that is.
                self._may_be_cut = answer.headers.keys().isdisjoint({"content-length", "transfer-encoding"})
                text = await unfold(answer.aiter_raw(), _coding(answer), MAX_BODY_BYTES)
                return text, answer.headers.get("content-type", "").lower()
        except PayloadError as error:
            raise _FailedError(f"it cannot be scraped: {error}") from None
        except httpx.TimeoutException:
            raise TimeoutError from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The error may quote the response at length.
            reason = one_line(str(error) or type(error).__name__, MAX_SHOWN)
            raise _FailedError(f"it cannot be scraped: {reason}") from None

    def _open(self) -> "httpx.AsyncClient":
        import ssl

        import httpx

        from tickboard.sources.cookies import NoCookies

        # Trust the system's certificates; and connect directly, even if the environment names a proxy.
        trusted = ssl.create_default_context() if self._verify and self._url.lower().startswith("https") else False
        return httpx.AsyncClient(
            timeout=self._timeout_s, verify=trusted, headers=self._headers, trust_env=False, cookies=NoCookies()
        )


def _own_source(intake: Intake, name: str, key: str) -> Source:
    """Return a source that nothing else writes to, so that the target's keys are its own.

    Args:
        intake: contains the sources.
        name: the source's name; a number is appended if another differs only in secrets.
        key: distinguishes the target from others.

    Raises:
        InputError: the target is scraped already, or there are too many sources.
    """
    if any(source.key == key for source in intake.sources.values()):
        raise InputError(f"{name} is already scraped: declare a target once")
    names = chain([name], (f"{name} ({number})" for number in count(2)))
    free = next(each for each in names if each not in intake.sources)
    source = intake.source(free)
    if source.name != free:
        raise InputError(f"{name} is one too many: there are {len(intake.sources)} sources; scrape fewer targets")
    source.key = key
    return source


def _own_labels(intake: Intake, url: str, labels: Labels) -> Labels:
    """Return the labels of a target's series; if another target has the same, its path or a number is added."""
    taken = {source.labels for source in intake.sources.values()}
    more: list[Labels] = [(), (("path", urlsplit(url).path or "/"),)]
    more += [(("target", str(number)),) for number in range(2, len(taken) + 3)]
    return next(found for one in more if (found := (*labels, *one)) not in taken)


def _coding(answer: "httpx.Response") -> str:
    coding: str = answer.headers.get("content-encoding", "identity").strip().lower() or "identity"
    if coding not in CODINGS:
        raise _FailedError(f"it answers with Content-Encoding {coding[:80]!r}: make it send gzip, deflate or none")
    return coding


def _answered(answer: "httpx.Response") -> str:
    status = f"it answers {answer.status_code} {one_line(answer.reason_phrase, MAX_SHOWN)}".rstrip()
    if answer.has_redirect_location:
        where = one_line(public(answer.headers["Location"]), MAX_SHOWN)
        return f"{status}: use the address that it redirects to, {where}"
    return status


def _place(url: str) -> str:
    """Return the host and port of a target.

    Raises:
        InputError: it is not a URL that can be scraped.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise InputError(f"scrape {public(url)!r}: give a URL such as http://localhost:9100/metrics")
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port or (443 if parts.scheme == 'https' else 80)}"


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
