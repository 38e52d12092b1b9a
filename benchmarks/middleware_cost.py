"""What `TickboardMiddleware` adds to a request, over an ASGI application that does nothing."""

import asyncio
import json
import time

from tickboard.series import Registry
from tickboard.sources.middleware import Application, Message, Receive, Scope, Send, TickboardMiddleware

REQUESTS = 5_000
"""In one round, which is one tick: about what a histogram sees in a second of a busy server."""

ROUNDS = 30


async def no_op(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _receive() -> Message:
    return {"type": "http.request"}


async def _send(message: Message) -> None:
    pass


async def _ns_per_request(app: Application) -> float:
    scope = {"type": "http", "method": "GET", "path": "/"}
    started = time.perf_counter_ns()
    for _ in range(REQUESTS):
        await app(scope, _receive, _send)
    return (time.perf_counter_ns() - started) / REQUESTS


async def _measure() -> dict[str, float]:
    registry = Registry()
    measured = TickboardMiddleware(no_op, registry)
    bare_ns, measured_ns, beyond_ns = [], [], []
    # In turns, and the best of each: another process's noise falls on both, and hardly ever on every round.
    for _ in range(ROUNDS):
        bare_ns.append(await _ns_per_request(no_op))
        measured_ns.append(await _ns_per_request(measured))
        await _ns_per_request(measured)
        beyond_ns.append(await _ns_per_request(measured))
        registry.collect(1)
    return {
        "bare_ns": round(min(bare_ns)),
        "measured_ns": round(min(measured_ns)),
        "added_ns": round(min(measured_ns) - min(bare_ns)),
        "added_ns_beyond_10000_a_tick": round(min(beyond_ns) - min(bare_ns)),
    }


def measure() -> dict[str, float]:
    """Return nanoseconds a request, bare and measured, and what the middleware adds.

    Beyond 10,000 observations a tick, the histogram keeps a fair sample, which costs a random number each.
    """
    return asyncio.run(_measure())


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
