"""Scraping: asks a target for its metrics, as Prometheus does, and reads what it says."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from itertools import chain, count
from typing import TYPE_CHECKING, Any
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
from tickboard.sources.unfolding import CODINGS, unfold

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 32 * 2**20
"""Of an answer, undone of its compression."""

MAX_HEAD_BYTES, HEAD_PIECE_BYTES = 65_536, 4_096
"""Of the head of an answer, and of what is read of it before others have their turn."""

MAX_SHOWN = 100
"""Characters of an answer that are shown."""

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
        url: of the target's metrics; a name and password in it are sent, and never shown, nor is its query.
        tell: what is done with what is wrong.
        job: a label that several targets share.
        timeout: how long an answer may take, as ``"5s"``.
        headers: sent with each request, as ``{"Authorization": "Bearer …"}``; never shown.
        verify: whether the certificate of an https target must be valid.

    Attributes:
        name: what it is called where people see it: the URL as it may be shown, with a number where two look alike.

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
        timeout: schedule.Duration = "5s",
        headers: Mapping[str, str] | None = None,
        verify: bool = True,
    ) -> None:
        host = _place(url)
        self.name = f"scrape {public(url)}"
        self._url = url
        self._tell = tell
        self._timeout_s = schedule.duration(timeout)
        if not self._timeout_s:
            raise InputError(f"{self.name}: timeout={timeout!r}: give more than 0, as '5s'")
        self._headers = {
            "Accept": ACCEPT,
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": "tickboard",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{self._timeout_s:g}",
            **(headers or {}),
        }
        self._verify = verify
        self._client: httpx.AsyncClient | None = None
        self._head = _Head()
        self._remark = ""
        self._may_be_cut = False
        self._source = _own_source(intake, self.name, _without_login(url))
        self.name = self._source.name
        labels = (("instance", host), *((("job", job),) if job else ()))
        self._source.labels = self._labels = _own_labels(intake, url, labels)
        self._exposition = Exposition(self._source, self._labels)
        self._own_columns()

    async def sample(self) -> None:
        """Scrape once, and report what is wrong.

        A target that cannot be reached, is too slow or has no metrics has no values until it has some again.
        """
        began, now = time.monotonic(), time.time()
        up = 0.0
        try:
            remark = await self._scrape(now)
            up = 1.0
        except _FailedError as error:
            self._remark, remark = "", str(error)
        except Exception as error:  # noqa: BLE001  # whatever the libraries raise, the target has said nothing
            self._remark, remark = "", f"it cannot be asked: {described(error)}"
        finally:
            # Also when the scrape was cancelled: what was said before is not what is so now.
            if not up:
                self._exposition.clear()
            self._went(up, began)
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
        exposition, cut = self._exposition, ""
        if self._may_be_cut and not text.endswith(b"\n"):
            # 12 may be the beginning of 1234.
            text = text[: text.rfind(b"\n") + 1]
            cut = "the answer ends in the middle of a line, which is left out: it may not be whole; what came was used"
        await in_turns(exposition.receive(text, now, openmetrics="openmetrics" in kind))
        if not exposition.samples and text.strip() and b"# EOF" not in text:
            raise _FailedError(
                f"it answers with {one_line(kind, MAX_SHOWN) or 'something'} that has no metrics: "
                "give the URL of its metrics"
            )
        refusal = self._source.take_refusal()
        refused = f"{refusal.samples} samples were refused, the others taken: {refusal.reason}" if refusal else ""
        return exposition.problem or refused or cut

    async def _get(self) -> tuple[bytes, str]:
        """Return the target's answer and its content type."""
        # Some megabytes that a board without targets does without.
        import httpx

        client = self._client = self._client or self._open()
        self._head.begin()
        try:
            async with client.stream("GET", self._url, extensions={"trace": self._head.trace}) as answer:
                if answer.status_code != 200:
                    raise _FailedError(_answered(answer))
                # Not unfolded by httpx, which has no bound, and takes no more than the first member of gzip.
                # Without a size or chunks, the end of the connection is that of the answer, wherever that was.
                self._may_be_cut = answer.headers.keys().isdisjoint({"content-length", "transfer-encoding"})
                text = await unfold(answer.aiter_raw(), _coding(answer), MAX_BODY_BYTES)
                return text, answer.headers.get("content-type", "").lower()
        except PayloadError as error:
            raise _FailedError(f"it cannot be asked: {error}") from None
        except httpx.TimeoutException:
            raise TimeoutError from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # It may quote the answer at length.
            said = one_line(str(error) or type(error).__name__, MAX_SHOWN)
            raise _FailedError(f"it cannot be asked: {said}") from None

    def _open(self) -> "httpx.AsyncClient":
        import ssl

        import httpx

        # What the system trusts; and a target is asked itself, whatever proxy the environment names.
        trusted = ssl.create_default_context() if self._verify and self._url.lower().startswith("https") else False
        return httpx.AsyncClient(timeout=self._timeout_s, verify=trusted, headers=self._headers, trust_env=False)


