"""Hostile clients of one server: many connections of ten kinds, each beginning again when it is ended.

Usage: python attack.py PORT CONNECTIONS SECONDS SEED; prints how many connections of each kind there were, as JSON. It
needs the standard library alone, and its choices are seeded.
"""

import asyncio
import gzip
import json
import os
import random
import sys
import time
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Awaitable, Callable

HEAD = "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HANDSHAKE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
OTLP = "Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\n"

DROP_S = 0.5
"""Between two bytes of what is slow."""

PAUSE_S = 0.2
"""Between two acts of what is quick: this process may not need more of its core than the viewers leave it."""

BOMB = gzip.compress(bytes(15 << 20))

Attack = Callable[[StreamReader, StreamWriter, random.Random], Awaitable[None]]


def head(method: str, path: str) -> bytes:
    """Return the beginning of a request."""
    return HEAD.format(method=method, path=path).encode()


async def silent(reader: StreamReader, writer: StreamWriter, choose: random.Random) -> None:
    """Say nothing."""
    await reader.read()


async def slow_head(reader: StreamReader, writer: StreamWriter, choose: random.Random) -> None:
    """Send a head a byte at a time."""
    writer.write(head("GET", "/"))
    while not reader.at_eof():
        writer.write(b"a")
        await pause(writer, DROP_S)


async def endless_header(reader: StreamReader, writer: StreamWriter, choose: random.Random) -> None:
    """Send one header without an end."""
    writer.write(head("GET", "/") + b"X: ")
    while True:
        writer.write(b"a" * choose.randrange(1, 20_000))
        await pause(writer, 0)


async def slow_body(reader: StreamReader, writer: StreamWriter, choose: random.Random) -> None:
    """Send a body a byte at a time."""
    writer.write(head("POST", "/api/metrics") + b"Content-Length: 999999\r\n\r\n[")
    while not reader.at_eof():
        writer.write(b" ")
        await pause(writer, DROP_S)


async def bomb(reader: StreamReader, writer: StreamWriter, choose: random.Random) -> None:
    """Send 15 kB that unfold to 15 MB, and wait."""
    writer.write(head("POST", "/v1/metrics") + OTLP.encode() + b"Content-Length: 99999\r\n\r\n" + BOMB)
    await reader.read()
    await asyncio.sleep(PAUSE_S)


async def behind_gzip(reader: StreamReader, writer: StreamWriter, choose: random.Random) -> None:
    """Send a whole gzip, and then go on."""
    writer.write(head("POST", "/v1/metrics") + OTLP.encode() + b"Content-Length: 9999999\r\n\r\n" + gzip.compress(b""))
    while not reader.at_eof():
        writer.write(choose.randbytes(10_000))
        await pause(writer, PAUSE_S)


async def frames(reader: StreamReader, writer: StreamWriter, choose: random.Random) -> None:
    """Send bytes in place of frames to a WebSocket."""
    writer.write(head("GET", "/ws/metrics") + HANDSHAKE.encode())
    await reader.readuntil(b"\r\n\r\n")
    while True:
        writer.write(choose.randbytes(choose.randrange(1, 2_000)))
        await pause(writer, PAUSE_S)


async def selectors(reader: StreamReader, writer: StreamWriter, choose: random.Random) -> None:
    """Subscribe to ever other selectors."""
    writer.write(head("GET", "/ws/metrics") + HANDSHAKE.encode())
    await reader.readuntil(b"\r\n\r\n")
    while True:
        wanted = [f"*{choose.randrange(10**6)}*[a-z]?{number}" for number in range(100)]
        text = json.dumps({"type": "subscribe", "metrics": wanted}).encode()
        writer.write(b"\x81\xfe" + len(text).to_bytes(2) + bytes(4) + text)
        await pause(writer, PAUSE_S)
        await take(reader)


async def parameters(reader: StreamReader, writer: StreamWriter, choose: random.Random) -> None:
    """Ask for the stats of ever other selectors."""
    while not reader.at_eof():
        query = "&".join(f"metrics=*{choose.randrange(10**6)}*" for _ in range(50))
        writer.write(head("GET", f"/api/stats?{query}") + b"\r\n")
        await pause(writer, PAUSE_S)
        await take(reader)


async def pipelined(reader: StreamReader, writer: StreamWriter, choose: random.Random) -> None:
    """Send many requests at once, and take no answer."""
    while True:
        writer.write((head("GET", "/api/board") + b"\r\n") * 500)
        await pause(writer, PAUSE_S)


KINDS: list[Attack] = [
    silent,
    slow_head,
    endless_header,
    slow_body,
    bomb,
    behind_gzip,
    frames,
    selectors,
    parameters,
    pipelined,
]


async def pause(writer: StreamWriter, seconds: float) -> None:
    """Wait until the server takes what was sent, and then for so long."""
    await writer.drain()
    await asyncio.sleep(seconds)


async def take(reader: StreamReader) -> None:
    """Throw away what has come, or comes soon."""
    async with asyncio.timeout(5):
        await reader.read(1 << 20)


async def again(kind: Attack, port: int, choose: random.Random, counts: Counter[str]) -> None:
    """Attack, and begin again when the server has ended it."""
    await asyncio.sleep(choose.random())
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(PAUSE_S)
            continue
        counts[kind.__name__.replace("_", " ")] += 1
        try:
            await kind(reader, writer, choose)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.transport.abort()
        await asyncio.sleep(PAUSE_S)


async def attack(port: int, connections: int, seconds: float, seed: int) -> Counter[str]:
    """Attack a server for so long; return how many connections of each kind there were."""
    choose = random.Random(seed)  # a repeatable one is wanted
    counts: Counter[str] = Counter({kind.__name__.replace("_", " "): 0 for kind in KINDS})
    tasks = [
        asyncio.create_task(again(KINDS[number % len(KINDS)], port, random.Random(choose.random()), counts))
        for number in range(connections)
    ]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=5)
    return counts


def main(port: int, connections: int, seconds: float, seed: int) -> None:
    """Attack, and print what was done."""
    os.nice(5)  # the viewers, on the same core, are to be measured
    began = time.monotonic()
    counts = asyncio.run(attack(port, connections, seconds, seed))
    assert time.monotonic() - began < seconds + 30
    print(json.dumps(counts))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
