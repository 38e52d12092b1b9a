"""Mark a release on a board, from its beginning to its end: ``python examples/release.py 1.4 [ADDRESS]``."""

import sys
import time
from datetime import UTC, datetime

import tickboard

version, *rest = sys.argv[1:]
url = rest[0] if rest else "http://127.0.0.1:3000"

began = datetime.now(UTC)
time.sleep(0.5)  # here, your own release
mark = tickboard.mark(url, f"deployed {version}", at=began, until=datetime.now(UTC), by="release.py")
print(f"{mark.text}: {mark.timestamp} to {mark.until}")
