"""The benchmarks: each module measures one thing; `python -m benchmarks` runs all and writes docs/benchmarks.md.

They never fail on a figure: they print the limit beside it.
"""
