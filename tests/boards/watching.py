"""A wall that follows the hosts in ``HOSTS``, has a rule on them, and notifies the webhook at ``HOOK``."""

import os

from tickboard import Board, metric

board = Board("Wall", interval_ms=200)
board.follow(*os.environ["HOSTS"].split())
board.alert(metric("host_up") < 1, "{host} is gone", severity="critical", name="gone")
board.notify("hook", f"json://{os.environ['HOOK']}/", wait="10ms", limit=1000)
