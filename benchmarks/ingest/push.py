"""Pushed NDJSON: samples a second into an intake, beside a plain reading of it that stores nothing."""

import json
import random

import msgspec

from benchmarks.report import quickest
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources.push import PushDecoder

SERIES = 1_000
LINES = 100_000
ROUNDS = 5
NOW = 1_700_000_000.0


def payload(lines: int) -> list[bytes]:
    """Return one body: three quarters gauges, the others counters, with a unit, a time and two labels."""
    random.seed(1)
    return [b"\n".join(_line(number) for number in range(lines))]


def rate() -> tuple[float, float]:
    """Return samples a second: ours into an intake, and of ``json.loads`` of each line."""
    (body,) = payload(LINES)
    source = Intake(Registry()).source("push")

    def ours() -> None:
        taken = PushDecoder(body, source, NOW, lines=True)
        for _ in taken.read():
            pass
        for _ in taken.write():
            pass

    def plain() -> None:
        for line in body.split(b"\n"):
            json.loads(line)

    ours()
    return LINES / quickest(ours, ROUNDS), LINES / quickest(plain, ROUNDS)


def dictionaries_rate() -> float:
    """Return samples a second of msgspec's reading of all lines into dictionaries."""
    (body,) = payload(LINES)
    decoder = msgspec.json.Decoder(dict[str, object])
    return LINES / quickest(lambda: decoder.decode_lines(body), ROUNDS)


def _line(number: int) -> bytes:
    series = random.randrange(SERIES)
    sample: dict[str, object] = {
        "name": f"service.queue.{series}",
        "value": round(random.uniform(0, 1_000), 3),
        "unit": "jobs",
        "labels": {"env": "prod", "route": f"/users/{series}"},
    }
    sample |= {"kind": "counter"} if series % 4 == 0 else {"timestamp": int(NOW) + number // SERIES}
    return json.dumps(sample).encode()


if __name__ == "__main__":
    print(*(f"{one:,.0f} samples/s" for one in (*rate(), dictionaries_rate())))
