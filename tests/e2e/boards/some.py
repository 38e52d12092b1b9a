"""A number of metrics given by the environment, and one metric with four series that have long names."""

import os

from tickboard import Board

board = Board("A title that is as long as the name of a machine")
for number in range(int(os.environ["METRICS"])):
    board.gauge(f"metric_{number}", f"Metric {number}", unit="%").set(number)
parts = board.gauge("parts", "Packets by kind", unit="packets/s", labels=["kind"])
for kind in ("received with errors", "sent with errors", "received and dropped", "sent and dropped"):
    parts.labels(kind=kind).set(1)

board.row(*(board.card(f"metric_{number}") for number in range(int(os.environ["METRICS"]))))
board.row(*(board.chart(f"metric_{number}") for number in range(int(os.environ["METRICS"]))))
board.row(board.chart(parts), board.chart(parts, title="The same again"))
board.alert(board.metric("metric_0") > -1, "always", severity="critical")
