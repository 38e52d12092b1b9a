"""HTTP as raw bytes over real sockets, and parsing of the answers."""

import contextlib
import json
import re
import socket

import httpx
from tests.serving import Server

GUARD_S = 30.0
"""A hang guard: the longest wait for an answer."""


def talk(port: int, *parts: bytes, host: str = "127.0.0.1") -> bytes:
    """Send bytes in parts, and return everything until the server ends the connection."""
    with socket.create_connection((host, port), GUARD_S) as client:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                client.sendall(part)
        return rest(client)


def rest(client: socket.socket) -> bytes:
    """Return everything until the server ends the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := client.recv(65_536):
            received += part
    return received


def refusal(answer: bytes) -> tuple[int, str]:
    """Return the status and the error of the only answer, which must close the connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head.lower(), answer[:500]
    assert b"\r\ncontent-type: application/json" in head.lower(), answer[:500]
    return int(head.split()[1]), json.loads(body)["error"]


def statuses(answer: bytes) -> list[int]:
    """Return the statuses of all answers."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def counted(server: Server, reason: str) -> int:
    """Return the number of requests refused for a reason."""
    told = httpx.get(f"{server.url}metrics").text
    found = re.search(rf'tickboard_requests_refused_total{{reason="{reason}"}} (\d+)', told)
    assert found is not None
    return int(found[1])


GET = b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
IN_CHUNKS = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def half_close(client: socket.socket) -> None:
    """Say that nothing more comes; a server that has closed already is as good."""
    with contextlib.suppress(OSError):  # ENOTCONN, which is no ConnectionError
        client.shutdown(socket.SHUT_WR)
