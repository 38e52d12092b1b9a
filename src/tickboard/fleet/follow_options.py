"""Which hosts a wall follows, the tokens that it shows them, and which of their metrics it shows.

The command line, ``tickboard.toml`` and the dashboard file may each say so. Nothing here connects.
"""

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from tickboard.client.authorization import is_token, names_a_user
from tickboard.configuration.options import PartialOptions, Refusal, read_options
from tickboard.errors import InputError
from tickboard.fleet.nats_options import NatsAddress, read_servers
from tickboard.metrics.selectors import why_refused
from tickboard.output.logs import log
from tickboard.output.secrets import Secret, public, read_secret, remember

MAX_URLS = 1_000
"""The most hosts that can be followed over HTTP."""

MAX_FILE_BYTES = 2**20
"""The largest file of tokens."""

_EXAMPLE = "give the address of a host, such as http://web-1:3000, or of a NATS server, such as nats://nats:4222"

_NATS_SCHEMES = {"nats", "tls"}


class FollowOptions(PartialOptions, frozen=True):
    """Which hosts a wall follows; None means not set.

    Attributes:
        hosts: their addresses, and those of a NATS server or cluster on which others publish.
        token_file: a file with a line ``URL TOKEN`` for each host that needs a token.
        metrics: selectors of series to show of each host beside its overview.
    """

    hosts: tuple[Secret, ...] | None = None
    token_file: Path | None = None
    metrics: tuple[str, ...] | None = None

    @classmethod
    def read(cls, written: Mapping[str, object], environ: Mapping[str, str], refusal: Refusal) -> "FollowOptions":
        """Parse options as people write them.

        Args:
            written: by the names of the attributes; None means not set.
            environ: the environment variables that ``${NAME}`` in a URL refers to.
            refusal: makes the error for an invalid option.

        Raises:
            InputError: an option is invalid.
        """
        readers: dict[str, Callable[..., object]] = {
            "hosts": partial(_read_urls, environ=environ),
            "token_file": _read_file,
            "metrics": _read_metrics,
        }
        return cls(**read_options(readers, written, refusal))

    def over(self, others: Self) -> Self:
        """Return these options, with those that are not set taken from others. Tokens stay with their hosts."""
        return super().over(others if self.hosts is None else replace(others, token_file=None))

    def beside(self, file: Path) -> Self:
        """Return these options, in which the file of tokens is relative to the folder of another file."""
        return self if self.token_file is None else replace(self, token_file=file.parent / self.token_file)

    def and_also(self, others: Self) -> Self:
        """Return the hosts and the metrics of both.

        Raises:
            InputError: a host is there twice, or there are two files of tokens.
        """
        urls = (*(self.hosts or ()), *(others.hosts or ()))
        _check_urls(urls)
        if self.token_file is not None and others.token_file not in {None, self.token_file}:
            raise InputError(f"{self.token_file} and {others.token_file}: write all tokens into one file")
        metrics = dict.fromkeys((*(self.metrics or ()), *(others.metrics or ())))
        return type(self)(urls, others.token_file or self.token_file, tuple(metrics))

    @property
    def is_wanted(self) -> bool:
        """Whether any host is followed."""
        return bool(self.hosts)


class HostAddress(Struct, frozen=True):
    """One host that is followed over HTTP.

    Attributes:
        url: its address, which may contain a password.
        token: what it is shown; None: nothing.
    """

    url: str
    token: str | None


def host_addresses(options: FollowOptions) -> list[HostAddress]:
    """Return the hosts to follow over HTTP, with the tokens in the file. This reads the file.

    Raises:
        InputError: the file cannot be read, a line is malformed, or it has a token for another host.
    """
    tokens = {} if options.token_file is None else _read_tokens(options.token_file)
    urls = [url.reveal() for url in options.hosts or () if url.scheme not in _NATS_SCHEMES]
    if twice := next((url for url in urls if names_a_user(url) and _key(url) in tokens), ""):
        raise InputError(
            f"{options.token_file}: it has a token for {_key(twice)}, whose URL has a user: remove one of the two"
        )
    addresses = [HostAddress(url, tokens.pop(_key(url), None)) for url in urls]
    if tokens:
        url = next(iter(tokens))
        raise InputError(
            f"{options.token_file}: it has a token for {url}, which is not followed: follow it, or remove it"
        )
    return addresses


