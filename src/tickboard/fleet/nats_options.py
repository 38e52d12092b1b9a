"""How to reach NATS: the servers, and what a client shows them: a user, a token, a credentials file, a certificate.

Nothing here connects, and nothing here imports the NATS client.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from tickboard.errors import InputError
from tickboard.output.secrets import Secret, public, read_secret, remember

PORT = 4222
"""The port of a NATS server, by default."""

MAX_SERVERS = 32

_EXAMPLE = "give one such as nats://nats.example.com:4222 or tls://nats.example.com:4222"

_HOST = re.compile(r"[^\s,@/?#\x00-\x20]{1,255}")


class NatsAddress(Struct, frozen=True):
    """One NATS server.

    Attributes:
        host: its name or address.
        port: its port.
        tls: whether to refuse a connection without TLS.
        user: who the client is; a token if there is no password.
        password: of the user.
        certificate_name: the name that its certificate must have; empty: the host.
    """

    host: str
    port: int = PORT
    tls: bool = False
    user: Secret | None = None
    password: Secret | None = None
    certificate_name: str = ""

    def __str__(self) -> str:
        return f"{'tls' if self.tls else 'nats'}://{self.place}"

    @property
    def place(self) -> str:
        """The host and the port, as in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class NatsOptions(Struct, frozen=True):
    """How to reach NATS.

    Attributes:
        servers: any of them will do.
        credentials: a credentials file, as NATS makes them; None: the client has none.
        ca: the certificates that a server's must be signed by, in PEM; None: those that the system trusts.
        certificate: the client's own certificate, in PEM; None: it has none.
        key: its key, in PEM; None: it is in the same file.
    """

    servers: tuple[NatsAddress, ...]
    credentials: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def wants_tls(self) -> bool:
        """Whether the files make sense with TLS only."""
        return self.ca is not None or self.certificate is not None


def read_servers(text: str, environ: Mapping[str, str]) -> tuple[NatsAddress, ...]:
    """Return the servers of ``nats://user:password@a:4222,nats://token@b``, in the order given.

    Args:
        text: URLs, separated by commas. ``${NAME}`` in them is read from the environment.
        environ: the environment variables.

    Raises:
        InputError: a URL is malformed, or a variable is not set.
    """
    urls = [url for part in text.split(",") for url in read_secret(part, environ).reveal().split(",")]
    if len(urls) > MAX_SERVERS:
        raise InputError(
            f"{len(urls)} NATS servers: give up to {MAX_SERVERS}; a cluster names its other servers itself"
        )
    return tuple(_address(url.strip()) for url in urls)


def _address(url: str) -> NatsAddress:
    shown = f"{public(url)[:80]!r}"
    scheme, both, _ = url.partition("://")
    if both and scheme.lower() in {"ws", "wss"}:
        raise InputError(f"{shown}: NATS over WebSocket is not supported: {_EXAMPLE}")
    try:
        # In arguments, bytes that are not UTF-8 are surrogates.
        url.encode()
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        is_good = (
            parts.scheme in {"nats", "tls"}
            and _HOST.fullmatch(host) is not None
            and port != 0
            and parts.path in {"", "/"}
            and not parts.query
            and not parts.fragment
        )
    except ValueError:
        is_good, host, port = False, "", None
    if not is_good:
        raise InputError(f"{shown} is not the URL of a NATS server: {_EXAMPLE}")
    user, password = (None if text is None else unquote(text) for text in (parts.username, parts.password))
    remember(*(text for text in (user if password is None else None, password) if text))
    return NatsAddress(
        host,
        port or PORT,
        parts.scheme == "tls",
        None if not user else Secret(user),
        None if password is None else Secret(password),
    )
