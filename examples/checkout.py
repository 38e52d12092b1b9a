"""A shop's checkout on thirty pods, simulated: metrics with labels, sections, and alerts that fire after a while.

Run it with ``tickboard run examples/checkout.py``. Twenty seconds after its start, two pods get busy and the checkout
becomes slow.
"""

import math
import random
import time

from tickboard import Board

SERVICES = ("checkout", "payments", "search", "catalog", "identity", "cart", "mailer", "images")
BUSY = {5: 36.0, 1: 22.0}
"""How much busier these pods get."""

board = Board("Checkout · production")

cpu = board.gauge("cpu_usage", "CPU Usage", unit="%", min=0, max=100)
requests = board.gauge("requests_per_sec", "Requests/sec", unit="req/s")
orders = board.gauge("orders_per_min", "Orders", unit="/min")
connections = board.gauge("connections", "Connections")
pods = board.gauge("pod_cpu", "Pod CPU", unit="%", labels=["pod"], min=0, max=100)
latency = board.gauge("latency_p95", "Latency p95", unit="ms", labels=["service"])

board.row(board.card(cpu, note="8 cores"), board.card(requests), board.card(orders), board.card(connections))
board.row(board.chart(pods), title="Pods", note="30 pods")
board.row(board.chart(latency), board.chart(requests), board.chart(connections), title="Services")

started = time.time()
wander = random.Random(7)
drift = [0.0] * 30


@board.every()
def simulate():
    seconds = time.time() - started
    trouble = 1 / (1 + math.exp(-(seconds - 22)))
    for number in range(30):
        drift[number] = 0.9 * drift[number] + wander.gauss(0, 1.2)
        busy = 62 - 1.3 * number + drift[number] + trouble * BUSY.get(number, 0.0)
        pods.labels(pod=f"checkout-7f9c{number:02x}").set(min(99.5, max(0.0, busy)))
    for number, service in enumerate(SERVICES):
        slow = trouble * 190 if service == "checkout" else 0.0
        latency.labels(service=service).set(130 / (1 + number / 3) + slow + wander.gauss(0, 4))
    cpu.set(46 + 18 * trouble + wander.gauss(0, 2))
    requests.set(230 + 25 * math.sin(seconds / 9) + wander.gauss(0, 6))
    orders.set(41 - 12 * trouble + wander.gauss(0, 1.5))
    connections.set(212 + wander.gauss(0, 2.5))


board.alert(pods > 85, "Pod CPU over 85 %: {pod} at {value:.1f} %", severity="critical", for_="3s")
board.alert(latency > 250, "Latency of {service}: {value:.0f} ms", for_="3s")
