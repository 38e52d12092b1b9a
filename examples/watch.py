"""Print a line for every tick of a board that runs: ``python examples/watch.py http://127.0.0.1:3000 "cpu*"``."""

import asyncio
import sys

import tickboard


async def main(url: str = "http://127.0.0.1:3000", *metrics: str) -> None:
    async for tick in tickboard.connect(url, metrics=metrics):
        time = tick.datetime.astimezone().strftime("%H:%M:%S")
        print(time, "  ".join(f"{key} {value:.4g}" for key, value in tick.items()), flush=True)


asyncio.run(main(*sys.argv[1:]))
