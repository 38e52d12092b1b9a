"""Run some scenarios, or all, and print their tables."""

import sys

from benchmarks.fanout import SCENARIOS

for name in sys.argv[1:] or SCENARIOS:
    for table in SCENARIOS[name]():
        print(table.markdown(), flush=True)
