"""The board of the tutorial: a small shop with orders, a queue and a checkout that is slow at times."""

import random

from tickboard import Board

board = Board("Shop")

orders = board.counter("orders", "Orders", unit="orders/s")
queue = board.gauge("queue", "Orders waiting", unit="orders", labels=["city"])
checkout = board.histogram("checkout", "Checkout", unit="ms")

waiting = {"Oslo": 3, "Rome": 6}


@board.every("100ms")
def simulate():
    for city, before in waiting.items():
        waiting[city] = min(max(before + random.choice([-1, 0, 1]), 0), 12)
        queue.labels(city=city).set(waiting[city])
        orders.inc(random.randrange(3))
    checkout.observe(random.lognormvariate(3, 0.5))


board.row(board.card(orders), board.card(checkout))
board.row(board.chart(queue), board.chart(checkout, "checkout.p95", title="Checkout"))

board.alert(queue.avg("10s") > 6, "{city}: {value:.0f} orders wait", severity="critical", for_="5s", clear=queue < 4)
board.alert(checkout.p95 > 60, "Checkout is slow: p95 is {value:.0f} ms")
