"""One attempt to connect to a NATS server: files are read, TLS is decided, and the login is sent.

It returns a client that is connected, or raises one error that says why not, and how to fix it.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec.structs import replace

from tickboard.fleet.nats_options import MAX_SERVERS, NatsAddress, NatsOptions
from tickboard.fleet.tls_errors import certificate_text, ssl_text
from tickboard.loop.threads import Threads
from tickboard.output.text import one_line

if TYPE_CHECKING:
    from nats.aio.client import Client, RawCredentials

CONNECT_S = 5.0
"""How long connecting to a server may take, and reading the files that are needed for it."""

CLOSE_S = 1.0
"""How long closing a connection may take before it is cut."""

MAX_SHOWN = 300
"""The most characters of an error that are shown."""

T = TypeVar("T")


class NatsLostError(Exception):
    """There is no connection, for a reason that is its text, in words for people."""


class NeedsTlsError(Exception):
    """A server asks for TLS, for which no certificates were read yet."""


class NatsAttempts:
    """Connects to NATS servers.

    Args:
        options: the servers, and what they are shown.
        name: names the client in what a server shows of its clients.
        echo: whether the client receives its own messages.
    """

    def __init__(self, options: NatsOptions, name: str, *, echo: bool) -> None:
        self._options = options
        self._name = name
        self._echo = echo
        self._system_tls: ssl.SSLContext | None = None
        self._files = Threads("tickboard nats files", 1)

    async def connect(
        self, server: NatsAddress, failed: Callable[[Exception], None], closed: Callable[[], None]
    ) -> "Client":
        """Return a client that is connected; pass it to `close` at the end.

        Args:
            server: the server.
            failed: called later with errors that end nothing.
            closed: called when the connection has ended.

        Raises:
            NatsLostError: it could not be made.
        """
        try:
            return await self._connect(server, failed, closed, tls=server.tls or self._options.wants_tls)
        except NeedsTlsError:
            return await self._connect(server, failed, closed, tls=True)

    async def _connect(
        self, server: NatsAddress, failed: Callable[[Exception], None], closed: Callable[[], None], *, tls: bool
    ) -> "Client":
        from tickboard.fleet.nats_client import FleetClient

        client = FleetClient(wants_tls=tls)
        is_connecting = True

        async def take_error(error: Exception) -> None:
            if is_connecting:
                raise error
            failed(error)

        async def end() -> None:
            closed()

        try:
            context, credentials = await self._read_files(tls=tls)
            async with asyncio.timeout(CONNECT_S):
                await client.connect(
                    f"nats://{server.place}",
                    error_cb=take_error,
                    closed_cb=end,
                    name=self._name,
                    no_echo=not self._echo,
                    allow_reconnect=False,
                    connect_timeout=CONNECT_S,  # type: ignore[arg-type]  # its annotation says int
                    # The connection asks itself whether the server still answers.
                    ping_interval=10**9,
                    tls=context,
                    tls_hostname=server.certificate_name or None,
                    user_credentials=credentials,
                    **_login(server),
                )
        except Exception as error:  # whatever the client raises, there is no connection
            await close(client)
            if isinstance(error, NeedsTlsError | NatsLostError):
                raise
            raise NatsLostError(explained(error, server)) from error
        except BaseException:
            await close(client)
            raise
        is_connecting = False
        if not client.is_connected:
            await close(client)
            raise NatsLostError("has closed the connection at once")
        return client

    async def _read_files(self, *, tls: bool) -> "tuple[ssl.SSLContext | None, RawCredentials | None]":
        """Read the certificates and the credentials, in a thread, since a disk may hang.

        Raises:
            NatsLostError: a file cannot be read or used.
        """

        def read() -> "tuple[ssl.SSLContext | None, RawCredentials | None]":
            return self._tls_context() if tls else None, _credentials(self._options.credentials)

        try:
            async with asyncio.timeout(CONNECT_S):
                result, error = await self._files.call(read)
        except TimeoutError:
            raise NatsLostError(f"is not tried: reading the files for it takes more than {CONNECT_S:g} s") from None
        if error is not None:
            raise error
        return cast("tuple[ssl.SSLContext | None, RawCredentials | None]", result)

    def _tls_context(self) -> ssl.SSLContext:
        """Return what is needed for TLS. Certificates of the options are read each time, since they are renewed."""
        options = self._options
        if not options.wants_tls:
            self._system_tls = self._system_tls or ssl.create_default_context()
            return self._system_tls
        context = _used(options.ca, lambda: ssl.create_default_context(cafile=options.ca))
        if options.certificate is not None:
            _load_certificate(context, options.certificate, options.key)
        return context


def _used(file: Path | None, use: Callable[[], T]) -> T:
    """Return what is made of a file.

    Raises:
        NatsLostError: it cannot be read or used.
    """
    try:
        return use()
    except (OSError, ValueError) as error:
        raise NatsLostError(f"is not tried: {file} cannot be used: {_file_error(error)}") from error


def _load_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Use a client's certificate and its key.

    Raises:
        NatsLostError: they cannot be read or used.
    """
    for file in filter(None, (certificate, key)):
        _used(file, lambda file=file: file.open("rb").close())  # type: ignore[misc]
    try:
        # A key with a passphrase would ask for it in the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise NatsLostError(
            f"is not tried: {certificate} and {key or 'the key in it'} are not a certificate and its key in PEM, "
            f"without a passphrase ({_file_error(error)})"
        ) from error


