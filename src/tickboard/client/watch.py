"""`connect`, which watches a board that runs elsewhere, and the address of its WebSocket.

Importing this module is cheap; a program that never connects does not load asyncio or websockets.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tickboard.client.authorization import authorized
from tickboard.client.decoder import Decoder
from tickboard.errors import InputError
from tickboard.metrics.selectors import MAX_GLOBS
from tickboard.output.secrets import public, redacted, remember_url

if TYPE_CHECKING:
    from tickboard.client.ticks import Ticks

MAX_ADDRESS_BYTES = 7_900
"""The longest address with its subscription: servers accept a first line of 8,192 bytes, and a position is added."""


def connect(
    url: str,
    *,
    metrics: Iterable[str] = (),
    since: str | None = None,
    history: bool = False,
    token: str | None = None,
) -> "Ticks":
    """Watch a board: iterate over what this returns with ``async for``.

    Iteration begins with the newest tick and never ends by itself. A lost connection is opened again, followed by the
    ticks made meanwhile, if the board still has them. `Tick.missed` and `Tick.fresh` say if it does not.

    Args:
        url: the board's address in a browser, ``http://host:3000`` or ``https://host/live``; or that of its WebSocket,
            ``wss://host/live/ws/metrics``.
        metrics: only these, by name, glob or label: ``["cpu_usage", "disk_*"]``. None: all.
        since: the `Tick.position` of the last tick that you processed, to continue after it.
        history: begin with the board's whole window, oldest tick first. Ignored if `since` is given.
        token: a token with the role viewer, if the board needs a login; None: that in ``TICKBOARD_TOKEN``.

    Raises:
        InputError: an argument cannot be used.
    """
    # Imported here, because it loads asyncio and websockets.
    from tickboard.client.ticks import Ticks

    address = websocket_url(url, metrics)
    return Ticks(address, Decoder(since or "", history=history), authorized(url, {}, token))


def websocket_url(url: str, metrics: Iterable[str] = ()) -> str:
    """Return the address of a board's WebSocket, with a subscription.

    Raises:
        InputError: it is not a board's address, or `metrics` is not a list of selectors.
    """
    if not isinstance(url, str):
        raise _bad_url(url, "it is not text")
    remember_url(url)
    try:
        parts = urlsplit(url.strip())
        scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
        if scheme is None or not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", url.strip()):
            raise _bad_url(url, "it has no host" if scheme else "its scheme is not http, https, ws or wss")
        own = {"since", "metrics"} & {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
        if own:
            raise _bad_url(url, f"{min(own)} is an argument of connect, not a part of the address")
        path = parts.path.rstrip("/")
        path = path if path.endswith("/ws/metrics") else f"{path}/ws/metrics"
        subscription = urlencode([("metrics", one) for one in _selectors(metrics)])
        address = urlunsplit((scheme, parts.netloc, path, "&".join(filter(None, (parts.query, subscription))), ""))
        if parts.username is not None and parts.password is None:
            raise _bad_url(url, "it has a user without a password")
        # Both raise ValueError if they are invalid.
        parts.hostname.encode("idna"), parts.port
        if len(address.encode()) > MAX_ADDRESS_BYTES:
            raise InputError(
                f"url and metrics make an address of {len(address)} characters, more than the {MAX_ADDRESS_BYTES} that "
                "servers accept: use globs that match more"
            )
    except InputError:
        raise
    except ValueError as error:
        raise _bad_url(url, str(error)) from error
    return address


def _bad_url(url: object, why: str) -> InputError:
    shown = public(url) if isinstance(url, str) else url
    return InputError(
        f"url {shown!r} cannot be used: {redacted(why)}; write it as http://127.0.0.1:3000 or https://host/live"
    )


def _selectors(metrics: Iterable[str]) -> list[str]:
    chosen = [] if isinstance(metrics, str) else list(metrics)
    if isinstance(metrics, str) or not all(isinstance(one, str) for one in chosen):
        raise InputError(f'metrics {metrics!r} is not a list of texts: write metrics=["cpu_usage", "disk_*"]')
    globs = sum(1 for one in chosen if re.search(r"[*?\[]", one))
    if globs > MAX_GLOBS:
        raise InputError(f"metrics has {globs} globs: use {MAX_GLOBS} at most, or one that matches more")
    return chosen
