"""Raw requests: sent byte for byte, including what a client library would correct."""

import base64
import socket
from dataclasses import dataclass
from typing import Any

KEY = base64.b64encode(bytes(16)).decode()

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}


@dataclass(frozen=True)
class Answer:
    """An answer to a request.

    Attributes:
        status: 0 if the server closed the connection without an answer.
        headers: by lower-case name; values of repeated headers are joined by a comma.
        body: the bytes that came with the head, and the rest up to Content-Length.
    """

    status: int
    headers: dict[str, str]
    body: bytes


def exchange(port: int, request: bytes, address: str = "127.0.0.1") -> Answer:
    """Send bytes and return the answer; only the head for a stream."""
    with socket.create_connection((address, port), 20) as client:
        client.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            try:
                part = client.recv(65_536)
            except ConnectionError:
                part = b""
            if not part:
                break
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        if not head:
            return Answer(0, {}, b"")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for name, _, value in (line.partition(":") for line in lines):
            key = name.strip().lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
        length = 0 if request.startswith(b"HEAD ") else int(headers.get("content-length", 0))
        while len(body) < length and (part := client.recv(65_536)):
            body += part
    return Answer(int(status.split()[1]), headers, body)


def request(
    method: str = "GET",
    target: str | bytes = "/api/stats",
    host: str | bytes | None = "localhost",
    body: bytes = b"",
    version: str = "1.1",
    **headers: str,
) -> bytes:
    """Return a request. An underscore in a header's name becomes a hyphen; host=None omits Host."""
    lines = [b" ".join([method.encode(), _bytes(target), f"HTTP/{version}".encode()])]
    if host is not None:
        lines.append(b"Host: " + _bytes(host))
    lines += [f"{name.replace('_', '-')}: {value}".encode("latin-1") for name, value in headers.items()]
    if body or method not in {"GET", "HEAD", "OPTIONS"}:
        lines.append(f"Content-Length: {len(body)}".encode())
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def handshake(target: str = "/ws/metrics", host: str | bytes | None = "localhost", **headers: str) -> bytes:
    """Return the request that opens a WebSocket."""
    named: dict[str, Any] = {name.replace("-", "_"): value for name, value in HANDSHAKE.items()}
    return request("GET", target, host, **named | headers)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
