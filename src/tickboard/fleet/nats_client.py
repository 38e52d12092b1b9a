"""The NATS client of `tickboard.fleet.nats_attempts`.

It never sends a login in clear text where TLS is wanted, and its `flush` means what it says.
"""

import asyncio
from typing import Any

from nats.aio.client import Client
from nats.errors import SecureConnWantedError

from tickboard.fleet.nats_attempts import NeedsTlsError


class FleetClient(Client):
    """A NATS client that decides about TLS before it sends its login.

    Args:
        wants_tls: whether to refuse a connection without TLS.
    """

    def __init__(self, *, wants_tls: bool) -> None:
        super().__init__()
        self._wants_tls = wants_tls

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """Take what a server says about itself.

        Raises:
            SecureConnWantedError: TLS is wanted, and the server has none.
            NeedsTlsError: the server wants TLS, and no certificates were read yet.
        """
        if initial_connection:
            if self._wants_tls:
                if not (info.get("tls_required") or info.get("tls_available")):
                    raise SecureConnWantedError
                # The client begins TLS only if it is required.
                info["tls_required"] = True
            elif info.get("tls_required"):
                raise NeedsTlsError
        await super()._process_info(info, initial_connection)

    async def flush(self, timeout: int = 10) -> None:  # noqa: ASYNC109  # the client's own
        """Wait until the server has been sent everything, and has answered; nats-py's own question overtakes the rest.

        Args:
            timeout: how many seconds to wait for the answer.
        """
        # It swallows a cancellation.
        await asyncio.shield(self._flush_pending(force_flush=True))
        await super().flush(timeout)