class _Head:
    """Reads the head of an answer in small pieces, and not without end.

    A target may answer ``100 Continue`` again and again, or with headers without end. What reads HTTP takes all that
    has come at once: 75 ms for 64 KB. It offers its stream to whoever traces it.
    """

    def __init__(self) -> None:
        self._size = 0
        self._is_over = False

    def begin(self) -> None:
        """Expect the head of another answer."""
        self._size, self._is_over = 0, False

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Take note of what httpcore does."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            stream = info["return_value"]
            stream.read = partial(self._read, stream.read)
        elif event == "http11.receive_response_headers.complete":
            self._is_over = True

    async def _read(self, read: Callable[..., Awaitable[bytes]], max_bytes: int, **more: float | None) -> bytes:
        if self._is_over:
            return await read(max_bytes, **more)
        data = await read(min(max_bytes, HEAD_PIECE_BYTES), **more)
        self._size += len(data)
        if self._size > MAX_HEAD_BYTES + HEAD_PIECE_BYTES:
            raise _FailedError(f"the head of its answer is more than {MAX_HEAD_BYTES} bytes")
        await asyncio.sleep(0)
        return data


def _own_source(intake: Intake, name: str, key: str) -> Source:
    """Return a source that nothing else writes to: what a target calls its series is its own.

    Args:
        intake: where it is.
        name: what it is to be called; those that differ only in what may not be shown are numbered.
        key: tells the target from others.

    Raises:
        InputError: there is none.
    """
    if any(source.key == key for source in intake.sources.values()):
        raise InputError(f"{name} is there already: ask a target once")
    names = chain([name], (f"{name} ({number})" for number in count(2)))
    free = next(each for each in names if each not in intake.sources)
    source = intake.source(free)
    if source.name != free:
        raise InputError(f"{name} is one too many: there are {len(intake.sources)} sources; ask fewer targets")
    source.key = key
    return source


def _own_labels(intake: Intake, url: str, labels: Labels) -> Labels:
    """Return the labels of a target's series, with one more where another target has these: its path, or a number."""
    taken = {source.labels for source in intake.sources.values()}
    more: list[Labels] = [(), (("path", urlsplit(url).path or "/"),)]
    more += [(("target", str(number)),) for number in range(2, len(taken) + 3)]
    return next(found for one in more if (found := (*labels, *one)) not in taken)


def _coding(answer: "httpx.Response") -> str:
    coding: str = answer.headers.get("content-encoding", "identity").strip().lower() or "identity"
    if coding not in CODINGS:
        raise _FailedError(f"it answers with Content-Encoding {coding[:80]!r}: have it send gzip, deflate or none")
    return coding


def _answered(answer: "httpx.Response") -> str:
    said = f"it answers {answer.status_code} {one_line(answer.reason_phrase, MAX_SHOWN)}".rstrip()
    if answer.has_redirect_location:
        where = one_line(public(answer.headers["Location"]), MAX_SHOWN)
        return f"{said}: give the address that it leads to, {where}"
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
        raise InputError(f"scrape {public(url)!r}: give a URL, as http://localhost:9100/metrics")
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port or (443 if parts.scheme == 'https' else 80)}"


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