def _file_error(error: OSError | ValueError) -> str:
    """Return why a file cannot be read or used."""
    if isinstance(error, ssl.SSLError):
        return ssl_text(error)
    return getattr(error, "strerror", None) or error_text(error)


def _credentials(file: Path | None) -> "RawCredentials | None":
    if file is None:
        return None
    from nats.aio.client import RawCredentials

    text = _used(file, file.read_text)
    if "BEGIN NATS USER JWT" not in text or "BEGIN USER NKEY SEED" not in text:
        raise NatsLostError(f"is not tried: {file} is not a credentials file, which holds a user's JWT and its seed")
    return RawCredentials(text)


def _login(server: NatsAddress) -> dict[str, Any]:
    """Return the arguments of the client that say who it is."""
    if server.user is None:
        return {}
    if server.password is None:
        return {"token": server.user.reveal()}
    return {"user": server.user.reveal(), "password": server.password.reveal()}


def discovered(client: "Client", server: NatsAddress, known: tuple[NatsAddress, ...]) -> list[NatsAddress]:
    """Return the other servers of the cluster, as the connected one names them."""
    places = {each.place for each in known}
    found: list[NatsAddress] = []
    for url in client.discovered_servers[:MAX_SERVERS]:
        host = url.hostname or ""
        is_address = host.replace(".", "").isdigit() or ":" in host
        name = server.certificate_name or server.host if is_address else ""
        other = replace(server, host=host, port=url.port or server.port, certificate_name=name)
        if host and other.place not in places:
            found.append(other)
    return found


def error_text(error: BaseException) -> str:
    """Return what an error of the client says."""
    return one_line(str(error) or type(error).__name__, MAX_SHOWN).removeprefix("nats: ").replace("'", "")


def explained(error: Exception, server: NatsAddress) -> str:
    """Return why there is no connection, and how to fix it."""
    text = error_text(error)
    lowered = text.lower()
    if isinstance(error, TimeoutError):
        return f"has not answered within {CONNECT_S:g} s"
    if "authorization violation" in lowered or "authentication" in lowered or "authorization failed" in lowered:
        return f"refuses the login ({text}): check the user and password, the token, or the credentials file"
    if lowered.startswith("nkeys:"):
        return f"is not tried: the seed in the credentials file cannot be used ({text}): make the file anew"
    if "maximum connections" in lowered:
        return f"has no room ({text}): raise max_connections in its configuration"
    if lowered == "connection lost" or isinstance(error, BrokenPipeError | ConnectionResetError):
        # What it says may be lost with the connection.
        return (
            "has closed the connection as it began: its log says why, for example that it wants another certificate "
            "(--nats-cert), or that max_connections is reached"
        )
    if lowered == "secure connection not available":
        return "has no TLS: configure it there, or give its URL with nats:// and no certificates"
    if isinstance(error, ssl.SSLCertVerificationError):
        return certificate_text(error, "give the CA that has signed it with --nats-ca")
    if isinstance(error, ssl.SSLError):
        why = ssl_text(error)
        return f"cannot be reached over TLS: {why}{': check --nats-cert' if 'alert' in why else ''}"
    return f"cannot be reached: {text or type(error).__name__}"


async def close(client: "Client") -> None:
    """Close a client, and cut its connection if that takes long."""
    transport = client._transport  # noqa: SLF001  # nothing public cuts a connection
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_S):
            await client.close()
    writer = getattr(transport, "_io_writer", None)
    if writer is not None:
        with contextlib.suppress(Exception):
            writer.transport.abort()
