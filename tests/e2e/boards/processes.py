"""Processes: of each name and user, three numbers."""

from tickboard import Board

LABELS = ["process", "user"]

board = Board("Processes", interval_ms=100)
cpu = board.gauge("cpu", "CPU", unit="%", labels=LABELS)
memory = board.gauge("memory", "Memory", unit="B", labels=LABELS)
number = board.gauge("number", "Count", labels=LABELS)

for place, (process, user) in enumerate([("worker", "root"), ("worker", "app"), ("db", "root")]):
    labels = {"process": process, "user": user}
    cpu.labels(**labels).set(60 - 20 * place)
    memory.labels(**labels).set(1024**3 * place)
    number.labels(**labels).set(1)

board.table(cpu, memory, number, label="process", also=["user"], title="Processes")
