"""The WebSocket connection under ``tickboard run``: uvicorn's sans-I/O one, mended where it needs to be."""

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class Connection(WebSocketsSansIOProtocol):
    """uvicorn's connection, which knows that a refused handshake is complete.

    uvicorn 0.54 answers a refusal with a status as it should, and then logs an error because the handshake was
    never completed: one line for every scanner that tries a path.
    """

    async def send(self, message: ASGISendEvent) -> None:
        """Take one ASGI message."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True
