"""Services of a small company, simulated: the states they are in, the space on their disks, and whom to call.

Run it with ``tickboard run examples/services.py``.
"""

import random

from tickboard import Board

DOWN, UP, STARTING = range(3)
SERVICES = ("auth", "billing", "catalog", "mailer", "search", "web")
DISKS = {"/": 52.6, "/boot": 31.0, "/home": 12.2, "/srv/backup": 28.4, "/var": 74.1}

board = Board("Services")

state = board.gauge("service_state", "Services", labels=["service"])
disk = board.gauge("disk_usage", "Disk space", unit="%", labels=["mount"], max=100)
full_in = board.gauge("disk_full_in", "Full in", unit="s", labels=["mount"])

now = dict.fromkeys(SERVICES, UP)


@board.every()
def check() -> None:
    """Now and then a service goes down, and starts again after a while."""
    for service, before in now.items():
        if before == UP:
            now[service] = DOWN if random.random() < 0.004 else UP
        elif random.random() < 0.15:
            now[service] = STARTING if before == DOWN else UP
        state.labels(service=service).set(now[service])


@board.every()
def measure() -> None:
    """How full each disk is; only one of them fills."""
    for mount, used in DISKS.items():
        disk.labels(mount=mount).set(used)
    full_in.labels(mount="/var").set(41 * 86_400)


board.row(board.states(state, {DOWN: ("down", "critical"), STARTING: ("starting", "warning"), UP: "up"}))
board.row(
    board.bars(disk, beside=full_in, limit=5),
    board.text("""
        # On call
        **Ann**, until Friday noon, then **Bob**. Ring twice.

        1. Look at the [runbook](https://wiki.example.com/services).
        2. Restart what is down: `systemctl restart SERVICE`
        3. Tell support.
        """),
)

board.alert(state < UP, "{service} is down", severity="critical", for_="10s")
board.alert(disk > 90, "Disk almost full: {mount} {value:.1f} %", severity="critical", for_="1m")
