"""TLS: the certificate of a server, which is loaded again when its files are renewed.

New connections get the newest certificate that could be loaded; open ones keep theirs. The two files are replaced one
after the other, so a pair that does not match is tried again before it is reported.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

from tickboard.errors import InputError
from tickboard.loop.threads import Threads
from tickboard.problems import Reporter

LOOK_S = 2.0
"""Seconds between two looks at the files."""

PATIENCE_S = 10.0
"""How long a new pair may be unusable before that is reported."""

SOURCE = "TLS certificate"
"""The source of the reported problem."""


class Tls:
    """The certificate and the key of one server.

    Args:
        certificate: a file in PEM, with the chain.
        key: a file in PEM; None: the key is in the file of the certificate.

    Raises:
        InputError: they cannot be used.
    """

    def __init__(self, certificate: Path, key: Path | None) -> None:
        self._certificate = certificate
        self._key = key
        self._stamp = self._look()
        self._unusable_since: float | None = None
        self._disk = Threads(SOURCE, 1)
        self.context = self._load()

    def renew(self, now: float) -> str | None:
        """Load the files again if they have changed; return why they cannot be used, if that has lasted.

        Args:
            now: seconds by a clock that never steps.
        """
        if (stamp := self._look()) == self._stamp and self._unusable_since is None:
            return None
        try:
            self.context = self._load()
        except InputError as error:
            self._unusable_since = self._unusable_since or now
            return str(error) if now - self._unusable_since >= PATIENCE_S else None
        self._stamp, self._unusable_since = stamp, None
        return None

    async def watch(self, problems: Callable[[], Reporter]) -> None:
        """Look at the files until cancelled; report a pair that cannot be used."""
        while True:
            await asyncio.sleep(LOOK_S)
            why = await self._renewed()
            if why is None:
                problems().clear(SOURCE)
            else:
                problems().report(SOURCE, f"{why}; until then, the one before it is used", kind=SOURCE)

    async def _renewed(self) -> str | None:
        """Renew in a thread of its own, since the disk may hang; return why that is not possible."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                why, error = await self._disk.call(partial(self.renew, time.monotonic()))
        except TimeoutError:
            return f"{self._certificate} cannot be read: its disk does not answer"
        if error is not None:
            raise error
        return cast("str | None", why)

    def _look(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in (self._certificate, self._key) if path is not None)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        for path in filter(None, (self._certificate, self._key)):
            try:
                path.open("rb").close()
            except OSError as error:
                raise InputError(f"{path} cannot be read: {error.strerror}") from error
        try:
            # A key with a passphrase would ask for it in the terminal.
            context.load_cert_chain(self._certificate, self._key, password=lambda: "")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise InputError(
                f"{self._certificate} and {self._key or 'the key in it'} are not a certificate and its key in PEM, "
                f"without a passphrase ({getattr(error, 'reason', None) or error}): give --tls-cert and --tls-key"
            ) from error
        return context


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
