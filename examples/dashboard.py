"""The live dashboard: four simulated metrics and three alert rules."""

import random

from tickboard import Board

board = Board("Live Dashboard")

cpu = board.gauge("cpu_usage", "CPU Usage", unit="%")
memory = board.gauge("memory_usage", "Memory", unit="%")
requests = board.gauge("requests_per_sec", "Requests/sec", unit="req/s")
latency = board.gauge("avg_latency", "Latency", unit="ms")


@board.every("* * * * * *")
def simulate():
    cpu.set(random.uniform(0, 100))
    memory.set(random.uniform(40, 80))
    requests.set(random.randrange(500))
    latency.set(random.uniform(10, 100))


board.alert(cpu > 90, "CPU usage critical: {value:.1f}%", severity="critical")
board.alert(memory > 85, "Memory usage high: {value:.1f}%", severity="warning")
board.alert(latency > 80, "Latency spike: {value:.1f}ms", severity="warning")
