"""How long requests take, as a heat map: most are answered from a cache, the others wait for a database.

Run it with ``tickboard run examples/heatmap.py``. Half a minute after its start, the database becomes slow, which the
average hardly shows.
"""

import random
import time

from tickboard import Board

board = Board("Requests")

duration = board.histogram("request_duration", "Request duration", unit="ms", labels=["route"])

board.row(board.chart(duration), board.heatmap(duration))

started = time.time()
SHARES = {"/search": 0.6, "/checkout": 0.9}
"""The share of requests that the cache answers, by route."""


@board.every()
def simulate():
    slow = 4 if time.time() - started > 30 else 1
    for route, cached in SHARES.items():
        for _ in range(random.randrange(60, 90)):
            usual = 6 if random.random() < cached else 60 * slow
            duration.labels(route=route).observe(random.lognormvariate(0, 0.35) * usual)