def nats_servers(options: FollowOptions) -> tuple[NatsAddress, ...]:
    """Return the servers of the NATS cluster whose hosts are followed; empty: none."""
    urls = [url.reveal() for url in options.hosts or () if url.scheme in _NATS_SCHEMES]
    return tuple(server for url in urls for server in read_servers(url, {}))


def _read_tokens(file: Path) -> dict[str, str]:
    try:
        with file.open("rb") as opened:
            data, mode = opened.read(MAX_FILE_BYTES + 1), os.fstat(opened.fileno()).st_mode
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not a text file"
        raise InputError(f"{file}: the tokens cannot be read: {why}") from error
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{file}: it has more than {MAX_FILE_BYTES} bytes: write a line 'URL TOKEN' for each host")
    if os.name == "posix" and mode & stat.S_IROTH:
        log.warning("%s: every user of this machine can read the tokens in it: run chmod o-r on it", file)
    tokens: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise InputError(f"{file}, line {number}: write the address of a host, a space and its token")
        remember(words[1])
        if not is_token(words[1]):
            raise InputError(
                f"{file}, line {number}: the second word is not a token: tickboard token create prints one"
            )
        if (key := _key(words[0])) in tokens:
            raise InputError(f"{file}, line {number}: there is another token for {key}: remove one of the two")
        tokens[key] = words[1]
    return tokens


def _key(url: str) -> str:
    """Return a host's address without what may be written in different ways."""
    scheme, _, rest = public(url).rstrip("/").partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{place.lower()}{slash}{path}" if rest else scheme


def _read_urls(value: object, environ: Mapping[str, str]) -> tuple[Secret, ...]:
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, Sequence) or not all(isinstance(url, str) for url in value):
        raise InputError(f"{value!r:.80}: {_EXAMPLE}")
    urls = tuple(_read_url(url, environ) for text in value for url in _parts(text))
    _check_urls(urls)
    return urls


def _check_urls(urls: Sequence[Secret]) -> None:
    if len(urls) > MAX_URLS:
        raise InputError(f"{len(urls)} hosts: follow up to {MAX_URLS} over HTTP, or more on NATS")
    keys = [_key(url.reveal()) for url in urls]
    if twice := next((key for key in keys if keys.count(key) > 1), ""):
        raise InputError(f"{twice} is there twice: give each host once")


def _parts(text: str) -> list[str]:
    """Return the URLs in a text: they may be separated by commas, as those of NATS servers for ``--nats``."""
    if text.partition("://")[0].strip().lower() in _NATS_SCHEMES:
        return text.split(",")
    return re.split(r",\s*(?=[a-z]+://)", text, flags=re.IGNORECASE)


def _read_url(text: str, environ: Mapping[str, str]) -> Secret:
    url = read_secret(text, environ)
    if url.scheme in _NATS_SCHEMES:
        read_servers(url.reveal(), {})
        return url
    if url.scheme not in {"http", "https"}:
        raise InputError(f"{public(text)[:80]!r}: {_EXAMPLE}")
    # Imported here, since it takes some megabytes that a board that follows nobody does not need.
    from tickboard.client.watch import websocket_url

    websocket_url(url.reveal())
    return url


def _read_metrics(value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(text, str) for text in value):
        raise InputError(f'{value!r:.80}: give a list of names, globs or labels, as ["requests", "disk_*"]')
    if why := why_refused(list(value), "metrics"):
        raise InputError(why)
    return tuple(value)


def _read_file(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise InputError("give the name of a file")
    return Path(value)
